/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of an RPC connection, without the connection: messages in through
 * weft__rpc_peer_receive, messages out through a callback. Both ends are peers; either calls,
 * answers and notifies (docs/protocol/rpc.md).
 *
 *   receive ─► decode ─┬─ call ───► registry ─► handler ─► items, answer ─┐
 *                      ├─ answer ─► correlation ─► its callback            │
 *                      ├─ item, end, credit, cancel ─► the call            ├─► events.send
 *                      └─ `$/…` ──► built-in methods ──────────────────────┘
 *
 * Peers of one loop share an environment: the registry, the timer wheel, scratch memory, counters.
 * A peer makes no allocation for a call that is answered at once.
 *
 * **Thread:** the environment, its peers and their calls belong to one thread. No function of a
 * peer may be called from inside its own callbacks except those that send.
 */
#ifndef WEFT_RPC_PEER_H
#define WEFT_RPC_PEER_H

#include "port/clock.h"
#include "rpc/call.h"
#include "rpc/correlation.h"
#include "rpc/method_stats.h"
#include "rpc/outcome.h"

enum {
    WEFT_RPC_VERSION = 1, /* of the protocol */
    WEFT_RPC_SESSION_MAX = 39,
    WEFT_RPC_SESSION_TOKEN_MAX = 127,
};

/* What hello announces, and what is enforced here of it (in_flight, batch). */
struct weft_rpc_limits {
    uint64_t message_bytes;
    uint32_t in_flight; /* deferred calls of one peer; more are refused */
    uint32_t streams;
    uint32_t batch; /* members of one message */
    uint32_t window_items;
    uint32_t window_bytes;
    uint32_t ping_ms;
};

/* The defaults of PROTOCOL §8. */
#define WEFT_RPC_LIMITS_DEFAULT                                                                    \
    ((struct weft_rpc_limits){.message_bytes = 1048576,                                            \
                              .in_flight = 1024,                                                   \
                              .streams = 32,                                                       \
                              .batch = WEFT_RPC_BATCH_MAX,                                         \
                              .window_items = 16,                                                  \
                              .window_bytes = 65536,                                               \
                              .ping_ms = 25000})

/* Of all peers of one environment. */
struct weft_rpc_counters {
    uint64_t calls;                                   /* started */
    uint64_t notifications;                           /* started */
    uint64_t results;                                 /* answered with a result */
    uint64_t errors[WEFT_STATUS_UNAUTHENTICATED + 1]; /* answered with an error, by status */
    uint64_t invalid; /* frames that were neither call nor answer, text that was no JSON included */
    uint64_t in_flight;     /* deferred calls now */
    uint64_t outgoing;      /* calls made */
    uint64_t strays;        /* answers that belonged to no call */
    uint64_t resumed;       /* sessions taken up */
    uint64_t replayed;      /* messages sent again because of that */
    uint64_t duplicates;    /* frames that came again */
    uint64_t auth_accepted; /* tokens, and peers without one that were let in */
    uint64_t auth_refused;  /* tokens */
    uint64_t auth_expired;  /* identities of peers that ended */
};

/*
 * Something in front of and behind every method of an environment but those of the protocol: who
 * may call, how often, what is traced.
 */
struct weft_rpc_interceptor {
    /* A call or notification is about to start. True lets it; false when this has answered it, or
     * keeps it to be run later (weft__rpc_call_wait). May be NULL. */
    bool (*before)(struct weft_rpc_call *call, void *ctx);
    /* A call or notification that was given to |before| is being answered, by its method or by an
     * interceptor, whether or not anybody waits for it: exactly once, before it is sent. May be
     * NULL. */
    void (*answered)(struct weft_rpc_call *call, const struct weft_rpc_outcome *outcome, void *ctx);
    /* A call that passed |before| has ended: with a result (|status| 0), an error, or without
     * anybody to answer (UNAVAILABLE). Not called for notifications. May be NULL. */
    void (*after)(const struct weft_rpc_call *call, int status, uint64_t latency_ns, void *ctx);
    void *ctx;
};

