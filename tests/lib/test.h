/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every test includes: cmocka with the headers it wants before it, and the helpers of this
 * folder. A test file ends with its own main:
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {
 *             cmocka_unit_test(close_frame_with_one_byte_payload_is_protocol_error),
 *         };
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 */
#ifndef WEFT_TESTS_LIB_TEST_H
#define WEFT_TESTS_LIB_TEST_H

/* cmocka.h uses these without including them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/alloc.h>
#include <weft/err.h>

#include "lib/fault_alloc.h"
#include "lib/file.h"
#include "lib/hex.h"
#include "lib/random.h"
#include "lib/splits.h"

/* |expr| must be 0 (WEFT_OK); a failure names the code. */
#define assert_ok(expr) test_assert_err((expr), WEFT_OK, #expr, __FILE__, __LINE__)

/* |expr| must be exactly |want|, an enum weft_err. */
#define assert_err(expr, want) test_assert_err((expr), (want), #expr, __FILE__, __LINE__)

/* |len| bytes at |got| must equal the string literal or array |want| in content and length. */
#define assert_bytes(got, got_len, want, want_len)                                                 \
    test_assert_bytes((got), (got_len), (want), (want_len), __FILE__, __LINE__)

void test_assert_err(int got, int want, const char *expr, const char *file, int line);
void test_assert_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
                       const char *file, int line);

/* The loop that integration tests must use: "epoll" or "uring", from WEFT_TEST_LOOP; "epoll" when
 * it is not set. */
const char *test_loop(void);

/* The path of the weft executable: WEFT_TEST_BINARY of the environment, or the one built with this
 * test; NULL when there is none. */
const char *test_binary(void);

#endif
