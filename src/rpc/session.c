/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning, cutting, resuming and ending; acknowledgements; what is said again. */
#include "rpc/session.h"

#include "rpc/peer_internal.h"

/* A call of ours that was given up. That has to reach the other side, whose answer will follow. */
struct canceled {
    struct weft_map_node node;
    struct weft_list link;
    uint8_t raw[WEFT_RPC_OWN_ID_MAX];
    uint8_t raw_len;
    uint8_t key_len;
};

/* ---- acknowledgements ---- */

static void send_ack(struct weft_rpc_session *session)
{
    struct weft_rpc_peer *peer = session->peer;
    uint64_t ack =
        peer->link == WEFT_RPC_LINK_OPEN ? weft__rpc_delivery_take_ack(&session->delivery) : 0;
    if (ack)
        weft__rpc_peer_emit_head(peer,
                                 &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_ACK, .ack = ack});
}

static void ack_due(struct weft_rpc_delivery *delivery)
{
    send_ack(WEFT_CONTAINER_OF(delivery, struct weft_rpc_session, delivery));
}

void weft__rpc_session_received_message(struct weft_rpc_session *session)
{
    if (weft__rpc_delivery_wants_ack(&session->delivery))
        send_ack(session);
}

bool weft__rpc_session_received(struct weft_rpc_session *session,
                                const struct weft_rpc_frame *frame, size_t size, uint64_t now_ns)
{
    struct weft_rpc_peer *peer = session->peer;
    if (frame->ack && weft__rpc_delivery_acked(&session->delivery, frame->ack)) {
        weft__rpc_peer_violated(peer, "acknowledges what was not sent");
        return false;
    }
    if (peer->is_server && (frame->ack || frame->seq))
        weft__rpc_resume_proved(&session->resume);
    if (!frame->seq)
        return true;
    switch (weft__rpc_delivery_received(&session->delivery, frame->seq, size, now_ns)) {
    case WEFT_RPC_DELIVERY_NEW:
        return true;
    case WEFT_RPC_DELIVERY_GAP:
        weft__rpc_peer_violated(peer, "a number was left out");
        return false;
    default:
        ++peer->env->counters.duplicates;
        return false;
    }
}

/* ---- calls given up ---- */

static void forget(struct weft_rpc_session *session, struct canceled *canceled)
{
    weft__map_remove(&session->canceled, &canceled->node);
    weft__list_remove(&canceled->link);
    session->canceled_count--;
    weft__mem_free(session->peer->env->alloc, canceled, sizeof(*canceled));
}

void weft__rpc_session_canceled(struct weft_rpc_session *session, struct weft_slice raw,
                                struct weft_slice key)
{
    /* Without memory, or after very many, a resume does not repeat it: the answer comes all the
     * same, when the method is done. */
    if (session->canceled_count >= WEFT_RPC_CANCELED_MAX)
        return;
    struct canceled *canceled = weft__mem_zalloc(session->peer->env->alloc, sizeof(*canceled));
    if (!canceled)
        return;
    WEFT_ASSERT(raw.len <= sizeof(canceled->raw) && key.len <= raw.len && key.ptr == raw.ptr);
    memcpy(canceled->raw, raw.ptr, raw.len);
    canceled->raw_len = (uint8_t)raw.len;
    if (weft__map_add(&session->canceled, &canceled->node, weft__slice(canceled->raw, key.len))) {
        weft__mem_free(session->peer->env->alloc, canceled, sizeof(*canceled));
        return;
    }
    weft__list_push(&session->canceled_list, &canceled->link);
    session->canceled_count++;
}

bool weft__rpc_session_answered(struct weft_rpc_session *session, struct weft_slice key)
{
    struct weft_map_node *node = weft__map_get(&session->canceled, key);
    if (node)
        forget(session, WEFT_CONTAINER_OF(node, struct canceled, node));
    return node != NULL;
}

/* ---- life ---- */

