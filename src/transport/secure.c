/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS between the socket and everything else:
 *
 *   on_recv ─► ciphertext, read where it lies ─► scratch of the loop ─► heads, frames
 *   output queue ─► gathered, encrypted once the wire is free ─► wire (pooled chunks) ─► socket
 *
 * The plaintext of a tick leaves in as few records as possible, those of one batch in one send. The
 * wire is a queue like the other one, from the same pool, so a connection that waits for nothing
 * owns no buffer. Plaintext is never in flight: it is gone from its queue when it is encrypted.
 */
#include "transport/core.h"

#include "base/mem.h"

#include <stdio.h>

/* What a receive can bring: a buffer full, and the record that began in the one before. */
enum { SCRATCH = 64 * 1024 + WEFT_TLS_RECORD };

/* What the encrypted connections of a loop share. */
struct weft_transport_secure_set {
    struct weft_tls_io io;
    uint8_t in[SCRATCH];          /* plaintext received */
    uint8_t out[WEFT_TLS_RECORD]; /* small pieces of plaintext to be sent */
};

struct weft_transport_secure {
    struct weft_tls tls;
    struct weft_outq wire;
    bool begun;  /* something was received */
    bool open;   /* the handshake is complete */
    bool failed; /* nothing is read or written any more but what the wire holds */
    bool bye;    /* our close_notify is on the wire */
    bool ended;  /* the peer's close_notify came */
};

/* Ciphertext to be sent: |ctx| is the transport that a run is for. */
static int to_wire(void *ctx, const uint8_t *data, size_t len)
{
    struct weft_transport *t = ctx;
    struct weft_bytes out;
    int err = weft__outq_open(&t->secure->wire, &t->set->pool, len, &out);
    if (err)
        return err;
    weft__bytes_append(&out, data, len);
    weft__outq_close(&t->secure->wire, &out);
    return 0;
}

static void set_input(struct weft_transport *t, const uint8_t *data, size_t len)
{
    struct weft_tls_io *io = &t->set->secure->io;
    io->ctx = t;
    io->in = data;
    io->in_len = len;
}

/* Ends a run. */
static void rest(struct weft_transport *t)
{
    set_input(t, NULL, 0);
    weft__tls_rest(&t->secure->tls);
    if (!weft__outq_empty(&t->secure->wire) && t->state != WEFT_TRANSPORT_CLOSED)
        weft__transport_touch(t);
}

/* ---- Life ---- */

static int make_shared(struct weft_transport_set *set)
{
    if (set->secure)
        return 0;
    struct weft_transport_secure_set *shared = weft__mem_alloc(set->options.alloc, sizeof(*shared));
    if (!shared)
        return WEFT_ERR_NOMEM;
    int err = weft__tls_io_init(&shared->io, to_wire);
    if (err)
        weft__mem_free(set->options.alloc, shared, sizeof(*shared));
    else
        set->secure = shared;
    return err;
}

void weft__transport_secure_set_done(struct weft_transport_set *set)
{
    if (!set->secure)
        return;
    weft__tls_io_done(&set->secure->io);
    weft__mem_free(set->options.alloc, set->secure, sizeof(*set->secure));
    set->secure = NULL;
}

/* The host of |authority|, "name:port" or "[::1]:port", zero-terminated. */
static int split_host(struct weft_slice authority, char ret_host[WEFT_HOST_SIZE])
{
    bool bracket = authority.len && authority.ptr[0] == '[';
    const uint8_t *begin = authority.ptr + bracket;
    size_t room = authority.len - bracket;
    const uint8_t *end = room ? memchr(begin, bracket ? ']' : ':', room) : NULL;
    size_t len = end ? (size_t)(end - begin) : room;
    if (!len || len >= WEFT_HOST_SIZE || memchr(begin, '\0', len))
        return WEFT_ERR_USAGE;
    memcpy(ret_host, begin, len);
    ret_host[len] = '\0';
    return 0;
}

