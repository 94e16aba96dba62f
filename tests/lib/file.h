/* SPDX-License-Identifier: Apache-2.0 */
/* Test data: files below tests/ (the folder is WEFT_TEST_DIR, set by the build or, when it is in
 * the environment, by that). */
#ifndef WEFT_TESTS_LIB_FILE_H
#define WEFT_TESTS_LIB_FILE_H

#include <stddef.h>

/* Content of the file |path| below tests/, for example "vectors/json/y_array_empty.json", with a
 * zero byte after it that |*ret_len| does not count. Free the result. A missing file fails the
 * test. |ret_len| may be NULL. */
char *test_file_load(const char *path, size_t *ret_len);

/* Calls |each| with the name (without folder) and content of every file in folder |path| below
 * tests/ whose name begins with |prefix| ("" for all), in the order of their names. Gives their
 * number; none fails the test. */
size_t test_file_each(const char *path, const char *prefix,
                      void (*each)(const char *name, const char *data, size_t len, void *ctx),
                      void *ctx);

#endif
