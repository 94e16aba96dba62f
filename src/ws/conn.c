/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of a connection: frames to messages and control events. Every rule is checked
 * as soon as its bytes are there: a header before its payload, the announced length before memory
 * is taken for it, text as it arrives. The sending half and the closing handshake are in
 * conn_out.c.
 *
 *   read ─► read_head ─► check_head ─► read_data ────► MESSAGE
 *                                  └─► read_control ─► PING PONG CLOSE
 *   and from each ─► weft__ws_conn_fail ─► ERROR
 */
#include "ws/conn.h"

#include "base/assert.h"
#include "base/mem.h"
#include "ws/conn_out.h"

enum {
    GATHER_EXACT_MAX = 65536, /* up to here memory for an announced frame is taken at once */
    GATHER_MIN = 256,
};

void weft__ws_options_init(struct weft_ws_options *ret_options, const struct weft_alloc *alloc)
{
    *ret_options = (struct weft_ws_options){
        .alloc = alloc,
        .max_message = WEFT_WS_MAX_MESSAGE_DEFAULT,
        .max_fragments = WEFT_WS_MAX_FRAGMENTS_DEFAULT,
        .check_utf8 = true,
    };
}

void weft__ws_conn_init(struct weft_ws_conn *conn, enum weft_ws_role role,
                        const struct weft_ws_options *options)
{
    WEFT_ASSERT(role == WEFT_WS_ROLE_SERVER || options->random);
    *conn = (struct weft_ws_conn){.options = options, .role = (uint8_t)role};
}

static void release_message(struct weft_ws_conn *conn)
{
    weft__mem_free(conn->options->alloc, conn->message, conn->message_cap);
    conn->message = NULL;
    conn->message_len = conn->message_cap = 0;
}

static void release_control(struct weft_ws_conn *conn)
{
    weft__mem_free(conn->options->alloc, conn->control_in, WEFT_WS_CONTROL_MAX);
    conn->control_in = NULL;
}

void weft__ws_conn_done(struct weft_ws_conn *conn)
{
    release_message(conn);
    release_control(conn);
    weft__ws_conn_drop_out(conn);
    weft__ws_conn_drop_contexts(conn);
}

/* Fails the connection for |err| and reports it; false, for callers to pass on. */
static bool fail(struct weft_ws_conn *conn, struct weft_ws_event *event, int err, const char *text)
{
    weft__ws_conn_fail(conn, weft__ws_close_code_from_err(err), text);
    release_message(conn);
    release_control(conn);
    *event = (struct weft_ws_event){.type = WEFT_WS_EVENT_ERROR,
                                    .code = (uint16_t)weft__ws_close_code_from_err(err),
                                    .err = err,
                                    .data = weft__slice_str(text)};
    return false;
}

/* The rules for a control frame's header. NULL, or what is wrong. */
static const char *check_control(const struct weft_ws_head *head)
{
    if (head->opcode > WEFT_WS_OPCODE_PONG)
        return "reserved opcode"; /* RFC 6455 §5.2: an unknown opcode fails the connection. */
    /* RFC 6455 §5.5: control frames have at most 125 bytes and MUST NOT be fragmented. */
    if (!head->fin)
        return "fragmented control frame";
    if (head->len > WEFT_WS_CONTROL_MAX)
        return "control frame over 125 bytes";
    return NULL;
}

/* The rules for a data frame's header. NULL, or what is wrong. */
static const char *check_data(const struct weft_ws_conn *conn, const struct weft_ws_head *head)
{
    if (head->opcode > WEFT_WS_OPCODE_BINARY)
        return "reserved opcode"; /* RFC 6455 §5.2 */
    /* RFC 6455 §5.4: the fragments of a message are not interleaved with another message's. */
    if (head->opcode == WEFT_WS_OPCODE_CONTINUATION && !conn->message_opcode)
        return "continuation of nothing";
    if (head->opcode != WEFT_WS_OPCODE_CONTINUATION && conn->message_opcode)
        return "new message inside a fragmented one";
    return NULL;
}

