/* SPDX-License-Identifier: Apache-2.0 */
/* From requests to calls and back. */
#include "server/http_rpc.h"

#include "rpc/http.h"
#include "rpc/jsonrpc.h"
#include "server/http_call.h"
#include "server/http_send.h"
#include "server/identity.h"
#include "server/sse.h"
#include "server/tunnel.h"

/* The ways to call, each with a peer of its own. */
enum http_way {
    HTTP_PLAIN,               /* POST /rpc/<method> */
    HTTP_JSONRPC,             /* POST /rpc */
    HTTP_POSTS,               /* how many of these there are */
    HTTP_STREAM = HTTP_POSTS, /* /sse/<method> */
    HTTP_TUNNEL,              /* /sse */
};

struct weft_http_calls {
    struct weft_conn *conn;
    struct weft_hub_member member;
    struct weft_rpc_principal *principal; /* of |member|; NULL: nobody has signed in */
    struct weft_rpc_peer peers[HTTP_POSTS];
    struct weft_sse sse;
    enum http_way way; /* of the request being read or answered */
    struct weft_http_call call;
    struct weft_tunnel_target target; /* of the way HTTP_TUNNEL */
};

/* Why a request is not served. */
struct refusal {
    int http; /* the HTTP status */
    struct weft_rpc_failure failure;
};

#define REFUSAL(http_, status_, reason_, message_)                                                 \
    {                                                                                              \
        .http = (http_), .failure = {                                                              \
            .status = (status_),                                                                   \
            .message = (message_),                                                                 \
            .reason = (reason_),                                                                   \
            .executed = WEFT_RPC_EXECUTED_NO                                                       \
        }                                                                                          \
    }

static const struct refusal refuse_verb =
    REFUSAL(405, WEFT_STATUS_UNIMPLEMENTED, "weft.http.verb", "not made with this verb");
static const struct refusal refuse_origin =
    REFUSAL(403, WEFT_STATUS_PERMISSION_DENIED, "weft.http.origin", "this origin may not call");
static const struct refusal refuse_token =
    REFUSAL(401, WEFT_STATUS_UNAUTHENTICATED, "weft.auth.refused", "this token is not accepted");
static const struct refusal refuse_stranger =
    REFUSAL(401, WEFT_STATUS_UNAUTHENTICATED, "weft.auth.required", "sign in first");
static const struct refusal refuse_type =
    REFUSAL(415, WEFT_STATUS_INVALID_ARGUMENT, "weft.http.media_type",
            "the body has to be application/json, in UTF-8, without a Content-Encoding");
static const struct refusal refuse_method =
    REFUSAL(404, WEFT_STATUS_UNIMPLEMENTED, NULL, "Method not found");
static const struct refusal refuse_items = REFUSAL(
    400, WEFT_STATUS_FAILED_PRECONDITION, "weft.rpc.streams_unsupported", "a method with items");
static const struct refusal refuse_single =
    REFUSAL(400, WEFT_STATUS_FAILED_PRECONDITION, "weft.http.no_stream",
            "a method without items: POST /rpc/<method>");
static const struct refusal refuse_query =
    REFUSAL(400, WEFT_STATUS_INVALID_ARGUMENT, "weft.http.query", "params are malformed");
static const struct refusal refuse_large =
    REFUSAL(413, WEFT_STATUS_OUT_OF_RANGE, "weft.http.too_large",
            "the body is larger than a message may be");
static const struct refusal refuse_slow =
    REFUSAL(408, WEFT_STATUS_DEADLINE_EXCEEDED, "weft.http.slow", "the body took too long");
static const struct refusal refuse_malformed =
    REFUSAL(400, WEFT_STATUS_INVALID_ARGUMENT, "weft.http.chunks", "the body is malformed");

static const struct refusal refuse_lines =
    REFUSAL(415, WEFT_STATUS_INVALID_ARGUMENT, "weft.http.media_type",
            "the body has to be application/x-ndjson, in UTF-8, without a Content-Encoding");
static const struct refusal refuse_target =
    REFUSAL(400, WEFT_STATUS_INVALID_ARGUMENT, "weft.http.header",
            "Weft-Connection and Weft-Sequence are needed");
static const struct refusal refuse_unknown = REFUSAL(
    404, WEFT_STATUS_NOT_FOUND, "weft.http.connection", "there is no such connection any more");
static const struct refusal refuse_ahead =
    REFUSAL(409, WEFT_STATUS_ABORTED, "weft.http.sequence", "a request before this one is missing");

#undef REFUSAL

