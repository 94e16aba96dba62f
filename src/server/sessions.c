/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, resuming, waiting and ending. */
#include "server/sessions.h"

#include "base/assert.h"
#include "rpc/session.h"
#include "server/conn.h"
#include "server/identity.h"
#include "ws/conn.h"

#include <limits.h>
#include <stdio.h>

static const struct weft_alloc *alloc_of(const struct weft_worker *worker)
{
    return &worker->server->connection_memory.alloc;
}

static const struct weft_server_sessions *options_of(const struct weft_worker *worker)
{
    return &worker->server->options.sessions;
}

static uint64_t now_ns(const struct weft_worker *worker)
{
    return weft__loop_now_ns(worker->loop);
}

/* ---- What the session wants ---- */

static void session_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_server_session *session = ctx;
    if (session->outlet)
        session->outlet->ops->send(session->outlet, message, lane);
}

static void session_failed(void *ctx, unsigned code, const char *reason)
{
    struct weft_server_session *session = ctx;
    if (session->outlet)
        session->outlet->ops->close(session->outlet, code, reason);
}

static const struct weft_rpc_principal *principal_of(const struct weft_server_session *session)
{
    return weft__rpc_peer_principal(&session->session.peer);
}

static void session_identified(void *ctx)
{
    struct weft_server_session *session = ctx;
    weft__identity_of_member(&session->member, principal_of(session));
}

/* A session may wait for a client with another token. */
static void session_over(void *ctx)
{
    session_failed(ctx, WEFT_CLOSE_EXPIRED, "the token has expired");
}

/* ---- What the hub wants ---- */

static struct weft_server_session *member_session(const struct weft_hub_member *member)
{
    return WEFT_CONTAINER_OF(member, struct weft_server_session, member);
}

static void member_send(struct weft_hub_member *member, struct weft_slice frames,
                        struct weft_buf *owner, size_t count)
{
    struct weft_server_session *session = member_session(member);
    if (session->outlet)
        session->outlet->ops->send_frames(session->outlet, frames, owner, count);
}

/* The hub writes text; this connection encodes anew what is on another wire, or what its own
 * compression wants to see. */
static void member_send_message(struct weft_hub_member *member, struct weft_ws_message *message)
{
    struct weft_server_session *session = member_session(member);
    if (session->outlet)
        weft__session_forward(&session->session, weft__ws_message_payload(message));
}

static size_t member_unsent(const struct weft_hub_member *member)
{
    const struct weft_server_session *session = member_session(member);
    return session->outlet ? session->outlet->ops->unsent(session->outlet) : 0;
}

static void member_held(struct weft_hub_member *member)
{
    struct weft_server_session *session = member_session(member);
    if (session->outlet)
        session->outlet->ops->want_drain(session->outlet);
}

static void member_present(struct weft_hub_member *member, bool present)
{
    struct weft_server_session *session = member_session(member);
    if (session->outlet)
        weft__session_watch(&session->session, present, now_ns(session->worker));
}

/* What the hub sends is recoded once for all on the binary wire. */
static enum weft_topic_variant frames_for(const struct weft_outlet *outlet)
{
    if (outlet->wire->is_text || outlet->variant == WEFT_TOPIC_OWN)
        return outlet->variant;
    return outlet->variant == WEFT_TOPIC_DEFLATED ? WEFT_TOPIC_RECODED_DEFLATED
                                                  : WEFT_TOPIC_RECODED;
}

static void join_hub(struct weft_server_session *session)
{
    static const struct weft_hub_member_ops ops = {member_send, member_send_message, member_unsent,
                                                   member_held, member_present};
    const struct weft_outlet *outlet = session->outlet;
    enum weft_topic_variant variant = frames_for(outlet);
    const struct weft_rpc_principal *principal = principal_of(session);
    weft__hub_member_init(&session->member, session->worker->hub, &ops,
                          weft__rpc_principal_tenant(principal),
                          weft__rpc_principal_subject(principal), variant);
}

/* ---- Waiting ---- */

static size_t memory_of(const struct weft_server_session *session)
{
    return sizeof(*session) + weft__rpc_session_memory(session->session.peer.session);
}