/* RFC 6455 §5.2: RSV bits MUST be 0 unless an extension defines them. RFC 7692 §6:
 * permessage-deflate defines RSV1, on the first frame of a message. */
static bool rsv_allowed(const struct weft_ws_conn *conn, const struct weft_ws_head *head)
{
    return !head->rsv ||
           (head->rsv == WEFT_WS_RSV1 && conn->deflate.on &&
            (head->opcode == WEFT_WS_OPCODE_TEXT || head->opcode == WEFT_WS_OPCODE_BINARY));
}

/* RFC 6455 §10.4: limits on frames and on messages, before any memory is taken for them. */
static bool check_limits(struct weft_ws_conn *conn, const struct weft_ws_head *head,
                         struct weft_ws_event *event)
{
    bool first = !conn->message_opcode;
    if (first)
        conn->compressed = head->rsv != 0;
    size_t max = weft__ws_conn_wire_max(conn);
    size_t gathered = first ? 0 : conn->message_len;
    if (gathered > max || head->len > max - gathered)
        return fail(conn, event, WEFT_ERR_TOO_BIG, "message too big");
    if ((first ? 0 : conn->fragments) >= conn->options->max_fragments)
        return fail(conn, event, WEFT_ERR_TOO_BIG, "too many fragments");
    return true;
}

static bool check_head(struct weft_ws_conn *conn, const struct weft_ws_head *head,
                       struct weft_ws_event *event)
{
    if (!rsv_allowed(conn, head))
        return fail(conn, event, WEFT_ERR_PROTOCOL, "reserved bit set");
    bool control = weft__ws_opcode_is_control(head->opcode);
    const char *wrong = control ? check_control(head) : check_data(conn, head);
    if (wrong)
        return fail(conn, event, WEFT_ERR_PROTOCOL, wrong);
    /* RFC 6455 §5.1: a server closes upon an unmasked frame, a client upon a masked one. */
    if (head->masked != (conn->role == WEFT_WS_ROLE_SERVER))
        return fail(conn, event, WEFT_ERR_PROTOCOL,
                    head->masked ? "masked frame from a server" : "unmasked frame from a client");
    return control || check_limits(conn, head, event);
}

/* Makes |head| the frame being read. */
static void begin_frame(struct weft_ws_conn *conn, const struct weft_ws_head *head)
{
    conn->frame_opcode = head->opcode;
    conn->frame_fin = head->fin;
    conn->frame_len = head->len;
    conn->frame_at = 0;
    conn->in_frame = true;
    memcpy(conn->mask, head->mask, 4);
    if (weft__ws_opcode_is_control(head->opcode))
        return;
    if (head->opcode != WEFT_WS_OPCODE_CONTINUATION) {
        conn->message_opcode = head->opcode;
        conn->fragments = 0;
        conn->utf8 = (struct weft_utf8){0};
    }
    conn->fragments++;
}

/* Reads a header, whole from |data| or byte for byte into conn->head. Adds the bytes consumed to
 * |used|. True when a frame has begun; false when bytes are missing or the connection failed. */
static bool read_head(struct weft_ws_conn *conn, const uint8_t *data, size_t len, size_t *used,
                      struct weft_ws_event *event)
{
    struct weft_ws_head head;
    ptrdiff_t n = 0;
    if (conn->head_len == 0) {
        n = weft__ws_head_decode(data, len, &head);
        if (n != 0)
            *used += weft__ws_head_len(data[1]);
    }
    while (n == 0 && len > 0) {
        conn->head[conn->head_len++] = *data++;
        len--;
        ++*used;
        n = weft__ws_head_decode(conn->head, conn->head_len, &head);
    }
    if (n == 0)
        return false;
    conn->head_len = 0;
    if (n < 0)
        return fail(conn, event, (int)n, "length not in its shortest form");
    if (!check_head(conn, &head, event))
        return false;
    begin_frame(conn, &head);
    return true;
}