static const struct refusal refuse_draining = {
    .http = 503,
    .failure = {.status = WEFT_STATUS_UNAVAILABLE,
                .message = "the server is shutting down",
                .reason = "weft.draining",
                .executed = WEFT_RPC_EXECUTED_NO,
                .retry_after_ms = WEFT_HTTP_RETRY_AFTER_MS}};
static const struct refusal refuse_memory = {
    .http = 503,
    .failure = {.status = WEFT_STATUS_UNAVAILABLE,
                .message = "memory is short",
                .reason = "weft.overloaded",
                .executed = WEFT_RPC_EXECUTED_NO,
                .retry_after_ms = WEFT_HTTP_RETRY_AFTER_MS}};

static const struct refusal refuse_unable = {
    .http = 503,
    .failure = {.status = WEFT_STATUS_UNAVAILABLE,
                .message = "tokens cannot be checked now",
                .reason = "weft.auth.unavailable",
                .executed = WEFT_RPC_EXECUTED_NO,
                .retry_after_ms = WEFT_HTTP_RETRY_AFTER_MS}};

static void refuse(struct weft_conn *conn, const struct refusal *refusal)
{
    weft__http_send_failure(conn, refusal->http, &refusal->failure, NULL);
}

/* ---- What the hub would push ---- */

static void member_send(struct weft_hub_member *member, struct weft_slice frames,
                        struct weft_buf *owner, size_t count)
{
    (void)member;
    (void)frames;
    (void)owner;
    (void)count;
}

static void member_send_message(struct weft_hub_member *member, struct weft_ws_message *message)
{
    (void)member;
    (void)message;
}

static size_t member_unsent(const struct weft_hub_member *member)
{
    (void)member;
    return 0;
}

static void member_held(struct weft_hub_member *member)
{
    (void)member;
}

static void member_present(struct weft_hub_member *member, bool present)
{
    (void)member;
    (void)present;
}

/* ---- Answers ---- */

static void plain_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_http_calls *calls = ctx;
    struct weft_rpc_http_answer answer = weft__rpc_http_answer(message);
    (void)lane;
    if (answer.kind == WEFT_RPC_KIND_RESULT || answer.kind == WEFT_RPC_KIND_ERROR)
        weft__http_send_answer(calls->conn, &answer);
}

static void jsonrpc_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_http_calls *calls = ctx;
    struct weft_http_answer http = {.status = 200, .type = "application/json"};
    if (lane != WEFT_RPC_LANE_CONTROL)
        weft__http_send_copy(calls->conn, &http, message);
}

static void failed(void *ctx, int err)
{
    struct weft_http_calls *calls = ctx;
    weft__transport_abort(&calls->conn->transport, err);
}

/* ---- The life of a connection's calls ---- */

static void init_peers(struct weft_http_calls *calls)
{
    static const struct weft_rpc_peer_events events[HTTP_POSTS] = {
        [HTTP_PLAIN] = {.send = plain_send, .failed = failed},
        [HTTP_JSONRPC] = {.send = jsonrpc_send, .failed = failed},
    };
    static const struct weft_rpc_wire *const wires[HTTP_POSTS] = {
        [HTTP_PLAIN] = &weft__rpc_wire_http_plain,
        [HTTP_JSONRPC] = &weft__rpc_wire_http_jsonrpc,
    };
    for (size_t i = 0; i < HTTP_POSTS; i++) {
        const struct weft_rpc_peer_options options = {
            .is_server = true,
            .greeted = true,
            .no_streams = true,
            .wire = wires[i],
            .events = &events[i],
            .events_ctx = calls,
            .user = &calls->member,
        };
        weft__rpc_peer_init(&calls->peers[i], &calls->conn->worker->rpc, &options);
    }
}

/* The member of the hub for |principal|. */
static void join_hub(struct weft_http_calls *calls, const struct weft_rpc_principal *principal)
{
    static const struct weft_hub_member_ops ops = {member_send, member_send_message, member_unsent,
                                                   member_held, member_present};
    weft__hub_member_init(&calls->member, calls->conn->worker->hub, &ops,
                          weft__rpc_principal_tenant(principal),
                          weft__rpc_principal_subject(principal), WEFT_TOPIC_PLAIN);
}

/* What |conn| makes its calls with; NULL when out of memory. */
static struct weft_http_calls *calls_of(struct weft_conn *conn)
{
    if (conn->calls)
        return conn->calls;
    struct weft_http_calls *calls =
        weft__mem_zalloc(&conn->worker->server->connection_memory.alloc, sizeof(*calls));
    if (!calls)
        return NULL;
    calls->conn = conn;
    init_peers(calls);
    weft__sse_init(&calls->sse, conn, &calls->member);
    join_hub(calls, NULL);
    conn->calls = calls;
    return calls;
}

