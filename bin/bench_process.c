/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about the server that is measured (proc(5)). */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads /proc/PID/NAME into |text|, at most |size| - 1 bytes. */
static bool read_file(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t len = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return len > 0;
}

bool bench_process_cpu(pid_t pid, uint64_t *ret_ns)
{
    char text[1024];
    uint64_t user;
    uint64_t system;
    if (!read_file(pid, "stat", text, sizeof(text)))
        return false;
    /* The name, in parentheses, may hold anything; behind it stand the state and ten numbers. */
    const char *rest = strrchr(text, ')');
    long hertz = sysconf(_SC_CLK_TCK);
    if (!rest || hertz <= 0 ||
        sscanf(rest + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, &user,
               &system) != 2)
        return false;
    *ret_ns = (user + system) * (WEFT_NS_PER_S / (uint64_t)hertz);
    return true;
}

bool bench_process_memory(pid_t pid, uint64_t *ret_bytes)
{
    char text[4096];
    uint64_t number;
    if (read_file(pid, "smaps_rollup", text, sizeof(text))) {
        const char *pss = strstr(text, "\nPss:");
        if (pss && sscanf(pss + 5, "%" SCNu64, &number) == 1) {
            *ret_bytes = number * 1024;
            return true;
        }
    }
    if (!read_file(pid, "statm", text, sizeof(text)) || sscanf(text, "%*u %" SCNu64, &number) != 1)
        return false;
    *ret_bytes = number * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
