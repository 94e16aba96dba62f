/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers to an array of calls (JSON-RPC 2.0 §6). A session numbers them when the array is
 * sent: until then others may go out first. Binary messages are no arrays, so this is text.
 */
#include "rpc/peer_internal.h"
#include "rpc/session.h"

struct weft_rpc_batch *weft__rpc_batch_new(struct weft_rpc_peer *peer)
{
    struct weft_rpc_batch *batch = weft__mem_alloc(peer->env->alloc, sizeof(*batch));
    if (!batch)
        return NULL;
    *batch = (struct weft_rpc_batch){.env = peer->env, .peer = peer, .pending = 1};
    weft__bytes_init(&batch->out, peer->env->alloc, SIZE_MAX);
    weft__bytes_init(&batch->ends, peer->env->alloc, SIZE_MAX);
    return batch;
}

void weft__rpc_batch_add(struct weft_rpc_batch *batch, struct weft_bytes *out,
                         const struct weft_rpc_head *head)
{
    if (!batch->peer)
        return;
    WEFT_ASSERT(batch->peer->wire->is_text);
    struct weft_slice answer = batch->peer->wire->end(out, head);
    int err = weft__bytes_error(out);
    if (err) {
        weft__rpc_peer_failed(batch->peer, err);
        return;
    }
    weft__bytes_append_byte(&batch->out, batch->answers++ ? ',' : '[');
    weft__bytes_append_slice(&batch->out, answer);
    weft__bytes_append(&batch->ends, &batch->out.len, sizeof(batch->out.len));
}

/* Writes the array to |numbered|, each answer with the next number of the session. */
static void number_answers(const struct weft_rpc_batch *batch, struct weft_bytes *numbered)
{
    uint64_t seq = weft__rpc_delivery_next(&batch->peer->session->delivery);
    size_t at = 0;
    for (size_t i = 0; i < batch->answers; i++) {
        size_t end;
        memcpy(&end, batch->ends.ptr + i * sizeof(end), sizeof(end));
        WEFT_ASSERT(end > at && batch->out.ptr[end - 1] == '}');
        weft__bytes_append(numbered, batch->out.ptr + at, end - 1 - at);
        weft__bytes_append_slice(numbered, WEFT_SLICE_LIT(",\"seq\":"));
        weft__bytes_append_u64(numbered, seq + i);
        weft__bytes_append_byte(numbered, '}');
        at = end;
    }
}

static void send_answers(struct weft_rpc_batch *batch)
{
    struct weft_rpc_peer *peer = batch->peer;
    int err = weft__bytes_error(&batch->out);
    if (!err)
        err = weft__bytes_error(&batch->ends);
    if (err) {
        weft__rpc_peer_failed(peer, err);
        return;
    }
    if (!peer->session) {
        weft__bytes_append_byte(&batch->out, ']');
        weft__rpc_peer_emit_text(peer, &batch->out, 0);
        return;
    }
    struct weft_bytes numbered = weft__rpc_env_take_out(peer->env);
    number_answers(batch, &numbered);
    weft__bytes_append_byte(&numbered, ']');
    weft__rpc_peer_emit_text(peer, &numbered, (uint32_t)batch->answers);
    weft__rpc_env_return_out(peer->env, &numbered);
}

void weft__rpc_batch_leave(struct weft_rpc_batch *batch)
{
    WEFT_ASSERT(batch->pending > 0);
    if (--batch->pending > 0)
        return;
    /* JSON-RPC 2.0 §6: no answers, no array. */
    if (batch->peer && batch->answers > 0)
        send_answers(batch);
    weft__bytes_done(&batch->out);
    weft__bytes_done(&batch->ends);
    weft__mem_free(batch->env->alloc, batch, sizeof(*batch));
}
