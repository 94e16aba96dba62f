/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a link: |near| has the connection, |far| the session. */
#include "server/link.h"

#include "base/assert.h"
#include "base/buf.h"
#include "server/conn.h"
#include "server/identity.h"
#include "server/sessions.h"
#include "ws/conn.h"

enum { ROOM = 4 * 1024 * 1024 /* bytes that may be under way to a session beside one message */ };

enum note_kind {
    NOTE_OPEN,    /* to far; data: the greeting */
    NOTE_MESSAGE, /* both ways */
    NOTE_FRAMES,  /* to near */
    NOTE_CLOSE,   /* to near */
    NOTE_WANT,    /* to near: a drain */
    NOTE_DRAINED, /* to far */
    NOTE_GOAWAY,  /* to far */
    NOTE_LOST,    /* to far, the last one */
    NOTE_GONE,    /* to near, the last one */
    NOTE_ONCE_COUNT,
};

/* What travels. */
struct note {
    struct weft_mesh_message message;
    struct weft_link *link;
    enum note_kind kind;
    bool own; /* allocated, not one of the link's */
    unsigned code;
    const char *reason; /* static */
    struct weft_rpc_goaway goaway;
    enum weft_ws_opcode opcode;
    enum weft_rpc_lane lane; /* to near: of the message */
    struct weft_slice data;  /* in |owner| */
    struct weft_buf *owner;
    size_t count;
};

struct weft_link {
    struct weft_worker *near;
    struct weft_worker *far;
    struct note once[NOTE_ONCE_COUNT]; /* of kinds that travel once at a time: they cannot fail */
    atomic_size_t to_far;              /* bytes under way */
    atomic_size_t to_near;
    atomic_size_t unsent; /* bytes the connection has not sent */
    atomic_size_t in_flight;
    atomic_bool wanting;  /* NOTE_WANT is under way */
    atomic_bool draining; /* NOTE_DRAINED is */
    size_t room;
    struct weft_address address; /* of the connection */
    bool address_known;
    struct weft_conn *conn;    /* near; NULL when it is over */
    struct weft_outlet outlet; /* far */
    bool far_open;             /* far */
    struct weft_list node;     /* far: of the worker */
};

static void run_near(struct weft_mesh_message *message, void *owner);
static void run_far(struct weft_mesh_message *message, void *owner);

static const struct weft_alloc *alloc_of(const struct weft_link *link)
{
    return &link->near->server->connection_memory.alloc;
}

static void send_note(struct note *note, bool to_far)
{
    struct weft_link *link = note->link;
    struct weft_worker *from = to_far ? link->near : link->far;
    struct weft_worker *to = to_far ? link->far : link->near;
    note->message.run = to_far ? run_far : run_near;
    weft__mesh_send(from->port, to->index, &note->message);
}

static struct note *once(struct weft_link *link, enum note_kind kind)
{
    struct note *note = &link->once[kind];
    *note = (struct note){.link = link, .kind = kind};
    return note;
}

/* A note of its own with a copy of |data|; NULL when out of memory. */
static struct note *new_note(struct weft_link *link, enum note_kind kind, struct weft_slice data)
{
    struct note *note = weft__mem_zalloc(alloc_of(link), sizeof(*note));
    struct weft_buf *owner = note ? weft__buf_new_copy(alloc_of(link), data) : NULL;
    if (!owner) {
        weft__mem_free(alloc_of(link), note, sizeof(*note));
        return NULL;
    }
    *note = (struct note){.link = link, .kind = kind, .own = true, .owner = owner};
    note->data = weft__buf_slice(owner);
    return note;
}

static void free_note(struct note *note)
{
    weft__buf_unref(note->owner);
    if (note->own)
        weft__mem_free(alloc_of(note->link), note, sizeof(*note));
}

/* ---- far: the session's worker ---- */

static struct weft_link *link_of(const struct weft_outlet *outlet)
{
    return WEFT_CONTAINER_OF((struct weft_outlet *)outlet, struct weft_link, outlet);
}

static void outlet_close(struct weft_outlet *outlet, unsigned code, const char *reason)
{
    struct weft_link *link = link_of(outlet);
    if (!link->far_open)
        return;
    link->far_open = false;
    struct note *note = once(link, NOTE_CLOSE);
    note->code = code;
    note->reason = reason;
    send_note(note, false);
}

