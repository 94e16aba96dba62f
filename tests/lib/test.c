/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions with messages a person can act on, and what the environment chooses. */
#include "lib/test.h"

void test_assert_err(int got, int want, const char *expr, const char *file, int line)
{
    if (got == want)
        return;
    print_error("%s is %s (%d), expected %s (%d)\n", expr, weft_err_name(got), got,
                weft_err_name(want), want);
    _fail(file, line);
}

void test_assert_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
                       const char *file, int line)
{
    if (got_len == want_len && (want_len == 0 || memcmp(got, want, want_len) == 0))
        return;
    char *got_hex = test_hex_encode(got, got_len);
    char *want_hex = test_hex_encode(want, want_len);
    print_error("got %zu bytes: %s\nexpected %zu bytes: %s\n", got_len, got_hex, want_len,
                want_hex);
    free(got_hex);
    free(want_hex);
    _fail(file, line);
}

const char *test_loop(void)
{
    const char *loop = getenv("WEFT_TEST_LOOP");
    return loop && *loop ? loop : "epoll";
}

const char *test_binary(void)
{
    const char *path = getenv("WEFT_TEST_BINARY");
    if (path && *path)
        return path;
#ifdef WEFT_TEST_BINARY
    return WEFT_TEST_BINARY;
#else
    return NULL;
#endif
}