enum { WEFT_RPC_INTERCEPTORS_MAX = 8 };

/* Methods beside those of the registry, which come and go. */
struct weft_rpc_resolver {
    /* The method called |name|, which the registry does not have; NULL: there is none. Its index is
     * UINT32_MAX. **Lifetime:** until |release|, once for each one found. */
    const struct weft_rpc_method *(*find)(void *ctx, struct weft_slice name);
    /* |method| is not used any more: its call is over, or never was. NULL: nothing is to be done.
     */
    void (*release)(void *ctx, const struct weft_rpc_method *method);
    /* Calls |fn| for each method that can be called now; for `rpc.discover`. */
    void (*each)(void *ctx, void (*fn)(const struct weft_rpc_method *method, void *arg), void *arg);
    void *ctx;
};

/* What the peers of one loop share. */
struct weft_rpc_env {
    const struct weft_alloc *alloc;
    const struct weft_rpc_registry *registry;
    struct weft_timer_wheel *wheel;
    struct weft_hash_key hash_key;
    struct weft_rpc_limits limits;
    struct weft_rpc_counters counters;
    struct weft_rpc_decode_options decode; /* |text_is_utf8|: the transport checks text before it
                                              gets here */
    const struct weft_clock *clock;        /* measures calls; NULL: they take no time */
    struct weft_rpc_method_stats *method_stats; /* by index; NULL: not kept */
    size_t method_count;                        /* of them */
    const struct weft_rpc_interceptor *interceptors[WEFT_RPC_INTERCEPTORS_MAX];
    size_t interceptor_count;
    const struct weft_rpc_resolver *resolver;           /* NULL: the registry has all methods */
    const struct weft_rpc_authenticator *authenticator; /* NULL: nobody signs in (rpc/auth.h) */

    /* private: scratch memory, lent to one user at a time */
    struct weft_arena arena;
    bool arena_lent;
    struct weft_bytes out;
    struct weft_list idle_calls; /* for reuse, by link */
    size_t idle_count;
    uint64_t ended_ns;      /* when the last call ended that was answered at once … */
    uint64_t ended_turn_ns; /* … and |now_ns| of the turn that it came in; 0: another one waits */
};

/* |registry| and |wheel| must outlive it. |hash_key| is random. Limits are the defaults and may be
 * changed before the first peer exists. */
void weft__rpc_env_init(struct weft_rpc_env *env, const struct weft_alloc *alloc,
                        const struct weft_rpc_registry *registry, struct weft_timer_wheel *wheel,
                        struct weft_hash_key hash_key);

/* Keeps numbers for each method of the registry, which is complete. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rpc_env_count_methods(struct weft_rpc_env *env);

/* Puts |interceptor| behind those added before: it is asked after them. It outlives the
 * environment; there are at most WEFT_RPC_INTERCEPTORS_MAX, and none is added once there is a peer.
 */
void weft__rpc_env_intercept(struct weft_rpc_env *env,
                             const struct weft_rpc_interceptor *interceptor);

/* All peers must be done and all deferred calls answered. */
void weft__rpc_env_done(struct weft_rpc_env *env);

enum weft_rpc_lane {
    WEFT_RPC_LANE_DATA,
    WEFT_RPC_LANE_CONTROL,  /* goes out before any data message not yet begun (PROTOCOL §1) */
    WEFT_RPC_LANE_GREETING, /* calls `$/…` and their answers: in the lane of control, in front of
                               what they permit */
};

/* What `$/goaway` says: the connection ends. */
struct weft_rpc_goaway {
    uint32_t grace_ms;           /* running calls may take so long */
    uint32_t reconnect_after_ms; /* after the end, until another connection is made */
};

/* What a greeting asks for that wants a session (rpc/session.h). */
struct weft_rpc_session_request {
    struct weft_slice token; /* of the one to take up; empty: a new one */
    uint64_t seen;           /* with a token: the last frame that came */
};