/* Room for |more| bytes in the gathered message. Grows with what has come, not with what is
 * announced, once that is large: an announcement alone must not cost memory. */
static bool reserve(struct weft_ws_conn *conn, size_t more)
{
    size_t need = conn->message_len + more;
    if (need <= conn->message_cap)
        return true;
    /* Neither sum overflows: check_limits held the message to its limit. */
    size_t announced = conn->message_len + (size_t)(conn->frame_len - conn->frame_at);
    size_t cap = WEFT_MAX(need, (size_t)GATHER_MIN);
    /* Always by as much again, up to the limit: growing by what came would copy without end. */
    size_t most = weft__ws_conn_wire_max(conn);
    size_t doubled = conn->message_cap <= most / 2 ? conn->message_cap * 2 : most;
    cap = WEFT_MAX(cap, doubled);
    if (announced <= GATHER_EXACT_MAX)
        cap = WEFT_MAX(cap, announced);
    if (conn->frame_fin)
        cap = announced < cap ? announced : cap;
    uint8_t *p = weft__mem_realloc(conn->options->alloc, conn->message, conn->message_cap, cap);
    if (!p)
        return false;
    conn->message = p;
    conn->message_cap = cap;
    return true;
}

static bool is_checked_text(const struct weft_ws_conn *conn)
{
    return conn->message_opcode == WEFT_WS_OPCODE_TEXT && conn->options->check_utf8;
}

/* Inflates |content|, the whole message, in place of it. */
static bool inflate_message(struct weft_ws_conn *conn, struct weft_slice *content,
                            struct weft_ws_event *event)
{
    int err = weft__ws_conn_inflate(conn, *content, content);
    if (err == WEFT_ERR_TOO_BIG)
        return fail(conn, event, err, "message too big");
    if (err)
        return fail(conn, event, err,
                    err == WEFT_ERR_NOMEM ? "out of memory" : "message cannot be inflated");
    if (is_checked_text(conn) && !weft__utf8_feed(&conn->utf8, content->ptr, content->len))
        return fail(conn, event, WEFT_ERR_UTF8, "text is not UTF-8");
    return true;
}

/* Ends the message, which is |content|. */
static bool deliver(struct weft_ws_conn *conn, struct weft_slice content,
                    struct weft_ws_event *event)
{
    if (conn->compressed && !inflate_message(conn, &content, event))
        return false;
    /* RFC 6455 §8.1: the text of a message, put together from its frames, is valid UTF-8. */
    if (is_checked_text(conn) && !weft__utf8_complete(&conn->utf8))
        return fail(conn, event, WEFT_ERR_UTF8, "text ends inside a character");
    *event = (struct weft_ws_event){.type = WEFT_WS_EVENT_MESSAGE,
                                    .opcode = (enum weft_ws_opcode)conn->message_opcode,
                                    .data = content};
    conn->message_opcode = 0;
    return true;
}

/* Takes the |len| bytes of a data frame's payload at |data|. True when that yielded a message. */
static bool read_data(struct weft_ws_conn *conn, uint8_t *data, size_t len,
                      struct weft_ws_event *event)
{
    bool whole = conn->frame_fin && conn->fragments == 1 && len == conn->frame_len;
    uint8_t *content = data;
    if (whole) {
        if (conn->role == WEFT_WS_ROLE_SERVER)
            weft__ws_mask(data, len, conn->mask, 0);
    } else if (len) {
        if (!reserve(conn, len))
            return fail(conn, event, WEFT_ERR_NOMEM, "out of memory");
        content = conn->message + conn->message_len;
        if (conn->role == WEFT_WS_ROLE_SERVER)
            weft__ws_mask_copy(content, data, len, conn->mask, conn->frame_at);
        else
            memcpy(content, data, len);
        conn->message_len += len;
    }
    /* RFC 6455 §8.1: fail at once, also inside a frame: what follows cannot make it valid. */
    if (!conn->compressed && is_checked_text(conn) && !weft__utf8_feed(&conn->utf8, content, len))
        return fail(conn, event, WEFT_ERR_UTF8, "text is not UTF-8");
    conn->frame_at += len;
    if (conn->frame_at < conn->frame_len)
        return false;
    conn->in_frame = false;
    if (!conn->frame_fin)
        return false;
    return deliver(conn,
                   whole ? weft__slice(data, len) : weft__slice(conn->message, conn->message_len),
                   event);
}

