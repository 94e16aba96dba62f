/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five bytes every stored value begins with: its format version and the CRC-32C of what
 * follows.
 */
#ifndef WEFT_HUB_SEALED_H
#define WEFT_HUB_SEALED_H

#include "base/bytes.h"

enum { WEFT_SEALED_HEAD = 5 };

/* Begins a value of |format| in |b|, which is empty. */
void weft__sealed_begin(struct weft_bytes *b, uint8_t format);

/* Puts the checksum in. **Errors:** what |b| met: WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE int weft__sealed_finish(struct weft_bytes *b);

/* Checks the head of |input| and gives what follows it. **Errors:** WEFT_ERR_UNSUPPORTED for a
 * format above |newest|, WEFT_ERR_CORRUPT. */
WEFT_MUST_USE int weft__sealed_open(struct weft_slice input, uint8_t newest,
                                    struct weft_slice *ret_content);

#endif
