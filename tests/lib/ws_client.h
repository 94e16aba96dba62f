/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain, blocking WebSocket client for integration tests: text messages, JSON-RPC calls, raw
 * bytes. It shares ws/ and codec/ with the server, but no I/O.
 *
 *     struct test_ws *ws = test_ws_connect(server->url, NULL);
 *     const struct weft_json *answer = test_ws_call(ws, "subtract", "[42,23]");
 *     …
 *     test_ws_close(ws);
 *
 * Whatever goes wrong fails the test, and so does waiting longer than 10 s where no time is given.
 * **Lifetime:** text and values it returns live until test_ws_close.
 */
#ifndef WEFT_TESTS_LIB_WS_CLIENT_H
#define WEFT_TESTS_LIB_WS_CLIENT_H

#include "codec/json.h"

struct test_ws;

/* Connects to |url|, "ws://127.0.0.1:PORT/PATH", offering |protocol| unless it is NULL. */
struct test_ws *test_ws_connect(const char *url, const char *protocol);

/* Connects with the extra header lines |headers| ("Origin: null\r\n") and returns the status of
 * the answer: 101 when it became a WebSocket, which is closed again. */
int test_ws_try(const char *url, const char *headers);

/* Connects as "weft.v1.json" and greets, so that the server may call and ping. */
struct test_ws *test_ws_connect_greeted(const char *url);

/* Sends a text message. */
void test_ws_send(struct test_ws *ws, const char *text);

/* Sends a binary message. */
void test_ws_send_binary(struct test_ws *ws, const void *data, size_t len);

/* Sends |len| raw bytes, no frame around them. */
void test_ws_send_raw(struct test_ws *ws, const void *data, size_t len);

/* The next text message; NULL when none came within |timeout_ms| or the connection ended. The
 * server's `$/ping` is answered and not returned. */
const char *test_ws_recv(struct test_ws *ws, int timeout_ms);

/* The next message, which must be binary; an empty slice when none came. **Lifetime:** the
 * connection's. */
struct weft_slice test_ws_recv_binary(struct test_ws *ws, int timeout_ms);

/* The next text message, parsed. */
const struct weft_json *test_ws_next(struct test_ws *ws);

/* Calls |method| with |params|, JSON or NULL, and returns the whole answer. Messages that come
 * before it are kept for test_ws_recv and test_ws_next. */
const struct weft_json *test_ws_call(struct test_ws *ws, const char *method, const char *params);

/* As test_ws_call, and the answer must be a result, which is returned. */
const struct weft_json *test_ws_result(struct test_ws *ws, const char *method, const char *params);

/* As test_ws_call, and the answer must be an error; returns its data.code ("not_found"). */
const char *test_ws_error(struct test_ws *ws, const char *method, const char *params);

/* Waits for the end of the connection, at most |timeout_ms|, and returns the close code: 1005 when
 * the close frame had none, 1006 when there was none, 0 when the connection is still there. */
unsigned test_ws_wait_closed(struct test_ws *ws, int timeout_ms);

/* Parses |text|, which must be JSON. */
const struct weft_json *test_ws_parse(struct test_ws *ws, const char *text);

/* Says 1000 if the connection is open, closes the socket and frees everything. NULL is allowed. */
void test_ws_close(struct test_ws *ws);

/* Cuts the connection without a word (the peer sees a reset) and frees everything. */
void test_ws_cut(struct test_ws *ws);

/* The socket, for tests that set options or stop reading. */
int test_ws_fd(const struct test_ws *ws);

/* Connects a plain TCP socket to the host and port of |url|; close it. */
int test_tcp_connect(const char *url);

/* Sends |request| on a connection of its own and reads until the server ends it. Returns all that
 * came, zero-terminated; free it. */
char *test_http(const char *url, const char *request);

#endif