void weft__http_rpc_done(struct weft_conn *conn)
{
    struct weft_http_calls *calls = conn->calls;
    if (!calls)
        return;
    weft__hub_member_done(&calls->member);
    for (size_t i = 0; i < HTTP_POSTS; i++)
        weft__rpc_peer_done(&calls->peers[i]);
    weft__sse_done(&calls->sse);
    weft__rpc_principal_unref(calls->principal);
    conn->calls = NULL;
    weft__mem_free(&conn->worker->server->connection_memory.alloc, calls, sizeof(*calls));
}

static bool is_busy(struct weft_rpc_peer *peer, bool late, uint64_t *cut_off)
{
    if (late)
        *cut_off += weft__rpc_peer_cut_off(peer);
    return weft__rpc_http_waits(peer);
}

bool weft__http_rpc_busy(struct weft_conn *conn, bool late, uint64_t *cut_off)
{
    struct weft_http_calls *calls = conn->calls;
    if (!calls)
        return false;
    bool busy = is_busy(&calls->sse.peer, late, cut_off);
    for (size_t i = 0; i < HTTP_POSTS; i++)
        busy = is_busy(&calls->peers[i], late, cut_off) || busy;
    return busy;
}

void weft__http_rpc_drained(struct weft_conn *conn)
{
    weft__sse_drained(&conn->calls->sse);
}

bool weft__http_rpc_streams(const struct weft_conn *conn)
{
    return conn->calls && conn->calls->sse.open;
}

void weft__http_rpc_goaway(struct weft_conn *conn, const struct weft_rpc_goaway *goaway)
{
    weft__sse_goaway(&conn->calls->sse, goaway);
}

/* ---- Calls ---- */

/* Makes the call of the request at hand with |body|, and answers when the method has. */
static void call(struct weft_http_calls *calls, struct weft_slice body)
{
    struct weft_conn *conn = calls->conn;
    const struct weft_rpc_http_request request = {
        .kind = WEFT_RPC_HTTP_CALL,
        .method = calls->call.method,
        .body = body,
        .meta = calls->call.meta,
    };
    if (calls->way == HTTP_STREAM) {
        weft__sse_begin(&calls->sse, &request);
        return;
    }
    struct weft_rpc_peer *peer = &calls->peers[calls->way];
    int err = weft__rpc_http_receive(peer, &request, weft__loop_now_ns(conn->worker->loop));
    if (err)
        weft__transport_abort(&conn->transport, err);
    else if (conn->transport.state == WEFT_TRANSPORT_ANSWERING && !weft__rpc_http_waits(peer))
        /* Notifications alone. */
        weft__http_send(conn, &(struct weft_http_answer){.status = 204}, weft__slice(NULL, 0),
                        NULL);
}

static void posted(struct weft_conn *conn, enum weft_tunnel_fault fault)
{
    if (fault == WEFT_TUNNEL_FINE)
        weft__http_send(conn, &(struct weft_http_answer){.status = 204}, weft__slice(NULL, 0),
                        NULL);
    else
        refuse(conn, fault == WEFT_TUNNEL_AHEAD ? &refuse_ahead : &refuse_unknown);
}

/* Messages for a tunnel, which go on while the server drains. */
static void post(struct weft_http_calls *calls, struct weft_slice body)
{
    int err = weft__tunnel_post(calls->conn, &calls->target, body, posted);
    if (err)
        refuse(calls->conn, err == WEFT_ERR_NOT_FOUND ? &refuse_unknown : &refuse_memory);
}

void weft__http_rpc_body(struct weft_conn *conn, struct weft_slice body, int status)
{
    if (status)
        refuse(conn, status == 413   ? &refuse_large
                     : status == 408 ? &refuse_slow
                                     : &refuse_malformed);
    else if (conn->calls->way == HTTP_TUNNEL)
        post(conn->calls, body);
    else if (conn->worker->draining)
        refuse(conn, &refuse_draining);
    else
        call(conn->calls, body);
}

/* ---- Requests ---- */

static bool begins_with(struct weft_slice text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && memcmp(text.ptr, start, len) == 0;
}

bool weft__http_rpc_has(struct weft_slice path)
{
    return weft__slice_eq_str(path, "/rpc") || begins_with(path, "/rpc/") ||
           weft__slice_eq_str(path, "/sse") || begins_with(path, "/sse/");
}

