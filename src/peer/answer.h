/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the form the application sees (weft/rpc.h). **Thread:** any. */
#ifndef WEFT_PEER_ANSWER_H
#define WEFT_PEER_ANSWER_H

#include "rpc/peer.h"

#include <weft/rpc.h>

/* The public form of |answer|, valid until weft__answer_drop; never NULL. */
const struct weft_answer *weft__answer_new(const struct weft_alloc *alloc,
                                           const struct weft_rpc_answer *answer);

/* One more reference to |answer|, for weft_answer_free on any thread. NULL when there was no
 * memory for it. */
struct weft_answer *weft__answer_keep(const struct weft_answer *answer);

/* The callback that |answer| was made for has returned. */
void weft__answer_drop(const struct weft_answer *answer);

/* Fills an answer that is made on this side. |message| is static. */
struct weft_rpc_answer weft__answer_local(int status, const char *reason, const char *message);

#endif
