/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a whole server, over real sockets: what happens to who exceeds them, what a good
 * client notices of it, and what stands in metrics and log. */
#include "lib/test.h"
#include "lib/ws_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weft/server.h>

enum { LOG_MAX = 64 * 1024, PATIENCE_MS = 10000 };

/* ---- A server in this process ---- */

struct world {
    struct weft_server *server;
    char url[80];
    pthread_mutex_t mutex;
    char log[LOG_MAX]; /* all lines, each with its newline */
    size_t log_len;
};

static void keep_line(void *ctx, int level, const char *line)
{
    struct world *world = ctx;
    (void)level;
    pthread_mutex_lock(&world->mutex);
    int n = snprintf(world->log + world->log_len, LOG_MAX - world->log_len, "%s\n", line);
    if (n > 0 && (size_t)n < LOG_MAX - world->log_len)
        world->log_len += (size_t)n;
    pthread_mutex_unlock(&world->mutex);
}

static void start(struct world *world, struct weft_server_limits limits)
{
    struct weft_server_options options;
    char message[200];
    *world = (struct world){0};
    pthread_mutex_init(&world->mutex, NULL);
    weft_server_options_init(&options);
    options.listen = "127.0.0.1:0";
    options.workers = 1;
    options.loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_SERVER_LOOP_URING : WEFT_SERVER_LOOP_EPOLL;
    options.development = 1;
    options.log = keep_line;
    options.log_ctx = world;
    options.limits = limits;
    if (weft_server_new(&options, &world->server, message, sizeof(message)))
        fail_msg("%s", message);
    assert_ok(weft_server_start(world->server));
    snprintf(world->url, sizeof(world->url), "ws://%s/ws", weft_server_address(world->server));
}

static void stop(struct world *world)
{
    weft_server_free(world->server);
    pthread_mutex_destroy(&world->mutex);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    const struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&step, NULL);
}

static bool logged(struct world *world, const char *text)
{
    pthread_mutex_lock(&world->mutex);
    bool found = strstr(world->log, text) != NULL;
    pthread_mutex_unlock(&world->mutex);
    return found;
}

/* The sum of the values of the metric |name| whose labels hold |label|. */
static uint64_t metric(struct world *world, const char *name, const char *label)
{
    char *text = test_http(world->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    uint64_t sum = 0;
    size_t len = strlen(name);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, name, len) == 0 && strchr("{ ", line[len]) && strstr(line, label))
            sum += strtoull(strrchr(line, ' ') + 1, NULL, 10);
    free(text);
    return sum;
}

/* Waits until |limit| was reached at least |count| times and a line says so. */
static void expect_limit(struct world *world, const char *limit, uint64_t count)
{
    char label[64];
    char line[64];
    int64_t end_ms = now_ms() + PATIENCE_MS;
    snprintf(label, sizeof(label), "limit=\"%s\"", limit);
    snprintf(line, sizeof(line), "limit.reached limit=%s", limit);
    while (metric(world, "weft_limit_reached_total", label) < count || !logged(world, line)) {
        if (now_ms() > end_ms)
            fail_msg("%s was not reached; the log: %s", limit, world->log);
        pause_ms(20);
    }
}

/* ---- Clients ---- */

/* A good client: connects, calls, leaves. Returns how long that took. */
static int64_t serve_one(struct world *world)
{
    int64_t begin_ms = now_ms();
    struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
    (void)test_ws_result(ws, "subtract", "[42,23]");
    test_ws_close(ws);
    return now_ms() - begin_ms;
}

/* Whether the server ends the connection |fd| within |ms|; what it says is thrown away. */
static bool ends_within(int fd, int64_t ms)
{
    char data[4096];
    int64_t end_ms = now_ms() + ms;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = end_ms - now_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
            return false;
        if (recv(fd, data, sizeof(data), 0) <= 0)
            return true;
    }
}

/* Whether the server accepts, here: answers, a request on |fd| within |ms|. */
static bool answers_within(int fd, int64_t ms)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char data[4096];
    assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
    return poll(&wait, 1, (int)ms) > 0 && recv(fd, data, sizeof(data), 0) > 12 &&
           memcmp(data, "HTTP/1.1 200", 12) == 0;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

/* ---- Limits of one connection ---- */

