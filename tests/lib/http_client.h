/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain, blocking HTTP client for integration tests: requests as the test writes them, answers
 * one after the other from one connection.
 *
 *     struct test_http_client *http = test_http_open(world->url);
 *     test_http_post(http, "/rpc/subtract", "", "[42,23]");
 *     assert_int_equal(test_http_answer(http), 200);
 *     assert_string_equal(test_http_body(http), "19");
 *     test_http_close(http);
 *
 * Whatever goes wrong fails the test, and so does waiting longer than 20 s.
 */
#ifndef WEFT_TESTS_LIB_HTTP_CLIENT_H
#define WEFT_TESTS_LIB_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct test_http_client;

/* Connects to the host and port of |url|. */
struct test_http_client *test_http_open(const char *url);

/* Sends bytes as they are. False when the server has closed the connection. */
bool test_http_write(struct test_http_client *http, const void *data, size_t len);
bool test_http_print(struct test_http_client *http, const char *text);

/* Sends a POST of JSON with a Content-Length and the extra header lines |headers|. */
void test_http_post(struct test_http_client *http, const char *path, const char *headers,
                    const char *body);

/* Reads the next answer, its body too when it has a Content-Length, and returns its status. */
int test_http_answer(struct test_http_client *http);

/* Of the answer read last: a header's value, or NULL; the body, zero-terminated. **Lifetime:**
 * until the next answer is read. */
const char *test_http_header(struct test_http_client *http, const char *name);
const char *test_http_body(const struct test_http_client *http);

/* The next line of a body without Content-Length, without its end; NULL when the connection ended.
 * **Lifetime:** until the next call. */
const char *test_http_line(struct test_http_client *http);

/* Waits until the server ends the connection; nothing more may come before. */
void test_http_expect_end(struct test_http_client *http);

int test_http_fd(const struct test_http_client *http);

/* Closes the connection, with a reset if |cut|. */
void test_http_close(struct test_http_client *http);
void test_http_cut(struct test_http_client *http);

#endif
