/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the kernel what there is. */
#include "server/machine.h"

#include "base/compiler.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, LINE_SIZE = 768 };

/* The number in the file; SIZE_MAX when there is none ("max") or no such file. */
static size_t read_limit(const char *root, const char *mount, const char *group, const char *name)
{
    char path[PATH_SIZE];
    char text[32] = "";
    int len = snprintf(path, sizeof(path), "%s%s%s/%s", root, mount, group, name);
    FILE *file = len > 0 && len < PATH_SIZE ? fopen(path, "re") : NULL;
    if (!file)
        return SIZE_MAX;
    bool read = fgets(text, sizeof(text), file) != NULL;
    (void)fclose(file);
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return read && end != text && value < SIZE_MAX ? (size_t)value : SIZE_MAX;
}

/* The least limit of |group| and of all groups around it. */
static size_t least_limit(const char *root, const char *mount, char *group, const char *name)
{
    size_t least = read_limit(root, mount, "", name);
    while (group[0]) {
        size_t limit = read_limit(root, mount, group, name);
        least = WEFT_MIN(least, limit);
        char *slash = strrchr(group, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    return least;
}

/* The limit that a line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH", leads to. */
static size_t line_limit(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return SIZE_MAX;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (strcmp(path, "/") == 0)
        *path = '\0';
    if (strcmp(controllers, ":") == 0)
        return least_limit(root, "/sys/fs/cgroup", path, "memory.max");
    /* With other controllers beside it the name would be one of a list; nobody mounts it so. */
    if (strcmp(controllers, ":memory") == 0)
        return least_limit(root, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
    return SIZE_MAX;
}

static size_t group_limit(const char *root)
{
    char path[PATH_SIZE];
    char line[LINE_SIZE];
    size_t least = SIZE_MAX;
    int len = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = len > 0 && len < PATH_SIZE ? fopen(path, "re") : NULL;
    if (!file)
        return SIZE_MAX;
    while (fgets(line, sizeof(line), file)) {
        size_t limit = line_limit(root, line);
        least = WEFT_MIN(least, limit);
    }
    (void)fclose(file);
    return least;
}

size_t weft__machine_memory(const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    size_t all = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
    size_t group = group_limit(root);
    return WEFT_MIN(all, group);
}

unsigned weft__machine_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > UINT_MAX)
        return UINT_MAX;
    return (unsigned)limit.rlim_cur;
}