/* What the answer tells. */
struct weft_rpc_welcome {
    bool elsewhere; /* somebody else will answer; as with |resumed| this peer takes nothing more */
    bool resumed;
    const char *session; /* its name */
    const char *reason;  /* why it was not resumed; NULL: it was, or nobody asked */
    const char *token;   /* for the next time; NULL: there is no session */
    uint64_t seen;       /* when resumed */
    uint32_t resume_ms;  /* how long a session waits for its client */
};

struct weft_rpc_peer_events {
    /* A whole message to be sent. **Lifetime:** |message| until it returns. Required. */
    void (*send)(void *ctx, struct weft_slice message, enum weft_rpc_lane lane);
    /* WEFT_ERR_NOMEM: an answer was lost for want of memory. The connection should be closed, but
     * not in here. May be NULL. */
    void (*failed)(void *ctx, int err);
    /* Server: the peer's greeting was accepted; |params| are those of `$/hello`. May be NULL. */
    void (*greeted)(void *ctx, const struct weft_json *params);
    /* Server: a greeting asks for a session; |welcome| says that there is none, and is answered as
     * it is left. **Lifetime:** what it points at, until the answer is out. May be NULL. */
    void (*session)(void *ctx, const struct weft_rpc_session_request *request,
                    struct weft_rpc_welcome *welcome);
    /* Client: the server does not know the session any more, for |reason|; its calls have ended and
     * another one begins. May be NULL. */
    void (*session_ended)(void *ctx, struct weft_slice reason);
    /* A `$/pong` came. May be NULL. */
    void (*pong)(void *ctx);
    /* Server: it is known who the peer is, weft__rpc_peer_principal. May be NULL. */
    void (*identified)(void *ctx);
    /* Server: that has come to its end. The connection should be closed. May be NULL. */
    void (*expired)(void *ctx);
    /* Client: the server announced the end of our identity in |in_ms|. May be NULL. */
    void (*expiring)(void *ctx, uint64_t in_ms);
    /* Client: the server announced the end. May be NULL. */
    void (*goaway)(void *ctx, const struct weft_rpc_goaway *goaway);
};

/* Somebody who depends on a peer; embedded in whatever that is. */
struct weft_rpc_peer_watch {
    struct weft_list link;
    /* The peer ends, and its calls will after this; the watch is out of its hands. */
    void (*ended)(struct weft_rpc_peer_watch *watch);
    /* Its session has lost its connection, or has one again. */
    void (*linked)(struct weft_rpc_peer_watch *watch, bool linked);
};

struct weft_rpc_auth;
struct weft_rpc_authenticator;
struct weft_rpc_session;

/* What a peer with a session has of a connection; one without has it all. */
enum weft_rpc_link {
    WEFT_RPC_LINK_OPEN,
    WEFT_RPC_LINK_GREETING, /* client: the greeting and its answer, nothing else */
    WEFT_RPC_LINK_NONE,
};

struct weft_rpc_peer {
    struct weft_rpc_env *env;
    const struct weft_rpc_wire *wire;
    const struct weft_rpc_peer_events *events;
    void *events_ctx;
    void *user;                /* the owner's, for handlers: principal, connection */
    struct weft_map incoming;  /* deferred calls by id */
    size_t in_flight;          /* calls and notifications whose handlers still hold them */
    struct weft_list deferred; /* deferred calls and notifications */
    struct weft_map orders;    /* ordering keys in use */
    struct weft_list watches;  /* struct weft_rpc_peer_watch */
    struct weft_rpc_correlation outgoing;
    size_t streams;  /* open, of calls received */
    uint64_t calls;  /* received and started */
    uint64_t errors; /* answered with an error */
    bool is_server;
    bool greeted;
    bool no_streams;
    bool receiving;
    bool closed;  /* weft__rpc_peer_done has begun */
    bool left;    /* another peer has taken over the connection: what comes is dropped */
    bool leaving; /* |goaway| was announced: no call is started any more */
    struct weft_rpc_goaway goaway;
    int err;               /* first failure, sticky */
    const char *violation; /* with WEFT_ERR_PROTOCOL: what the other side did */
    uint32_t version;      /* of the protocol, agreed upon by the greeting; 0 before */
    enum weft_rpc_link link;
    struct weft_rpc_session *session; /* NULL: none, nothing is numbered */
    size_t replay_bytes;              /* client: as in the options */
    uint64_t greeting;                /* client: number of the call that greets; 0: none */
    struct weft_rpc_auth *auth;       /* who it is (rpc/auth.h); NULL: nobody has signed in */
    unsigned auth_refused;            /* tokens */
    /* What the owner hands out for it to other threads, told when the peer is done. */
    void *handle;
    void (*handle_done)(struct weft_rpc_peer *peer);
    char session_name[WEFT_RPC_SESSION_MAX + 1];
};

