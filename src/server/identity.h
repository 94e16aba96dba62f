/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection (docs/protocol/auth.md): reads the bearer token of a
 * request (RFC 6750 §2.1) and asks the application, weft_server_options.authenticate, about it and
 * about those of greetings. Without that function nobody signs in, and nothing here does anything.
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_IDENTITY_H
#define WEFT_SERVER_IDENTITY_H

#include "codec/http1.h"
#include "rpc/auth.h"

struct weft_conn;
struct weft_outlet;
struct weft_hub_member;
struct weft_worker;

enum { WEFT_CLOSE_EXPIRED = 4002 /* of a connection whose identity has come to its end */ };

/* Before any other interceptor of the worker's environment. */
void weft__identity_init(struct weft_worker *worker);

enum weft_identity_verdict {
    WEFT_IDENTITY_FINE,    /* known, or nobody signs in here */
    WEFT_IDENTITY_MISSING, /* no token, and without one nobody is let in */
    WEFT_IDENTITY_REFUSED, /* the token was */
    WEFT_IDENTITY_UNABLE,  /* it cannot be told now */
};

/* Judges who makes the request |head|, and notes it in the connection's outlet instead of what was
 * noted there before. */
enum weft_identity_verdict weft__identity_of_request(struct weft_conn *conn,
                                                     const struct weft_http1_head *head);

/* |peer| has the identity noted in |outlet|, or none. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__identity_give(const struct weft_outlet *outlet, struct weft_rpc_peer *peer);

/* Notes in |outlet| who |peer|, which it belongs to, is by now: a token may have come since the
 * connection was asked for. */
void weft__identity_note(struct weft_outlet *outlet, const struct weft_rpc_peer *peer);

/* |member| of the hub acts for |principal|. */
void weft__identity_of_member(struct weft_hub_member *member,
                              const struct weft_rpc_principal *principal);

/* What is noted in |outlet| is forgotten. */
void weft__identity_drop(struct weft_outlet *outlet);

#endif
