/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as options of commands: every setting is a flag, and --config names a file. */
#ifndef WEFT_BIN_CONFIG_ARGS_H
#define WEFT_BIN_CONFIG_ARGS_H

#include "args.h"
#include "config.h"

/* The options of a command that takes settings. */
struct config_args {
    struct args_option options[ARGS_OPTIONS_MAX];
    size_t count;
    size_t first; /* the place of the table's first setting */
    struct weft_bytes help;
};

/* Fills |table| with |own| options of the command, --config and all settings. It is used by
 * args_parse and config_from_args. False when out of memory. */
WEFT_MUST_USE bool config_args_init(struct config_args *table, const struct args_option *own,
                                    size_t own_count);
void config_args_done(struct config_args *table);

/*
 * Reads all layers into |config| (after config_init) and finishes it: --config or WEFT_CONFIG, the
 * environment, the flags. Returns -1 when the command may go on, else the exit status; mistakes are
 * reported then.
 */
int config_from_args(struct config *config, const struct config_args *table,
                     const struct args *args);

#endif