/* Why the connection may not call at all; NULL when it may. */
static const struct refusal *judge(struct weft_conn *conn, const struct weft_http1_head *head)
{
    struct weft_worker *worker = conn->worker;
    if (weft__slice_eq_str(head->method, "POST") && !weft__http_call_is(head, "application/json"))
        return &refuse_type;
    if (worker->draining)
        return &refuse_draining;
    if (worker->memory == WEFT_MEMORY_CALM)
        return NULL;
    if (weft__notice(&worker->notices, WEFT_LIMIT_MEMORY_CONNECT, 1,
                     weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_MEMORY_CONNECT, NULL);
    return &refuse_memory;
}

/* Why somebody with this token, or without any, is not served on |way|; NULL when that is for what
 * the body has to say. */
static const struct refusal *judge_token(struct weft_conn *conn, const struct weft_http1_head *head,
                                         enum http_way way)
{
    switch (weft__identity_of_request(conn, head)) {
    case WEFT_IDENTITY_REFUSED:
        return &refuse_token;
    case WEFT_IDENTITY_UNABLE:
        return &refuse_unable;
    case WEFT_IDENTITY_MISSING:
        return way == HTTP_PLAIN || way == HTTP_STREAM ? &refuse_stranger : NULL;
    default:
        return NULL;
    }
}

/* Whoever makes the request at hand makes its call; documents that somebody else opened on this
 * connection are closed. False when memory is out. */
static bool act_for(struct weft_http_calls *calls)
{
    struct weft_rpc_peer *peer =
        calls->way == HTTP_STREAM ? &calls->sse.peer : &calls->peers[calls->way];
    struct weft_outlet *outlet = &calls->conn->outlet;
    bool same = weft__rpc_principal_equal(calls->principal, outlet->principal);
    if (weft__identity_give(outlet, peer))
        return false;
    if (same)
        return true;
    weft__hub_member_done(&calls->member);
    weft__rpc_principal_unref(calls->principal);
    calls->principal = weft__rpc_principal_ref(outlet->principal);
    join_hub(calls, calls->principal);
    return true;
}

/* Why what the path names cannot be called; NULL when it can. */
static const struct refusal *judge_method(struct weft_http_calls *calls, struct weft_slice name)
{
    const struct weft_rpc_method *method = NULL;
    if (weft__http_call_name(&calls->call, name))
        method = weft__rpc_http_method(&calls->conn->worker->rpc, calls->call.method);
    if (!method)
        return &refuse_method;
    if (calls->way == HTTP_STREAM && !(method->flags & WEFT_RPC_METHOD_STREAMS))
        return &refuse_single;
    unsigned unsupported =
        calls->way == HTTP_STREAM ? WEFT_RPC_METHOD_RECEIVES : WEFT_RPC_METHOD_STREAMS;
    return method->flags & unsupported ? &refuse_items : NULL;
}

static void refuse_meta(struct weft_conn *conn, const char *why)
{
    const struct weft_rpc_failure failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                             .message = why,
                                             .reason = "weft.http.header",
                                             .executed = WEFT_RPC_EXECUTED_NO};
    weft__http_send_failure(conn, 400, &failure, NULL);
}

static void receive_body(struct weft_conn *conn)
{
    struct weft_transport *transport = &conn->transport;
    int err = weft__transport_receive(transport, conn->worker->transports.options.max_message);
    if (err == WEFT_ERR_TOO_BIG)
        refuse(conn, &refuse_large);
    else if (err)
        weft__transport_abort(transport, err);
}

/* GET: the parameters stand in the query. */
static void stream_query(struct weft_http_calls *calls, const struct weft_http1_head *head,
                         struct weft_slice query)
{
    uint8_t params[WEFT_HTTP1_TARGET_MAX];
    ptrdiff_t len = weft__http1_query_get(query, "params", params, sizeof(params));
    if (weft__http1_find(head, "Last-Event-ID"))
        /* An EventSource that lost its connection asks again by itself. A method cannot be taken up
         * where it was; this tells it to stop (WHATWG HTML §9.2.3). */
        weft__http_send(calls->conn, &(struct weft_http_answer){.status = 204},
                        weft__slice(NULL, 0), NULL);
    else if (len < 0 && len != WEFT_ERR_NOT_FOUND)
        refuse(calls->conn, &refuse_query);
    else
        call(calls, weft__slice(params, len < 0 ? 0 : (size_t)len));
}

/* Notes that the pages which a request with an Origin comes from may read the answer: it was
 * judged. False when memory is out and the connection ends. */
static bool note_origin(struct weft_conn *conn, const struct weft_http1_head *head)
{
    const struct weft_http1_header *origin = weft__http1_find(head, "Origin");
    if (!origin)
        return true;
    conn->origin =
        weft__buf_new_copy(&conn->worker->server->connection_memory.alloc, origin->value);
    if (!conn->origin)
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
    return conn->origin;
}

