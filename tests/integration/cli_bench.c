/* SPDX-License-Identifier: Apache-2.0 */
/* `weft bench` as a shell sees it, against servers of weft and against servers that misbehave. */
#include "integration/bench_process.h"

#include <time.h>

/* ---- Servers ---- */

struct echo {
    struct process process;
    char url[64];
    char pid[16];
};

static struct echo start_echo(void **state, const char *const *args)
{
    struct echo echo;
    unsigned port;
    echo.process = run_echo_server(state, args, &port);
    (void)snprintf(echo.url, sizeof(echo.url), "ws://127.0.0.1:%u/", port);
    (void)snprintf(echo.pid, sizeof(echo.pid), "%d", (int)echo.process.pid);
    return echo;
}

/* The same with --tls, which says wss:// in its line. */
static struct process run_secure_echo_server(void **state, const char *const *tls,
                                             unsigned *ret_port)
{
    const char *const args[] = {"--listen", "127.0.0.1:0", "--loop", loop_name(state),
                                tls[0],     tls[1],        tls[2],   NULL};
    char line[256];
    struct process server = run_echo(args);
    read_line(server.out, line, sizeof(line));
    static const char prefix[] = "weft echo: listening on wss://127.0.0.1:";
    assert_memory_equal(line, prefix, sizeof(prefix) - 1);
    *ret_port = (unsigned)strtoul(line + sizeof(prefix) - 1, NULL, 10);
    return server;
}

static void stop_echo(struct echo *echo)
{
    assert_int_equal(kill(echo->process.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&echo->process), 0);
}

static const char *const none[] = {NULL};
static const char *const broadcast[] = {"--broadcast", NULL};

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&time, &time))
        continue;
}

/* ---- Scenarios ---- */

static void echo_counts_messages_and_bytes(void **state)
{
    struct echo echo = start_echo(state, none);
    struct run run = BENCH(state, "echo", echo.url, "--connections", "7", "--depth", "5");
    check_good(&run);
    assert_true(weft__json_string_is(weft__json_get(run.json, "scenario"), "echo"));
    assert_true(weft__json_string_is(weft__json_get(run.json, "url"), echo.url));
    assert_true(weft__json_string_is(weft__json_get(run.json, "loop"), loop_name(state)));
    assert_true(weft__json_string_is(weft__json_get(run.json, "latency_from"), "sent"));
    assert_true(weft__json_is(weft__json_get(run.json, "rate"), WEFT_JSON_NULL));
    assert_true(
        weft__json_is(weft__json_get(run.json, "server_cpu_ns_per_message"), WEFT_JSON_NULL));
    assert_true(number(&run, "connections") == 7 && number(&run, "opened") == 7);
    assert_true(number(&run, "depth") == 5 && number(&run, "size") == 20);
    assert_true(number(&run, "duration_s") > 0.29 && number(&run, "duration_s") < 0.31);
    /* A frame of 20 bytes has 2 more from a server and 6 more from a client. What crosses the
     * borders of the time of measuring is counted on one side only. */
    double messages = number(&run, "messages");
    assert_true(number(&run, "bytes_in") >= messages * 22);
    assert_true(number(&run, "bytes_in") <= (messages + 35) * 22);
    assert_true(number(&run, "bytes_out") >= (messages - 35) * 26);
    assert_true(number(&run, "bytes_out") <= (messages + 35) * 26);
    done(&run);
    stop_echo(&echo);
}

static void echoes_of_every_length_are_checked(void **state)
{
    static const char *const sizes[] = {"0", "1", "125", "126", "65535", "65536", "200000"};
    struct echo echo = start_echo(state, none);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(sizes); i++) {
        struct run run =
            BENCH(state, "echo", echo.url, "--connections", "3", "--depth", "4", "--size", sizes[i],
                  "--check", i % 2 ? "--text" : "--binary", "--duration", "0.4", "--workers", "2");
        check_good(&run);
        done(&run);
    }
    stop_echo(&echo);
}