static void stop_waiting(struct weft_server_session *session)
{
    struct weft_sessions *sessions = &session->worker->sessions;
    weft__loop_timer_stop(session->worker->loop, &session->timer);
    weft__list_remove(&session->waiting);
    weft__list_init(&session->waiting);
    sessions->waiting_count--;
    for (size_t i = 0; i < WEFT_WAITING_KINDS; i++)
        weft__waiting_leave(&sessions->groups, &session->places[i]);
}

/* |session| is over. Its connection, if it has one, is the caller's. */
static void end_session(struct weft_server_session *session)
{
    struct weft_worker *worker = session->worker;
    if (!session->outlet && session->listed)
        stop_waiting(session);
    if (session->listed)
        weft__map_remove(&worker->sessions.table, &session->node);
    /* The hub first: its documents stop sending before their answers have nowhere to go. */
    weft__hub_member_done(&session->member);
    weft__session_done(&session->session);
    weft__mem_free(alloc_of(worker), session, sizeof(*session));
}

static void expire(struct weft_server_session *session)
{
    session->worker->sessions.expired++;
    end_session(session);
}

static void waited_in_vain(struct weft_timer *timer)
{
    expire(WEFT_CONTAINER_OF(timer, struct weft_server_session, timer));
}

/* |session| waits among those of |kind| that |key| stands for, of which the oldest one goes when
 * they are more than their share of |max|. False when out of memory. */
static bool enter_group(struct weft_server_session *session, enum weft_waiting_kind kind,
                        struct weft_slice key, unsigned max)
{
    struct weft_worker *worker = session->worker;
    struct weft_waiting_place *oldest = NULL;
    size_t share = WEFT_MAX(max / worker->server->worker_count, 1u);
    if (weft__waiting_enter(&worker->sessions.groups, &session->places[kind], kind,
                            weft__hash(&worker->server->hash_key, key), share, &oldest))
        return false;
    if (oldest) {
        if (weft__notice(&worker->notices, WEFT_LIMIT_WAITING, 1, now_ns(worker)))
            weft__notice_write(&worker->notices, WEFT_LIMIT_WAITING, NULL);
        expire(WEFT_CONTAINER_OF(oldest - kind, struct weft_server_session, places[0]));
    }
    return true;
}

/* Those of one address that wait are as many as its connections may be. */
static bool enter_address(struct weft_server_session *session)
{
    const struct weft_limits *limits = &session->worker->server->limits;
    uint8_t bytes[8];
    uint8_t len = session->peer_known ? weft__limits_address_key(limits, &session->peer, bytes) : 0;
    return !len || enter_group(session, WEFT_WAITING_ADDRESS, weft__slice(bytes, len),
                               limits->set.max_per_address);
}

static bool enter_principal(struct weft_server_session *session)
{
    const struct weft_rpc_principal *principal = principal_of(session);
    unsigned max = options_of(session->worker)->per_principal;
    return !principal || max == UINT_MAX ||
           enter_group(session, WEFT_WAITING_PRINCIPAL, weft__rpc_principal_scope(principal), max);
}

/* The connection closed with |code|: may the client come back? Not when it said good-bye, and not
 * after it broke the protocol: it would do so again. */
static bool may_wait(const struct weft_server_session *session, unsigned code)
{
    const struct weft_rpc_peer *peer = &session->session.peer;
    if (!session->listed || peer->err || session->worker->draining)
        return false;
    return code == WEFT_WS_CLOSE_ABNORMAL || code > WEFT_WS_CLOSE_EXTENSION;
}

void weft__sessions_lost(struct weft_outlet *outlet, unsigned code)
{
    struct weft_server_session *session = outlet->session;
    if (!session)
        return;
    struct weft_worker *worker = session->worker;
    outlet->session = NULL;
    if (!may_wait(session, code)) {
        end_session(session);
        return;
    }
    session->outlet = NULL;
    weft__hub_member_done(&session->member);
    weft__session_detach(&session->session);
    weft__list_push(&worker->sessions.waiting, &session->waiting);
    worker->sessions.waiting_count++;
    weft__loop_timer_start(worker->loop, &session->timer, options_of(worker)->resume_ms);
    if (!enter_address(session) || !enter_principal(session))
        expire(session);
}

