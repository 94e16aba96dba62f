/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a transport: birth in either role, what TCP reports, and all ways to end. */
#include "transport/transport.h"

#include "transport/core.h"
#include "transport/deflate.h"

/* ---- The set ---- */

/* A client masks every frame with fresh random bytes; a stock saves most system calls. */
static void stocked_random(void *ctx, void *ret_bytes, size_t len)
{
    struct weft_transport_set *set = ctx;
    const struct weft_crypto *crypto = set->options.crypto;
    if (len > sizeof(set->random)) {
        crypto->random(crypto->ctx, ret_bytes, len);
        return;
    }
    if (len > set->random_left) {
        crypto->random(crypto->ctx, set->random, sizeof(set->random));
        set->random_left = sizeof(set->random);
    }
    set->random_left -= len;
    memcpy(ret_bytes, set->random + set->random_left, len);
}

static void flush_dirty(struct weft_loop_hook *hook)
{
    enum { ROUNDS = 4 };
    struct weft_transport_set *set = WEFT_CONTAINER_OF(hook, struct weft_transport_set, hook);
    /* Flushing may make others dirty; whoever keeps doing so waits for the next tick. */
    for (int round = 0; round < ROUNDS && !weft__list_empty(&set->dirty); round++) {
        struct weft_list now;
        weft__list_init(&now);
        weft__list_splice(&now, &set->dirty);
        struct weft_list *node;
        while ((node = weft__list_pop(&now)))
            weft__transport_flush(WEFT_CONTAINER_OF(node, struct weft_transport, dirty));
    }
    if (!weft__list_empty(&set->dirty))
        weft__loop_again(set->loop);
    weft__deflate_pool_trim(&set->deflate);
}

static void fill_defaults(struct weft_transport_options *options, struct weft_loop *loop)
{
    if (!options->alloc)
        options->alloc = weft__loop_alloc(loop);
    if (!options->max_message)
        options->max_message = WEFT_WS_MAX_MESSAGE_DEFAULT;
    if (!options->max_fragments)
        options->max_fragments = WEFT_WS_MAX_FRAGMENTS_DEFAULT;
    if (!options->handshake_ms)
        options->handshake_ms = WEFT_TRANSPORT_HANDSHAKE_MS;
    if (!options->ping_ms)
        options->ping_ms = WEFT_TRANSPORT_PING_MS;
    if (!options->pings_missed)
        options->pings_missed = WEFT_TRANSPORT_PINGS_MISSED;
    if (!options->message_ms)
        options->message_ms = WEFT_TRANSPORT_MESSAGE_MS;
    if (!options->max_control)
        options->max_control = WEFT_TRANSPORT_MAX_CONTROL;
    if (!options->close_ms)
        options->close_ms = WEFT_TRANSPORT_CLOSE_MS;
    if (!options->pause_bytes)
        options->pause_bytes = WEFT_TRANSPORT_PAUSE_BYTES;
    if (!options->stall_ms)
        options->stall_ms = WEFT_TRANSPORT_STALL_MS;
    if (!options->deflate_min)
        options->deflate_min = WEFT_TRANSPORT_DEFLATE_MIN;
    if (!options->drop_bytes)
        options->drop_bytes = options->max_message > (SIZE_MAX - options->pause_bytes) / 4
                                  ? SIZE_MAX
                                  : options->pause_bytes + 4 * options->max_message;
}

void weft__transport_set_init(struct weft_transport_set *set, struct weft_loop *loop,
                              const struct weft_transport_options *options)
{
    *set = (struct weft_transport_set){.loop = loop, .options = *options};
    fill_defaults(&set->options, loop);
    weft__ws_options_init(&set->ws, set->options.alloc);
    set->ws.random = stocked_random;
    set->ws.random_ctx = set;
    set->ws.max_message = set->options.max_message;
    set->ws.max_fragments = set->options.max_fragments;
    set->ws.deflate = &set->deflate;
    set->ws.deflate_min = set->options.deflate_min;
    weft__list_init(&set->all);
    weft__list_init(&set->young);
    weft__list_init(&set->dirty);
    weft__outq_pool_init(&set->pool, set->options.alloc);
    weft__deflate_pool_init(&set->deflate, set->options.alloc);
    weft__loop_hook_add(loop, &set->hook, flush_dirty);
}

void weft__transport_set_done(struct weft_transport_set *set)
{
    WEFT_ASSERT(set->stats.count == 0);
    weft__loop_hook_remove(&set->hook);
    weft__transport_secure_set_done(set);
    weft__outq_pool_done(&set->pool);
    weft__deflate_pool_done(&set->deflate);
}

void weft__transport_set_close(struct weft_transport_set *set, unsigned code, const char *reason)
{
    struct weft_list *const lists[] = {&set->young, &set->all};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(lists); i++)
        WEFT_LIST_EACH (node, lists[i])
            weft__transport_close(WEFT_CONTAINER_OF(node, struct weft_transport, node), code,
                                  weft__slice_str(reason));
}

