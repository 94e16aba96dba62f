/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections and listeners in terms of completions, the same on every backend. The structs are
 * embedded in their owner's object; callbacks find it again with WEFT_CONTAINER_OF.
 *
 *   weft__tcp_open ────────────────────────► OPEN ── weft__tcp_close ──► CLOSING ──► on_closed
 *   weft__tcp_connect ─► CONNECTING ─► on_connected(0) ─► OPEN           (struct may be freed)
 *                                   └► on_connected(err): close it
 *
 * Rules that hold on both backends:
 * - No callback is called from inside a call of this header; they come from the loop's tick.
 * - weft__tcp_close may be called in any state and inside any callback, once. Afterwards no
 * callback comes but on_closed, which comes when the kernel holds no buffer of this connection any
 * more. Only then may the struct, and the slices of a send that was in flight, be freed.
 * - An error or the end of the stream does not close the connection; its owner does.
 *
 * **Thread:** the loop's.
 */
#ifndef WEFT_IO_TCP_H
#define WEFT_IO_TCP_H

#include "io/address.h"
#include "io/loop.h"

#include <stddef.h>
#include <sys/uio.h>

struct weft_tcp;
struct weft_tcp_connector;

struct weft_tcp_callbacks {
    /*
     * |n| > 0: bytes arrived. |data| is writable and valid until the callback returns; it lies in a
     * buffer of a shared pool, so an idle connection owns none. |n| == 0: the peer ended its
     * stream. |n| < 0: the connection is broken: WEFT_ERR_CLOSED (reset, timed out) or
     * WEFT_ERR_SYSTEM. After |n| <= 0 no further call comes.
     */
    void (*on_recv)(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n);
    /* The send in flight is done: |n| is all of its bytes, or WEFT_ERR_CLOSED or WEFT_ERR_SYSTEM.
     * The next send may be started in here. Its slices belong to the caller again. */
    void (*on_sent)(struct weft_tcp *tcp, ptrdiff_t n);
    /* The end of a struct weft_tcp: see above. */
    void (*on_closed)(struct weft_tcp *tcp);
    /* The result of weft__tcp_connect: 0, WEFT_ERR_TIMEOUT, WEFT_ERR_UNAVAILABLE (refused,
     * unreachable), WEFT_ERR_CLOSED (made and reset at once) or WEFT_ERR_SYSTEM. Receiving begins
     * after a 0. Others leave it NULL. */
    void (*on_connected)(struct weft_tcp *tcp, int err);
};

/* The fields are the backends'; others read |fd| and |loop| only. */
struct weft_tcp {
    struct weft_loop *loop;
    const struct weft_tcp_callbacks *callbacks;
    struct weft_list node; /* in the loop's list of closed handles */
    union {
        struct iovec *iov;                    /* open: what is left of the send in flight */
        struct weft_tcp_connector *connector; /* while connecting */
    };
    int iov_count;
    int fd;
    size_t sent;     /* bytes of the send in flight that are out */
    uint16_t flags;  /* enum weft_tcp_flag of io/backend.h */
    uint16_t ops;    /* io_uring: operations whose last completion is to come */
    uint32_t events; /* epoll: events registered */
};

/*
 * Takes over the connected socket |fd|, which is in blocking mode (as accept gives it), and starts
 * receiving. Sets TCP_NODELAY. |callbacks| must outlive |tcp|. **Errors:** WEFT_ERR_SYSTEM,
 * WEFT_ERR_LIMIT (more than 256 handles before the loop runs); |fd| stays the caller's then and no
 * callback comes.
 */
WEFT_MUST_USE int weft__tcp_open(struct weft_tcp *tcp, struct weft_loop *loop, int fd,
                                 const struct weft_tcp_callbacks *callbacks);

/* What only connecting needs, so that accepted connections do not carry it. */
struct weft_tcp_connector {
    struct weft_tcp *tcp;
    struct weft_timer deadline;
    struct weft_address address;
    int result; /* what on_connected reports when |deadline| fires */
};

