/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's session over fake connections: any messages on either wire, cuts at any time, and
 * greetings that resume with the right token and any number seen. Input:
 *
 *   wire (1 byte, even: text; from 128 on peers have to sign in)  then records: operation (1 byte)
 *     0 … 199: a message, its length (2 bytes, little endian) and its bytes
 *     200 …:   cut | resume + seen (1 byte) | connect anew | time goes on + milliseconds (1 byte)
 *
 * What is sent as text must be JSON, no number may be sent that the session has not given, and in
 * the end nothing may be in flight.
 */
#include "base/assert.h"
#include "io/crypto.h"
#include "rpc/auth.h"
#include "rpc/binary.h"
#include "rpc/demo.h"
#include "rpc/jsonrpc.h"
#include "rpc/session.h"

#include <stdio.h>

enum { OP_CUT = 200, OP_RESUME = 210, OP_CONNECT = 220, OP_TIME = 230, REPLAY = 16384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    const struct weft_rpc_wire *wire;
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_resume_key key;
    struct weft_rpc_peer peers[2]; /* the one with the connection, and the one being greeted */
    bool used[2];
    int owner;   /* of the session; -1: none */
    int current; /* of the connection; -1: none */
    bool taken_up;
    bool expired; /* the identity of the current peer */
    struct weft_rpc_authenticator authenticator;
    uint64_t sessions;
    uint64_t now_ns;
    char token[WEFT_RPC_RESUME_TOKEN_LEN + 1];
    struct weft_slice input;
};

static void on_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct fuzz *fuzz = ctx;
    struct weft_arena arena;
    const struct weft_json *value;
    uint64_t seq;
    (void)lane;
    WEFT_ASSERT(fuzz->current >= 0);
    if (!fuzz->wire->is_text)
        return;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    WEFT_ASSERT(weft__json_parse(message, &arena, NULL, NULL, &value) == 0);
    if (weft__json_is(value, WEFT_JSON_OBJECT) &&
        weft__json_u53(weft__json_get(value, "seq"), &seq))
        WEFT_ASSERT(fuzz->owner >= 0 || fuzz->peers[fuzz->current].session);
    weft__arena_done(&arena);
}

/* Tokens are "a" or "b", and more of it: so many times 16 ms. */
static int judge(void *ctx, struct weft_slice token, struct weft_rpc_grant *ret_grant)
{
    (void)ctx;
    if (!token.len || (token.ptr[0] != 'a' && token.ptr[0] != 'b'))
        return WEFT_ERR_DENIED;
    ret_grant->expires_in_ms = token.len == 1 ? WEFT_RPC_AUTH_NEVER : 16 * token.len;
    return weft__rpc_principal_new(weft_alloc_default(), weft__slice(NULL, 0),
                                   weft__slice(token.ptr, 1), &ret_grant->principal);
}

static void on_expired(void *ctx)
{
    ((struct fuzz *)ctx)->expired = true;
}

/* Whose session that of the current peer is. */
static struct weft_slice scope_of(const struct fuzz *fuzz)
{
    return weft__rpc_principal_scope(weft__rpc_peer_principal(&fuzz->peers[fuzz->current]));
}

static void on_session(void *ctx, const struct weft_rpc_session_request *request,
                       struct weft_rpc_welcome *welcome)
{
    struct fuzz *fuzz = ctx;
    struct weft_rpc_resume_id id;
    struct weft_rpc_resume resume;
    if (request->token.len && fuzz->owner >= 0 &&
        !weft__rpc_resume_token_read(&fuzz->key, request->token, &id)) {
        struct weft_rpc_session *session = fuzz->peers[fuzz->owner].session;
        if (session->resume.id.session == id.session && fuzz->owner != fuzz->current &&
            weft__rpc_session_take_up(session, &id, fuzz->wire, scope_of(fuzz), request->seen,
                                      fuzz->token) == WEFT_RPC_RESUME_OK) {
            welcome->resumed = true;
            welcome->seen = weft__rpc_delivery_seen(&session->delivery);
            welcome->token = fuzz->token;
            fuzz->taken_up = true;
            return;
        }
    }
    weft__rpc_resume_init(&resume, &fuzz->key, 0, ++fuzz->sessions, fuzz->wire, scope_of(fuzz));
    if (weft__rpc_resume_issue(&resume, fuzz->token) ||
        weft__rpc_session_begin(&fuzz->peers[fuzz->current], REPLAY, &resume))
        return;
    welcome->token = fuzz->token;
}

static void end_peer(struct fuzz *fuzz, int index)
{
    weft__rpc_peer_done(&fuzz->peers[index]);
    fuzz->used[index] = false;
    if (fuzz->owner == index)
        fuzz->owner = -1;
    if (fuzz->current == index)
        fuzz->current = -1;
}

/* The connection is gone; |broken|: and the session with it. */
static void cut(struct fuzz *fuzz, bool broken)
{
    int was = fuzz->current;
    if (was < 0)
        return;
    fuzz->current = -1;
    if (broken || was != fuzz->owner)
        end_peer(fuzz, was);
    else
        weft__rpc_session_detach(&fuzz->peers[was]);
}

