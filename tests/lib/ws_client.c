/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking WebSocket client of the tests. */
#include "lib/ws_client.h"

#include "base/timer.h"
#include "codec/http1.h"
#include "io/clock.h"
#include "io/crypto.h"
#include "io/url.h"
#include "lib/test.h"
#include "ws/conn.h"
#include "ws/handshake.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 10000, READ_SIZE = 65536, MESSAGE_MAX = 16 * 1024 * 1024, ARENA_MAX = 1 << 28 };

/* A message that came and was not asked for yet. */
struct message {
    struct message *next;
    enum weft_ws_opcode opcode;
    size_t len;
    char text[]; /* zero-terminated */
};

struct test_ws {
    int fd;
    unsigned closed; /* close code, 0 while the connection lasts */
    unsigned calls;
    struct weft_ws_options options;
    struct weft_ws_conn conn;
    struct weft_arena arena; /* what was returned */
    struct message *first;
    struct message **last;
};

static uint64_t deadline(int timeout_ms)
{
    return weft__clock_now_ns() + (uint64_t)(unsigned)timeout_ms * WEFT_NS_PER_MS;
}

/* Waits until |fd| can be read. False at |end_ns|. */
static bool wait_readable(int fd, uint64_t end_ns)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t now = weft__clock_now_ns();
        int left = now < end_ns ? (int)((end_ns - now) / WEFT_NS_PER_MS + 1) : 0;
        int ready = poll(&wait, 1, left);
        if (ready > 0)
            return true;
        if (ready == 0 && left == 0)
            return false;
        assert_true(ready == 0 || errno == EINTR);
    }
}

static bool send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Connects; one that is interrupted (by the io_uring of a server in this process, say) goes on by
 * itself. False with errno. */
static bool connect_fd(int fd, const struct weft_address *address)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int sys = 0;
    socklen_t len = sizeof(sys);
    if (connect(fd, &address->u.any, weft__address_len(address)) == 0)
        return true;
    if (errno != EINTR)
        return false;
    while (poll(&ready, 1, WAIT_MS) < 0 && errno == EINTR)
        continue;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) == 0)
        errno = sys;
    return sys == 0;
}