/* A page of another origin asks whether it may send what it wants to (Fetch §4.8). */
static bool is_preflight(const struct weft_http1_head *head)
{
    return weft__slice_eq_str(head->method, "OPTIONS") && weft__http1_find(head, "Origin") &&
           weft__http1_find(head, "Access-Control-Request-Method");
}

/* Makes the call |name| on |way|, or says why not. */
static void route_call(struct weft_conn *conn, const struct weft_http1_head *head,
                       enum http_way way, struct weft_slice name, struct weft_slice query)
{
    const struct refusal *refusal = judge(conn, head);
    if (!refusal)
        refusal = judge_token(conn, head, way);
    struct weft_http_calls *calls = refusal ? NULL : calls_of(conn);
    const char *why = NULL;
    if (calls)
        calls->way = way;
    if (!refusal && (!calls || !act_for(calls)))
        refusal = &refuse_memory;
    if (!refusal) {
        refusal = way == HTTP_JSONRPC ? NULL : judge_method(calls, name);
        why = weft__http_call_meta(&calls->call, head);
    }
    if (refusal)
        refuse(conn, refusal);
    else if (why)
        refuse_meta(conn, why);
    else if (weft__slice_eq_str(head->method, "GET"))
        stream_query(calls, head, query);
    else
        receive_body(conn);
}

/* GET /sse: an answer that carries messages. */
static void route_tunnel(struct weft_conn *conn, const struct weft_http1_head *head)
{
    const struct refusal *refusal = judge(conn, head);
    if (!refusal)
        refusal = judge_token(conn, head, HTTP_TUNNEL);
    if (refusal) {
        refuse(conn, refusal);
    } else if (weft__http1_find(head, "Last-Event-ID")) {
        /* An EventSource asks again by itself, and cannot say who it was. */
        weft__http_send(conn, &(struct weft_http_answer){.status = 204}, weft__slice(NULL, 0),
                        NULL);
    } else {
        conn->outlet.wire = &weft__rpc_wire_json;
        if (weft__tunnel_open(conn))
            refuse(conn, &refuse_memory);
    }
}

/* POST /sse: messages for such an answer. They are taken whatever the memory: they may free some.
 */
static void route_post(struct weft_conn *conn, const struct weft_http1_head *head)
{
    struct weft_tunnel_target target;
    if (!weft__http_call_is(head, "application/x-ndjson")) {
        refuse(conn, &refuse_lines);
        return;
    }
    if (!weft__tunnel_read_target(head, &target)) {
        refuse(conn, &refuse_target);
        return;
    }
    struct weft_http_calls *calls = calls_of(conn);
    if (!calls) {
        refuse(conn, &refuse_memory);
        return;
    }
    calls->way = HTTP_TUNNEL;
    calls->target = target;
    receive_body(conn);
}

/* The way that |path| asks for, and the name in it. */
static enum http_way way_of(struct weft_slice path, struct weft_slice *ret_name)
{
    enum { PREFIX_LEN = sizeof("/rpc/") - 1 };
    if (path.len < PREFIX_LEN)
        return begins_with(path, "/sse") ? HTTP_TUNNEL : HTTP_JSONRPC;
    *ret_name = weft__slice(path.ptr + PREFIX_LEN, path.len - PREFIX_LEN);
    return begins_with(path, "/sse/") ? HTTP_STREAM : HTTP_PLAIN;
}

void weft__http_rpc_route(struct weft_conn *conn, const struct weft_http1_head *head,
                          struct weft_slice path, struct weft_slice query)
{
    struct weft_slice name = {0};
    enum http_way way = way_of(path, &name);
    bool gets = way == HTTP_STREAM || way == HTTP_TUNNEL;
    bool get = gets && weft__slice_eq_str(head->method, "GET");
    const char *verbs = gets ? "GET, POST" : "POST";
    if (!weft__http_call_origin(&conn->worker->server->origins, head))
        refuse(conn, &refuse_origin);
    else if (!note_origin(conn, head))
        return;
    else if (is_preflight(head))
        weft__http_send(conn, &(struct weft_http_answer){.status = 204, .preflight = verbs},
                        weft__slice(NULL, 0), NULL);
    else if (!get && !weft__slice_eq_str(head->method, "POST"))
        weft__http_send_failure(conn, 405, &refuse_verb.failure, verbs);
    else if (way == HTTP_TUNNEL && get)
        route_tunnel(conn, head);
    else if (way == HTTP_TUNNEL)
        route_post(conn, head);
    else
        route_call(conn, head, way, name, query);
}
