/* SPDX-License-Identifier: Apache-2.0 */
/* A server with TLS in this process, the C client and the commands against it: https and wss, who
 * is believed, reload under load, metrics. */
#include "lib/certificates.h"
#include "lib/server_process.h"
#include "lib/test.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include <weft/client.h>
#include <weft/server.h>

static struct test_certs certs;
static struct test_cert ca;
static struct test_cert live; /* the files the server reads */
static struct weft_server *server;
static char url[96];

static int loop_of_test(void)
{
    return strcmp(test_loop(), "uring") == 0 ? WEFT_SERVER_LOOP_URING : WEFT_SERVER_LOOP_EPOLL;
}

static void make_options(struct weft_server_options *options,
                         struct weft_server_certificate certificates[2])
{
    certificates[0] = (struct weft_server_certificate){live.cert, live.key};
    certificates[1] = (struct weft_server_certificate){NULL, NULL};
    weft_server_options_init(options);
    options->listen = "127.0.0.1:0";
    options->workers = 2;
    options->development = 1;
    options->loop = loop_of_test();
    options->tls.certificates = certificates;
}

static int start(void **state)
{
    (void)state;
    struct weft_server_options options;
    struct weft_server_certificate certificates[2];
    char message[256];
    test_certs_init(&certs);
    ca = test_cert_make(&certs, &(struct test_cert_want){.ca = true});
    live = test_cert_make(
        &certs, &(struct test_cert_want){.issuer = &ca, .names = "DNS:app.test,IP:127.0.0.1"});
    make_options(&options, certificates);
    if (weft_server_new(&options, &server, message, sizeof(message)))
        fail_msg("%s", message);
    assert_ok(weft_server_start(server));
    (void)snprintf(url, sizeof(url), "wss://%s/ws", weft_server_address(server));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weft_server_free(server);
    test_certs_done(&certs);
    return 0;
}

static int connect_client(const struct weft_client_options *more, struct weft_client **ret_client,
                          char ret_message[256])
{
    struct weft_client_options options = *more;
    options.url = more->url && strncmp(more->url, "wss", 3) == 0 ? more->url : url;
    options.loop = loop_of_test();
    return weft_client_connect(&options, ret_client, ret_message, 256);
}

/* ---- HTTPS ---- */

/* Sends |request| over TLS and returns all of the answer; free it. */
static char *https(const char *request)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_file(ctx, ca.cert), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL *ssl = SSL_new(ctx);
    int fd = test_tcp_connect(url);
    char *answer = calloc(1, 65536);
    size_t len = 0;
    size_t n;
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_int_equal(SSL_write_ex(ssl, request, strlen(request), &n), 1);
    while (len < 65535 && SSL_read_ex(ssl, answer + len, 65535 - len, &n) == 1)
        len += n;
    /* The end of the answer is told, not only seen. */
    assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return answer;
}

static void https_is_served_and_measured(void **state)
{
    (void)state;
    char *answer = https("GET /healthz HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    free(answer);
    answer = https("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    static const char *const names[] = {"weft_tls_handshakes_total{worker=\"0\"} ",
                                        "weft_tls_resumptions_total{",
                                        "weft_tls_failures_total{",
                                        "weft_tls_certificate_expiry_seconds ",
                                        "weft_tls_reloads_total ",
                                        "weft_tls_reloads_failed_total "};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strstr(answer, names[i]))
            fail_msg("no %s", names[i]);
    long long expires = atoll(strstr(answer, "\nweft_tls_certificate_expiry_seconds ") +
                              strlen("\nweft_tls_certificate_expiry_seconds "));
    assert_in_range(expires - (long long)time(NULL), 29 * 86400, 30 * 86400);
    free(answer);
}

static void host_and_origin_are_judged_as_https(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        const char *origin;
        const char *status;
    } cases[] = {
        {"app.test", "https://app.test", "HTTP/1.1 101 "},
        {"app.test:8443", "https://app.test:8443", "HTTP/1.1 101 "},
        {"app.test", "http://app.test", "HTTP/1.1 403 "},
        {"app.test:80", "http://app.test", "HTTP/1.1 403 "},
        {"app.test", "https://evil.test", "HTTP/1.1 403 "},
        {"evil.test", "https://evil.test", "HTTP/1.1 403 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[512];
        (void)snprintf(request, sizeof(request),
                       "GET /ws HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%s",
                       cases[i].host, cases[i].origin,
                       cases[i].status[9] == '1' ? "\x88\x80\x01\x01\x01\x01" : "");
        char *answer = https(request);
        if (strncmp(answer, cases[i].status, 13) != 0)
            fail_msg("%s from %s: %.13s", cases[i].host, cases[i].origin, answer);
        free(answer);
    }
}

/* ---- The client ---- */

static void client_verifies_unless_told_otherwise(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    char message[256];
    weft_client_options_init(&options);
    /* The system knows nothing of our CA. */
    assert_err(connect_client(&options, &client, message), WEFT_ERR_TLS);
    assert_non_null(strstr(message, "the certificate is refused: "));
    options.insecure_accept_any_certificate = 1;
    assert_ok(connect_client(&options, &client, message));
    weft_client_close(client);
    options.insecure_accept_any_certificate = 0;
    options.ca_file = ca.cert;
    assert_ok(connect_client(&options, &client, message));
    assert_ok(weft_client_call_wait(client, "subtract", "[42,23]", 0, &answer));
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->result, "19");
    weft_answer_free(answer);
    weft_client_close(client);
}

