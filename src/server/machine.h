/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine, or the part of it that this process may use, has. **Thread:** any. */
#ifndef WEFT_SERVER_MACHINE_H
#define WEFT_SERVER_MACHINE_H

#include <stddef.h>

/*
 * Bytes of memory that this process may use: the machine's, or the limit of its control group or of
 * a group around it (version 2: memory.max; version 1: memory.limit_in_bytes) when that is less.
 * |root| goes before the names of the files read: "" but in tests.
 */
size_t weft__machine_memory(const char *root);

/* Descriptors that this process may have open (the soft RLIMIT_NOFILE). */
unsigned weft__machine_descriptors(void);

#endif