struct weft_rpc_peer_options {
    bool is_server;  /* answers greetings; may not call before one */
    bool greeted;    /* there is no greeting: what it would agree upon is known (rpc/http.h) */
    bool no_streams; /* methods with items are refused: nothing could carry them */
    const struct weft_rpc_wire *wire; /* NULL: weft__rpc_wire_json */
    const char *session; /* server: the name that hello tells, at most WEFT_RPC_SESSION_MAX bytes of
                            ASCII; copied */
    size_t replay_bytes; /* client: a session is asked for that keeps so much; 0: none is */
    const struct weft_rpc_peer_events *events; /* outlives the peer */
    void *events_ctx;
    void *user;
};

void weft__rpc_peer_init(struct weft_rpc_peer *peer, struct weft_rpc_env *env,
                         const struct weft_rpc_peer_options *options);

/*
 * The connection is gone. Every call that we made ends with `unavailable`; the holders of deferred
 * calls are told (UNAVAILABLE) and their answers will be dropped. Nothing is sent. Not allowed
 * inside a callback of this peer.
 */
void weft__rpc_peer_done(struct weft_rpc_peer *peer);

/* Puts |watch|, its functions set, to |peer| until one of them ends. */
void weft__rpc_peer_watch(struct weft_rpc_peer *peer, struct weft_rpc_peer_watch *watch);

/*
 * Takes one message, complete. Whatever it holds is dealt with, if only by an error answer.
 * |now_ns| is the monotonic time. **Errors:** the connection should be closed then: WEFT_ERR_NOMEM,
 * WEFT_ERR_PROTOCOL (peer->violation says more).
 */
WEFT_MUST_USE int weft__rpc_peer_receive(struct weft_rpc_peer *peer, struct weft_slice message,
                                         uint64_t now_ns);

/* Calls and notifications that handlers deferred and still hold. */
static inline size_t weft__rpc_peer_in_flight(const struct weft_rpc_peer *peer)
{
    return peer->in_flight;
}

/* These, and our own calls that wait for their answers. */
static inline size_t weft__rpc_peer_under_way(const struct weft_rpc_peer *peer)
{
    return peer->in_flight + weft__rpc_correlation_count(&peer->outgoing);
}

/* How one of our calls ended. */
struct weft_rpc_answer {
    const struct weft_json *result; /* NULL for an error */
    struct weft_rpc_error error;    /* error.status is 0 for a result */
};

/* Called exactly once for each call that weft__rpc_peer_call accepted. **Lifetime:** |answer| and
 * all it points at until it returns. */
typedef void weft_rpc_answer_fn(void *ctx, const struct weft_rpc_answer *answer);

/* What a call with items is told. Each may be NULL; none comes after the answer. Any of them may
 * send, end, cancel. */
struct weft_rpc_outgoing_ops {
    /* The next item. **Lifetime:** |value| until it returns. */
    void (*item)(void *ctx, uint64_t number, const struct weft_json *value);
    /* After weft__rpc_peer_send returned WEFT_ERR_LIMIT: there is credit. */
    void (*writable)(void *ctx, uint64_t number);
};

struct weft_rpc_call_options {
    struct weft_slice method;
    struct weft_slice params;   /* a raw array or object, vouched for by the caller; may be empty */
    struct weft_rpc_meta meta;  /* timeout_ms also ends the waiting on this side */
    weft_rpc_answer_fn *answer; /* may be NULL */
    void *ctx;
    /* For methods with items; NULL: none are expected, and what comes is dropped. Outlives the
     * call. */
    const struct weft_rpc_outgoing_ops *stream;
    bool sends;            /* items will be sent */
    uint32_t window_items; /* that may be under way to us; 0: as the greeting says */
    uint32_t window_bytes;
};