size_t weft__sessions_shed(struct weft_worker *worker, size_t bytes)
{
    struct weft_sessions *sessions = &worker->sessions;
    size_t freed = 0;
    while (freed < bytes && !weft__list_empty(&sessions->waiting)) {
        struct weft_server_session *session =
            WEFT_CONTAINER_OF(sessions->waiting.next, struct weft_server_session, waiting);
        freed += memory_of(session);
        expire(session);
    }
    return freed;
}

/* ---- Greetings ---- */

static struct weft_server_session *find_session(struct weft_worker *worker, uint64_t number)
{
    struct weft_map_node *node =
        weft__map_get(&worker->sessions.table, weft__slice(&number, sizeof(number)));
    return node ? WEFT_CONTAINER_OF(node, struct weft_server_session, node) : NULL;
}

/* The old connection of |session| has nothing to do with it any more. */
static void fence(struct weft_server_session *session)
{
    struct weft_outlet *old = session->outlet;
    if (!old) {
        stop_waiting(session);
        return;
    }
    session->outlet = NULL;
    old->session = NULL;
    old->ops->close(old, WEFT_CLOSE_FENCED, "fenced");
    weft__hub_member_done(&session->member);
    weft__session_detach(&session->session);
}

/* Nothing can be made of |session| any more; one that has a connection loses it. */
static void give_up(struct weft_server_session *session)
{
    struct weft_outlet *old = session->outlet;
    if (old) {
        old->session = NULL;
        old->ops->close(old, WEFT_CLOSE_FENCED, "fenced");
    }
    end_session(session);
}

/* Takes up the session that |id| names for |fresh|. */
static enum weft_rpc_resume_result take_up(struct weft_server_session *fresh,
                                           const struct weft_rpc_resume_id *id, uint64_t seen,
                                           struct weft_rpc_welcome *welcome)
{
    struct weft_server_session *old = find_session(fresh->worker, id->session);
    struct weft_rpc_session *session = old ? old->session.peer.session : NULL;
    char *token = fresh->worker->sessions.token;
    enum weft_rpc_resume_result result =
        weft__rpc_session_take_up(session, id, fresh->outlet->wire,
                                  weft__rpc_principal_scope(principal_of(fresh)), seen, token);
    if (result == WEFT_RPC_RESUME_OK) {
        fence(old);
        fresh->successor = old;
        welcome->resumed = true;
        welcome->session = old->session.peer.session_name;
        welcome->seen = weft__rpc_delivery_seen(&session->delivery);
        welcome->token = token;
    } else if (old && (result == WEFT_RPC_RESUME_OVERFLOW || result == WEFT_RPC_RESUME_UNKNOWN)) {
        give_up(old);
    }
    return result;
}

/* The greeting asks for a session of its own. Without memory there is none. */
static void list_session(struct weft_server_session *session, struct weft_rpc_welcome *welcome)
{
    struct weft_worker *worker = session->worker;
    struct weft_rpc_resume resume;
    weft__rpc_resume_init(&resume, &worker->server->resume_key, worker->index, session->number,
                          session->outlet->wire, weft__rpc_principal_scope(principal_of(session)));
    if (weft__rpc_resume_issue(&resume, worker->sessions.token))
        return;
    memcpy(session->number_key, &session->number, sizeof(session->number_key));
    if (weft__map_add(&worker->sessions.table, &session->node,
                      weft__slice(session->number_key, sizeof(session->number_key))))
        return;
    if (weft__rpc_session_begin(&session->session.peer, options_of(worker)->replay_bytes,
                                &resume)) {
        weft__map_remove(&worker->sessions.table, &session->node);
        return;
    }
    session->listed = true;
    session->peer_known = session->outlet->ops->address(session->outlet, &session->peer);
    welcome->token = worker->sessions.token;
}

