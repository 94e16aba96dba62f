/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hexadecimal digits in tests. */
#ifndef WEFT_TESTS_LIB_HEX_H
#define WEFT_TESTS_LIB_HEX_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of |hex|, in which blanks are ignored ("81 05 48656c6c6f"). Free the result. Bad digits
 * fail the test. */
uint8_t *test_hex_decode(const char *hex, size_t *ret_len);

/* |len| bytes as lower-case digits. Free the result. */
char *test_hex_encode(const void *data, size_t len);

#endif
