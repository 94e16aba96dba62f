/* SPDX-License-Identifier: Apache-2.0 */
/* Items as events. */
#include "server/sse.h"

#include "codec/event_stream.h"
#include "server/http_send.h"

#include <stdio.h>

/* A failed send has ended the connection; weft__sse_done follows. */
static void put(struct weft_sse *sse, struct weft_slice text)
{
    int err = weft__transport_stream_send(&sse->conn->transport, text);
    (void)err;
}

static void put_event(struct weft_sse *sse, const char *name, struct weft_slice json)
{
    struct weft_bytes event;
    weft__bytes_init(&event, &sse->conn->worker->server->connection_memory.alloc, SIZE_MAX);
    weft__event_stream_write(&event, name, ++sse->id, json);
    if (weft__bytes_error(&event))
        weft__transport_abort(&sse->conn->transport, WEFT_ERR_NOMEM);
    else
        put(sse, weft__bytes_slice(&event));
    weft__bytes_done(&event);
}

/* Something has to be said now and then, so that everybody between knows that the connection lives,
 * and the kernel notices when it does not. */
static void beat(struct weft_timer *timer)
{
    struct weft_sse *sse = WEFT_CONTAINER_OF(timer, struct weft_sse, beat);
    if (weft__transport_unsent(&sse->conn->transport) == 0)
        put(sse, WEFT_SLICE_LIT(WEFT_EVENT_STREAM_COMMENT));
    weft__loop_timer_start(sse->conn->worker->loop, timer, WEFT_SSE_BEAT_MS);
}

/* Begins the answer if need be. False when the connection has ended instead. */
static bool open_stream(struct weft_sse *sse)
{
    if (sse->open)
        return true;
    if (!weft__http_send_stream(sse->conn, "text/event-stream"))
        return false;
    sse->open = true;
    sse->conn->worker->sse_streams++;
    weft__loop_timer_start(sse->conn->worker->loop, &sse->beat, WEFT_SSE_BEAT_MS);
    return true;
}

static void close_stream(struct weft_sse *sse)
{
    if (!sse->open)
        return;
    sse->open = false;
    sse->conn->worker->sse_streams--;
    weft__loop_timer_stop(sse->conn->worker->loop, &sse->beat);
    weft__transport_stream_end(&sse->conn->transport);
}

static void sent(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_sse *sse = ctx;
    struct weft_rpc_http_answer answer = weft__rpc_http_answer(message);
    (void)lane;
    if (answer.kind == WEFT_RPC_KIND_ITEM) {
        if (!open_stream(sse))
            return;
        sse->items++;
        sse->bytes += answer.body.len;
        put_event(sse, "item", answer.body);
    } else if (answer.kind == WEFT_RPC_KIND_RESULT) {
        if (!open_stream(sse))
            return;
        put_event(sse, "end", answer.body);
        close_stream(sse);
    } else if (answer.kind == WEFT_RPC_KIND_ERROR && sse->open) {
        put_event(sse, "error", answer.body);
        close_stream(sse);
    } else if (answer.kind == WEFT_RPC_KIND_ERROR) {
        weft__http_send_answer(sse->conn, &answer);
    }
}

/* Who asked for the items may not see any more of them. */
static void expired(void *ctx)
{
    static const struct weft_rpc_failure failure = {.status = WEFT_STATUS_UNAUTHENTICATED,
                                                    .message = "the token has expired",
                                                    .reason = "weft.auth.expired",
                                                    .executed = WEFT_RPC_EXECUTED_UNKNOWN};
    struct weft_sse *sse = ctx;
    struct weft_bytes body;
    if (!sse->open)
        return;
    weft__bytes_init(&body, sse->conn->worker->server->alloc, SIZE_MAX);
    weft__rpc_http_write_failure(&body, &failure);
    if (weft__bytes_error(&body))
        weft__transport_abort(&sse->conn->transport, WEFT_ERR_NOMEM);
    else
        put_event(sse, "error", weft__bytes_slice(&body));
    weft__bytes_done(&body);
    close_stream(sse);
}

static void failed(void *ctx, int err)
{
    struct weft_sse *sse = ctx;
    weft__transport_abort(&sse->conn->transport, err);
}

void weft__sse_init(struct weft_sse *sse, struct weft_conn *conn, void *user)
{
    static const struct weft_rpc_peer_events events = {
        .send = sent, .failed = failed, .expired = expired};
    *sse = (struct weft_sse){.conn = conn};
    const struct weft_rpc_peer_options options = {
        .is_server = true,
        .greeted = true,
        .wire = &weft__rpc_wire_http_plain,
        .events = &events,
        .events_ctx = sse,
        .user = user,
    };
    weft__rpc_peer_init(&sse->peer, &conn->worker->rpc, &options);
    weft__timer_init(&sse->beat, beat);
}

static void receive(struct weft_sse *sse, const struct weft_rpc_http_request *request)
{
    struct weft_conn *conn = sse->conn;
    int err = weft__rpc_http_receive(&sse->peer, request, weft__loop_now_ns(conn->worker->loop));
    if (err)
        weft__transport_abort(&conn->transport, err);
}

void weft__sse_begin(struct weft_sse *sse, const struct weft_rpc_http_request *request)
{
    sse->items = 0;
    sse->bytes = 0;
    sse->id = 0;
    receive(sse, request);
    /* The client is to know that the method runs, before there is an item. */
    if (weft__rpc_http_waits(&sse->peer))
        (void)open_stream(sse);
}

void weft__sse_drained(struct weft_sse *sse)
{
    if (!sse->open || !weft__rpc_http_waits(&sse->peer))
        return;
    receive(sse, &(struct weft_rpc_http_request){
                     .kind = WEFT_RPC_HTTP_CREDIT,
                     .items_total = sse->items + WEFT_SSE_WINDOW_ITEMS,
                     .bytes_total = sse->bytes + WEFT_SSE_WINDOW_BYTES,
                 });
}

void weft__sse_goaway(struct weft_sse *sse, const struct weft_rpc_goaway *goaway)
{
    char text[160];
    if (!sse->open)
        return;
    snprintf(text, sizeof(text),
             "{\"reason\":\"drain\",\"grace_ms\":%lu,\"reconnect_after_ms\":%lu}",
             (unsigned long)goaway->grace_ms, (unsigned long)goaway->reconnect_after_ms);
    put_event(sse, "goaway", weft__slice_str(text));
}

void weft__sse_done(struct weft_sse *sse)
{
    close_stream(sse);
    weft__rpc_peer_done(&sse->peer);
}