static void calls_are_answered_by_number(void **state)
{
    struct test_server *server = test_server_new(NULL);
    struct run run = BENCH(state, "rpc", server->url, "--depth", "8", "--connections", "4");
    check_good(&run);
    done(&run);
    run = BENCH(state, "rpc", server->url, "--method", "subtract", "--params", "[42, 23]");
    check_good(&run);
    done(&run);
    run = BENCH(state, "rpc", server->url, "--method", "no.such", "--connections", "1");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "answer") > 0);
    assert_true(number(&run, "errors") == errors_of(&run, "answer"));
    done(&run);
    run = BENCH(state, "storm", server->url, "--method", "demo.echo", "--concurrency", "3");
    check_good(&run);
    done(&run);
    test_server_free(server);
}

static void copies_of_broadcasts_are_counted(void **state)
{
    struct echo echo = start_echo(state, broadcast);
    struct run run = BENCH(state, "broadcast", echo.url, "--connections", "50", "--check");
    check_good(&run);
    done(&run);
    run = BENCH(state, "broadcast", echo.url, "--connections", "40", "--in-flight", "8",
                "--senders", "3", "--workers", "2");
    check_good(&run);
    done(&run);
    run = BENCH(state, "broadcast", echo.url, "--connections", "20", "--rate", "100", "--duration",
                "0.5");
    check_good(&run);
    /* 50 messages are due, and every connection gets each. */
    assert_in_range((long)number(&run, "messages"), 30 * 20, 51 * 20);
    assert_true(weft__json_string_is(weft__json_get(run.json, "latency_from"), "due"));
    done(&run);
    stop_echo(&echo);
}

static void idle_connections_cost_memory_of_the_server(void **state)
{
    struct echo echo = start_echo(state, none);
    struct run run = BENCH(state, "idle", echo.url, "--connections", "400", "--server-pid",
                           echo.pid, "--source", "127.0.0.2,127.0.0.3");
    assert_int_equal(run.status, 0);
    assert_true(number(&run, "opened") == 400 && number(&run, "messages") == 0);
    assert_in_range((long)number(&run, "server_bytes_per_connection"), 1, 100000);
    done(&run);
    stop_echo(&echo);
}

static void storm_opens_and_closes_connections(void **state)
{
    struct echo echo = start_echo(state, none);
    struct run run =
        BENCH(state, "storm", echo.url, "--concurrency", "5", "--check", "--server-pid", echo.pid);
    check_good(&run);
    assert_true(number(&run, "server_cpu_ns_per_message") >= 0);
    done(&run);
    run = BENCH(state, "storm", echo.url, "--rate", "100", "--duration", "0.5");
    check_good(&run);
    assert_in_range((long)number(&run, "messages"), 30, 51);
    done(&run);
    stop_echo(&echo);
}

/* ---- Time ---- */

static void rate_is_kept(void **state)
{
    struct echo echo = start_echo(state, none);
    struct run run = BENCH(state, "echo", echo.url, "--rate", "400", "--duration", "0.5",
                           "--connections", "10", "--workers", "3");
    check_good(&run);
    assert_in_range((long)number(&run, "messages"), 150, 203);
    assert_true(number(&run, "rate") == 400);
    done(&run);
    stop_echo(&echo);
}

struct pause {
    pid_t pid;
    pthread_t thread;
};

static void *pause_server(void *arg)
{
    const struct pause *pause = arg;
    sleep_ms(400);
    (void)kill(pause->pid, SIGSTOP);
    sleep_ms(400);
    (void)kill(pause->pid, SIGCONT);
    return NULL;
}

/* A server that stands still for 0.4 s delays all messages that are due meanwhile: a fifth of them
 * by more than 0.2 s. A generator that stops with the server would see one slow message. */
static void latency_counts_from_when_a_message_was_due(void **state)
{
    struct echo echo = start_echo(state, none);
    struct pause pause = {.pid = echo.process.pid};
    assert_int_equal(pthread_create(&pause.thread, NULL, pause_server, &pause), 0);
    struct run run = BENCH(state, "echo", echo.url, "--rate", "500", "--duration", "1",
                           "--connections", "1", "--depth", "4");
    assert_int_equal(pthread_join(pause.thread, NULL), 0);
    check_good(&run);
    assert_true(latency(&run, "p90") > 150000);
    assert_true(latency(&run, "max") > 300000);
    done(&run);
    stop_echo(&echo);
}

/* ---- Servers that are not there, go away, or misbehave ---- */