/*
 * Connects |tcp| to |address|; on_connected(WEFT_ERR_TIMEOUT) comes when that takes longer than
 * |timeout_ms|. |connector| is the caller's and needs no preparation; it may be reused or freed
 * from on_connected on, or else from on_closed on. **Errors:** as weft__tcp_open; no callback comes
 * then.
 */
WEFT_MUST_USE int weft__tcp_connect(struct weft_tcp *tcp, struct weft_loop *loop,
                                    const struct weft_address *address, uint64_t timeout_ms,
                                    struct weft_tcp_connector *connector,
                                    const struct weft_tcp_callbacks *callbacks);

/* The same from |source|, an address of this machine; its port is chosen for this destination when
 * it is 0. NULL: whatever the system chooses. **Errors:** also WEFT_ERR_UNAVAILABLE (not an address
 * of this machine) and WEFT_ERR_BUSY (the port). */
WEFT_MUST_USE int weft__tcp_connect_from(struct weft_tcp *tcp, struct weft_loop *loop,
                                         const struct weft_address *source,
                                         const struct weft_address *address, uint64_t timeout_ms,
                                         struct weft_tcp_connector *connector,
                                         const struct weft_tcp_callbacks *callbacks);

/* The result of weft__tcp_send: done already; on_sent will not be called. */
enum { WEFT_TCP_SENT = 1 };

/*
 * Sends |count| ≥ 1 slices, 1 to 1,024, in order; one send may be in flight. The backend goes on
 * until everything is sent or the connection breaks: there is no partial result. Returns
 * WEFT_TCP_SENT when the kernel took everything at once (the usual case on epoll), 0 when on_sent
 * will tell (the usual case on io_uring), or an error.
 * **Lifetime:** the bytes and the array |iov| itself, which is changed meanwhile, must stay until
 * on_sent or on_closed. **Errors:** WEFT_ERR_CLOSED, WEFT_ERR_SYSTEM: nothing is in flight,
 * on_sent will not be called.
 */
WEFT_MUST_USE int weft__tcp_send(struct weft_tcp *tcp, struct iovec *iov, int count);

/* Whether weft__tcp_send_now is worth it for large messages: on epoll. io_uring submits many sends
 * in one system call, which pays more than the copy into a queue costs. */
bool weft__tcp_sends_at_once(const struct weft_tcp *tcp);

/*
 * Hands as much of |count| slices, 1 to 1,024, to the kernel as it takes at once, and returns how
 * many bytes that was, 0 when the socket is full. No send may be in flight. Nothing is kept; the
 * caller sends the rest. **Errors:** as weft__tcp_send.
 */
WEFT_MUST_USE ptrdiff_t weft__tcp_send_now(struct weft_tcp *tcp, const struct iovec *iov,
                                           int count);

/* True between weft__tcp_send's 0 and on_sent. */
bool weft__tcp_sending(const struct weft_tcp *tcp);

/*
 * Stops receiving until weft__tcp_resume; both may be repeated. What the kernel had already handed
 * over is still delivered: at most one receive on epoll, as much as fits the buffer pool on
 * io_uring.
 */
void weft__tcp_pause(struct weft_tcp *tcp);
void weft__tcp_resume(struct weft_tcp *tcp);

/* Ends our direction of the stream; no send may be in flight or follow. Receiving goes on. */
void weft__tcp_shutdown_write(struct weft_tcp *tcp);

/* Closes the connection: see the rules above. What the kernel took is still delivered to the peer.
 */
void weft__tcp_close(struct weft_tcp *tcp);

/* The same, but the peer gets a reset and unsent bytes are dropped. */
void weft__tcp_abort(struct weft_tcp *tcp);

/* ---- Listeners ---- */

struct weft_listener;