static void the_limits_of_a_connection_are_those_of_the_options(void **state)
{
    struct world world;
    (void)state;
    start(&world, (struct weft_server_limits){
                      .max_message = 200,
                      .max_fragments = 2,
                      .max_control = 5,
                      .handshake_ms = 100,
                      .message_ms = 100,
                      .ping_ms = 100,
                      .pings_missed = 1,
                  });
    static const uint8_t fragments[] = "\x01\x81\0\0\0\0a\x00\x81\0\0\0\0b\x00\x81\0\0\0\0c";
    static const uint8_t ping[] = "\x89\x80\0\0\0\0";
    static const uint8_t big[] = "\x81\xfe\x01\x00\0\0\0\0";
    int silent = test_tcp_connect(world.url);
    assert_true(ends_within(silent, 2000));
    expect_limit(&world, "handshake_ms", 1);

    struct test_ws *ws = test_ws_connect(world.url, "weft.v1.json");
    test_ws_send_raw(ws, big, sizeof(big) - 1);
    assert_int_equal(test_ws_wait_closed(ws, 2000), 1009);
    test_ws_close(ws);
    expect_limit(&world, "max_message", 1);

    ws = test_ws_connect(world.url, "weft.v1.json");
    test_ws_send_raw(ws, fragments, sizeof(fragments) - 1);
    assert_int_equal(test_ws_wait_closed(ws, 2000), 1009);
    test_ws_close(ws);
    expect_limit(&world, "max_fragments", 1);

    ws = test_ws_connect(world.url, "weft.v1.json");
    for (int i = 0; i < 6; i++)
        test_ws_send_raw(ws, ping, sizeof(ping) - 1);
    assert_int_equal(test_ws_wait_closed(ws, 2000), 1008);
    test_ws_close(ws);
    expect_limit(&world, "max_control", 1);

    ws = test_ws_connect(world.url, "weft.v1.json");
    test_ws_send_raw(ws, fragments, 7);
    assert_int_equal(test_ws_wait_closed(ws, 2000), 1008);
    test_ws_close(ws);
    expect_limit(&world, "message_ms", 1);

    ws = test_ws_connect(world.url, "weft.v1.json");
    assert_true(ends_within(test_ws_fd(ws), 2000));
    test_ws_cut(ws);
    expect_limit(&world, "pings_missed", 1);
    (void)close(silent);
    assert_true(serve_one(&world) < 2000);
    stop(&world);
}

static void a_head_that_is_too_large_is_counted(void **state)
{
    struct world world;
    (void)state;
    start(&world, (struct weft_server_limits){0});
    char *request = malloc(20000);
    assert_non_null(request);
    int n = snprintf(request, 20000, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %015000d\r\n", 0);
    snprintf(request + n, 20000 - (size_t)n, "Y: %02000d\r\n\r\n", 0);
    char *answer = test_http(world.url, request);
    assert_true(strncmp(answer, "HTTP/1.1 431", 12) == 0);
    free(answer);
    free(request);
    expect_limit(&world, "head", 1);
    stop(&world);
}

/* ---- Connections ---- */

static void a_full_server_leaves_others_in_the_backlog(void **state)
{
    enum { MAX = 4 };
    struct world world;
    struct test_ws *held[MAX];
    (void)state;
    start(&world, (struct weft_server_limits){.max_connections = MAX});
    for (int i = 0; i < MAX; i++)
        held[i] = test_ws_connect(world.url, "weft.v1.json");
    int waiting = test_tcp_connect(world.url);
    assert_false(answers_within(waiting, 300));
    test_ws_close(held[0]);
    struct pollfd wait = {.fd = waiting, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 2000), 1);
    (void)close(waiting);
    for (int i = 1; i < MAX; i++)
        test_ws_close(held[i]);
    expect_limit(&world, "max_connections", 1);
    assert_true(metric(&world, "weft_accept_pauses_total", "") > 0);
    assert_int_equal(metric(&world, "weft_connections_max", ""), MAX);
    stop(&world);
}

static void half_open_connections_make_room_for_good_ones(void **state)
{
    enum { MAX = 8, FLOOD = 200 };
    struct world world;
    int fds[FLOOD];
    (void)state;
    /* With 60 s for the handshake, waiting for the flood to end would take that long. */
    start(&world, (struct weft_server_limits){.max_connections = MAX, .handshake_ms = 60000});
    for (int i = 0; i < MAX; i++)
        fds[i] = test_tcp_connect(world.url);
    pause_ms(600);
    assert_true(serve_one(&world) < 2000);
    expect_limit(&world, "evicted", 1);
    close_all(fds, MAX);
    stop(&world);
}