static void outlet_send(struct weft_outlet *outlet, struct weft_slice message,
                        enum weft_rpc_lane lane)
{
    struct weft_link *link = link_of(outlet);
    if (!link->far_open)
        return;
    struct note *note = new_note(link, NOTE_MESSAGE, message);
    if (!note) {
        outlet_close(outlet, WEFT_WS_CLOSE_ABNORMAL, "out of memory");
        return;
    }
    note->lane = lane;
    atomic_fetch_add_explicit(&link->to_near, message.len, memory_order_relaxed);
    send_note(note, false);
}

static void outlet_send_frames(struct weft_outlet *outlet, struct weft_slice frames,
                               struct weft_buf *owner, size_t count)
{
    struct weft_link *link = link_of(outlet);
    if (!link->far_open)
        return;
    struct note *note = weft__mem_zalloc(alloc_of(link), sizeof(*note));
    if (!note) {
        outlet_close(outlet, WEFT_WS_CLOSE_ABNORMAL, "out of memory");
        return;
    }
    *note = (struct note){.link = link,
                          .kind = NOTE_FRAMES,
                          .own = true,
                          .owner = weft__buf_ref(owner),
                          .data = frames,
                          .count = count};
    atomic_fetch_add_explicit(&link->to_near, frames.len, memory_order_relaxed);
    send_note(note, false);
}

static size_t outlet_unsent(const struct weft_outlet *outlet)
{
    struct weft_link *link = link_of(outlet);
    return atomic_load_explicit(&link->to_near, memory_order_relaxed) +
           atomic_load_explicit(&link->unsent, memory_order_relaxed);
}

static void outlet_want_drain(struct weft_outlet *outlet)
{
    struct weft_link *link = link_of(outlet);
    if (link->far_open && !atomic_exchange(&link->wanting, true))
        send_note(once(link, NOTE_WANT), false);
}

static bool outlet_address(const struct weft_outlet *outlet, struct weft_address *ret_address)
{
    const struct weft_link *link = link_of(outlet);
    *ret_address = link->address;
    return link->address_known;
}

static void far_open(struct weft_link *link, const struct note *note)
{
    static const struct weft_outlet_ops ops = {
        .send = outlet_send,
        .send_frames = outlet_send_frames,
        .unsent = outlet_unsent,
        .want_drain = outlet_want_drain,
        .close = outlet_close,
        .address = outlet_address,
    };
    link->outlet.ops = &ops;
    link->far_open = true;
    weft__list_push(&link->far->far_links, &link->node);
    if (weft__sessions_open(link->far, &link->outlet))
        outlet_close(&link->outlet, WEFT_WS_CLOSE_INTERNAL, "out of memory");
    else
        weft__sessions_receive(&link->outlet, note->opcode, note->data);
}

static void far_lost(struct weft_link *link, unsigned code)
{
    weft__sessions_lost(&link->outlet, code);
    weft__list_remove(&link->node);
    send_note(once(link, NOTE_GONE), false);
}

static void run_far(struct weft_mesh_message *message, void *owner)
{
    struct note *note = WEFT_CONTAINER_OF(message, struct note, message);
    struct weft_link *link = note->link;
    WEFT_ASSERT(owner); /* workers do not stop while there are links */
    switch (note->kind) {
    case NOTE_OPEN:
        far_open(link, note);
        break;
    case NOTE_MESSAGE:
        atomic_fetch_sub_explicit(&link->to_far, note->data.len, memory_order_relaxed);
        if (link->far_open)
            weft__sessions_receive(&link->outlet, note->opcode, note->data);
        break;
    case NOTE_DRAINED:
        atomic_store(&link->draining, false); /* from here on |note| is the other side's again */
        weft__sessions_drained(&link->outlet);
        return;
    case NOTE_GOAWAY:
        if (link->outlet.session)
            (void)!weft__rpc_peer_goaway(&link->outlet.session->session.peer, &note->goaway);
        break;
    default:
        WEFT_ASSERT(note->kind == NOTE_LOST);
        far_lost(link, note->code); /* |link| may be gone now */
        return;
    }
    free_note(note);
}

void weft__link_tick(struct weft_worker *worker)
{
    WEFT_LIST_EACH (node, &worker->far_links) {
        struct weft_link *link = WEFT_CONTAINER_OF(node, struct weft_link, node);
        size_t count = link->outlet.session
                           ? weft__rpc_peer_under_way(&link->outlet.session->session.peer)
                           : 0;
        atomic_store_explicit(&link->in_flight, count, memory_order_relaxed);
    }
}

/* ---- near: the connection's worker ---- */

static void near_update(struct weft_link *link)
{
    atomic_store_explicit(&link->unsent, weft__transport_unsent(&link->conn->transport),
                          memory_order_relaxed);
}

