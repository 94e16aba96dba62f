/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as events, and out of requests. */
#include "server/tunnel.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "codec/base64.h"
#include "codec/event_stream.h"
#include "codec/json.h"
#include "hub/mesh.h"
#include "io/crypto.h"
#include "server/http_send.h"

#include <stdio.h>

enum {
    SECRET_BYTES = 18,
    BEAT_MS = 15000, /* between two comments: whoever is between knows that it lives */
};

struct weft_tunnel {
    struct weft_conn *conn;
    struct weft_map_node node; /* of the worker, by name */
    char name[WEFT_TUNNEL_NAME_MAX + 1];
    uint64_t taken;  /* requests */
    uint64_t events; /* sent */
    struct weft_timer beat;
};

/* A request for messages on its way to the tunnel's worker and back. */
struct weft_tunnel_post {
    struct weft_mesh_message message;
    struct weft_worker *from;
    struct weft_worker *to;
    struct weft_conn *conn; /* of |from|; NULL: it is over */
    struct weft_tunnel_target target;
    void (*done)(struct weft_conn *conn, enum weft_tunnel_fault fault);
    enum weft_tunnel_fault fault;
    size_t len;
    uint8_t body[];
};

static const struct weft_alloc *alloc_of(const struct weft_worker *worker)
{
    return &worker->server->connection_memory.alloc;
}

/* ---- events ---- */

/* A failed send ends the connection; weft__tunnel_free follows. */
static void put(struct weft_tunnel *tunnel, struct weft_slice text)
{
    struct weft_transport *transport = &tunnel->conn->transport;
    int err = weft__transport_stream_send(transport, text);
    if (err && err != WEFT_ERR_STATE)
        weft__transport_abort(transport, err);
}

static void put_event(struct weft_tunnel *tunnel, const char *name, struct weft_slice json)
{
    struct weft_bytes event;
    weft__bytes_init(&event, alloc_of(tunnel->conn->worker), SIZE_MAX);
    weft__event_stream_write(&event, name, ++tunnel->events, json);
    if (weft__bytes_error(&event))
        weft__transport_abort(&tunnel->conn->transport, WEFT_ERR_NOMEM);
    else
        put(tunnel, weft__bytes_slice(&event));
    weft__bytes_done(&event);
}

void weft__tunnel_send(struct weft_tunnel *tunnel, struct weft_slice message)
{
    put_event(tunnel, "message", message);
}

void weft__tunnel_send_frames(struct weft_tunnel *tunnel, struct weft_slice frames)
{
    while (frames.len > 0) {
        struct weft_ws_head head;
        ptrdiff_t at = weft__ws_head_decode(frames.ptr, frames.len, &head);
        WEFT_ASSERT(at > 0 && head.fin && !head.rsv && head.len <= frames.len - (size_t)at);
        put_event(tunnel, "message", weft__slice(frames.ptr + at, (size_t)head.len));
        frames.ptr += (size_t)at + head.len;
        frames.len -= (size_t)at + (size_t)head.len;
    }
}

void weft__tunnel_close(struct weft_tunnel *tunnel, unsigned code, struct weft_slice reason)
{
    struct weft_bytes text;
    struct weft_json_writer w;
    weft__bytes_init(&text, alloc_of(tunnel->conn->worker), SIZE_MAX);
    weft__json_writer_init(&w, &text);
    weft__json_begin_object(&w);
    weft__json_key(&w, "code");
    weft__json_put_u64(&w, code);
    weft__json_key(&w, "reason");
    weft__json_put_string(&w, reason);
    weft__json_end_object(&w);
    if (!weft__bytes_error(&text))
        put_event(tunnel, "close", weft__bytes_slice(&text));
    weft__bytes_done(&text);
    weft__transport_stream_end(&tunnel->conn->transport);
}

static void beat(struct weft_timer *timer)
{
    struct weft_tunnel *tunnel = WEFT_CONTAINER_OF(timer, struct weft_tunnel, beat);
    if (weft__transport_unsent(&tunnel->conn->transport) == 0)
        put(tunnel, WEFT_SLICE_LIT(WEFT_EVENT_STREAM_COMMENT));
    weft__loop_timer_start(tunnel->conn->worker->loop, timer, BEAT_MS);
}

