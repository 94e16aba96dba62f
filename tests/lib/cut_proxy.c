/* SPDX-License-Identifier: Apache-2.0 */
/* One thread, poll(2), two buffers for each connection. */
#include "lib/cut_proxy.h"

#include "base/compiler.h"
#include "lib/random.h"
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 64, BUFFER = 64 * 1024, TURN_MS = 20 };

/* One direction of a connection. */
struct way {
    int from;
    int to;
    uint8_t bytes[BUFFER];
    size_t len;
    uint64_t due_ms; /* nothing goes out before */
    bool ended;      /* |from| has */
};

struct pair {
    bool used;
    struct way ways[2];
    size_t left; /* bytes until it is cut; SIZE_MAX: never */
};

struct test_cut_proxy {
    struct test_cut_proxy_options options;
    struct test_random rng;
    unsigned target;
    unsigned port;
    int listener;
    pthread_t thread;
    atomic_bool stop;
    atomic_bool cut;
    atomic_bool refuse;
    atomic_bool calm;
    atomic_uint cuts;
    struct pair pairs[PAIRS_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static struct sockaddr_in local(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Both ends see a reset. */
static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(fd);
}

static void cut_pair(struct test_cut_proxy *proxy, struct pair *pair)
{
    reset(pair->ways[0].from);
    reset(pair->ways[1].from);
    pair->used = false;
    atomic_fetch_add(&proxy->cuts, 1);
}

static void end_pair(struct pair *pair)
{
    (void)close(pair->ways[0].from);
    (void)close(pair->ways[1].from);
    pair->used = false;
}

static bool is_calm(struct test_cut_proxy *proxy)
{
    return atomic_load(&proxy->calm);
}

static void accept_one(struct test_cut_proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    struct pair *pair = proxy->pairs;
    if (client < 0)
        return;
    while (pair < proxy->pairs + PAIRS_MAX && pair->used)
        pair++;
    struct sockaddr_in address = local(proxy->target);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (atomic_load(&proxy->refuse) || pair == proxy->pairs + PAIRS_MAX || server < 0 ||
        connect(server, (struct sockaddr *)&address, sizeof(address))) {
        reset(client);
        if (server >= 0)
            (void)close(server);
        atomic_fetch_add(&proxy->cuts, 1);
        return;
    }
    const int on = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pair->used = true;
    pair->ways[0] = (struct way){.from = client, .to = server};
    pair->ways[1] = (struct way){.from = server, .to = client};
    pair->left = SIZE_MAX;
    if (proxy->options.cut_bytes && !is_calm(proxy))
        pair->left = test_random_size(&proxy->rng, 1, proxy->options.cut_bytes);
}

/* False when the connection is over. */
static bool read_some(struct test_cut_proxy *proxy, struct way *way)
{
    bool was_empty = way->len == 0;
    ssize_t n = recv(way->from, way->bytes + way->len, BUFFER - way->len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    way->ended = n == 0;
    way->len += (size_t)n;
    if (was_empty && proxy->options.delay_ms && !is_calm(proxy))
        way->due_ms = now_ms() + test_random_below(&proxy->rng, proxy->options.delay_ms + 1);
    return true;
}

/* False when the connection is to be cut. */
static bool write_some(struct test_cut_proxy *proxy, struct pair *pair, struct way *way)
{
    size_t size = way->len;
    if (!size || way->due_ms > now_ms())
        return true;
    if (proxy->options.chunk_bytes && !is_calm(proxy)) {
        size_t piece = test_random_size(&proxy->rng, 1, proxy->options.chunk_bytes);
        size = WEFT_MIN(size, piece);
    }
    size = WEFT_MIN(size, pair->left);
    ssize_t n = send(way->to, way->bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    memmove(way->bytes, way->bytes + n, way->len - (size_t)n);
    way->len -= (size_t)n;
    if (pair->left != SIZE_MAX)
        pair->left -= (size_t)n;
    if (way->len && proxy->options.delay_ms && !is_calm(proxy))
        way->due_ms = now_ms() + test_random_below(&proxy->rng, proxy->options.delay_ms + 1);
    return pair->left > 0;
}

static void turn_pair(struct test_cut_proxy *proxy, struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        struct way *way = &pair->ways[i];
        if ((!way->ended && way->len < BUFFER && !read_some(proxy, way)) ||
            !write_some(proxy, pair, way)) {
            cut_pair(proxy, pair);
            return;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (pair->ways[i].ended && !pair->ways[i].len) {
            end_pair(pair);
            return;
        }
    }
}

/* Waits until there is something to do, at most one turn. */
static void wait_for_work(struct test_cut_proxy *proxy)
{
    struct pollfd fds[1 + 2 * PAIRS_MAX];
    nfds_t count = 1;
    int timeout = TURN_MS;
    fds[0] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &proxy->pairs[i];
        for (size_t k = 0; pair->used && k < 2; k++) {
            struct way *way = &pair->ways[k];
            short events = !way->ended && way->len < BUFFER ? POLLIN : 0;
            if (way->len)
                timeout = 1;
            fds[count++] = (struct pollfd){.fd = way->from, .events = events};
        }
    }
    (void)poll(fds, count, timeout);
    if (fds[0].revents & POLLIN)
        accept_one(proxy);
}

static void *run(void *arg)
{
    struct test_cut_proxy *proxy = arg;
    while (!atomic_load(&proxy->stop)) {
        bool cut = atomic_exchange(&proxy->cut, false) || atomic_load(&proxy->refuse);
        wait_for_work(proxy);
        for (size_t i = 0; i < PAIRS_MAX; i++) {
            struct pair *pair = &proxy->pairs[i];
            if (pair->used && cut)
                cut_pair(proxy, pair);
            else if (pair->used)
                turn_pair(proxy, pair);
        }
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (proxy->pairs[i].used)
            end_pair(&proxy->pairs[i]);
    }
    return NULL;
}

struct test_cut_proxy *test_cut_proxy_start(unsigned port,
                                            const struct test_cut_proxy_options *options)
{
    struct test_cut_proxy *proxy = calloc(1, sizeof(*proxy));
    struct sockaddr_in address = local(0);
    socklen_t len = sizeof(address);
    assert_non_null(proxy);
    proxy->options = *options;
    proxy->target = port;
    test_random_seed(&proxy->rng, options->seed);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(proxy->listener >= 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &len), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

unsigned test_cut_proxy_port(const struct test_cut_proxy *proxy)
{
    return proxy->port;
}

void test_cut_proxy_cut(struct test_cut_proxy *proxy)
{
    atomic_store(&proxy->cut, true);
}

void test_cut_proxy_refuse(struct test_cut_proxy *proxy, bool refuse)
{
    atomic_store(&proxy->refuse, refuse);
}

void test_cut_proxy_calm(struct test_cut_proxy *proxy)
{
    atomic_store(&proxy->calm, true);
}

unsigned test_cut_proxy_cuts(const struct test_cut_proxy *proxy)
{
    return atomic_load(&proxy->cuts);
}

void test_cut_proxy_stop(struct test_cut_proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    (void)pthread_join(proxy->thread, NULL);
    (void)close(proxy->listener);
    free(proxy);
}
