/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection, either end, without a socket: ciphertext goes in by pointer, ciphertext to
 * send comes out through a function. What connections of one loop share is a `struct weft_tls_io`.
 *
 *     io.in = data, io.in_len = n;                       (what was received)
 *     weft__tls_handshake until 0, then weft__tls_read until 0;
 *     …
 *     weft__tls_write …, weft__tls_goodbye;              (io.write is called)
 *     weft__tls_rest                                     (at the end of each of these runs)
 *
 * A connection at rest owns no buffer: the received bytes are read where they lie, and OpenSSL's
 * own buffers are given back.
 *
 * **Thread:** one at a time; all connections of a weft_tls_io on the same.
 */
#ifndef WEFT_IO_TLS_H
#define WEFT_IO_TLS_H

#include "io/tls_context.h"

enum {
    WEFT_TLS_RECORD = 16384, /* most plaintext bytes of a record, RFC 8446 §5.1 */
    WEFT_TLS_OVERHEAD = 64,  /* a record is at most so much longer than its plaintext */
    WEFT_TLS_MORE = 1,       /* weft__tls_handshake: the peer has to send more */
    WEFT_TLS_FAILURE_SIZE = 160,
};

struct weft_tls_io {
    const uint8_t *in; /* ciphertext to be read; moved on as it is */
    size_t in_len;
    /* Takes |len| bytes of ciphertext to be sent; 0 or an error, which breaks the connection. */
    int (*write)(void *ctx, const uint8_t *data, size_t len);
    void *ctx; /* set before each run */
    void *bio; /* private */
};

/* Private. */
struct weft_tls {
    struct ssl_st *ssl;
    struct weft_tls_io *io;
    struct weft_tls_setup *setup;
};

/* **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__tls_io_init(struct weft_tls_io *io,
                                    int (*write)(void *ctx, const uint8_t *data, size_t len));

/* Its connections must be gone. Harmless for one that is zeroed. */
void weft__tls_io_done(struct weft_tls_io *io);

/*
 * Begins a connection with what |context| has read last; its role is the context's. |host| is the
 * name or numeric address a client wants to reach: sent as SNI when it is a name, and what the
 * server's certificate must be for; a server gives NULL. **Lifetime:** |context| and |io| must
 * outlive |tls|. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_USAGE (|host| is no host name).
 */
WEFT_MUST_USE int weft__tls_open(struct weft_tls *tls, struct weft_tls_context *context,
                                 struct weft_tls_io *io, const char *host);

/* Frees it, without a word to the peer. Harmless for one that is zeroed. */
void weft__tls_done(struct weft_tls *tls);

/* Goes on with the handshake. Returns 0 when it is complete (io->in may hold more), WEFT_TLS_MORE,
 * or WEFT_ERR_TLS: the alert, if any, was written, and the connection can only be freed. */
WEFT_MUST_USE int weft__tls_handshake(struct weft_tls *tls);

/*
 * Decrypts into |data| of |cap| bytes. Returns how many bytes came, 0 when the peer has to send
 * more, WEFT_ERR_CLOSED after its close_notify (writing goes on), WEFT_ERR_TLS as
 * weft__tls_handshake. May write: answers of the protocol.
 */
WEFT_MUST_USE ptrdiff_t weft__tls_read(struct weft_tls *tls, uint8_t *data, size_t cap);

/* Encrypts |len| ≥ 1 bytes into records. **Errors:** WEFT_ERR_TLS. */
WEFT_MUST_USE int weft__tls_write(struct weft_tls *tls, const uint8_t *data, size_t len);

/* Tells the peer that nothing more is written (close_notify). */
void weft__tls_goodbye(struct weft_tls *tls);

/* Gives buffers back that hold nothing. */
void weft__tls_rest(struct weft_tls *tls);

/* After the handshake: whether it resumed an earlier session; "TLSv1.3"; the name that the
 * client asked for, or NULL. **Lifetime:** |tls|'s. */
bool weft__tls_resumed(const struct weft_tls *tls);
const char *weft__tls_version(const struct weft_tls *tls);
const char *weft__tls_server_name(const struct weft_tls *tls);

/* After WEFT_ERR_TLS: what happened, for people. */
void weft__tls_failure(const struct weft_tls *tls, char ret_text[WEFT_TLS_FAILURE_SIZE]);

#endif