static void an_address_with_too_many_connections_is_429(void **state)
{
    enum { MAX = 3 };
    struct world world;
    int fds[MAX];
    char answer[1024] = "";
    (void)state;
    start(&world, (struct weft_server_limits){.max_per_address = MAX});
    for (int i = 0; i < MAX; i++) {
        fds[i] = test_tcp_connect(world.url);
        assert_true(answers_within(fds[i], 2000));
    }
    int more = test_tcp_connect(world.url);
    struct pollfd wait = {.fd = more, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 2000), 1);
    assert_true(recv(more, answer, sizeof(answer) - 1, 0) > 0);
    assert_true(strncmp(answer, "HTTP/1.1 429 ", 13) == 0);
    assert_non_null(strstr(answer, "\r\nRetry-After: 5\r\n"));
    assert_true(ends_within(more, 2000));
    (void)close(more);
    /* Whoever leaves makes room. */
    (void)close(fds[0]);
    pause_ms(100);
    fds[0] = test_tcp_connect(world.url);
    assert_true(answers_within(fds[0], 2000));
    close_all(fds, MAX);
    pause_ms(100);
    assert_true(logged(&world, "limit.reached limit=max_per_address peer=127.0.0.1"));
    expect_limit(&world, "max_per_address", 1);
    stop(&world);
}

static void accepting_has_a_rate_and_the_rest_waits(void **state)
{
    enum { RATE = 20, COUNT = 30 };
    struct world world;
    int fds[COUNT];
    (void)state;
    start(&world, (struct weft_server_limits){.max_accepts = RATE});
    int64_t begin_ms = now_ms();
    for (int i = 0; i < COUNT; i++)
        fds[i] = test_tcp_connect(world.url);
    for (int i = 0; i < COUNT; i++)
        assert_true(answers_within(fds[i], 5000));
    /* A tenth of a second's worth comes at once. */
    assert_in_range(now_ms() - begin_ms, (COUNT - RATE / 10 - 1) * 1000 / RATE, 5000);
    close_all(fds, COUNT);
    expect_limit(&world, "max_accepts", 1);
    stop(&world);
}

static void running_out_of_descriptors_is_survived(void **state)
{
    enum { ROOM = 40, SPARE = 12, LIMIT = 1000 };
    struct world world;
    struct rlimit before;
    int fds[LIMIT];
    int count = 0;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int top = dup(0);
    (void)close(top);
    assert_true(top + ROOM < LIMIT);
    /* The server is in this process, so that its connections and ours use up the same few. */
    struct rlimit low = {.rlim_cur = (rlim_t)top + ROOM, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start(&world, (struct weft_server_limits){.max_connections = 100000, .handshake_ms = 60000});
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned port;
    assert_int_equal(sscanf(weft_server_address(world.server), "127.0.0.1:%u", &port), 1);
    address.sin_port = htons((uint16_t)port);
    int64_t end_ms = now_ms() + PATIENCE_MS;
    /* Connections take two each: when they come out even, this one makes the server the one that
     * finds none. */
    int odd = dup(0);
    while (!logged(&world, "limit.reached limit=descriptors") && now_ms() < end_ms) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0) {
            pause_ms(20);
            if (odd >= 0)
                (void)close(odd);
            odd = -1;
            continue;
        }
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        fds[count++] = fd;
    }
    assert_true(logged(&world, "limit.reached limit=descriptors"));
    for (int i = 0; i < SPARE; i++)
        (void)close(fds[--count]);
    /* What is half open gives its descriptors away. */
    assert_true(serve_one(&world) < 3000);
    expect_limit(&world, "descriptors", 1);
    close_all(fds, (size_t)count);
    if (odd >= 0)
        (void)close(odd);
    stop(&world);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- Memory ---- */

/* Calls |calls| times for answers of 64 KiB and does not read them; fewer times when the server
 * does not listen any more. */