/*
 * Calls the other side. |ret_number| may be NULL; it names the call for the functions below.
 * **Errors:** WEFT_ERR_STATE for a server whose peer did not greet, and for a call with items
 * without a greeting; WEFT_ERR_NOMEM, WEFT_ERR_UTF8. |answer| is not called then.
 */
WEFT_MUST_USE int weft__rpc_peer_call(struct weft_rpc_peer *peer,
                                      const struct weft_rpc_call_options *options, uint64_t now_ns,
                                      uint64_t *ret_number);

/* Gives up a call: sends `$/cancel` and ends it here with `canceled`. Harmless when it has ended.
 */
void weft__rpc_peer_cancel(struct weft_rpc_peer *peer, uint64_t number);

/* Sends an item, one complete JSON value that the caller vouches for. **Errors:** WEFT_ERR_STATE
 * (the call has ended, its items have, or it sends none), WEFT_ERR_LIMIT (no credit;
 * stream->writable follows). */
WEFT_MUST_USE int weft__rpc_peer_send(struct weft_rpc_peer *peer, uint64_t number,
                                      struct weft_slice value);

/* Says that no more items follow. Harmless when the call has ended or that was said. */
void weft__rpc_peer_end(struct weft_rpc_peer *peer, uint64_t number);

/* As those of calls being served (rpc/call.h); harmless when the call has ended. */
void weft__rpc_peer_hold_credit(struct weft_rpc_peer *peer, uint64_t number);
void weft__rpc_peer_consumed(struct weft_rpc_peer *peer, uint64_t number, uint64_t items,
                             uint64_t bytes);

/* As weft__rpc_peer_notify, and no session numbers it: of what was published to many, everybody
 * knows how far they have read. */
WEFT_MUST_USE int weft__rpc_peer_publish(struct weft_rpc_peer *peer, struct weft_slice method,
                                         struct weft_slice params);

/*
 * Sends a notification. Without a greeting only such as were asked for, say by a subscription, may
 * be sent; the caller knows. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_UTF8.
 */
WEFT_MUST_USE int weft__rpc_peer_notify(struct weft_rpc_peer *peer, struct weft_slice method,
                                        struct weft_slice params);

/* Sends `$/ping`; events.failed tells of a failure. */
void weft__rpc_peer_ping(struct weft_rpc_peer *peer);

/*
 * Announces that the connection ends: calls that come from now on are answered `unavailable`, not
 * executed; notifications are dropped; those that run go on. A peer that did not greet is not told.
 * **Errors:** WEFT_ERR_STATE (announced before), WEFT_ERR_NOMEM (calls are refused all the same).
 */
WEFT_MUST_USE int weft__rpc_peer_goaway(struct weft_rpc_peer *peer,
                                        const struct weft_rpc_goaway *goaway);

/*
 * Answers every call that runs with `unavailable`, whether executed unknown, and tells its handler
 * as if its deadline had passed. Returns how many there were.
 */
size_t weft__rpc_peer_cut_off(struct weft_rpc_peer *peer);

/* What a client says of itself. */
struct weft_rpc_greeting {
    const char *name; /* of the program */
    const char *version;
    const char *token; /* that tells who is there (rpc/auth.h); NULL: none */
};

/*
 * Client: sends `$/hello` with |greeting|, once over each connection. The peer counts
 * as greeted once the answer is a result; |answer| gets it in any case and may be NULL. A session
 * that was cut is resumed by it. **Errors:** as weft__rpc_peer_call, and WEFT_ERR_STATE for a
 * server.
 */
WEFT_MUST_USE int weft__rpc_peer_greet(struct weft_rpc_peer *peer,
                                       const struct weft_rpc_greeting *greeting,
                                       weft_rpc_answer_fn *answer, void *ctx, uint64_t now_ns);

#endif