int weft__rpc_session_begin(struct weft_rpc_peer *peer, size_t cap,
                            const struct weft_rpc_resume *resume)
{
    struct weft_rpc_env *env = peer->env;
    WEFT_ASSERT(!peer->session && !peer->closed);
    struct weft_rpc_session *session = weft__mem_zalloc(env->alloc, sizeof(*session));
    if (!session)
        return WEFT_ERR_NOMEM;
    session->peer = peer;
    if (resume)
        session->resume = *resume;
    weft__rpc_delivery_init(&session->delivery, env->alloc, env->wheel, cap, ack_due);
    weft__map_init(&session->canceled, env->alloc, env->hash_key);
    weft__list_init(&session->canceled_list);
    peer->session = session;
    return 0;
}

void weft__rpc_session_free(struct weft_rpc_peer *peer)
{
    struct weft_rpc_session *session = peer->session;
    if (!session)
        return;
    peer->session = NULL;
    weft__rpc_delivery_done(&session->delivery);
    while (!weft__list_empty(&session->canceled_list))
        forget(session, WEFT_CONTAINER_OF(session->canceled_list.next, struct canceled, link));
    weft__map_done(&session->canceled);
    weft__mem_free(peer->env->alloc, session, sizeof(*session));
}

void weft__rpc_session_detach(struct weft_rpc_peer *peer)
{
    WEFT_ASSERT(peer->session && !peer->receiving);
    peer->link = WEFT_RPC_LINK_NONE;
    /* After a failure nobody knows what is missing: the next greeting begins anew. */
    if (peer->err)
        peer->session->token[0] = '\0';
    peer->err = 0;
    peer->violation = NULL;
    weft__rpc_delivery_detach(&peer->session->delivery);
    weft__rpc_outgoing_end_greeting(peer);
    weft__rpc_peer_tell_linked(peer, false);
}

size_t weft__rpc_session_memory(const struct weft_rpc_session *session)
{
    return sizeof(*session) + weft__rpc_delivery_memory(&session->delivery) +
           session->canceled_count * sizeof(struct canceled);
}

/* ---- resuming ---- */

enum weft_rpc_resume_result weft__rpc_session_take_up(struct weft_rpc_session *session,
                                                      const struct weft_rpc_resume_id *id,
                                                      const struct weft_rpc_wire *wire,
                                                      struct weft_slice principal, uint64_t seen,
                                                      char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1])
{
    enum weft_rpc_resume_result result =
        weft__rpc_resume_judge(session ? &session->resume : NULL, id, wire, principal);
    if (result != WEFT_RPC_RESUME_OK)
        return result;
    if (weft__rpc_resume_issue(&session->resume, ret_token))
        return WEFT_RPC_RESUME_EXPIRED;
    int err = weft__rpc_delivery_resume(&session->delivery, seen);
    if (err)
        return err == WEFT_ERR_LIMIT ? WEFT_RPC_RESUME_OVERFLOW : WEFT_RPC_RESUME_UNKNOWN;
    return WEFT_RPC_RESUME_OK;
}

static void replay(void *ctx, struct weft_slice message)
{
    struct weft_rpc_peer *peer = ctx;
    ++peer->env->counters.replayed;
    peer->events->send(peer->events_ctx, message, WEFT_RPC_LANE_DATA);
}

static void repeat_cancels(struct weft_rpc_session *session)
{
    WEFT_LIST_EACH (link, &session->canceled_list) {
        const struct canceled *canceled = WEFT_CONTAINER_OF(link, struct canceled, link);
        weft__rpc_peer_emit_head(
            session->peer,
            &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_CANCEL,
                                    .id = weft__slice(canceled->raw, canceled->raw_len)});
    }
}

void weft__rpc_session_attach(struct weft_rpc_peer *peer)
{
    struct weft_rpc_session *session = peer->session;
    WEFT_ASSERT(session && peer->link != WEFT_RPC_LINK_OPEN);
    peer->link = WEFT_RPC_LINK_OPEN;
    weft__rpc_delivery_replay(&session->delivery, replay, peer);
    session->transmitted = weft__rpc_delivery_next(&session->delivery) - 1;
    weft__rpc_calls_repeat_credit(peer);
    weft__rpc_outgoing_repeat_credit(peer);
    repeat_cancels(session);
    weft__rpc_peer_tell_linked(peer, true);
}