static void session_resume(void *ctx, const struct weft_rpc_session_request *request,
                           struct weft_rpc_welcome *welcome)
{
    struct weft_server_session *fresh = ctx;
    struct weft_worker *worker = fresh->worker;
    const struct weft_server *server = worker->server;
    struct weft_rpc_resume_id id;
    enum weft_rpc_resume_result result = WEFT_RPC_RESUME_UNKNOWN;
    if (options_of(worker)->resume_ms == 0 || !fresh->outlet)
        return;
    welcome->resume_ms = options_of(worker)->resume_ms;
    if (request->token.len) {
        int err = weft__rpc_resume_token_read(&server->resume_key, request->token, &id);
        if (!err && id.worker != worker->index && id.worker < server->worker_count) {
            fresh->outlet->elsewhere = (int)id.worker;
            welcome->elsewhere = true;
            return;
        }
        if (!err)
            result = take_up(fresh, &id, request->seen, welcome);
        if (result == WEFT_RPC_RESUME_OK)
            return;
        worker->sessions.refused++;
        welcome->reason = weft__rpc_resume_result_name(result);
    }
    list_session(fresh, welcome);
}

/* ---- Connections ---- */

int weft__sessions_open(struct weft_worker *worker, struct weft_outlet *outlet)
{
    static const struct weft_session_events events = {.send = session_send,
                                                      .failed = session_failed,
                                                      .identified = session_identified,
                                                      .expired = session_over,
                                                      .resume = session_resume};
    struct weft_server_session *session = weft__mem_zalloc(alloc_of(worker), sizeof(*session));
    if (!session)
        return WEFT_ERR_NOMEM;
    session->worker = worker;
    session->outlet = outlet;
    session->number = ++worker->sessions.last;
    weft__timer_init(&session->timer, waited_in_vain);
    weft__list_init(&session->waiting);
    for (size_t i = 0; i < WEFT_WAITING_KINDS; i++)
        weft__waiting_place_init(&session->places[i]);
    char name[WEFT_RPC_SESSION_MAX + 1];
    snprintf(name, sizeof(name), "s_%u_%llu", worker->index, (unsigned long long)session->number);
    const struct weft_session_options options = {
        .env = &worker->rpc,
        .is_server = true,
        .wire = outlet->wire,
        .name = name,
        .events = &events,
        .events_ctx = session,
        .user = &session->member,
    };
    weft__session_init(&session->session, &options);
    if (weft__identity_give(outlet, &session->session.peer)) {
        weft__session_done(&session->session);
        weft__mem_free(alloc_of(worker), session, sizeof(*session));
        return WEFT_ERR_NOMEM;
    }
    join_hub(session);
    outlet->session = session;
    outlet->elsewhere = -1;
    return 0;
}

/* |fresh| has answered the greeting; from here on its connection is its successor's. */
static void hand_over(struct weft_server_session *fresh)
{
    struct weft_outlet *outlet = fresh->outlet;
    struct weft_server_session *session = fresh->successor;
    struct weft_worker *worker = fresh->worker;
    weft__rpc_peer_renew(&session->session.peer, &fresh->session.peer);
    end_session(fresh);
    session->outlet = outlet;
    outlet->session = session;
    session->peer_known = outlet->ops->address(outlet, &session->peer);
    /* What calls opened meanwhile, nobody has heard of. */
    weft__hub_member_done(&session->member);
    join_hub(session);
    weft__session_attach(&session->session, now_ns(worker));
}

void weft__sessions_receive(struct weft_outlet *outlet, enum weft_ws_opcode opcode,
                            struct weft_slice data)
{
    struct weft_server_session *session = outlet->session;
    if (!session)
        return; /* fenced: the connection is closing */
    weft__session_receive(&session->session, opcode, data, now_ns(session->worker));
    if (session->successor)
        hand_over(session);
}

void weft__sessions_drained(struct weft_outlet *outlet)
{
    if (outlet->session)
        weft__hub_member_drained(&outlet->session->member);
}

/* ---- The worker ---- */

void weft__sessions_init(struct weft_worker *worker)
{
    struct weft_sessions *sessions = &worker->sessions;
    weft__map_init(&sessions->table, alloc_of(worker), worker->server->hash_key);
    weft__waiting_init(&sessions->groups, alloc_of(worker), worker->server->hash_key);
    weft__list_init(&sessions->waiting);
}

void weft__sessions_done(struct weft_worker *worker)
{
    struct weft_sessions *sessions = &worker->sessions;
    (void)weft__sessions_shed(worker, SIZE_MAX);
    WEFT_ASSERT(sessions->table.count == 0);
    weft__waiting_done(&sessions->groups);
    weft__map_done(&sessions->table);
}