static void server_that_is_not_there_is_an_error_of_each_connection(void **state)
{
    struct run run = BENCH(state, "echo", "ws://127.0.0.1:1/", "--connections", "3");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "connect") == 3 && number(&run, "opened") == 0);
    assert_non_null(strstr(run.err, "weft bench: ws://127.0.0.1:1/: cannot connect"));
    done(&run);
    run = BENCH(state, "storm", "ws://127.0.0.1:1/", "--concurrency", "2");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "connect") > 2);
    done(&run);
}

static void *kill_server(void *arg)
{
    const struct pause *pause = arg;
    sleep_ms(400);
    (void)kill(pause->pid, SIGKILL);
    return NULL;
}

static void server_that_goes_away_ends_the_run_with_errors(void **state)
{
    struct echo echo = start_echo(state, none);
    struct pause pause = {.pid = echo.process.pid};
    assert_int_equal(pthread_create(&pause.thread, NULL, kill_server, &pause), 0);
    struct run run = BENCH(state, "echo", echo.url, "--duration", "15", "--connections", "4");
    assert_int_equal(pthread_join(pause.thread, NULL), 0);
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "closed") == 4);
    assert_true(number(&run, "messages") > 0);
    assert_true(number(&run, "duration_s") < 10);
    done(&run);
    int status;
    assert_int_equal(waitpid(echo.process.pid, &status, 0), echo.process.pid);
    (void)close(echo.process.out);
}

#define SAYS(literal) (literal), sizeof(literal) - 1

static void what_servers_may_not_do_is_an_error(void **state)
{
    static const struct {
        bool upgrade;
        const char *bytes;
        size_t len;
        const char *kind;
    } cases[] = {
        {false, SAYS(""), "handshake"},
        {false, SAYS("what?\r\n\r\n"), "handshake"},
        {false, SAYS("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"), "handshake"},
        {false,
         SAYS("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
              "connection: upgrade\r\nsec-websocket-accept: wrong\r\n\r\n"),
         "handshake"},
        {true, SAYS(""), "closed"},
        {true, SAYS("\x88\x02\x03\xe9"), "closed"},
        {true,
         SAYS("\x82\x81"
              "mask?"),
         "protocol"},                                   /* a mask */
        {true, SAYS("\xc2\x01x"), "protocol"},          /* compressed, which was not agreed */
        {true, SAYS("\x83\x01x"), "protocol"},          /* an opcode nobody knows */
        {true, SAYS("\x80\x01x"), "protocol"},          /* nothing to be continued */
        {true, SAYS("\x02\x01x\x82\x01y"), "protocol"}, /* a message within another */
        {true, SAYS("\x89\x7e\x01\x01"), "protocol"},   /* a ping too long */
        {true, SAYS("\x82\x7e\x00\x01x"), "protocol"},  /* a length not in its shortest form */
        {true, SAYS("\x82\x01x\x82\x01y"), "protocol"}, /* more messages than were sent */
        {true, SAYS("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "protocol"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct script script = {
            .upgrade = cases[i].upgrade, .bytes = cases[i].bytes, .len = cases[i].len};
        start_script(&script);
        struct run run = BENCH(state, "echo", script.url, "--connections", "1");
        if (run.status != 1 || errors_of(&run, cases[i].kind) != 1 || number(&run, "errors") != 1)
            fail_msg("case %zu: %d %s%s", i, run.status, run.out, run.err);
        done(&run);
        assert_int_equal(pthread_join(script.thread, NULL), 0);
        (void)close(script.listener);
    }
}

static void what_differs_from_what_was_sent_is_noticed(void **state)
{
    struct script script = {.upgrade = true, .bytes = "\x82\x01?", .len = 3};
    start_script(&script);
    struct run run =
        BENCH(state, "echo", script.url, "--connections", "1", "--check", "--size", "1");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "content") == 1);
    done(&run);
    assert_int_equal(pthread_join(script.thread, NULL), 0);
    (void)close(script.listener);
}

/* ---- Compression ---- */

