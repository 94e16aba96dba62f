/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the head of a request for a call says: who asks, for which method, until when, and what the
 * body is. Judgements alone, for http_rpc.h. **Thread:** any.
 */
#ifndef WEFT_SERVER_HTTP_CALL_H
#define WEFT_SERVER_HTTP_CALL_H

#include "codec/http1.h"
#include "rpc/frame.h"
#include "rpc/registry.h"
#include "server/origin.h"

enum {
    WEFT_HTTP_CALL_KEY_MAX = 128,   /* bytes of Idempotency-Key, as of any call's key */
    WEFT_HTTP_CALL_TRACE_MAX = 255, /* of traceparent */
};

/* What has to stay when the head is gone. */
struct weft_http_call {
    struct weft_slice method;  /* points into |name| */
    struct weft_rpc_meta meta; /* points into |idem| and |trace| */
    char name[WEFT_RPC_METHOD_NAME_MAX];
    char idem[WEFT_HTTP_CALL_KEY_MAX];
    char trace[WEFT_HTTP_CALL_TRACE_MAX];
};

/* Reads the method's name, |text| of the path with its %XX. False when it cannot be a name. */
bool weft__http_call_name(struct weft_http_call *call, struct weft_slice text);

/* Reads the deadline, the key and the trace. Returns what is wrong with them, for people; NULL when
 * nothing is. **Lifetime:** static. */
const char *weft__http_call_meta(struct weft_http_call *call, const struct weft_http1_head *head);

/*
 * Whether no page of strangers sent this: the Origin is allowed as for a WebSocket (origin.h), or
 * there is none and the browser, if one asked, does not say that another site did (Sec-Fetch-Site).
 */
bool weft__http_call_origin(const struct weft_origin_policy *policy,
                            const struct weft_http1_head *head);

/* Whether the body is |wanted|, "application/json" or the like, as it stands: that is the
 * Content-Type, UTF-8 if it names a charset, and there is no Content-Encoding. Pages cannot send
 * that across sites unasked. */
bool weft__http_call_is(const struct weft_http1_head *head, const char *wanted);

#endif