int test_tcp_connect(const char *url)
{
    struct weft_url parts;
    struct weft_address address;
    const int on = 1;
    assert_ok(weft__url_parse(url, &parts));
    assert_int_equal(weft__address_resolve(parts.host, parts.port, 1, &address), 1);
    int fd = socket(address.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (!connect_fd(fd, &address)) {
        print_error("cannot connect to %s: %s\n", url, strerror(errno));
        fail();
    }
    return fd;
}

char *test_http(const char *url, const char *request)
{
    int fd = test_tcp_connect(url);
    uint64_t end_ns = deadline(WAIT_MS);
    size_t len = 0;
    char *text = calloc(1, 1);
    assert_non_null(text);
    assert_true(send_all(fd, request, strlen(request)));
    for (;;) {
        assert_true(wait_readable(fd, end_ns));
        text = realloc(text, len + READ_SIZE + 1);
        assert_non_null(text);
        ssize_t got = recv(fd, text + len, READ_SIZE, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    text[len] = '\0';
    close(fd);
    return text;
}

/* ---- Opening ---- */

static void random_bytes(void *ctx, void *ret_bytes, size_t len)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    (void)ctx;
    crypto->random(crypto->ctx, ret_bytes, len);
}

/* Reads a response head byte by byte, so that nothing behind it is taken. */
static void read_head(int fd, uint8_t data[WEFT_HTTP1_HEAD_MAX], struct weft_http1_head *ret_head)
{
    uint64_t end_ns = deadline(WAIT_MS);
    size_t scanned = 0;
    for (size_t len = 0; len < WEFT_HTTP1_HEAD_MAX;) {
        assert_true(wait_readable(fd, end_ns));
        assert_int_equal(recv(fd, data + len, 1, 0), 1);
        len++;
        ptrdiff_t done = weft__http1_read_response(data, len, &scanned, ret_head);
        assert_true(done >= 0);
        if (done > 0)
            return;
    }
    fail_msg("the head of the answer is too long");
}

/* Asks for an upgrade and returns the status of the answer. */
static int upgrade(int fd, const char *url, const char *protocol, const char *headers)
{
    uint8_t nonce[WEFT_WS_NONCE_LEN];
    char key[WEFT_WS_KEY_LEN + 1];
    uint8_t data[WEFT_HTTP1_HEAD_MAX];
    struct weft_url parts;
    struct weft_http1_head head;
    struct weft_bytes out;
    struct weft_slice protocols[1] = {weft__slice_str(protocol ? protocol : "")};
    assert_ok(weft__url_parse(url, &parts));
    struct weft_ws_request request = {.host = weft__slice_str(parts.authority),
                                      .target = weft__slice_str(parts.target),
                                      .protocols = protocols,
                                      .protocol_count = protocol ? 1 : 0};
    random_bytes(NULL, nonce, sizeof(nonce));
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__ws_request_write(&out, &request, nonce, key));
    /* |headers| may be anything, so they are put in behind the writer's back. */
    out.len -= 2;
    weft__bytes_append_str(&out, headers);
    weft__bytes_append_str(&out, "\r\n");
    assert_ok(weft__bytes_error(&out));
    assert_true(send_all(fd, out.ptr, out.len));
    weft__bytes_done(&out);
    read_head(fd, data, &head);
    if (head.status == 101) {
        struct weft_slice chosen;
        struct weft_ws_deflate_params deflate;
        assert_ok(weft__ws_response_check(&head, &request, key, weft__crypto_openssl(), &chosen,
                                          &deflate));
    }
    return head.status;
}

int test_ws_try(const char *url, const char *headers)
{
    int fd = test_tcp_connect(url);
    int status = upgrade(fd, url, NULL, headers);
    close(fd);
    return status;
}

struct test_ws *test_ws_connect(const char *url, const char *protocol)
{
    struct test_ws *ws = calloc(1, sizeof(*ws));
    assert_non_null(ws);
    ws->fd = test_tcp_connect(url);
    ws->last = &ws->first;
    assert_int_equal(upgrade(ws->fd, url, protocol, ""), 101);
    weft__ws_options_init(&ws->options, weft_alloc_default());
    ws->options.random = random_bytes;
    ws->options.max_message = MESSAGE_MAX;
    weft__ws_conn_init(&ws->conn, WEFT_WS_ROLE_CLIENT, &ws->options);
    weft__arena_init(&ws->arena, weft_alloc_default(), ARENA_MAX);
    return ws;
}

struct test_ws *test_ws_connect_greeted(const char *url)
{
    struct test_ws *ws = test_ws_connect(url, "weft.v1.json");
    test_ws_result(ws, "$/hello", "{\"v\":[1,1],\"features\":[]}");
    return ws;
}

static void free_all(struct test_ws *ws)
{
    while (ws->first) {
        struct message *message = ws->first;
        ws->first = message->next;
        free(message);
    }
    close(ws->fd);
    weft__ws_conn_done(&ws->conn);
    weft__arena_done(&ws->arena);
    free(ws);
}

int test_ws_fd(const struct test_ws *ws)
{
    return ws->fd;
}

/* ---- Sending ---- */

/* A connection that is gone is noticed by who waits for an answer. */
static void send_frames(struct test_ws *ws, struct weft_bytes *out)
{
    assert_ok(weft__bytes_error(out));
    (void)send_all(ws->fd, out->ptr, out->len);
    weft__bytes_done(out);
}

static void send_message(struct test_ws *ws, enum weft_ws_opcode opcode, struct weft_slice data)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__ws_conn_send(&ws->conn, &out, opcode, data));
    send_frames(ws, &out);
}

static void send_control(struct test_ws *ws)
{
    struct weft_bytes out;
    if (!weft__ws_conn_has_control(&ws->conn))
        return;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__ws_conn_take_control(&ws->conn, &out));
    send_frames(ws, &out);
}

