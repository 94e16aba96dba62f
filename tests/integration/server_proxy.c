/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that a proxy passes on: who is believed, whom they count for, and what malformed
 * headers get. */
#include "lib/certificates.h"
#include "lib/in_process.h"
#include "lib/test.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, TEXT_SIZE = 4096 };

static const char REQUEST[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char V2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01"
                         "\xdc\x04\x01\xbb";

static struct test_in_process *start_trusting(const char *network, struct weft_server_options *base)
{
    struct weft_server_options own;
    const char *const networks[] = {network, NULL};
    if (!base)
        test_in_process_options(&own);
    else
        own = *base;
    own.operations.proxy_protocol = WEFT_SERVER_PROXY_PROTOCOL_REQUIRED;
    own.operations.trusted_proxies = network ? networks : NULL;
    return test_in_process_start(&own);
}

static int dial(const struct test_in_process *world)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = test_tcp_connect(world->url);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void put(int fd, const void *data, size_t len)
{
    (void)!send(fd, data, len, MSG_NOSIGNAL); /* the server may have hung up already */
}

/* Whether what comes back begins like an answer; false when the connection is ended instead. */
static bool is_served(int fd)
{
    char text[TEXT_SIZE] = "";
    ssize_t got;
    do { /* io_uring of the server in this process interrupts calls with a time-out */
        got = recv(fd, text, sizeof(text) - 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        fail_msg("neither served nor ended");
    if (got > 0 && strncmp(text, "HTTP/1.1 200", 12) != 0)
        fail_msg("answered: %s", text);
    return got > 0;
}

/* Connects with |header|, asks, and leaves the connection open in |ret_fd|. */
static bool ask(const struct test_in_process *world, const void *header, size_t len, int *ret_fd)
{
    int fd = dial(world);
    put(fd, header, len);
    put(fd, REQUEST, sizeof(REQUEST) - 1);
    bool served = is_served(fd);
    if (ret_fd)
        *ret_fd = fd;
    else
        close(fd);
    return served;
}

static bool ask_text(const struct test_in_process *world, const char *header)
{
    return ask(world, header, strlen(header), NULL);
}

/* The sum of a metric over the workers, asked for through a proxy header. */
static unsigned metric(const struct test_in_process *world, const char *name)
{
    static const char request[] = "PROXY UNKNOWN\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    char *answer = test_http(world->url, request);
    unsigned sum = 0;
    for (const char *at = answer; (at = strstr(at, name)); at++)
        if (at[-1] == '\n')
            sum += (unsigned)strtoul(strchr(at, ' '), NULL, 10);
    free(answer);
    return sum;
}

/* Workers publish at the end of a tick, which a peer may be faster than. */
static void wait_metric(const struct test_in_process *world, const char *name, unsigned want)
{
    for (int i = 0; i < 500 && metric(world, name) != want; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(metric(world, name), want);
}

static void both_versions_are_read_before_http(void **state)
{
    (void)state;
    struct test_in_process *world = start_trusting("127.0.0.0/8", NULL);
    assert_true(ask_text(world, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    assert_true(ask_text(world, "PROXY TCP6 2001:db8::7 ::1 56324 443\r\n"));
    assert_true(ask_text(world, "PROXY UNKNOWN\r\n"));
    assert_true(ask(world, V2, sizeof(V2) - 1, NULL));
    assert_true(ask(world, "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16, NULL));
    test_in_process_free(world);
}

static void a_header_in_pieces_is_the_same(void **state)
{
    (void)state;
    struct test_in_process *world = start_trusting("127.0.0.1", NULL);
    int fd = dial(world);
    for (size_t i = 0; i < sizeof(V2) - 1; i++) {
        put(fd, V2 + i, 1);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    put(fd, REQUEST, sizeof(REQUEST) - 1);
    assert_true(is_served(fd));
    close(fd);
    test_in_process_free(world);
}

static void what_is_no_header_ends_the_connection(void **state)
{
    (void)state;
    struct test_in_process *world = start_trusting("127.0.0.1", NULL);
    assert_false(ask_text(world, ""));
    assert_false(ask_text(world, "PROXY TCP4 1.2.3.4\r\n"));
    assert_false(ask_text(world, "PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n"));
    wait_metric(world, "weft_proxy_errors_total", 3);
    test_in_process_free(world);
}

static void the_header_comes_before_tls(void **state)
{
    (void)state;
    struct test_certs certs;
    struct weft_server_options options;
    test_certs_init(&certs);
    struct test_cert cert =
        test_cert_make(&certs, &(struct test_cert_want){.names = "IP:127.0.0.1"});
    const struct weft_server_certificate list[] = {{cert.cert, cert.key}, {NULL, NULL}};
    test_in_process_options(&options);
    options.tls.certificates = list;
    struct test_in_process *world = start_trusting("127.0.0.1", &options);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < 2; i++) {
        char text[TEXT_SIZE] = "";
        int fd = test_tcp_connect(world->url); /* OpenSSL repeats what is interrupted only without
                                                  a time-out on the socket */
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        put(fd, V2, sizeof(V2) - 1);
        if (i) /* the header alone in a packet, and together with what follows */
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        assert_int_equal(SSL_connect(ssl), 1);
        assert_int_equal(SSL_write(ssl, REQUEST, sizeof(REQUEST) - 1), sizeof(REQUEST) - 1);
        assert_true(SSL_read(ssl, text, sizeof(text) - 1) > 12);
        assert_memory_equal(text, "HTTP/1.1 200", 12);
        SSL_free(ssl);
        close(fd);
    }
    SSL_CTX_free(context);
    int fd = dial(world); /* TLS without a header is none */
    put(fd, "\x16\x03\x01\x00\x05", 5);
    assert_false(is_served(fd));
    close(fd);
    test_in_process_free(world);
    test_certs_done(&certs);
}

static void others_than_the_trusted_are_refused(void **state)
{
    (void)state;
    struct test_in_process *world = start_trusting("10.0.0.0/8", NULL);
    assert_false(ask_text(world, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    assert_false(ask_text(world, ""));
    test_in_process_free(world);
    world = start_trusting(NULL, NULL); /* nobody is trusted unless it was said */
    assert_false(ask_text(world, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    test_in_process_free(world);
}

static void connections_count_for_the_address_that_the_proxy_names(void **state)
{
    (void)state;
    static const char one[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    static const char other[] = "PROXY TCP4 192.0.2.8 198.51.100.1 56324 443\r\n";
    int fds[3];
    struct weft_server_options options;
    test_in_process_options(&options);
    options.limits.max_per_address = 2;
    struct test_in_process *world = start_trusting("127.0.0.1", &options);
    assert_true(ask(world, one, sizeof(one) - 1, &fds[0]));
    assert_true(ask(world, one, sizeof(one) - 1, &fds[1]));
    assert_false(ask_text(world, one));
    assert_true(ask(world, other, sizeof(other) - 1, &fds[2]));
    close(fds[0]);
    bool again = false;
    for (int i = 0; i < 500 && !again; i++) { /* until the server has seen the end */
        again = ask_text(world, one);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(again);
    close(fds[1]);
    close(fds[2]);
    test_in_process_free(world);
}

static void a_header_that_does_not_come_costs_no_more_than_the_handshake(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.limits.handshake_ms = 200;
    struct test_in_process *world = start_trusting("127.0.0.1", &options);
    int fd = dial(world);
    put(fd, "PROXY TCP4 ", 11);
    assert_false(is_served(fd));
    close(fd);
    test_in_process_free(world);
}

static void unix_sockets_are_trusted(void **state)
{
    (void)state;
    char folder[] = "/tmp/weft-proxy-XXXXXX";
    char listen[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct weft_server_options options;
    assert_non_null(mkdtemp(folder));
    snprintf(listen, sizeof(listen), "unix:%s/s", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    test_in_process_options(&options);
    options.listen = listen;
    struct test_in_process *world = start_trusting(NULL, &options);
    assert_string_equal(weft_server_address(world->server), listen);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    put(fd, V2, sizeof(V2) - 1);
    put(fd, REQUEST, sizeof(REQUEST) - 1);
    assert_true(is_served(fd));
    close(fd);
    test_in_process_free(world);
    assert_int_equal(rmdir(folder), 0); /* the socket's file is gone */
}

static void malformed_networks_are_a_mistake_of_the_options(void **state)
{
    (void)state;
    static const char *const networks[] = {"127.0.0.1", "10.0.0.0/33", NULL};
    char message[256];
    struct weft_server *server = NULL;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.operations.trusted_proxies = networks;
    assert_err(weft_server_new(&options, &server, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_non_null(strstr(message, "10.0.0.0/33"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_are_read_before_http),
        cmocka_unit_test(a_header_in_pieces_is_the_same),
        cmocka_unit_test(what_is_no_header_ends_the_connection),
        cmocka_unit_test(the_header_comes_before_tls),
        cmocka_unit_test(others_than_the_trusted_are_refused),
        cmocka_unit_test(connections_count_for_the_address_that_the_proxy_names),
        cmocka_unit_test(a_header_that_does_not_come_costs_no_more_than_the_handshake),
        cmocka_unit_test(unix_sockets_are_trusted),
        cmocka_unit_test(malformed_networks_are_a_mistake_of_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