/* RFC 6455 §5.5.1, §7.1.5: nothing, or a code and a reason that is UTF-8. */
static void take_close(struct weft_ws_conn *conn, struct weft_slice payload,
                       struct weft_ws_event *event)
{
    unsigned code = WEFT_WS_CLOSE_NONE;
    struct weft_slice reason = {NULL, 0};
    if (payload.len == 1) {
        (void)fail(conn, event, WEFT_ERR_PROTOCOL, "close frame with one byte");
        return;
    }
    if (payload.len >= 2) {
        code = (unsigned)payload.ptr[0] << 8 | payload.ptr[1];
        reason = weft__slice(payload.ptr + 2, payload.len - 2);
        if (!weft__ws_close_code_valid(code)) {
            (void)fail(conn, event, WEFT_ERR_PROTOCOL, "close code not allowed");
            return;
        }
        if (!weft__utf8_valid(reason.ptr, reason.len)) {
            (void)fail(conn, event, WEFT_ERR_UTF8, "close reason is not UTF-8");
            return;
        }
    }
    *event =
        (struct weft_ws_event){.type = WEFT_WS_EVENT_CLOSE, .code = (uint16_t)code, .data = reason};
    weft__ws_conn_on_close(conn, code);
    /* RFC 6455 §1.4: after a close frame nothing counts, so a half-read message never will. */
    release_message(conn);
}

/* A control frame is complete. */
static bool take_control_frame(struct weft_ws_conn *conn, struct weft_slice payload,
                               struct weft_ws_event *event)
{
    conn->in_frame = false;
    switch (conn->frame_opcode) {
    case WEFT_WS_OPCODE_PING:
        /* RFC 6455 §5.5.2: a ping MUST be answered, unless a close frame was received. */
        if (!weft__ws_conn_queue_pong(conn, payload))
            return fail(conn, event, WEFT_ERR_NOMEM, "out of memory");
        *event = (struct weft_ws_event){.type = WEFT_WS_EVENT_PING, .data = payload};
        break;
    case WEFT_WS_OPCODE_PONG:
        /* RFC 6455 §5.5.3: an unsolicited pong is allowed and not answered. */
        *event = (struct weft_ws_event){.type = WEFT_WS_EVENT_PONG, .data = payload};
        break;
    default:
        take_close(conn, payload, event);
        break;
    }
    return true;
}

/* Takes the |len| bytes of a control frame's payload at |data|. True when that yielded an event. */
static bool read_control(struct weft_ws_conn *conn, uint8_t *data, size_t len,
                         struct weft_ws_event *event)
{
    if (conn->role == WEFT_WS_ROLE_SERVER)
        weft__ws_mask(data, len, conn->mask, conn->frame_at);
    if (conn->frame_at == 0 && len == conn->frame_len)
        return take_control_frame(conn, weft__slice(data, len), event);
    if (len == 0)
        return false;
    if (!conn->control_in) {
        conn->control_in = weft__mem_alloc(conn->options->alloc, WEFT_WS_CONTROL_MAX);
        if (!conn->control_in)
            return fail(conn, event, WEFT_ERR_NOMEM, "out of memory");
    }
    memcpy(conn->control_in + conn->frame_at, data, len);
    conn->frame_at += len;
    if (conn->frame_at < conn->frame_len)
        return false;
    return take_control_frame(conn, weft__slice(conn->control_in, (size_t)conn->frame_len), event);
}

