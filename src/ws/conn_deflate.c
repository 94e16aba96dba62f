/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permessage-deflate of a connection (RFC 7692 §6, §7.2). The machines are the pool's; a connection
 * has a context only when it was agreed on, and memory for it only once it was used. Messages that
 * are sent as they are do not enter a context.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "ws/conn_out.h"

enum {
    /* What is kept of the messages sent: more than that compresses hardly better, and costs memory
     * and, since the compressor learns it anew for each message, time. */
    OUT_BITS_MAX = 12,
};

/* The histories of both directions. */
struct weft_ws_contexts {
    struct weft_deflate_history out;
    struct weft_deflate_history in;
};

void weft__ws_conn_set_deflate(struct weft_ws_conn *conn, const struct weft_ws_deflate *deflate)
{
    WEFT_ASSERT(!deflate->on || conn->options->deflate);
    conn->deflate = *deflate;
}

void weft__ws_conn_drop_contexts(struct weft_ws_conn *conn)
{
    struct weft_ws_contexts *contexts = conn->contexts;
    if (!contexts)
        return;
    weft__deflate_history_done(&contexts->out, conn->options->alloc);
    weft__deflate_history_done(&contexts->in, conn->options->alloc);
    weft__mem_free(conn->options->alloc, contexts, sizeof(*contexts));
    conn->contexts = NULL;
}

/* The contexts; NULL when out of memory. */
static struct weft_ws_contexts *get_contexts(struct weft_ws_conn *conn)
{
    if (!conn->contexts)
        conn->contexts = weft__mem_zalloc(conn->options->alloc, sizeof(*conn->contexts));
    return conn->contexts;
}

/* ---- Out ---- */

/* What the next message may refer to. */
static struct weft_slice said_before(const struct weft_ws_conn *conn)
{
    if (!conn->contexts)
        return weft__slice(NULL, 0);
    return weft__deflate_history_slice(&conn->contexts->out);
}

static void remember_said(struct weft_ws_conn *conn, struct weft_slice payload)
{
    struct weft_ws_contexts *contexts = get_contexts(conn);
    unsigned bits = WEFT_MIN((unsigned)conn->deflate.out_bits, (unsigned)OUT_BITS_MAX);
    /* Without memory nothing is remembered: what is kept must be the end of what was said, and
     * nothing is that, too. */
    if (contexts &&
        weft__deflate_history_add(&contexts->out, conn->options->alloc, bits, payload) != 0)
        contexts->out.len = 0;
}

int weft__ws_conn_send_deflated(struct weft_ws_conn *conn, struct weft_bytes *out,
                                enum weft_ws_opcode opcode, struct weft_slice payload)
{
    if (conn->state != WEFT_WS_STATE_OPEN || conn->out_message ||
        (opcode != WEFT_WS_OPCODE_TEXT && opcode != WEFT_WS_OPCODE_BINARY))
        return weft__ws_conn_frame(conn, out, opcode, true, payload);
    bool masked = conn->role == WEFT_WS_ROLE_CLIENT;
    if (!weft__bytes_reserve(out, weft__ws_conn_room(conn, payload.len)))
        return weft__bytes_error(out);
    size_t at = weft__ws_frame_begin(out, payload.len, masked);
    size_t len = weft__deflate(conn->options->deflate, conn->deflate.out_bits, said_before(conn),
                               payload, out->ptr + out->len);
    if (!len) {
        out->len = at;
        return weft__ws_conn_frame(conn, out, opcode, true, payload);
    }
    out->len += len;
    uint8_t key[4];
    const uint8_t *mask = weft__ws_conn_mask(conn, key);
    /* RFC 7692 §6.1: RSV1 marks the message. */
    weft__ws_frame_finish(out, at, payload.len, opcode | (unsigned)WEFT_WS_COMPRESSED, true, mask);
    if (conn->deflate.out_takeover)
        remember_said(conn, payload);
    return weft__bytes_error(out);
}

/* ---- In ---- */

size_t weft__ws_conn_wire_max(const struct weft_ws_conn *conn)
{
    size_t max = conn->options->max_message;
    if (!conn->compressed)
        return max;
    /* What does not compress grows: by an eighth with the fixed code of RFC 1951 §3.2.6, less as
     * stored blocks. */
    size_t more = max / 8 + max / 64 + 64;
    return max < SIZE_MAX - more ? max + more : SIZE_MAX;
}

int weft__ws_conn_inflate(struct weft_ws_conn *conn, struct weft_slice content,
                          struct weft_slice *ret_message)
{
    struct weft_ws_contexts *contexts = NULL;
    struct weft_slice heard = {NULL, 0};
    if (conn->deflate.in_takeover) {
        contexts = get_contexts(conn);
        if (!contexts)
            return WEFT_ERR_NOMEM;
        heard = weft__deflate_history_slice(&contexts->in);
    }
    int err = weft__inflate(conn->options->deflate, heard, content, conn->options->max_message,
                            ret_message);
    if (!err && contexts)
        err = weft__deflate_history_add(&contexts->in, conn->options->alloc, conn->deflate.in_bits,
                                        *ret_message);
    return err;
}