/* ---- life ---- */

void weft__tunnels_init(struct weft_worker *worker)
{
    weft__map_init(&worker->tunnels, worker->server->alloc, worker->server->hash_key);
}

void weft__tunnels_done(struct weft_worker *worker)
{
    WEFT_ASSERT(worker->tunnels.count == 0);
    weft__map_done(&worker->tunnels);
}

/* "WORKER-SECRET" */
static void make_name(struct weft_tunnel *tunnel)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint8_t secret[SECRET_BYTES];
    char text[WEFT_BASE64_ENCODED_MAX(SECRET_BYTES) + 1];
    crypto->random(crypto->ctx, secret, sizeof(secret));
    text[weft__base64_encode(WEFT_BASE64_URL, secret, sizeof(secret), text)] = '\0';
    snprintf(tunnel->name, sizeof(tunnel->name), "%u-%s", tunnel->conn->worker->index, text);
}

static struct weft_tunnel *tunnel_new(struct weft_conn *conn)
{
    struct weft_worker *worker = conn->worker;
    struct weft_tunnel *tunnel = weft__mem_zalloc(alloc_of(worker), sizeof(*tunnel));
    if (!tunnel)
        return NULL;
    tunnel->conn = conn;
    make_name(tunnel);
    if (weft__map_add(&worker->tunnels, &tunnel->node, weft__slice_str(tunnel->name))) {
        weft__mem_free(alloc_of(worker), tunnel, sizeof(*tunnel));
        return NULL;
    }
    weft__timer_init(&tunnel->beat, beat);
    return tunnel;
}

void weft__tunnel_free(struct weft_tunnel *tunnel)
{
    struct weft_worker *worker = tunnel->conn->worker;
    weft__loop_timer_stop(worker->loop, &tunnel->beat);
    weft__map_remove(&worker->tunnels, &tunnel->node);
    weft__mem_free(alloc_of(worker), tunnel, sizeof(*tunnel));
}

int weft__tunnel_open(struct weft_conn *conn)
{
    char text[WEFT_TUNNEL_NAME_MAX + 32];
    struct weft_tunnel *tunnel = tunnel_new(conn);
    if (!tunnel)
        return WEFT_ERR_NOMEM;
    conn->tunnel = tunnel;
    if (!weft__http_send_stream(conn, "text/event-stream"))
        return 0; /* the connection has ended */
    snprintf(text, sizeof(text), "{\"connection\":\"%s\"}", tunnel->name);
    put_event(tunnel, "open", weft__slice_str(text));
    weft__loop_timer_start(conn->worker->loop, &tunnel->beat, BEAT_MS);
    weft__conn_join(conn, WEFT_TOPIC_PLAIN);
    return 0;
}

/* ---- requests ---- */

/* A header that is there once; empty when it is not. */
static struct weft_slice only_value(const struct weft_http1_head *head, const char *name)
{
    const struct weft_http1_header *header = weft__http1_find(head, name);
    return header && weft__http1_count(head, name) == 1 ? header->value : weft__slice(NULL, 0);
}

bool weft__tunnel_read_target(const struct weft_http1_head *head,
                              struct weft_tunnel_target *ret_target)
{
    enum { DIGITS_MAX = 15 };
    struct weft_slice name = only_value(head, "Weft-Connection");
    struct weft_slice digits = only_value(head, "Weft-Sequence");
    *ret_target = (struct weft_tunnel_target){.sequence = 0};
    if (name.len == 0 || name.len > WEFT_TUNNEL_NAME_MAX || digits.len > DIGITS_MAX)
        return false;
    weft__mem_copy(ret_target->name, name.ptr, name.len);
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        ret_target->sequence = ret_target->sequence * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    return ret_target->sequence > 0;
}

/* Back where the request came from. */
static void post_returned(struct weft_mesh_message *message, void *owner)
{
    struct weft_tunnel_post *post = WEFT_CONTAINER_OF(message, struct weft_tunnel_post, message);
    struct weft_worker *worker = post->from;
    struct weft_conn *conn = post->conn;
    WEFT_ASSERT(owner); /* workers do not stop while there are posts */
    worker->tunnel_posts--;
    if (conn) {
        conn->post = NULL;
        post->done(conn, post->fault);
    }
    weft__mem_free(alloc_of(worker), post, sizeof(*post) + post->len);
}