static void receive(struct fuzz *fuzz, struct weft_slice message)
{
    int index = fuzz->current;
    if (index < 0)
        return;
    if (weft__rpc_peer_receive(&fuzz->peers[index], message, fuzz->now_ns)) {
        fuzz->taken_up = false;
        cut(fuzz, true);
    } else if (fuzz->taken_up) {
        fuzz->taken_up = false;
        weft__rpc_peer_renew(&fuzz->peers[fuzz->owner], &fuzz->peers[index]);
        end_peer(fuzz, index);
        fuzz->current = fuzz->owner;
        weft__rpc_session_attach(&fuzz->peers[fuzz->owner]);
    } else if (fuzz->peers[index].session && fuzz->owner != index) {
        if (fuzz->owner >= 0)
            end_peer(fuzz, fuzz->owner);
        fuzz->owner = index;
    }
}

static void connect_peer(struct fuzz *fuzz)
{
    static const struct weft_rpc_peer_events events = {
        .send = on_send, .session = on_session, .expired = on_expired};
    cut(fuzz, false);
    int index = fuzz->used[0] ? 1 : 0;
    const struct weft_rpc_peer_options options = {
        .is_server = true, .wire = fuzz->wire, .events = &events, .events_ctx = fuzz};
    WEFT_ASSERT(!fuzz->used[index]);
    fuzz->used[index] = true;
    fuzz->current = index;
    weft__rpc_peer_init(&fuzz->peers[index], &fuzz->env, &options);
}

/* Greets as a client does that has a token. */
static void greet(struct fuzz *fuzz, uint64_t seen)
{
    char params[200];
    int len = snprintf(params, sizeof(params),
                       "{\"v\":[1,1],\"features\":[\"resume\"],\"token\":\"%s\","
                       "\"resume\":{\"token\":\"%s\",\"seen\":%llu}}",
                       seen % 4 == 3 ? "b" : "a", fuzz->token, (unsigned long long)seen);
    uint8_t id[WEFT_RPC_OWN_ID_MAX];
    struct weft_bytes out;
    const struct weft_rpc_head head = {
        .kind = WEFT_RPC_KIND_CALL,
        .id = weft__slice(id, fuzz->wire->write_id(1, false, id)),
        .method = WEFT_SLICE_LIT("$/hello"),
        .has_payload = true,
    };
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    fuzz->wire->begin(&out, &head);
    weft__bytes_append(&out, params, (size_t)len);
    struct weft_slice message = fuzz->wire->end(&out, &head);
    if (!weft__bytes_error(&out))
        receive(fuzz, message);
    weft__bytes_done(&out);
}

static uint8_t take_byte(struct fuzz *fuzz)
{
    uint8_t byte = fuzz->input.len ? fuzz->input.ptr[0] : 0;
    size_t used = fuzz->input.len ? 1 : 0;
    fuzz->input = weft__slice(fuzz->input.ptr + used, fuzz->input.len - used);
    return byte;
}

static void take_message(struct fuzz *fuzz)
{
    size_t len = take_byte(fuzz);
    len |= (size_t)take_byte(fuzz) << 8;
    len = WEFT_MIN(len, fuzz->input.len);
    struct weft_slice message = weft__slice(fuzz->input.ptr, len);
    fuzz->input = weft__slice(fuzz->input.ptr + len, fuzz->input.len - len);
    receive(fuzz, message);
}

static void step(struct fuzz *fuzz)
{
    uint8_t op = take_byte(fuzz);
    if (op < OP_CUT) {
        take_message(fuzz);
    } else if (op < OP_RESUME) {
        cut(fuzz, false);
    } else if (op < OP_CONNECT) {
        connect_peer(fuzz);
        greet(fuzz, take_byte(fuzz));
    } else if (op < OP_TIME) {
        connect_peer(fuzz);
    } else {
        fuzz->now_ns += take_byte(fuzz) * WEFT_NS_PER_MS;
        weft__timer_wheel_advance(&fuzz->wheel, fuzz->now_ns);
    }
    if (fuzz->expired)
        cut(fuzz, false);
    fuzz->expired = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weft_hash_key key = {1, 2};
    static struct fuzz fuzz;
    fuzz = (struct fuzz){.owner = -1, .current = -1, .input = weft__slice(data, size)};
    uint8_t kind = take_byte(&fuzz);
    fuzz.wire = kind % 2 ? &weft__rpc_wire_binary : &weft__rpc_wire_json;
    weft__rpc_resume_key_init(&fuzz.key, weft__crypto_openssl());
    memset(fuzz.key.bytes, 7, sizeof(fuzz.key.bytes)); /* the same from run to run */
    weft__timer_wheel_init(&fuzz.wheel, 0);
    weft__rpc_registry_init(&fuzz.registry, weft_alloc_default(), key);
    if (weft__rpc_demo_register(&fuzz.registry))
        return 0;
    weft__rpc_env_init(&fuzz.env, weft_alloc_default(), &fuzz.registry, &fuzz.wheel, key);
    fuzz.authenticator.judge = judge;
    if (kind >= 128)
        weft__rpc_env_authenticate(&fuzz.env, &fuzz.authenticator);
    connect_peer(&fuzz);
    while (fuzz.input.len > 0)
        step(&fuzz);
    for (int i = 0; i < 2; i++) {
        if (fuzz.used[i])
            end_peer(&fuzz, i);
    }
    weft__rpc_env_done(&fuzz.env);
    weft__rpc_registry_done(&fuzz.registry);
    return 0;
}