void test_ws_send(struct test_ws *ws, const char *text)
{
    send_message(ws, WEFT_WS_OPCODE_TEXT, weft__slice_str(text));
}

void test_ws_send_binary(struct test_ws *ws, const void *data, size_t len)
{
    send_message(ws, WEFT_WS_OPCODE_BINARY, weft__slice(data, len));
}

void test_ws_send_raw(struct test_ws *ws, const void *data, size_t len)
{
    assert_true(send_all(ws->fd, data, len));
}

void test_ws_close(struct test_ws *ws)
{
    if (!ws)
        return;
    if (weft__ws_conn_is_open(&ws->conn)) {
        assert_ok(weft__ws_conn_close(&ws->conn, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0)));
        send_control(ws);
    }
    free_all(ws);
}

void test_ws_cut(struct test_ws *ws)
{
    const struct linger hard = {.l_onoff = 1};
    setsockopt(ws->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    free_all(ws);
}

/* ---- Receiving ---- */

static void keep(struct test_ws *ws, enum weft_ws_opcode opcode, struct weft_slice data)
{
    struct message *message = malloc(sizeof(*message) + data.len + 1);
    assert_non_null(message);
    message->next = NULL;
    message->opcode = opcode;
    message->len = data.len;
    weft__mem_copy(message->text, data.ptr, data.len);
    message->text[data.len] = '\0';
    *ws->last = message;
    ws->last = &message->next;
}

static void on_event(struct test_ws *ws, const struct weft_ws_event *event)
{
    static const char ping[] = "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}";
    if (event->type == WEFT_WS_EVENT_MESSAGE) {
        if (event->opcode == WEFT_WS_OPCODE_TEXT && weft__slice_eq_str(event->data, ping))
            test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/pong\"}");
        else
            keep(ws, event->opcode, event->data);
    } else if (event->type == WEFT_WS_EVENT_CLOSE) {
        ws->closed = event->code;
    } else if (event->type == WEFT_WS_EVENT_ERROR) {
        fail_msg("the server broke the protocol: %.*s", (int)event->data.len,
                 (const char *)event->data.ptr);
    }
}

/* Reads once. False when nothing came until |end_ns| or the connection ended. */
static bool receive(struct test_ws *ws, uint64_t end_ns)
{
    static uint8_t data[READ_SIZE];
    struct weft_ws_event event;
    size_t at = 0;
    if (ws->closed || !wait_readable(ws->fd, end_ns))
        return false;
    ssize_t got = recv(ws->fd, data, sizeof(data), 0);
    if (got <= 0) {
        ws->closed = WEFT_WS_CLOSE_ABNORMAL;
        return false;
    }
    do {
        at += weft__ws_conn_read(&ws->conn, data + at, (size_t)got - at, &event);
        on_event(ws, &event);
    } while (event.type != WEFT_WS_EVENT_NONE);
    send_control(ws);
    return true;
}

/* Takes the oldest message, which must be of the kind |opcode|; it is copied into the arena, with a
 * zero byte behind it. NULL when there is none. */
static const char *take(struct test_ws *ws, enum weft_ws_opcode opcode, size_t *ret_len)
{
    struct message *message = ws->first;
    if (!message)
        return NULL;
    assert_int_equal(message->opcode, opcode);
    ws->first = message->next;
    if (!ws->first)
        ws->last = &ws->first;
    const char *data = weft__arena_copy(&ws->arena, message->text, message->len);
    assert_non_null(data);
    *ret_len = message->len;
    free(message);
    return data;
}

static void wait_message(struct test_ws *ws, int timeout_ms)
{
    uint64_t end_ns = deadline(timeout_ms);
    while (!ws->first)
        if (!receive(ws, end_ns))
            break;
}

const char *test_ws_recv(struct test_ws *ws, int timeout_ms)
{
    size_t len;
    wait_message(ws, timeout_ms);
    return take(ws, WEFT_WS_OPCODE_TEXT, &len);
}

