/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to the server: the token of greetings, and its renewal (docs/protocol/auth.md). */
#include "base/utf8.h"
#include "client/client_internal.h"
#include "rpc/auth.h"

#include <string.h>

/* A token on its way to the loop. */
struct renewal {
    struct weft_task task;
    struct weft_client *client;
    size_t len;
    bool none;
    char text[];
};

static void forget(struct weft_client *client)
{
    if (!client->token)
        return;
    size_t size = strlen(client->token) + 1;
    explicit_bzero(client->token, size);
    weft__mem_free(client->alloc, client->token, size);
    client->token = NULL;
}

int weft__client_token_check(const char *token)
{
    size_t len = token ? strnlen(token, WEFT_RPC_AUTH_TOKEN_MAX + 1) : 0;
    if (len > WEFT_RPC_AUTH_TOKEN_MAX)
        return WEFT_ERR_USAGE;
    return weft__utf8_valid((const uint8_t *)token, len) ? 0 : WEFT_ERR_UTF8;
}

int weft__client_token_set(struct weft_client *client, const char *token)
{
    char *copy = NULL;
    if (token) {
        size_t size = strlen(token) + 1;
        copy = weft__mem_alloc(client->alloc, size);
        if (!copy)
            return WEFT_ERR_NOMEM;
        memcpy(copy, token, size);
    }
    forget(client);
    client->token = copy;
    return 0;
}

void weft__client_token_done(struct weft_client *client)
{
    forget(client);
}

void weft__client_token_wanted(struct weft_client *client, uint64_t in_ms)
{
    if (client->was_open && !client->closing && client->options.token_wanted)
        client->options.token_wanted(client->options.closed_ctx,
                                     (uint32_t)WEFT_MIN(in_ms, (uint64_t)UINT32_MAX));
}

/* What goes wrong for another reason, such as a lost connection, the next greeting mends. */
static void refreshed(void *ctx, const struct weft_rpc_answer *answer)
{
    if (answer->error.status == WEFT_STATUS_UNAUTHENTICATED ||
        answer->error.status == WEFT_STATUS_PERMISSION_DENIED)
        weft__client_token_wanted(ctx, 0);
}

static int refresh(struct weft_client *client)
{
    struct weft_bytes params;
    struct weft_json_writer w;
    weft__bytes_init(&params, client->alloc, SIZE_MAX);
    weft__json_writer_init(&w, &params);
    weft__json_begin_object(&w);
    weft__json_key(&w, "token");
    weft__json_put_str(&w, client->token);
    weft__json_end_object(&w);
    const struct weft_rpc_call_options options = {
        .method = WEFT_SLICE_LIT("$/auth.refresh"),
        .params = weft__bytes_slice(&params),
        .meta = {.has_timeout = true, .timeout_ms = client->options.call_timeout_ms},
        .answer = refreshed,
        .ctx = client,
    };
    int err = weft__bytes_error(&params);
    if (!err)
        err = weft__rpc_peer_call(&client->session.peer, &options, weft__loop_now_ns(client->loop),
                                  NULL);
    if (params.ptr)
        explicit_bzero(params.ptr, params.len);
    weft__bytes_done(&params);
    return err;
}

static void renewal_free(struct renewal *renewal)
{
    size_t size = sizeof(*renewal) + renewal->len + 1;
    explicit_bzero(renewal->text, renewal->len);
    weft__mem_free(renewal->client->alloc, renewal, size);
}

static void renew(struct weft_task *task)
{
    struct renewal *renewal = WEFT_CONTAINER_OF(task, struct renewal, task);
    struct weft_client *client = renewal->client;
    int err = weft__client_token_set(client, renewal->none ? NULL : renewal->text);
    if (!err && client->state == WEFT_CLIENT_OPEN && client->token)
        err = refresh(client);
    if (err)
        weft__client_fail(client, "out of memory"); /* the next greeting has the token */
    renewal_free(renewal);
}

int weft_client_set_token(struct weft_client *client, const char *token)
{
    int err = weft__client_token_check(token);
    if (err)
        return err;
    size_t len = token ? strlen(token) : 0;
    struct renewal *renewal = weft__mem_zalloc(client->alloc, sizeof(*renewal) + len + 1);
    if (!renewal)
        return WEFT_ERR_NOMEM;
    renewal->client = client;
    renewal->len = len;
    renewal->none = !token;
    weft__mem_copy(renewal->text, token, len);
    weft__task_init(&renewal->task, renew);
    if (weft__domain_post(client->domain, &renewal->task))
        return 0;
    renewal_free(renewal);
    return WEFT_ERR_CLOSED;
}