static void near_send(struct weft_link *link, const struct note *note)
{
    struct weft_conn *conn = link->conn;
    atomic_fetch_sub_explicit(&link->to_near, note->data.len, memory_order_relaxed);
    if (!conn)
        return;
    if (note->kind == NOTE_FRAMES)
        weft__conn_send_frames(conn, note->data, note->owner, note->count);
    else
        weft__conn_send(conn, note->data, note->lane);
    near_update(link);
}

static void near_gone(struct weft_link *link)
{
    WEFT_ASSERT(!link->conn);
    link->near->near_links--;
    weft__identity_drop(&link->outlet);
    weft__mem_free(alloc_of(link), link, sizeof(*link));
}

static void run_near(struct weft_mesh_message *message, void *owner)
{
    struct note *note = WEFT_CONTAINER_OF(message, struct note, message);
    struct weft_link *link = note->link;
    WEFT_ASSERT(owner);
    switch (note->kind) {
    case NOTE_MESSAGE:
    case NOTE_FRAMES:
        near_send(link, note);
        break;
    case NOTE_CLOSE:
        if (link->conn)
            weft__conn_close(link->conn, note->code, note->reason);
        break;
    case NOTE_WANT:
        atomic_store(&link->wanting, false); /* from here on |note| is the other side's again */
        if (link->conn)
            weft__transport_want_drain(&link->conn->transport);
        return;
    default:
        WEFT_ASSERT(note->kind == NOTE_GONE);
        near_gone(link);
        return;
    }
    free_note(note);
}

int weft__link_open(struct weft_conn *conn, unsigned to, struct weft_slice greeting)
{
    struct weft_worker *worker = conn->worker;
    struct weft_server *server = worker->server;
    struct weft_link *link = weft__mem_zalloc(&server->connection_memory.alloc, sizeof(*link));
    if (!link)
        return WEFT_ERR_NOMEM;
    link->near = worker;
    link->far = server->workers[to];
    struct note *note = new_note(link, NOTE_OPEN, greeting);
    if (!note) {
        weft__mem_free(alloc_of(link), link, sizeof(*link));
        return WEFT_ERR_NOMEM;
    }
    note->opcode = weft__conn_opcode(conn);
    atomic_init(&link->to_far, 0);
    atomic_init(&link->to_near, 0);
    atomic_init(&link->unsent, 0);
    atomic_init(&link->in_flight, 0);
    atomic_init(&link->wanting, false);
    atomic_init(&link->draining, false);
    link->room = ROOM + worker->rpc.limits.message_bytes;
    link->address_known = weft__conn_peer(&conn->transport, &link->address);
    link->conn = conn;
    link->outlet =
        (struct weft_outlet){.wire = conn->outlet.wire,
                             .variant = conn->outlet.variant,
                             .principal = weft__rpc_principal_ref(conn->outlet.principal),
                             .expires_ns = conn->outlet.expires_ns,
                             .assumed = conn->outlet.assumed,
                             .elsewhere = -1};
    worker->near_links++;
    conn->link = link;
    send_note(note, true);
    return 0;
}

void weft__link_receive(struct weft_link *link, enum weft_ws_opcode opcode, struct weft_slice data)
{
    size_t before = atomic_fetch_add_explicit(&link->to_far, data.len, memory_order_relaxed);
    struct note *note = before + data.len <= link->room ? new_note(link, NOTE_MESSAGE, data) : NULL;
    if (!note) {
        atomic_fetch_sub_explicit(&link->to_far, data.len, memory_order_relaxed);
        weft__conn_close(link->conn, WEFT_WS_CLOSE_TRY_LATER, "too much under way");
        return;
    }
    note->opcode = opcode;
    send_note(note, true);
}

void weft__link_drained(struct weft_link *link)
{
    near_update(link);
    if (!atomic_exchange(&link->draining, true))
        send_note(once(link, NOTE_DRAINED), true);
}

void weft__link_goaway(struct weft_link *link, const struct weft_rpc_goaway *goaway)
{
    struct note *note = once(link, NOTE_GOAWAY);
    note->goaway = *goaway;
    send_note(note, true);
}

void weft__link_lost(struct weft_link *link, unsigned code)
{
    struct note *note = once(link, NOTE_LOST);
    note->code = code;
    link->conn = NULL;
    send_note(note, true);
}

size_t weft__link_in_flight(const struct weft_link *link)
{
    return atomic_load_explicit(&link->in_flight, memory_order_relaxed);
}