static void client_refuses_another_name(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    char other[96];
    weft_client_options_init(&options);
    options.ca_file = ca.cert;
    (void)snprintf(other, sizeof(other), "wss://localhost%s", strrchr(url, ':'));
    options.url = other;
    assert_err(connect_client(&options, &client, message), WEFT_ERR_TLS);
    assert_non_null(strstr(message, "hostname mismatch"));
}

static void client_says_what_is_wrong_with_its_files(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    weft_client_options_init(&options);
    options.ca_file = "/nonexistent/ca.pem";
    assert_err(connect_client(&options, &client, message), WEFT_ERR_USAGE);
    assert_string_equal(message, "cannot read /nonexistent/ca.pem: No such file or directory");
    options.ca_file = ca.cert;
    options.cert_file = live.cert;
    assert_err(connect_client(&options, &client, message), WEFT_ERR_USAGE);
    assert_string_equal(message, "a certificate and its key belong together");
}

static void large_messages_go_both_ways(void **state)
{
    (void)state;
    enum { LEN = 900000 };
    struct weft_client_options options;
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    char message[256];
    char *params = malloc(LEN + 8);
    weft_client_options_init(&options);
    options.ca_file = ca.cert;
    assert_ok(connect_client(&options, &client, message));
    memset(params, 'x', LEN + 4);
    memcpy(params, "[\"", 2);
    memcpy(params + LEN + 2, "\"]", 3);
    assert_ok(weft_client_call_wait(client, "demo.echo", params, 0, &answer));
    assert_int_equal(answer->status, 0);
    assert_in_range(answer->result_len, LEN, LEN + 8);
    weft_answer_free(answer);
    weft_client_close(client);
    free(params);
}

/* ---- Reload ---- */

struct load {
    pthread_t thread;
    atomic_bool *over;
    unsigned calls;
    int err;
};

static void *make_calls(void *arg)
{
    struct load *load = arg;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    weft_client_options_init(&options);
    options.ca_file = ca.cert;
    load->err = connect_client(&options, &client, message);
    while (!load->err && !atomic_load(load->over)) {
        struct weft_answer *answer = NULL;
        load->err = weft_client_call_wait(client, "subtract", "[2,1]", 0, &answer);
        if (!load->err)
            load->err = answer->status;
        weft_answer_free(answer);
        load->calls++;
    }
    weft_client_close(client);
    return NULL;
}

static void reload_under_load_drops_nobody(void **state)
{
    (void)state;
    enum { THREADS = 4, RELOADS = 20 };
    struct load loads[THREADS];
    atomic_bool over;
    atomic_init(&over, false);
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (struct load){.over = &over};
        assert_int_equal(pthread_create(&loads[i].thread, NULL, make_calls, &loads[i]), 0);
    }
    struct test_cert broken;
    test_certs_write(&certs, "", &broken);
    test_file_copy(live.cert, broken.key);
    for (int i = 0; i < RELOADS; i++) {
        struct test_cert next = test_cert_make(
            &certs, &(struct test_cert_want){.issuer = &ca, .names = "DNS:app.test,IP:127.0.0.1"});
        struct weft_client *client = NULL;
        struct weft_client_options options;
        char message[256];
        weft_client_options_init(&options);
        options.ca_file = ca.cert;
        test_file_copy(next.cert, live.cert);
        assert_err(weft_server_reload(server), WEFT_ERR_USAGE); /* still the old key */
        test_file_copy(next.key, live.key);
        assert_ok(weft_server_reload(server));
        assert_ok(connect_client(&options, &client, message));
        weft_client_close(client);
    }
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(loads[i].thread, NULL);
        assert_ok(loads[i].err);
        assert_true(loads[i].calls > 0);
    }
}

/* The common name of the certificate that |at|, a wss URL, shows. */
static void shown_name(const char *at, char ret_name[64])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = test_tcp_connect(at);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    X509 *cert = SSL_get1_peer_certificate(ssl);
    assert_non_null(cert);
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret_name, 64);
    X509_free(cert);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
}

