/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648) in both alphabets. Decoding is strict, so that every byte string has exactly
 * one encoding: no white space, no other characters, padding complete (standard) or absent (url),
 * and no stray bits behind the last byte (§3.5). Thread: any.
 */
#ifndef WEFT_CODEC_BASE64_H
#define WEFT_CODEC_BASE64_H

#include "base/slice.h"

#include <weft/err.h>

enum weft_base64_alphabet {
    WEFT_BASE64_STANDARD, /* §4: + and /, padded with = to a multiple of four */
    WEFT_BASE64_URL,      /* §5: - and _, not padded (§3.2) */
};

/* Characters that |len| bytes take in the longer of the two forms. |len| is at most SIZE_MAX / 2.
 */
#define WEFT_BASE64_ENCODED_MAX(len) (((len) + 2) / 3 * 4)

/* Bytes that |len| characters give at most. */
#define WEFT_BASE64_DECODED_MAX(len) ((len) / 4 * 3 + 2)

/* Encodes |len| bytes into |ret_text|, which has room for WEFT_BASE64_ENCODED_MAX(len) characters,
 * and returns how many were written; no terminating zero. */
size_t weft__base64_encode(enum weft_base64_alphabet alphabet, const uint8_t *bytes, size_t len,
                           char *ret_text);

/* Decodes |text| into |ret_bytes|, which has room for WEFT_BASE64_DECODED_MAX(text.len) bytes, and
 * returns how many were written. **Errors:** WEFT_ERR_PROTOCOL when |text| is not the one encoding
 * of a byte string; |ret_bytes| may have been written to then. */
WEFT_MUST_USE ptrdiff_t weft__base64_decode(enum weft_base64_alphabet alphabet,
                                            struct weft_slice text, uint8_t *ret_bytes);

#endif
