/* SPDX-License-Identifier: Apache-2.0 */
/* Digests by libcrypto, random bytes by getrandom(2). */
#include "io/crypto.h"

#include "base/assert.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <weft/err.h>

static int digest(const EVP_MD *md, const void *data, size_t len, uint8_t *ret_digest)
{
    unsigned size = 0;
    if (!EVP_Digest(data, len, ret_digest, &size, md, NULL))
        return WEFT_ERR_INTERNAL;
    return 0;
}

static int sha1(void *ctx, const void *data, size_t len, uint8_t ret_digest[WEFT_SHA1_SIZE])
{
    (void)ctx;
    return digest(EVP_sha1(), data, len, ret_digest);
}

static int sha256(void *ctx, const void *data, size_t len, uint8_t ret_digest[WEFT_SHA256_SIZE])
{
    (void)ctx;
    return digest(EVP_sha256(), data, len, ret_digest);
}

static void random_bytes(void *ctx, void *ret_bytes, size_t len)
{
    (void)ctx;
    uint8_t *at = ret_bytes;
    while (len) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        /* A process without randomness would hand out guessable secrets. */
        WEFT_ASSERT(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

const struct weft_crypto *weft__crypto_openssl(void)
{
    static const struct weft_crypto crypto = {
        .sha1 = sha1, .sha256 = sha256, .random = random_bytes};
    return &crypto;
}