static void sighup_reads_the_certificates_again(void **state)
{
    (void)state;
    const struct timespec step = {.tv_nsec = 10000000};
    struct test_cert own = test_cert_make(
        &certs,
        &(struct test_cert_want){.issuer = &ca, .names = "IP:127.0.0.1", .common_name = "before"});
    struct test_cert next = test_cert_make(
        &certs,
        &(struct test_cert_want){.issuer = &ca, .names = "IP:127.0.0.1", .common_name = "after"});
    const char *const args[] = {"--tls-cert", own.cert, "--tls-key", own.key, NULL};
    struct test_server *process = test_server_new(args);
    struct weft_client_options options;
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    char message[256];
    char name[64];
    assert_true(process->secure);
    weft_client_options_init(&options);
    options.url = process->url;
    options.ca_file = ca.cert;
    assert_ok(connect_client(&options, &client, message));
    shown_name(process->url, name);
    assert_string_equal(name, "before");
    test_file_copy(next.cert, own.cert);
    test_file_copy(next.key, own.key);
    assert_int_equal(kill(process->pid, SIGHUP), 0);
    for (int i = 0; i < 1000 && strcmp(name, "after") != 0; i++) {
        nanosleep(&step, NULL);
        shown_name(process->url, name);
    }
    assert_string_equal(name, "after");
    assert_ok(weft_client_call_wait(client, "subtract", "[42,23]", 0, &answer));
    assert_string_equal(answer->result, "19");
    weft_answer_free(answer);
    weft_client_close(client);
    test_server_free(process);
}

/* ---- Commands and options ---- */

static void commands_take_wss_and_an_authority(void **state)
{
    (void)state;
    char *out = NULL;
    char *err = NULL;
    const char *const call[] = {test_binary(), "call",     "--url",   url, "--ca",
                                ca.cert,       "subtract", "[42,23]", NULL};
    assert_int_equal(test_run_program(call, &out, &err), 0);
    assert_string_equal(out, "19\n");
    free(out);
    free(err);
    const char *const untrusted[] = {test_binary(), "call",    "--url", url,
                                     "subtract",    "[42,23]", NULL};
    assert_int_equal(test_run_program(untrusted, &out, &err), 1);
    assert_non_null(strstr(err, "the certificate is refused"));
    free(out);
    free(err);
}

static void echo_command_speaks_tls_in_both_roles(void **state)
{
    (void)state;
    char *err = NULL;
    const char *const half[] = {test_binary(), "echo",    "--listen", "127.0.0.1:0",
                                "--tls",       live.cert, NULL};
    assert_int_equal(test_run_program(half, NULL, &err), 2);
    assert_non_null(strstr(err, "--tls needs two values: CERT KEY"));
    free(err);
    const char *const wrong[] = {test_binary(), "echo",  "--listen", "127.0.0.1:0",
                                 "--tls",       ca.cert, live.key,   NULL};
    assert_int_equal(test_run_program(wrong, NULL, &err), 1);
    assert_non_null(strstr(err, "does not belong to the certificate"));
    free(err);
    /* This server refuses a path that is not /ws: TLS was fine when HTTP answers. */
    char root[96];
    (void)snprintf(root, sizeof(root), "wss://%s/", weft_server_address(server));
    const char *const client[] = {test_binary(), "echo", "--connect", root, "--ca", ca.cert, NULL};
    assert_int_equal(test_run_program(client, NULL, &err), 1);
    assert_non_null(strstr(err, "refused with status 404"));
    free(err);
    const char *const untrusted[] = {test_binary(), "echo", "--connect", root, NULL};
    assert_int_equal(test_run_program(untrusted, NULL, &err), 1);
    assert_non_null(strstr(err, "the certificate is refused"));
    free(err);
}

static void wrong_files_are_told_before_anything_starts(void **state)
{
    (void)state;
    struct weft_server_options options;
    struct weft_server_certificate certificates[2];
    struct weft_server *none = NULL;
    char message[256];
    make_options(&options, certificates);
    certificates[0].key_file = ca.key;
    assert_err(weft_server_new(&options, &none, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_non_null(strstr(message, "does not belong to the certificate in "));
    make_options(&options, certificates);
    options.tls.client_cert = WEFT_SERVER_CLIENT_CERT_REQUIRED;
    assert_err(weft_server_new(&options, &none, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_string_equal(message, "to verify clients, a file of authorities is needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_is_served_and_measured),
        cmocka_unit_test(host_and_origin_are_judged_as_https),
        cmocka_unit_test(client_verifies_unless_told_otherwise),
        cmocka_unit_test(client_refuses_another_name),
        cmocka_unit_test(client_says_what_is_wrong_with_its_files),
        cmocka_unit_test(large_messages_go_both_ways),
        cmocka_unit_test(commands_take_wss_and_an_authority),
        cmocka_unit_test(echo_command_speaks_tls_in_both_roles),
        cmocka_unit_test(wrong_files_are_told_before_anything_starts),
        cmocka_unit_test(reload_under_load_drops_nobody),
        cmocka_unit_test(sighup_reads_the_certificates_again),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
