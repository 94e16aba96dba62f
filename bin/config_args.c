/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `weft serve`, `weft dev` and `weft config`, made from the table of settings. */
#include "config_args.h"

#include <stdio.h>
#include <string.h>

static const struct args_option FILE_OPTION = {"config", "FILE", "WEFT_CONFIG",
                                               "file with settings in YAML"};

bool config_args_init(struct config_args *table, const struct args_option *own, size_t own_count)
{
    size_t starts[CONFIG_SETTINGS_MAX];
    *table = (struct config_args){0};
    weft__bytes_init(&table->help, weft_alloc_default(), CONFIG_MEMORY_MAX);
    for (size_t i = 0; i < own_count; i++)
        table->options[table->count++] = own[i];
    table->options[table->count++] = FILE_OPTION;
    table->first = table->count;
    for (size_t i = 0; i < config_setting_count; i++) {
        starts[i] = table->help.len;
        config_help(&config_settings[i], &table->help);
        weft__bytes_append_byte(&table->help, '\0');
    }
    if (weft__bytes_error(&table->help))
        return false;
    for (size_t i = 0; i < config_setting_count; i++)
        table->options[table->count++] = (struct args_option){
            .name = config_settings[i].flag,
            .value = config_settings[i].value,
            .environment = config_settings[i].environment,
            .help = (const char *)table->help.ptr + starts[i],
        };
    return true;
}

void config_args_done(struct config_args *table)
{
    weft__bytes_done(&table->help);
}

/* The result of each layer is in config->errors, too. */
static void ignore(int err)
{
    (void)err;
}

int config_from_args(struct config *config, const struct config_args *table,
                     const struct args *args)
{
    const char *file = args_get(args, FILE_OPTION.name, NULL);
    if (file)
        ignore(config_read_file(config, file));
    ignore(config_read_environment(config));
    for (size_t i = 0; i < args->given_count; i++) {
        const struct args_given *given = &args->given[i];
        if (given->place < table->first)
            continue;
        const struct config_setting *setting = &config_settings[given->place - table->first];
        ignore(config_set(config, setting, CONFIG_FLAG,
                          setting->type == CONFIG_SWITCH ? "true" : given->value));
    }
    if (config_finish(config) == 0)
        return -1;
    const char *errors = config_errors(config);
    while (*errors) {
        size_t len = strcspn(errors, "\n");
        fprintf(stderr, "weft %s: %.*s\n", args->command->name, (int)len, errors);
        errors += len + (errors[len] == '\n');
    }
    fprintf(stderr, "Try 'weft %s --help'.\n", args->command->name);
    return ARGS_USAGE;
}
