/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes resume tokens under a known key. Checked besides memory safety: what is accepted is the
 * one token that says it; what was made from the input comes back; and with one bit changed it is
 * refused.
 */
#include "io/crypto.h"
#include "rpc/resume_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_resume_token: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_read(const struct weft_rpc_resume_key *key, struct weft_slice text)
{
    struct weft_rpc_resume_id id;
    char again[WEFT_RPC_RESUME_TOKEN_LEN + 1];
    int err = weft__rpc_resume_token_read(key, text, &id);
    require(!err || err == WEFT_ERR_NOT_FOUND, "an error that is none of its own");
    if (err)
        return;
    require(!weft__rpc_resume_token_write(key, &id, again), "what was read cannot be written");
    require(weft__slice_eq_str(text, again), "two tokens say the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct weft_rpc_resume_key key = {.crypto = weft__crypto_openssl(), .bytes = {1, 2, 3}};
    struct weft_rpc_resume_id id = {0}, got;
    char token[WEFT_RPC_RESUME_TOKEN_LEN + 1];
    check_read(&key, weft__slice(data, len));
    if (len < 22)
        return 0;
    memcpy(&id.worker, data, 4);
    memcpy(&id.session, data + 4, 8);
    memcpy(&id.generation, data + 12, 8);
    require(!weft__rpc_resume_token_write(&key, &id, token), "cannot be written");
    require(!weft__rpc_resume_token_read(&key, weft__slice_str(token), &got), "is refused");
    require(got.worker == id.worker && got.session == id.session && got.generation == id.generation,
            "says something else");
    size_t bit = (data[20] | (size_t)data[21] << 8) % (WEFT_RPC_RESUME_TOKEN_LEN * 8u);
    token[bit / 8] = (char)(token[bit / 8] ^ (1 << (bit % 8)));
    require(weft__rpc_resume_token_read(&key, weft__slice(token, WEFT_RPC_RESUME_TOKEN_LEN),
                                        &got) == WEFT_ERR_NOT_FOUND,
            "a changed token is accepted");
    return 0;
}
