/* SPDX-License-Identifier: Apache-2.0 */
/* Reads test data. */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>

#ifndef WEFT_TEST_DIR
#define WEFT_TEST_DIR "tests"
#endif

/* The path below tests/ as one to open. Free the result. */
static char *full_path(const char *path)
{
    const char *root = getenv("WEFT_TEST_DIR");
    if (!root || !*root)
        root = WEFT_TEST_DIR;
    size_t size = strlen(root) + strlen(path) + 2;
    char *full = malloc(size);
    if (!full)
        fail_msg("out of memory");
    snprintf(full, size, "%s/%s", root, path);
    return full;
}

char *test_file_load(const char *path, size_t *ret_len)
{
    char *full = full_path(path);
    FILE *file = fopen(full, "rb");
    if (!file)
        fail_msg("%s: %s", full, strerror(errno));
    size_t len = 0;
    size_t room = 65536;
    char *data = malloc(room + 1);
    while (data) {
        len += fread(data + len, 1, room - len, file);
        if (len < room)
            break;
        room *= 2;
        char *larger = realloc(data, room + 1);
        if (!larger)
            free(data);
        data = larger;
    }
    if (!data || ferror(file))
        fail_msg("%s cannot be read", full);
    fclose(file);
    free(full);
    data[len] = '\0';
    if (ret_len)
        *ret_len = len;
    return data;
}

size_t test_file_each(const char *path, const char *prefix,
                      void (*each)(const char *name, const char *data, size_t len, void *ctx),
                      void *ctx)
{
    char *folder = full_path(path);
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        fail_msg("%s: %s", folder, strerror(errno));
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && strncmp(name, prefix, strlen(prefix)) == 0) {
            char file_path[4096];
            snprintf(file_path, sizeof(file_path), "%s/%s", path, name);
            size_t len;
            char *data = test_file_load(file_path, &len);
            each(name, data, len, ctx);
            free(data);
            used++;
        }
        free(entries[i]);
    }
    free(entries);
    if (used == 0)
        fail_msg("no file \"%s…\" in %s", prefix, folder);
    free(folder);
    return used;
}