int weft__transport_secure_new(struct weft_transport *t, struct weft_slice authority)
{
    char host[WEFT_HOST_SIZE] = "";
    const struct weft_alloc *alloc = t->set->options.alloc;
    bool client = t->role == WEFT_WS_ROLE_CLIENT;
    int err = client ? split_host(authority, host) : 0;
    if (!err)
        err = make_shared(t->set);
    if (err)
        return err;
    struct weft_transport_secure *secure = weft__mem_zalloc(alloc, sizeof(*secure));
    if (!secure)
        return WEFT_ERR_NOMEM;
    const struct weft_transport_options *options = &t->set->options;
    err = weft__tls_open(&secure->tls, client ? options->tls_dial : options->tls_serve,
                         &t->set->secure->io, client ? host : NULL);
    if (err)
        weft__mem_free(alloc, secure, sizeof(*secure));
    else
        t->secure = secure;
    return err;
}

void weft__transport_secure_free(struct weft_transport *t)
{
    if (!t->secure)
        return;
    weft__outq_clear(&t->secure->wire, &t->set->pool);
    weft__tls_done(&t->secure->tls);
    weft__mem_free(t->set->options.alloc, t->secure, sizeof(*t->secure));
    t->secure = NULL;
}

/* ---- The end of it ---- */

/* TLS failed: the alert goes out, then the connection ends. */
static void fail(struct weft_transport *t)
{
    struct weft_transport_secure *secure = t->secure;
    char text[WEFT_TLS_FAILURE_SIZE];
    weft__tls_failure(&secure->tls, text);
    WEFT_LOG(t->set->options.log, WEFT_LOG_DEBUG,
             secure->open ? "tls.broken" : "tls.handshake_failed", weft__log_str("error", text));
    if (secure->open)
        t->set->stats.protocol_errors++;
    else
        t->set->stats.tls_failures++;
    if (t->role == WEFT_WS_ROLE_CLIENT && !t->is_ws)
        snprintf(t->http.dial->failure, sizeof(t->http.dial->failure), "%s", text);
    secure->failed = true;
    weft__outq_clear(&t->out, &t->set->pool);
    weft__transport_tell_end(t, WEFT_WS_CLOSE_ABNORMAL, (struct weft_slice){0});
    if (t->state == WEFT_TRANSPORT_LINGERING)
        weft__transport_finish(t, t->err);
    else
        weft__transport_wind_up(t, WEFT_ERR_TLS);
}

/* RFC 8446 §6.1: an end without close_notify may be an attacker's. WebSocket and HTTP requests tell
 * by themselves whether they are complete, so it is the same as the end of a TCP stream: an open
 * WebSocket ends with 1006, as by a reset. */
static void stream_ended(struct weft_transport *t, int err)
{
    struct weft_transport_secure *secure = t->secure;
    if (t->state == WEFT_TRANSPORT_LINGERING || secure->failed) {
        weft__transport_finish(t, t->err);
        return;
    }
    if (!secure->open)
        t->set->stats.tls_failures++;
    if (err || !secure->ended)
        weft__transport_input_ended(t, err);
}

/* ---- In ---- */

/* True when the handshake is complete. */
static bool shake(struct weft_transport *t)
{
    struct weft_transport_secure *secure = t->secure;
    int result = weft__tls_handshake(&secure->tls);
    if (result < 0)
        fail(t);
    if (result)
        return false;
    secure->open = true;
    t->set->stats.tls_handshakes++;
    if (weft__tls_resumed(&secure->tls))
        t->set->stats.tls_resumed++;
    if (t->role == WEFT_WS_ROLE_CLIENT)
        weft__transport_head_request(t);
    return true;
}

/* Decrypts what fits the scratch and hands it on. False when nothing more can come. */
static bool read_some(struct weft_transport *t)
{
    struct weft_transport_secure *secure = t->secure;
    uint8_t *in = t->set->secure->in;
    size_t len = 0;
    ptrdiff_t n = 1;
    while (n > 0 && len < SCRATCH) {
        n = weft__tls_read(&secure->tls, in + len, SCRATCH - len);
        if (n > 0)
            len += (size_t)n;
    }
    if (len)
        weft__transport_received(t, in, len);
    if (t->state == WEFT_TRANSPORT_CLOSED || n == 0)
        return false;
    if (n == WEFT_ERR_CLOSED) {
        secure->ended = true;
        weft__transport_input_ended(t, 0);
    } else if (n < 0) {
        fail(t);
    }
    return n > 0;
}

/* A server's port is asked in plain HTTP: TLS records begin with a content type below 32. */
static bool is_plain(const struct weft_transport *t, uint8_t first)
{
    return t->role == WEFT_WS_ROLE_SERVER && first >= 'A' && first <= 'Z';
}

