/* SPDX-License-Identifier: Apache-2.0 */
/* What the cores need of cryptography, as an interface. An implementation is thread-safe. */
#ifndef WEFT_PORT_CRYPTO_H
#define WEFT_PORT_CRYPTO_H

#include <stddef.h>
#include <stdint.h>
#include <weft/export.h>

enum { WEFT_SHA1_SIZE = 20, WEFT_SHA256_SIZE = 32 };

struct weft_crypto {
    /* The digest of |len| bytes. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_INTERNAL. */
    int (*sha1)(void *ctx, const void *data, size_t len, uint8_t ret_digest[WEFT_SHA1_SIZE]);
    int (*sha256)(void *ctx, const void *data, size_t len, uint8_t ret_digest[WEFT_SHA256_SIZE]);
    /* |len| unpredictable bytes. Does not fail: without entropy the process ends. */
    void (*random)(void *ctx, void *ret_bytes, size_t len);
    void *ctx;
};

#endif
