/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking HTTP client. */
#include "lib/http_client.h"

#include "codec/http1.h"
#include "lib/test.h"
#include "lib/ws_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, READ_SIZE = 16384 };

struct test_http_client {
    int fd;
    uint8_t *data; /* received and not used up */
    size_t len;
    bool ended;
    uint8_t *head_data; /* what |head| points into */
    struct weft_http1_head head;
    char *text; /* what was returned last: a header or a line */
    char *body;
};

struct test_http_client *test_http_open(const char *url)
{
    struct test_http_client *http = calloc(1, sizeof(*http));
    assert_non_null(http);
    http->fd = test_tcp_connect(url);
    return http;
}

bool test_http_write(struct test_http_client *http, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        ssize_t n = send(http->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool test_http_print(struct test_http_client *http, const char *text)
{
    return test_http_write(http, text, strlen(text));
}

void test_http_post(struct test_http_client *http, const char *path, const char *headers,
                    const char *body)
{
    char head[2048];
    int n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n%s\r\n",
                     path, strlen(body), headers);
    assert_true(n > 0 && (size_t)n < sizeof(head));
    assert_true(test_http_print(http, head));
    assert_true(test_http_print(http, body));
}

/* Waits for more. False when the connection ended. */
static bool receive(struct test_http_client *http)
{
    struct pollfd ready = {.fd = http->fd, .events = POLLIN};
    if (http->ended)
        return false;
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        fail_msg("the server says nothing; so far: %.*s", (int)http->len, (char *)http->data);
    http->data = realloc(http->data, http->len + READ_SIZE);
    assert_non_null(http->data);
    ssize_t n = recv(http->fd, http->data + http->len, READ_SIZE, 0);
    http->ended = n <= 0;
    if (n > 0)
        http->len += (size_t)n;
    return n > 0;
}

static void use_up(struct test_http_client *http, size_t len)
{
    http->len -= len;
    if (http->len)
        memmove(http->data, http->data + len, http->len);
}

static char *copy(const void *data, size_t len)
{
    char *text = calloc(1, len + 1);
    assert_non_null(text);
    if (len)
        memcpy(text, data, len);
    return text;
}

int test_http_answer(struct test_http_client *http)
{
    size_t scanned = 0;
    ptrdiff_t used;
    struct weft_http1_head head;
    while ((used = weft__http1_read_response(http->data, http->len, &scanned, &head)) == 0)
        if (!receive(http))
            fail_msg("the connection ended without an answer");
    assert_true(used > 0);
    free(http->head_data);
    http->head_data = (uint8_t *)copy(http->data, (size_t)used);
    scanned = 0;
    used = weft__http1_read_response(http->head_data, (size_t)used, &scanned, &http->head);
    assert_true(used > 0);
    use_up(http, (size_t)used);
    size_t len = http->head.content_length > 0 ? (size_t)http->head.content_length : 0;
    while (http->len < len)
        if (!receive(http))
            fail_msg("the connection ended inside a body");
    free(http->body);
    http->body = copy(http->data, len);
    use_up(http, len);
    return http->head.status;
}

const char *test_http_header(struct test_http_client *http, const char *name)
{
    const struct weft_http1_header *header = weft__http1_find(&http->head, name);
    if (!header)
        return NULL;
    free(http->text);
    http->text = copy(header->value.ptr, header->value.len);
    return http->text;
}

const char *test_http_body(const struct test_http_client *http)
{
    return http->body;
}

const char *test_http_line(struct test_http_client *http)
{
    const uint8_t *end;
    while (!(end = http->len ? memchr(http->data, '\n', http->len) : NULL))
        if (!receive(http))
            return NULL;
    size_t len = (size_t)(end - http->data);
    free(http->text);
    http->text = copy(http->data, len);
    use_up(http, len + 1);
    return http->text;
}

void test_http_expect_end(struct test_http_client *http)
{
    while (receive(http))
        continue;
    if (http->len)
        fail_msg("more came: %.*s", (int)http->len, (char *)http->data);
}

int test_http_fd(const struct test_http_client *http)
{
    return http->fd;
}

void test_http_close(struct test_http_client *http)
{
    if (!http)
        return;
    close(http->fd);
    free(http->data);
    free(http->head_data);
    free(http->text);
    free(http->body);
    free(http);
}

void test_http_cut(struct test_http_client *http)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(http->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    test_http_close(http);
}