/* Frees what the last event lent out. */
static void release_delivered(struct weft_ws_conn *conn)
{
    if (conn->message && !conn->message_opcode)
        release_message(conn);
    if (conn->control_in && !(conn->in_frame && weft__ws_opcode_is_control(conn->frame_opcode)))
        release_control(conn);
}

/*
 * The usual input of a server: the next bytes are a whole short message in one frame. Returns the
 * bytes consumed, or 0 for everything else, which is left to the rules above; among that all that
 * is wrong. |len| > 0.
 */
static size_t read_short_message(struct weft_ws_conn *conn, uint8_t *data, size_t len,
                                 struct weft_ws_event *ret_event)
{
    enum {
        HEAD = 6,
        FIN_TEXT = 0x80 | WEFT_WS_OPCODE_TEXT,
        FIN_BINARY = 0x80 | WEFT_WS_OPCODE_BINARY
    };
    bool between = !conn->in_frame && !conn->head_len && !conn->message_opcode;
    if (conn->role != WEFT_WS_ROLE_SERVER || conn->state > WEFT_WS_STATE_CLOSE_SENT || !between ||
        len < HEAD || (data[0] != FIN_TEXT && data[0] != FIN_BINARY))
        return 0;
    /* The length's own bit is the mask's: without one the difference is too large. */
    size_t payload = (size_t)data[1] ^ 0x80;
    if (payload > WEFT_WS_CONTROL_MAX || payload > len - HEAD ||
        payload > conn->options->max_message || !conn->options->max_fragments)
        return 0;
    uint8_t *content = data + HEAD;
    weft__ws_mask(content, payload, data + 2, 0);
    if (data[0] == FIN_TEXT && conn->options->check_utf8) {
        struct weft_utf8 utf8 = {0};
        const char *wrong = NULL;
        if (!weft__utf8_feed(&utf8, content, payload))
            wrong = "text is not UTF-8";
        else if (!weft__utf8_complete(&utf8))
            wrong = "text ends inside a character";
        if (wrong) {
            (void)fail(conn, ret_event, WEFT_ERR_UTF8, wrong);
            return HEAD + payload;
        }
    }
    ret_event->type = WEFT_WS_EVENT_MESSAGE;
    ret_event->opcode = (enum weft_ws_opcode)(data[0] & 0x0f);
    ret_event->data = weft__slice(content, payload);
    return HEAD + payload;
}

size_t weft__ws_conn_read(struct weft_ws_conn *conn, uint8_t *data, size_t len,
                          struct weft_ws_event *ret_event)
{
    *ret_event = (struct weft_ws_event){.type = WEFT_WS_EVENT_NONE};
    release_delivered(conn);
    size_t quick = len ? read_short_message(conn, data, len, ret_event) : 0;
    if (quick)
        return quick;
    size_t used = 0;
    while (used < len) {
        /* RFC 6455 §1.4 and §7.1.7: after a close frame or a failure what comes is dropped. */
        if (conn->state == WEFT_WS_STATE_CLOSE_RECEIVED || conn->state == WEFT_WS_STATE_CLOSED)
            return len;
        if (!conn->in_frame && !read_head(conn, data + used, len - used, &used, ret_event)) {
            if (ret_event->type != WEFT_WS_EVENT_NONE)
                return used;
            continue;
        }
        uint64_t left = conn->frame_len - conn->frame_at;
        size_t n = left < len - used ? (size_t)left : len - used;
        uint8_t *payload = data + used;
        used += n;
        if (weft__ws_opcode_is_control(conn->frame_opcode))
            (void)read_control(conn, payload, n, ret_event);
        else
            (void)read_data(conn, payload, n, ret_event);
        if (ret_event->type != WEFT_WS_EVENT_NONE)
            return used;
    }
    return used;
}
