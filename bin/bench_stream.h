/* SPDX-License-Identifier: Apache-2.0 */
/* TLS between a connection of `weft bench` and its socket. Only for bench_conn.c. */
#ifndef WEFT_BIN_BENCH_STREAM_H
#define WEFT_BIN_BENCH_STREAM_H

#include "bench.h"

/* Room for the plaintext of what a receive can bring. */
enum { BENCH_PLAIN_SIZE = 128 * 1024 };

/* Prepares what the connections of |worker| share. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_stream_init(struct bench_worker *worker);
void bench_stream_done(struct bench_worker *worker);

/* Begins the handshake; the first bytes lie in conn->wire then.
 * **Errors:** those of weft__tls_open, WEFT_ERR_TLS. */
WEFT_MUST_USE int bench_stream_begin(struct bench_conn *conn);

/*
 * Decrypts |len| bytes and gives the plaintext to |take|, which returns false when the connection
 * is dropped. |ret_opened|: the handshake became complete. What has to be answered is put into
 * conn->wire. **Errors:** WEFT_ERR_TLS (a sentence in |ret_text|), WEFT_ERR_CLOSED after the
 * peer's close_notify.
 */
WEFT_MUST_USE int bench_stream_read(struct bench_conn *conn, uint8_t *data, size_t len,
                                    bool (*opened)(struct bench_conn *conn),
                                    bool (*take)(struct bench_conn *conn, uint8_t *data,
                                                 size_t len),
                                    char ret_text[WEFT_TLS_FAILURE_SIZE]);

/* Encrypts |count| slices into conn->wire. **Errors:** WEFT_ERR_TLS, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_stream_write(struct bench_conn *conn, const struct iovec *iov, int count);

#endif