static void refuse_plain(struct weft_transport *t)
{
    WEFT_LOG(t->set->options.log, WEFT_LOG_DEBUG, "tls.handshake_failed",
             weft__log_str("error", "plain HTTP"));
    t->set->stats.tls_failures++;
    weft__transport_secure_free(t);
    weft__transport_head_refuse(t, 400, "this port speaks TLS: https:// or wss://\n",
                                WEFT_ERR_HTTP);
}

void weft__transport_secure_input(struct weft_transport *t, uint8_t *data, ptrdiff_t n)
{
    struct weft_transport_secure *secure = t->secure;
    if (n <= 0) {
        stream_ended(t, (int)n);
        return;
    }
    if (secure->failed || secure->ended)
        return;
    if (!secure->begun && is_plain(t, data[0])) {
        refuse_plain(t);
        return;
    }
    secure->begun = true;
    set_input(t, data, (size_t)n);
    bool more = secure->open || shake(t);
    while (more)
        more = read_some(t);
    rest(t);
}

void weft__transport_secure_connect(struct weft_transport *t)
{
    set_input(t, NULL, 0);
    (void)shake(t);
    rest(t);
}

/* ---- Out ---- */

/* Encrypts |len| bytes in records as they come. */
static int encrypt(struct weft_transport *t, const uint8_t *data, size_t len)
{
    while (len) {
        size_t n = WEFT_MIN(len, (size_t)WEFT_TLS_RECORD);
        int err = weft__tls_write(&t->secure->tls, data, n);
        if (err)
            return err;
        data += n;
        len -= n;
    }
    return 0;
}

/* Encrypts |count| slices: those that share a record are put together first. */
static int encrypt_slices(struct weft_transport *t, const struct iovec *iov, int count)
{
    uint8_t *out = t->set->secure->out;
    size_t fill = 0;
    int err = 0;
    for (int i = 0; i < count && !err; i++) {
        const uint8_t *data = iov[i].iov_base;
        size_t len = iov[i].iov_len;
        bool alone = !fill && (i + 1 == count || len >= WEFT_TLS_RECORD);
        size_t whole = !alone ? 0 : i + 1 == count ? len : len - len % WEFT_TLS_RECORD;
        if (whole)
            err = encrypt(t, data, whole);
        data += whole;
        len -= whole;
        while (len && !err) {
            size_t n = WEFT_MIN(len, WEFT_TLS_RECORD - fill);
            memcpy(out + fill, data, n);
            fill += n;
            data += n;
            len -= n;
            if (fill < WEFT_TLS_RECORD)
                continue;
            err = encrypt(t, out, fill);
            fill = 0;
        }
    }
    return err || !fill ? err : encrypt(t, out, fill);
}

/* Moves the next batch from the output queue to the wire, which is empty. */
static void fill_wire(struct weft_transport *t)
{
    struct weft_transport_secure *secure = t->secure;
    if (secure->failed || !secure->open)
        return;
    set_input(t, NULL, 0);
    int err = 0;
    if (!weft__outq_empty(&t->out)) {
        struct iovec *iov;
        int count = weft__outq_gather(&t->out, &t->set->pool, &iov);
        err = encrypt_slices(t, iov, count);
        weft__outq_sent(&t->out, &t->set->pool);
    }
    if (err) {
        fail(t);
    } else if (!secure->bye && weft__outq_empty(&t->out) && weft__transport_is_ending(t)) {
        secure->bye = true;
        weft__tls_goodbye(&secure->tls);
    }
    weft__tls_rest(&secure->tls);
}

bool weft__transport_secure_send(struct weft_transport *t)
{
    struct weft_outq *wire = &t->secure->wire;
    for (;;) {
        if (weft__outq_empty(wire))
            fill_wire(t);
        if (weft__outq_empty(wire))
            return true;
        if (weft__transport_send_batch(t, wire) <= 0)
            return false;
    }
}

void weft__transport_secure_sent(struct weft_transport *t)
{
    weft__outq_sent(&t->secure->wire, &t->set->pool);
}

size_t weft__transport_secure_unsent(const struct weft_transport *t)
{
    return t->secure->wire.bytes;
}

bool weft__transport_secure_failed(const struct weft_transport *t)
{
    return t->secure->failed;
}