static void compressed_echoes_are_checked(void **state)
{
    static const char *const modes[] = {"shared", "takeover"};
    static const char *const sizes[] = {"0", "20", "1024", "70000"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(modes) * WEFT_ARRAY_LEN(sizes); i++) {
        const char *const args[] = {"--deflate", modes[i % 2], NULL};
        struct echo echo = start_echo(state, args);
        struct run run =
            BENCH(state, "echo", echo.url, "--deflate", "--check", "--size", sizes[i / 2],
                  "--connections", "2", "--depth", "2", "--duration", "0.5");
        check_good(&run);
        if (i / 2 == 2)
            assert_true(number(&run, "bytes_in") < number(&run, "messages") * 600);
        done(&run);
        stop_echo(&echo);
    }
}

static void server_that_does_not_compress_is_refused(void **state)
{
    static const char *const off[] = {"--deflate", "off", NULL};
    struct echo echo = start_echo(state, off);
    struct run run = BENCH(state, "echo", echo.url, "--connections", "2", "--deflate");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "handshake") == 2);
    assert_non_null(strstr(run.err, "the server does not compress"));
    done(&run);
    stop_echo(&echo);
}

/* ---- TLS ---- */

static void encrypted_echoes_are_checked(void **state)
{
    char folder[] = "/tmp/weft-bench-XXXXXX";
    char cert[64];
    char key[64];
    char url[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
    const char *const openssl[] = {"/usr/bin/openssl",
                                   "req",
                                   "-x509",
                                   "-newkey",
                                   "ec",
                                   "-pkeyopt",
                                   "ec_paramgen_curve:P-256",
                                   "-nodes",
                                   "-days",
                                   "2",
                                   "-subj",
                                   "/CN=weft test",
                                   "-addext",
                                   "subjectAltName=IP:127.0.0.1",
                                   "-keyout",
                                   key,
                                   "-out",
                                   cert,
                                   NULL};
    assert_int_equal(test_run_program(openssl, NULL, NULL), 0);
    const char *const tls[] = {"--tls", cert, key, NULL};
    unsigned port;
    struct process server = run_secure_echo_server(state, tls, &port);
    (void)snprintf(url, sizeof(url), "wss://127.0.0.1:%u/", port);
    static const char *const sizes[] = {"20", "16384", "100000"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(sizes); i++) {
        struct run run = BENCH(state, "echo", url, "--ca", cert, "--size", sizes[i], "--check",
                               "--depth", "3", "--connections", "5", "--workers", "2");
        check_good(&run);
        done(&run);
    }
    struct run run = BENCH(state, "storm", url, "--insecure", "--concurrency", "4");
    check_good(&run);
    done(&run);
    run = BENCH(state, "echo", url, "--connections", "2");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "handshake") == 2);
    assert_non_null(strstr(run.err, "the certificate is refused"));
    done(&run);
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&server), 0);
    assert_int_equal(unlink(cert), 0);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- Plain TCP ---- */

/* Sends every byte of one connection back, a few at a time. */
static void *echo_bytes(void *arg)
{
    const struct script *script = arg;
    uint8_t bytes[700];
    ssize_t n;
    int fd = accept(script->listener, NULL, NULL);
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        write_all(fd, bytes, (size_t)n);
    (void)close(fd);
    return NULL;
}

static void plain_tcp_echo_is_counted_by_bytes(void **state)
{
    struct script script = {0};
    char url[128];
    listen_script(&script);
    (void)snprintf(url, sizeof(url), "tcp%s", script.url + 2);
    assert_int_equal(pthread_create(&script.thread, NULL, echo_bytes, &script), 0);
    struct run run =
        BENCH(state, "echo", url, "--connections", "1", "--depth", "3", "--size", "1000");
    assert_int_equal(pthread_join(script.thread, NULL), 0);
    (void)close(script.listener);
    check_good(&run);
    /* The same bytes as for a WebSocket: two of header, two of length and four of mask. A message
     * is counted when its last byte is there, so at either end of the time some are not whole. */
    double whole = number(&run, "messages") * 1008;
    assert_true(number(&run, "bytes_in") > whole - 4 * 1008);
    assert_true(number(&run, "bytes_in") < whole + 4 * 1008);
    done(&run);
}

/* ---- The command line ---- */

