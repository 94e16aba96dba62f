/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and settings of TLS, shared by all loops of a process. A context stays; what it has
 * read from files is replaced by weft__tls_context_reload: connections that exist keep what they
 * began with, later ones get the new, and a reload that fails changes nothing.
 *
 *   weft__tls_context_new ─► setup 1 ◄── connections
 *   weft__tls_context_reload ─► setup 2 ◄── later connections (setup 1 goes with its last one)
 *
 * What every connection gets: TLS 1.2 (ECDHE with AES-GCM or ChaCha20) and 1.3, no renegotiation,
 * no compression, no early data, ALPN "http/1.1". A server chooses among several certificates by
 * the name the client asks for (SNI), and gives one session ticket a handshake. A client verifies
 * the chain and the name or address.
 *
 * **Thread:** any, unless it says otherwise.
 */
#ifndef WEFT_IO_TLS_CONTEXT_H
#define WEFT_IO_TLS_CONTEXT_H

#include "base/arena.h"
#include "base/slice.h"
#include "port/log.h"

#include <stdint.h>
#include <weft/alloc.h>
#include <weft/err.h>

enum { WEFT_TLS_MESSAGE_SIZE = 512 };

enum weft_tls_role { WEFT_TLS_SERVER, WEFT_TLS_CLIENT };

/* A server's view of certificates of clients. */
enum weft_tls_client_cert {
    WEFT_TLS_CLIENT_CERT_NONE,     /* not asked for */
    WEFT_TLS_CLIENT_CERT_OPTIONAL, /* refused when there is a bad one */
    WEFT_TLS_CLIENT_CERT_REQUIRED, /* refused without a good one */
};

/* Both PEM files. */
struct weft_tls_certificate {
    const char *cert_file; /* the certificate, then its chain */
    const char *key_file;  /* without a passphrase */
};

struct weft_tls_options {
    enum weft_tls_role role;
    const struct weft_alloc *alloc; /* thread-safe; NULL: weft_alloc_default() */
    const struct weft_log *log;     /* warnings; may be NULL */
    /* Server: at least one, the first is the default. Client: at most one, shown when asked. */
    const struct weft_tls_certificate *certificates;
    size_t certificate_count;
    /* PEM. Server: who signs clients. Client: who signs servers; NULL: whom the system trusts. */
    const char *ca_file;
    enum weft_tls_client_cert client_cert; /* server */
    int min_version;                       /* 12 or 13; 0: 12 */
    bool accept_any;                       /* client: verifies nothing, for tests */
};

struct weft_tls_context;

/*
 * Reads the files of |options|, which is copied. When it fails, a sentence for people is in
 * |ret_message| (|size| > 0 bytes): "the key in b.key does not belong to the certificate in a.pem".
 * **Errors:** WEFT_ERR_USAGE (an option, or a file is missing or not what it should be),
 * WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__tls_context_new(const struct weft_tls_options *options,
                                        struct weft_tls_context **ret_context, char *ret_message,
                                        size_t size);

/* Every connection made with it must be gone. NULL is allowed. */
void weft__tls_context_free(struct weft_tls_context *context);

/* Reads the files again. **Errors:** as weft__tls_context_new; everything stays as it was then. */
WEFT_MUST_USE int weft__tls_context_reload(struct weft_tls_context *context, char *ret_message,
                                           size_t size);

/* Whether a certificate in use is for |host|. */
bool weft__tls_context_covers(struct weft_tls_context *context, struct weft_slice host);

struct weft_tls_context_stats {
    uint64_t reloads;        /* that succeeded */
    uint64_t reloads_failed; /* that changed nothing */
    int64_t expires_s;       /* Unix time when the first certificate expires; 0: there is none */
};

struct weft_tls_context_stats weft__tls_context_stats(struct weft_tls_context *context);

#endif
