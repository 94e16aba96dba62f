/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was read from certificate files once: never changed afterwards, refcounted, because
 * connections go on with what they began with while newer ones get what a reload read. Only for
 * tls_context.c and tls.c.
 *
 * **Thread:** any; references may be taken and dropped on any thread.
 */
#ifndef WEFT_IO_TLS_SETUP_H
#define WEFT_IO_TLS_SETUP_H

#include "io/tls_context.h"
#include "io/tls_tickets.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

/* A certificate and the names it is for. */
struct weft_tls_identity {
    SSL_CTX *ctx;
    struct weft_slice *names; /* its DNS names, as in the certificate */
    size_t name_count;
    int64_t expires_s; /* Unix time */
};

struct weft_tls_setup {
    const struct weft_alloc *alloc;
    atomic_uint refs;
    enum weft_tls_role role;
    bool accept_any; /* client: verifies nothing */
    struct weft_tls_tickets *tickets;
    struct weft_tls_identity *identities; /* the first is the default; a client has one, maybe
                                             without a certificate */
    size_t identity_count;
    size_t ready; /* identities that hold something to free */
    struct weft_arena strings;
};

/*
 * Reads the files of |options|. |tickets| must outlive the setup; a client has none. When it fails,
 * a sentence for people is in |ret_message| (|size| > 0 bytes).
 * **Errors:** WEFT_ERR_USAGE (a file is missing or not what it should be), WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__tls_setup_new(const struct weft_tls_options *options,
                                      struct weft_tls_tickets *tickets,
                                      struct weft_tls_setup **ret_setup, char *ret_message,
                                      size_t size);

/* The setup in use by |context| (tls_context.c), with one more reference. */
struct weft_tls_setup *weft__tls_context_setup(struct weft_tls_context *context);

struct weft_tls_setup *weft__tls_setup_ref(struct weft_tls_setup *setup);

/* Drops one reference; the last one frees it. NULL is allowed. */
void weft__tls_setup_unref(struct weft_tls_setup *setup);

/* The identity for |host|: an exact name before a wildcard, an earlier certificate before a later
 * one; NULL when none fits. */
const struct weft_tls_identity *weft__tls_setup_find(const struct weft_tls_setup *setup,
                                                     struct weft_slice host);

/* The settings that do not come from files: versions, ciphers, tickets, ALPN (tls_settings.c).
 * **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__tls_settings_apply(struct weft_tls_setup *setup,
                                           const struct weft_tls_options *options, SSL_CTX *ctx);

#endif
