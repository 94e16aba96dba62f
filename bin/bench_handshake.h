/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of a connection of `weft bench`. Only for bench_conn.c. */
#ifndef WEFT_BIN_BENCH_HANDSHAKE_H
#define WEFT_BIN_BENCH_HANDSHAKE_H

#include "bench.h"

/* Writes the request to conn->request. **Errors:** those of weft__ws_request_write. */
WEFT_MUST_USE int bench_handshake_write(struct bench_conn *conn);

/* Checks the answer, worker->head. False when the WebSocket does not come about; why is said in
 * |ret_text|. */
bool bench_handshake_check(struct bench_conn *conn, char *ret_text, size_t size);

#endif