static void call_unread(struct test_ws *ws, int calls)
{
    enum { TEXT = 65000, FRAME = TEXT + 200 };
    char *frame = calloc(1, FRAME);
    assert_non_null(frame);
    int len = snprintf(
        frame + 8, FRAME - 8,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[\"%0*d\"]}", TEXT, 0);
    /* A text frame, masked with zeroes. */
    const uint8_t head[] = {0x81, 0xfe, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(frame, head, sizeof(head));
    struct pollfd wait = {.fd = test_ws_fd(ws), .events = POLLOUT};
    for (int sent = 0, all = calls * (len + 8); sent < all;) {
        int at = sent % (len + 8);
        if (poll(&wait, 1, 100) <= 0)
            break;
        ssize_t n = send(wait.fd, frame + at, (size_t)(len + 8 - at), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            break;
        sent += (int)n;
    }
    free(frame);
}

/* Sends |len| bytes of an unfinished message of 54 MiB, its header before the first of them. */
static void send_part(struct test_ws *ws, size_t len, bool first)
{
    static const uint8_t head[14] = {0x81, 0xff, 0, 0, 0, 0, 0x03, 0x60, 0, 0};
    static const uint8_t zeroes[64 * 1024];
    if (first)
        test_ws_send_raw(ws, head, sizeof(head));
    for (size_t n; len; len -= n) {
        n = len < sizeof(zeroes) ? len : sizeof(zeroes);
        test_ws_send_raw(ws, zeroes, n);
    }
}

static void tight_memory_refuses_sessions_and_documents(void **state)
{
    struct world world;
    (void)state;
    start(&world, (struct weft_server_limits){.memory = 64 << 20, .max_message = 54 << 20});
    struct test_ws *good = test_ws_connect(world.url, "weft.v1.json");
    struct test_ws *greedy = test_ws_connect(world.url, "weft.v1.json");
    (void)test_ws_result(good, "doc.open", "{\"doc\":\"a\",\"type\":\"text\",\"create\":true}");
    /* As long as it moves its owner may stay. */
    send_part(greedy, 52 << 20, true);
    uint64_t level = 0;
    for (int64_t end_ms = now_ms() + PATIENCE_MS; !level && now_ms() < end_ms;) {
        send_part(greedy, 1, false);
        level = metric(&world, "weft_memory_level", "");
    }
    if (level != 1)
        fail_msg("level %d, %d bytes; the log: %s", (int)level,
                 (int)metric(&world, "weft_memory_connection_bytes", ""), world.log);
    send_part(greedy, 1, false);
    assert_int_equal(test_ws_try(world.url, ""), 503);
    send_part(greedy, 1, false);
    const struct weft_json *answer =
        test_ws_call(good, "doc.open", "{\"doc\":\"b\",\"type\":\"text\",\"create\":true}");
    struct weft_slice text = weft__json_raw(weft__json_get(answer, "error"));
    assert_non_null(memmem(text.ptr, text.len, "\"resource_exhausted\"", 20));
    assert_non_null(memmem(text.ptr, text.len, "5000", 4));
    (void)test_ws_result(good, "subtract", "[42,23]");
    expect_limit(&world, "memory_connect", 1);
    expect_limit(&world, "memory_document", 1);
    /* When it does not move for a second, it has to go. */
    expect_limit(&world, "memory_shed", 1);
    assert_true(ends_within(test_ws_fd(greedy), 2000));
    (void)test_ws_result(good, "doc.open", "{\"doc\":\"b\",\"type\":\"text\",\"create\":true}");
    assert_true(serve_one(&world) < 2000);
    test_ws_cut(greedy);
    test_ws_close(good);
    stop(&world);
}

static void scarce_memory_ends_the_greediest(void **state)
{
    enum { COUNT = 8 };
    struct world world;
    struct test_ws *held[COUNT] = {NULL};
    (void)state;
    start(&world, (struct weft_server_limits){.memory = 16 << 20, .max_unsent = 8 << 20});
    struct test_ws *good = test_ws_connect(world.url, "weft.v1.json");
    for (int i = 0; i < COUNT; i++)
        held[i] = test_ws_connect(world.url, "weft.v1.json");
    for (int i = 0; i < COUNT; i++)
        call_unread(held[i], 300);
    expect_limit(&world, "memory_shed", 1);
    /* Who holds little is still served. */
    (void)test_ws_result(good, "subtract", "[42,23]");
    test_ws_close(good);
    for (int i = 0; i < COUNT; i++)
        test_ws_cut(held[i]);
    int64_t end_ms = now_ms() + PATIENCE_MS;
    while (test_ws_try(world.url, "") != 101 && now_ms() < end_ms)
        pause_ms(20);
    assert_true(serve_one(&world) < 2000);
    assert_int_equal(metric(&world, "weft_memory_budget_bytes", ""), 16 << 20);
    assert_true(metric(&world, "weft_memory_connection_bytes", "") < 8 << 20);
    assert_int_equal(metric(&world, "weft_memory_level", ""), 0);
    stop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limits_of_a_connection_are_those_of_the_options),
        cmocka_unit_test(a_head_that_is_too_large_is_counted),
        cmocka_unit_test(a_full_server_leaves_others_in_the_backlog),
        cmocka_unit_test(half_open_connections_make_room_for_good_ones),
        cmocka_unit_test(an_address_with_too_many_connections_is_429),
        cmocka_unit_test(accepting_has_a_rate_and_the_rest_waits),
        cmocka_unit_test(running_out_of_descriptors_is_survived),
        cmocka_unit_test(tight_memory_refuses_sessions_and_documents),
        cmocka_unit_test(scarce_memory_ends_the_greediest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