struct weft_slice test_ws_recv_binary(struct test_ws *ws, int timeout_ms)
{
    size_t len = 0;
    wait_message(ws, timeout_ms);
    const char *data = take(ws, WEFT_WS_OPCODE_BINARY, &len);
    return weft__slice(data, len);
}

const struct weft_json *test_ws_parse(struct test_ws *ws, const char *text)
{
    const struct weft_json *value;
    struct weft_json_error error;
    if (weft__json_parse(weft__slice_str(text), &ws->arena, NULL, &error, &value)) {
        print_error("not JSON (%s): %s\n", error.message, text);
        fail();
    }
    return value;
}

const struct weft_json *test_ws_next(struct test_ws *ws)
{
    const char *text = test_ws_recv(ws, WAIT_MS);
    if (!text)
        fail_msg("no message came (close code %u)", ws->closed);
    return test_ws_parse(ws, text);
}

unsigned test_ws_wait_closed(struct test_ws *ws, int timeout_ms)
{
    uint64_t end_ns = deadline(timeout_ms);
    while (receive(ws, end_ns))
        ;
    return ws->closed;
}

/* ---- Calls ---- */

static const struct weft_json *wait_answer(struct test_ws *ws, unsigned id)
{
    uint64_t end_ns = deadline(WAIT_MS);
    struct message **at = &ws->first;
    for (;;) {
        for (; *at; at = &(*at)->next) {
            const char *text = weft__arena_copy(&ws->arena, (*at)->text, strlen((*at)->text));
            const struct weft_json *value = test_ws_parse(ws, text);
            int64_t got = -1;
            if (weft__json_get(value, "method") ||
                !weft__json_i64(weft__json_get(value, "id"), &got) || got != (int64_t)id)
                continue;
            struct message *message = *at;
            *at = message->next;
            if (ws->last == &message->next)
                ws->last = at;
            free(message);
            return value;
        }
        if (!receive(ws, end_ns))
            fail_msg("call %u was not answered (close code %u)", id, ws->closed);
    }
}

const struct weft_json *test_ws_call(struct test_ws *ws, const char *method, const char *params)
{
    struct weft_bytes text;
    struct weft_json_writer json;
    unsigned id = ++ws->calls;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&json, &text);
    weft__json_begin_object(&json);
    weft__json_key(&json, "jsonrpc");
    weft__json_put_str(&json, "2.0");
    weft__json_key(&json, "id");
    weft__json_put_u64(&json, id);
    weft__json_key(&json, "method");
    weft__json_put_str(&json, method);
    if (params) {
        weft__json_key(&json, "params");
        weft__json_put_raw(&json, weft__slice_str(params));
    }
    weft__json_end_object(&json);
    assert_ok(weft__bytes_error(&text));
    send_message(ws, WEFT_WS_OPCODE_TEXT, weft__bytes_slice(&text));
    weft__bytes_done(&text);
    return wait_answer(ws, id);
}

static void show(const char *method, const struct weft_json *answer)
{
    struct weft_slice raw = weft__json_raw(answer);
    print_error("%s was answered %.*s\n", method, (int)raw.len, (const char *)raw.ptr);
}

const struct weft_json *test_ws_result(struct test_ws *ws, const char *method, const char *params)
{
    const struct weft_json *answer = test_ws_call(ws, method, params);
    const struct weft_json *result = weft__json_get(answer, "result");
    if (!result) {
        show(method, answer);
        fail();
    }
    return result;
}

const char *test_ws_error(struct test_ws *ws, const char *method, const char *params)
{
    const struct weft_json *answer = test_ws_call(ws, method, params);
    const struct weft_json *data = weft__json_get(weft__json_get(answer, "error"), "data");
    struct weft_slice code = weft__json_string(weft__json_get(data, "code"));
    if (!code.len) {
        show(method, answer);
        fail();
    }
    const char *copy = weft__arena_copy(&ws->arena, code.ptr, code.len);
    assert_non_null(copy);
    return copy;
}