struct weft_listener_callbacks {
    /* A connection came: |fd| is close-on-exec and the callee's from now on, ready for
     * weft__tcp_open. |peer| is valid during the call. */
    void (*on_accept)(struct weft_listener *listener, int fd, const struct weft_address *peer);
    /* The end after weft__listener_close: the struct may be freed. */
    void (*on_closed)(struct weft_listener *listener);
};

enum weft_listener_flag {
    WEFT_LISTENER_REUSEPORT = 1, /* several listeners share the port; the kernel spreads */
    /* Accepts one connection a tick on io_uring, so that pausing takes effect at once; without it
     * the kernel accepts ahead what there is. */
    WEFT_LISTENER_STEPWISE = 2,
};

/* The fields are the backends'. */
struct weft_listener {
    struct weft_loop *loop;
    const struct weft_listener_callbacks *callbacks;
    struct weft_list node;     /* in the loop's list of closed handles */
    struct weft_timer backoff; /* runs while accepting waits for descriptors */
    int fd;
    uint16_t flags;
    uint16_t ops;
};

/*
 * Makes a listening socket at |address| (port 0: any free one) without accepting from it yet. The
 * file of a Unix socket gets the permissions |mode| (0: 0600), and replaces one that nobody listens
 * at any more; its owner removes it. |flags| is of enum weft_listener_flag. The descriptor is the
 * caller's and close-on-exec.
 * **Errors:** WEFT_ERR_BUSY (address in use), WEFT_ERR_DENIED, WEFT_ERR_UNAVAILABLE (not an address
 * of this machine, no such folder), WEFT_ERR_SYSTEM.
 */
WEFT_MUST_USE int weft__listener_bind(const struct weft_address *address, unsigned flags,
                                      unsigned mode, int *ret_fd);

/*
 * Accepts from the listening socket |fd|, which it takes over and closes at the end. Several
 * listeners may share one queue of connections, through dup(2) or with another process that does
 * not accept at the same time: whether |fd| blocks is changed for all of them.
 * **Errors:** WEFT_ERR_SYSTEM, WEFT_ERR_LIMIT as weft__tcp_open; |fd| stays the caller's then.
 */
WEFT_MUST_USE int weft__listener_adopt(struct weft_listener *listener, struct weft_loop *loop,
                                       int fd, unsigned flags,
                                       const struct weft_listener_callbacks *callbacks);

/*
 * Listens on |address| (port 0: any free one) and accepts until closed. Out of descriptors or
 * memory, connections wait in the backlog: accepting is tried again after 50 ms.
 * **Errors:** WEFT_ERR_BUSY (address in use), WEFT_ERR_DENIED, WEFT_ERR_UNAVAILABLE (not an address
 * of this machine), WEFT_ERR_SYSTEM, WEFT_ERR_LIMIT as weft__tcp_open.
 */
WEFT_MUST_USE int weft__listener_open(struct weft_listener *listener, struct weft_loop *loop,
                                      const struct weft_address *address, unsigned flags,
                                      const struct weft_listener_callbacks *callbacks);

/* Whether |address| is free: listeners that share a port do not notice those of another process.
 * **Errors:** as weft__listener_open. */
WEFT_MUST_USE int weft__listener_probe(const struct weft_address *address);

/* The address it is bound to, with the real port. **Errors:** WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int weft__listener_address(const struct weft_listener *listener,
                                         struct weft_address *ret_address);

/*
 * Stops accepting until weft__listener_resume: connections wait in the backlog. Both may be
 * repeated and called in any callback. What the kernel had accepted already is still delivered:
 * nothing on epoll; on io_uring one connection, or without WEFT_LISTENER_STEPWISE as many as had
 * come.
 */
void weft__listener_pause(struct weft_listener *listener);
void weft__listener_resume(struct weft_listener *listener);

/* Stops accepting; may be called in any callback, once. on_closed follows from a tick; connections
 * that the kernel had accepted by then still come before it. */
void weft__listener_close(struct weft_listener *listener);

#endif