static void wrong_usage_is_told(void **state)
{
    static const char *const cases[][6] = {
        {"echo"},
        {"eat", "ws://127.0.0.1:1/"},
        {"echo", "http://127.0.0.1:1/"},
        {"echo", "ws://127.0.0.1:1/", "--connections", "0"},
        {"echo", "ws://127.0.0.1:1/", "--depth=65536", "--size=65536"},
        {"echo", "ws://127.0.0.1:1/", "--duration", "long"},
        {"echo", "ws://127.0.0.1:1/", "--rate", "-1"},
        {"echo", "ws://127.0.0.1:1/", "--text", "--binary"},
        {"echo", "ws://127.0.0.1:1/", "--insecure"},
        {"echo", "tcp://127.0.0.1:1", "--check"},
        {"storm", "tcp://127.0.0.1:1"},
        {"echo", "ws://127.0.0.1:1/", "--source", "here"},
        {"echo", "ws://127.0.0.1:1/", "--source", "::1"},
        {"echo", "ws://127.0.0.1:1/", "--path", "nowhere"},
        {"echo", "ws://127.0.0.1:1/", "--header", "nonsense"},
        {"echo", "ws://127.0.0.1:1/", "--protocol", "a b"},
        {"rpc", "ws://127.0.0.1:1/", "--params", "7"},
        {"rpc", "ws://127.0.0.1:1/", "--method", "a\"b"},
        {"broadcast", "ws://127.0.0.1:1/", "--senders", "101"},
        {"idle", "ws://127.0.0.1:1/", "--rate", "5"},
        {"idle", "ws://127.0.0.1:1/", "--server-pid", "1073741824"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct run run = run_bench(state, cases[i]);
        if (run.status != 2 || !strstr(run.err, "Try 'weft bench --help'") || run.out[0])
            fail_msg("case %zu: %d %s%s", i, run.status, run.out, run.err);
        done(&run);
    }
}

static void table_names_what_was_measured(void **state)
{
    struct echo echo = start_echo(state, none);
    const char *argv[] = {test_binary(),
                          "bench",
                          "echo",
                          echo.url,
                          "--loop",
                          loop_name(state),
                          "--duration",
                          "0.1",
                          "--warmup",
                          "0",
                          "--server-pid",
                          echo.pid,
                          "--header",
                          "X-One: 1\nX-Two: 2",
                          "--protocol",
                          "some",
                          "--path",
                          "/x?y",
                          NULL};
    char *out;
    char *err;
    assert_int_equal(test_run_program(argv, &out, &err), 0);
    static const char *const parts[] = {"100 connections, depth 1, 20 bytes binary",
                                        "messages",
                                        "p99.9",
                                        "closed loop",
                                        "server CPU",
                                        "server memory",
                                        "client CPU",
                                        "errors        0"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(parts); i++)
        if (!strstr(out, parts[i]))
            fail_msg("no \"%s\" in: %s", parts[i], out);
    assert_string_equal(err, "");
    free(out);
    free(err);
    stop_echo(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_counts_messages_and_bytes),
        cmocka_unit_test(echoes_of_every_length_are_checked),
        cmocka_unit_test(calls_are_answered_by_number),
        cmocka_unit_test(copies_of_broadcasts_are_counted),
        cmocka_unit_test(idle_connections_cost_memory_of_the_server),
        cmocka_unit_test(storm_opens_and_closes_connections),
        cmocka_unit_test(rate_is_kept),
        cmocka_unit_test(latency_counts_from_when_a_message_was_due),
        cmocka_unit_test(server_that_is_not_there_is_an_error_of_each_connection),
        cmocka_unit_test(server_that_goes_away_ends_the_run_with_errors),
        cmocka_unit_test(what_servers_may_not_do_is_an_error),
        cmocka_unit_test(what_differs_from_what_was_sent_is_noticed),
        cmocka_unit_test(compressed_echoes_are_checked),
        cmocka_unit_test(server_that_does_not_compress_is_refused),
        cmocka_unit_test(encrypted_echoes_are_checked),
        cmocka_unit_test(plain_tcp_echo_is_counted_by_bytes),
        cmocka_unit_test(wrong_usage_is_told),
        cmocka_unit_test(table_names_what_was_measured),
    };
    return io_run_tests_above("cli_bench", tests, WEFT_ARRAY_LEN(tests));
}
