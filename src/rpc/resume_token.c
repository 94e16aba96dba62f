/* SPDX-License-Identifier: Apache-2.0 */
/* Resume tokens: their form, their authenticity, which of a session's are valid. */
#include "rpc/resume_token.h"

#include "base/assert.h"
#include "codec/base64.h"

enum {
    SAID_SIZE = 4 + 8 + 8, /* worker, session, generation */
    MAC_SIZE = 16,
    TOKEN_SIZE = SAID_SIZE + MAC_SIZE,
    PREFIX_LEN = 3,
    SHA256_BLOCK = 64,
};

static const char prefix[] = "rs_";

_Static_assert(TOKEN_SIZE % 3 == 0 && PREFIX_LEN + TOKEN_SIZE / 3 * 4 == WEFT_RPC_RESUME_TOKEN_LEN,
               "every token has the same length");

void weft__rpc_resume_key_init(struct weft_rpc_resume_key *key, const struct weft_crypto *crypto)
{
    key->crypto = crypto;
    crypto->random(crypto->ctx, key->bytes, sizeof(key->bytes));
}

/* ---- authenticity ---- */

/* SHA-256 of the key, padded and masked with |mask|, and |data| of |len| bytes behind it. */
static int keyed_digest(const struct weft_rpc_resume_key *key, uint8_t mask, const uint8_t *data,
                        size_t len, uint8_t ret_digest[WEFT_SHA256_SIZE])
{
    uint8_t block[SHA256_BLOCK + WEFT_SHA256_SIZE];
    WEFT_ASSERT(len <= WEFT_SHA256_SIZE);
    memset(block, mask, SHA256_BLOCK);
    for (size_t i = 0; i < sizeof(key->bytes); ++i)
        block[i] ^= key->bytes[i];
    memcpy(block + SHA256_BLOCK, data, len);
    return key->crypto->sha256(key->crypto->ctx, block, SHA256_BLOCK + len, ret_digest);
}

/* HMAC-SHA256 of |said|: RFC 2104 §2. */
static int authenticate(const struct weft_rpc_resume_key *key, const uint8_t said[SAID_SIZE],
                        uint8_t ret_mac[WEFT_SHA256_SIZE])
{
    uint8_t inner[WEFT_SHA256_SIZE];
    int err = keyed_digest(key, 0x36, said, SAID_SIZE, inner);
    return err ? err : keyed_digest(key, 0x5c, inner, sizeof(inner), ret_mac);
}

/* Takes the same time wherever they differ. */
static bool mac_equal(const uint8_t *a, const uint8_t *b)
{
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < MAC_SIZE; ++i)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return difference == 0;
}

/* ---- form ---- */

static void put_le(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; ++i)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

int weft__rpc_resume_token_write(const struct weft_rpc_resume_key *key,
                                 const struct weft_rpc_resume_id *id,
                                 char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1])
{
    uint8_t bytes[TOKEN_SIZE], mac[WEFT_SHA256_SIZE];
    put_le(bytes, id->worker, 4);
    put_le(bytes + 4, id->session, 8);
    put_le(bytes + 12, id->generation, 8);
    int err = authenticate(key, bytes, mac);
    if (err)
        return err;
    memcpy(bytes + SAID_SIZE, mac, MAC_SIZE);
    memcpy(ret_token, prefix, PREFIX_LEN);
    size_t len = weft__base64_encode(WEFT_BASE64_URL, bytes, sizeof(bytes), ret_token + PREFIX_LEN);
    WEFT_ASSERT(PREFIX_LEN + len == WEFT_RPC_RESUME_TOKEN_LEN);
    ret_token[WEFT_RPC_RESUME_TOKEN_LEN] = '\0';
    return 0;
}

int weft__rpc_resume_token_read(const struct weft_rpc_resume_key *key, struct weft_slice token,
                                struct weft_rpc_resume_id *ret_id)
{
    uint8_t bytes[WEFT_BASE64_DECODED_MAX(WEFT_RPC_RESUME_TOKEN_LEN - PREFIX_LEN)];
    uint8_t mac[WEFT_SHA256_SIZE];
    if (token.len != WEFT_RPC_RESUME_TOKEN_LEN || memcmp(token.ptr, prefix, PREFIX_LEN) != 0)
        return WEFT_ERR_NOT_FOUND;
    struct weft_slice text = weft__slice(token.ptr + PREFIX_LEN, token.len - PREFIX_LEN);
    if (weft__base64_decode(WEFT_BASE64_URL, text, bytes) != TOKEN_SIZE)
        return WEFT_ERR_NOT_FOUND;
    int err = authenticate(key, bytes, mac);
    if (err)
        return err;
    if (!mac_equal(mac, bytes + SAID_SIZE))
        return WEFT_ERR_NOT_FOUND;
    *ret_id = (struct weft_rpc_resume_id){.worker = (uint32_t)get_le(bytes, 4),
                                          .session = get_le(bytes + 4, 8),
                                          .generation = get_le(bytes + 12, 8)};
    return 0;
}

/* ---- a session's tokens ---- */

const char *weft__rpc_resume_result_name(enum weft_rpc_resume_result result)
{
    static const char *const names[] = {
        [WEFT_RPC_RESUME_OK] = "ok",
        [WEFT_RPC_RESUME_UNKNOWN] = "unknown",
        [WEFT_RPC_RESUME_EXPIRED] = "expired",
        [WEFT_RPC_RESUME_FENCED] = "fenced",
        [WEFT_RPC_RESUME_OVERFLOW] = "overflow",
        [WEFT_RPC_RESUME_WIRE] = "wire",
        [WEFT_RPC_RESUME_PRINCIPAL] = "principal",
    };
    WEFT_ASSERT((size_t)result < WEFT_ARRAY_LEN(names));
    return names[result];
}

void weft__rpc_resume_init(struct weft_rpc_resume *resume, const struct weft_rpc_resume_key *key,
                           uint32_t worker, uint64_t session, const struct weft_rpc_wire *wire,
                           struct weft_slice principal)
{
    *resume = (struct weft_rpc_resume){.key = key,
                                       .id = {.worker = worker, .session = session},
                                       .wire = wire,
                                       .principal = principal};
}

int weft__rpc_resume_issue(struct weft_rpc_resume *resume,
                           char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1])
{
    struct weft_rpc_resume_id id = resume->id;
    ++id.generation;
    int err = weft__rpc_resume_token_write(resume->key, &id, ret_token);
    if (!err)
        resume->id = id;
    return err;
}

enum weft_rpc_resume_result weft__rpc_resume_judge(struct weft_rpc_resume *resume,
                                                   const struct weft_rpc_resume_id *id,
                                                   const struct weft_rpc_wire *wire,
                                                   struct weft_slice principal)
{
    if (!resume)
        return WEFT_RPC_RESUME_EXPIRED;
    WEFT_ASSERT(id->worker == resume->id.worker && id->session == resume->id.session &&
                id->generation <= resume->id.generation);
    /* Who stole a token learns nothing of what has become of the session. */
    if (!weft__slice_eq(principal, resume->principal))
        return WEFT_RPC_RESUME_PRINCIPAL;
    if (id->generation < resume->proven)
        return WEFT_RPC_RESUME_FENCED;
    if (wire != resume->wire)
        return WEFT_RPC_RESUME_WIRE;
    resume->proven = id->generation;
    return WEFT_RPC_RESUME_OK;
}