void weft__transport_set_abort(struct weft_transport_set *set, int err)
{
    struct weft_list *const lists[] = {&set->young, &set->all};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(lists); i++)
        WEFT_LIST_EACH (node, lists[i])
            weft__transport_abort(WEFT_CONTAINER_OF(node, struct weft_transport, node), err);
}

/* ---- The end ---- */

void weft__transport_tell_end(struct weft_transport *t, unsigned code, struct weft_slice reason)
{
    if (!t->opened || t->end_told)
        return;
    t->end_told = true;
    t->close_code = (uint16_t)code;
    t->set->stats.open--;
    if (t->callbacks->on_end)
        t->callbacks->on_end(t, code, reason);
}

static void enter_closed(struct weft_transport *t, int err)
{
    t->state = WEFT_TRANSPORT_CLOSED;
    t->err = err;
    weft__loop_timer_stop(t->set->loop, &t->timer);
    weft__list_remove(&t->dirty);
}

void weft__transport_finish(struct weft_transport *t, int err)
{
    if (t->state == WEFT_TRANSPORT_CLOSED)
        return;
    enter_closed(t, err);
    weft__tcp_close(&t->tcp);
}

void weft__transport_abort(struct weft_transport *t, int err)
{
    if (t->state == WEFT_TRANSPORT_CLOSED)
        return;
    enter_closed(t, err);
    weft__tcp_abort(&t->tcp);
}

void weft__transport_wind_up(struct weft_transport *t, int err)
{
    if (t->state == WEFT_TRANSPORT_CLOSED)
        return;
    t->err = err;
    t->state = WEFT_TRANSPORT_FLUSHING;
    weft__transport_arm(t);
    weft__transport_touch(t);
}

void weft__transport_linger(struct weft_transport *t)
{
    if (t->in_ended) {
        weft__transport_finish(t, t->err);
        return;
    }
    t->state = WEFT_TRANSPORT_LINGERING;
    weft__tcp_shutdown_write(&t->tcp);
    /* Closing with unread input would reset the connection under what the peer has not read yet. */
    weft__tcp_resume(&t->tcp);
    weft__transport_arm(t);
}

void weft__transport_close(struct weft_transport *t, unsigned code, struct weft_slice reason)
{
    if (t->state == WEFT_TRANSPORT_FLUSHING || t->state == WEFT_TRANSPORT_LINGERING)
        return;
    if (t->state != WEFT_TRANSPORT_OPEN) {
        weft__transport_finish(t, WEFT_ERR_CANCELED);
        return;
    }
    int err = weft__ws_conn_close(&t->ws, code, reason);
    if (err == WEFT_ERR_STATE)
        return;
    if (err) {
        weft__transport_abort(t, err);
        return;
    }
    weft__transport_arm(t);
    weft__transport_touch(t);
}

/* ---- What TCP reports ---- */

static struct weft_transport *of_tcp(struct weft_tcp *tcp)
{
    return WEFT_CONTAINER_OF(tcp, struct weft_transport, tcp);
}

void weft__transport_input_ended(struct weft_transport *t, int err)
{
    t->in_ended = true;
    bool closed = t->is_ws && weft__ws_conn_state(&t->ws) != WEFT_WS_STATE_OPEN &&
                  weft__ws_conn_state(&t->ws) != WEFT_WS_STATE_CLOSE_SENT;
    if (err) {
        weft__transport_finish(t, closed ? t->err : err);
        return;
    }
    switch ((enum weft_transport_state)t->state) {
    case WEFT_TRANSPORT_HEAD:
    case WEFT_TRANSPORT_BODY:
        /* Answers to earlier requests may still be under way, or requests wait for their turn. */
        if (t->early)
            break;
        if (t->role == WEFT_WS_ROLE_SERVER && weft__transport_unsent(t))
            weft__transport_wind_up(t, 0);
        else
            weft__transport_finish(t, WEFT_ERR_CLOSED);
        break;
    case WEFT_TRANSPORT_OPEN:
        if (closed)
            weft__transport_wind_up(t, t->err);
        else
            weft__transport_finish(t, WEFT_ERR_CLOSED);
        break;
    case WEFT_TRANSPORT_LINGERING:
        weft__transport_finish(t, t->err);
        break;
    case WEFT_TRANSPORT_STREAMING: /* who reads on has no reason to end its side */
        weft__transport_finish(t, WEFT_ERR_CLOSED);
        break;
    case WEFT_TRANSPORT_CONNECTING:
    case WEFT_TRANSPORT_ANSWERING: /* a half-closed client still wants its answer */
    case WEFT_TRANSPORT_FLUSHING:
    case WEFT_TRANSPORT_CLOSED:
    default:
        break;
    }
}

void weft__transport_received(struct weft_transport *t, uint8_t *data, size_t len)
{
    if (t->state == WEFT_TRANSPORT_OPEN)
        weft__transport_ws_input(t, data, len);
    else if (t->state == WEFT_TRANSPORT_BODY)
        weft__transport_head_go_on(t, data, len);
    else if (t->state == WEFT_TRANSPORT_HEAD && !t->early)
        weft__transport_head_input(t, data, len);
    else if (t->state == WEFT_TRANSPORT_HEAD || t->state == WEFT_TRANSPORT_ANSWERING)
        weft__transport_head_stash(t, data, len);
}