/* Hands the lines of |body| to the session, as long as there is one. */
static void take_lines(struct weft_tunnel *tunnel, struct weft_slice body)
{
    struct weft_conn *conn = tunnel->conn;
    if (!weft__utf8_valid(body.ptr, body.len)) {
        weft__conn_close(conn, WEFT_WS_CLOSE_INVALID_DATA, "not UTF-8");
        return;
    }
    while (body.len > 0 && conn->tunnel == tunnel &&
           conn->transport.state == WEFT_TRANSPORT_STREAMING) {
        const uint8_t *end = memchr(body.ptr, '\n', body.len);
        size_t len = end ? (size_t)(end - body.ptr) : body.len;
        size_t used = end ? len + 1 : len;
        if (len > 0 && body.ptr[len - 1] == '\r')
            len--;
        if (len > 0)
            weft__conn_receive(conn, WEFT_WS_OPCODE_TEXT, weft__slice(body.ptr, len));
        body.ptr += used;
        body.len -= used;
    }
}

static enum weft_tunnel_fault take(struct weft_worker *worker, const struct weft_tunnel_post *post)
{
    struct weft_map_node *node =
        weft__map_get(&worker->tunnels, weft__slice_str(post->target.name));
    struct weft_tunnel *tunnel = node ? WEFT_CONTAINER_OF(node, struct weft_tunnel, node) : NULL;
    if (!tunnel || tunnel->conn->transport.state != WEFT_TRANSPORT_STREAMING)
        return WEFT_TUNNEL_UNKNOWN;
    if (post->target.sequence > tunnel->taken + 1)
        return WEFT_TUNNEL_AHEAD;
    if (post->target.sequence <= tunnel->taken)
        return WEFT_TUNNEL_FINE; /* repeated by somebody between */
    tunnel->taken++;
    take_lines(tunnel, weft__slice(post->body, post->len));
    return WEFT_TUNNEL_FINE;
}

/* At the tunnel's worker. */
static void post_arrived(struct weft_mesh_message *message, void *owner)
{
    struct weft_tunnel_post *post = WEFT_CONTAINER_OF(message, struct weft_tunnel_post, message);
    WEFT_ASSERT(owner);
    post->fault = take(post->to, post);
    post->message.run = post_returned;
    weft__mesh_send(post->to->port, post->from->index, &post->message);
}

/* The worker that |name| names; UINT_MAX when it names none. */
static unsigned worker_of(const struct weft_server *server, const char *name)
{
    unsigned index = 0;
    const char *at = name;
    for (; *at >= '0' && *at <= '9' && at < name + 4; at++)
        index = index * 10 + (unsigned)(*at - '0');
    return at > name && *at == '-' && index < server->worker_count ? index : UINT32_MAX;
}

int weft__tunnel_post(struct weft_conn *conn, const struct weft_tunnel_target *target,
                      struct weft_slice body,
                      void (*done)(struct weft_conn *conn, enum weft_tunnel_fault fault))
{
    struct weft_worker *worker = conn->worker;
    unsigned to = worker_of(worker->server, target->name);
    WEFT_ASSERT(!conn->post);
    if (to == UINT32_MAX)
        return WEFT_ERR_NOT_FOUND;
    struct weft_tunnel_post *post = weft__mem_zalloc(alloc_of(worker), sizeof(*post) + body.len);
    if (!post)
        return WEFT_ERR_NOMEM;
    post->message.run = post_arrived;
    post->from = worker;
    post->to = worker->server->workers[to];
    post->conn = conn;
    post->target = *target;
    post->done = done;
    post->len = body.len;
    weft__mem_copy(post->body, body.ptr, body.len);
    conn->post = post;
    worker->tunnel_posts++;
    weft__mesh_send(worker->port, to, &post->message);
    return 0;
}

void weft__tunnel_post_left(struct weft_tunnel_post *post)
{
    post->conn = NULL;
}
