/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may talk to this server from a browser. Two rules stand against pages of strangers:
 *
 *   Host    a request names an address, "localhost", a configured name or one that a certificate of
 *           ours is for. A stranger's page that had its own name point at our address (DNS
 *           rebinding) sends that name, and is refused.
 *   Origin  an upgrade comes from no browser (no Origin), from our own page (Origin equals Host,
 *           and is https where we speak TLS), or from a configured origin. Cross-origin WebSockets
 * are not limited by browsers themselves (RFC 6455 §10.2).
 *
 * **Thread:** any, once the policy is made.
 */
#ifndef WEFT_SERVER_ORIGIN_H
#define WEFT_SERVER_ORIGIN_H

#include "base/slice.h"
#include "io/tls_context.h"

struct weft_origin_policy {
    const char *const *hosts;     /* names without port; NULL-terminated, or NULL */
    const char *const *origins;   /* "https://app.example:8443"; as |hosts| */
    struct weft_tls_context *tls; /* NULL: plain, or encrypted by a proxy in front */
};

/* A host and maybe a port, as in Host and in an origin. */
struct weft_authority {
    struct weft_slice host; /* without brackets and trailing dot */
    uint32_t port;          /* 0 = not given */
    bool numeric;           /* an IPv4 or IPv6 address */
};

/* Takes "name", "name:80", "1.2.3.4:80" or "[::1]:80" apart. False for anything else. */
bool weft__authority_parse(struct weft_slice text, struct weft_authority *ret_authority);

/* Whether |host|, the value of a Host header, is a name of this server. */
bool weft__origin_host_allowed(const struct weft_origin_policy *policy, struct weft_slice host);

/* Whether |origin|, the value of an Origin header, may connect to |host|. */
bool weft__origin_allowed(const struct weft_origin_policy *policy, struct weft_slice origin,
                          struct weft_slice host);

#endif