static void on_recv(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n)
{
    struct weft_transport *t = of_tcp(tcp);
    if (n > 0) {
        t->heard_ns = weft__loop_now_ns(t->set->loop);
        t->pings = 0;
    }
    if (t->state == WEFT_TRANSPORT_CLOSED)
        return;
    if (t->proxy)
        weft__transport_proxy_input(t, data, n);
    else if (t->secure)
        weft__transport_secure_input(t, data, n);
    else if (n > 0)
        weft__transport_received(t, data, (size_t)n);
    else
        weft__transport_input_ended(t, (int)n);
}

static void on_sent(struct weft_tcp *tcp, ptrdiff_t n)
{
    struct weft_transport *t = of_tcp(tcp);
    if (n < 0) {
        weft__transport_finish(t, (int)n);
        return;
    }
    if (t->secure)
        weft__transport_secure_sent(t);
    else
        weft__outq_sent(&t->out, &t->set->pool);
    weft__transport_flush(t);
}

static void on_connected(struct weft_tcp *tcp, int err)
{
    struct weft_transport *t = of_tcp(tcp);
    if (err) {
        weft__transport_finish(t, err);
    } else if (t->secure) {
        t->state = WEFT_TRANSPORT_HEAD;
        weft__transport_arm(t);
        weft__transport_secure_connect(t);
    } else {
        weft__transport_head_request(t);
    }
}

static void on_closed(struct weft_tcp *tcp)
{
    struct weft_transport *t = of_tcp(tcp);
    weft__outq_clear(&t->out, &t->set->pool);
    weft__transport_secure_free(t);
    weft__buf_unref(t->early);
    weft__transport_tell_end(t, WEFT_WS_CLOSE_ABNORMAL, (struct weft_slice){0});
    if (t->is_ws)
        weft__ws_conn_done(&t->ws);
    else
        weft__bytes_done(&t->http.in);
    weft__list_remove(&t->node);
    t->set->stats.count--;
    t->callbacks->on_closed(t);
}

static const struct weft_tcp_callbacks tcp_callbacks = {
    .on_recv = on_recv, .on_sent = on_sent, .on_closed = on_closed, .on_connected = on_connected};

/* ---- Birth ---- */

static void prepare(struct weft_transport *t, struct weft_transport_set *set,
                    enum weft_ws_role role, const struct weft_transport_callbacks *callbacks)
{
    *t = (struct weft_transport){
        .set = set,
        .callbacks = callbacks,
        .heard_ns = weft__loop_now_ns(set->loop),
        .since_ns = weft__loop_now_ns(set->loop),
        .role = (uint8_t)role,
    };
    weft__list_init(&t->dirty);
    weft__timer_init(&t->timer, weft__transport_timer_fired);
    weft__bytes_init(&t->http.in, set->options.alloc, WEFT_HTTP1_HEAD_MAX);
}

/* It lives: on_closed will come. */
static void born(struct weft_transport *t, enum weft_transport_state state)
{
    t->state = (uint8_t)state;
    weft__list_push(t->role == WEFT_WS_ROLE_SERVER ? &t->set->young : &t->set->all, &t->node);
    t->set->stats.count++;
    weft__transport_arm(t);
}

int weft__transport_serve(struct weft_transport *t, struct weft_transport_set *set, int fd,
                          const struct weft_transport_callbacks *callbacks)
{
    prepare(t, set, WEFT_WS_ROLE_SERVER, callbacks);
    t->proxy = set->options.proxied;
    int err = set->options.tls_serve ? weft__transport_secure_new(t, (struct weft_slice){0}) : 0;
    if (!err)
        err = weft__tcp_open(&t->tcp, set->loop, fd, &tcp_callbacks);
    if (err)
        weft__transport_secure_free(t);
    else
        born(t, WEFT_TRANSPORT_HEAD);
    return err;
}

int weft__transport_dial(struct weft_transport *t, struct weft_transport_set *set,
                         const struct weft_address *address, const struct weft_ws_request *request,
                         struct weft_transport_dial *dial,
                         const struct weft_transport_callbacks *callbacks)
{
    prepare(t, set, WEFT_WS_ROLE_CLIENT, callbacks);
    t->http.dial = dial;
    dial->request = *request;
    dial->request.deflate = weft__transport_deflate_offer(set);
    dial->failure[0] = '\0';
    int err = set->options.tls_dial ? weft__transport_secure_new(t, request->host) : 0;
    if (!err)
        err = weft__tcp_connect(&t->tcp, set->loop, address, set->options.handshake_ms,
                                &dial->connector, &tcp_callbacks);
    if (err)
        weft__transport_secure_free(t);
    else
        born(t, WEFT_TRANSPORT_CONNECTING);
    return err;
}
