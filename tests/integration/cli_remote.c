/* SPDX-License-Identifier: Apache-2.0 */
/* `weft call` and `weft doc` as a shell sees them: output, messages, exit statuses. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one run of the program gave. */
struct run {
    int status;
    char *out;
    char *err;
};

static struct test_server *server;

/* Runs `weft ARGS…`, NULL-terminated. The strings are freed by done(). */
#define RUN(...) run_weft((const char *const[]){__VA_ARGS__, NULL})

static struct run run_weft(const char *const *args)
{
    const char *argv[16] = {test_binary()};
    struct run run = {0};
    assert_non_null(argv[0]);
    for (size_t i = 0; args[i]; i++) {
        assert_true(i + 2 < sizeof(argv) / sizeof(argv[0]));
        argv[i + 1] = args[i];
    }
    run.status = test_run_program(argv, &run.out, &run.err);
    return run;
}

static void done(struct run *run)
{
    free(run->out);
    free(run->err);
}

/* Checks what |run| wrote, all of it on stdout (NULL: anything), a part of it on stderr ("":
 * nothing at all). */
static void check(struct run run, int status, const char *out, const char *err_part)
{
    if (run.status != status)
        print_error("stdout: %s\nstderr: %s\n", run.out, run.err);
    assert_int_equal(run.status, status);
    if (out)
        assert_string_equal(run.out, out);
    if (!err_part[0])
        assert_string_equal(run.err, "");
    else if (!strstr(run.err, err_part))
        fail_msg("no \"%s\" in: %s", err_part, run.err);
    done(&run);
}

/* ---- weft call ---- */

static void call_prints_the_result_and_a_newline(void **state)
{
    (void)state;
    check(RUN("call", "subtract", "[42, 23]", "--url", server->url), 0, "19\n", "");
    check(RUN("call", "--url", server->url, "demo.echo", "{\"a\": [1.50, \"\\u00e9\"]}"), 0,
          "{\"a\": [1.50, \"\\u00e9\"]}\n", "");
}

static void parameters_come_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/weft-call-XXXXXX";
    char word[40];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[40, 2]\n", 8), 8);
    (void)close(fd);
    snprintf(word, sizeof(word), "@%s", path);
    check(RUN("call", "sum", word, "--url", server->url), 0, "42\n", "");
    assert_int_equal(unlink(path), 0);
    check(RUN("call", "sum", word, "--url", server->url), 2, "", path);
    /* Standard input is empty here. */
    check(RUN("call", "sum", "-", "--url", server->url), 2, "", "not valid JSON");
}

static void a_deadline_is_told_to_the_server(void **state)
{
    (void)state;
    check(RUN("call", "demo.sleep", "[20000]", "--deadline", "50", "--url", server->url), 1, "",
          "deadline_exceeded");
    check(RUN("call", "sum", "[1]", "--deadline", "-1", "--url", server->url), 2, "", "--deadline");
}

static void items_that_come_are_printed_before_the_result(void **state)
{
    (void)state;
    check(RUN("call", "demo.count", "[3]", "--url", server->url), 0, "1\n2\n3\n3\n", "");
    check(RUN("call", "demo.count", "[0]", "--deadline", "0", "--url", server->url), 0, "0\n", "");
    check(RUN("call", "demo.count", "[10000000]", "--url", server->url, "--deadline", "1"), 1, NULL,
          "deadline_exceeded");
}

/* Calls |method| with a file of |text| as its items. */
static struct run run_with_items(const char *method, const char *text)
{
    char path[] = "/tmp/weft-items-XXXXXX";
    char word[40];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    snprintf(word, sizeof(word), "@%s", path);
    struct run run = RUN("call", method, "--items", word, "--url", server->url);
    assert_int_equal(unlink(path), 0);
    return run;
}

static void lines_of_a_file_are_sent_as_items(void **state)
{
    (void)state;
    check(run_with_items("demo.total", "1\n20\r\n\n300"), 0, "321\n", "");
    check(run_with_items("demo.total", ""), 0, "0\n", "");
    check(run_with_items("demo.mirror", "{\"a\":1}\n[2]\n"), 0, "{\"a\":1}\n[2]\nnull\n", "");
    check(run_with_items("demo.total", "1\n\"x\"\n3\n"), 1, "", "invalid_argument");
    check(run_with_items("demo.total", "1\n2 3\n4\n"), 2, "", "line 2 of the items");
    check(RUN("call", "demo.total", "--items", "-", "--url", server->url), 0, "0\n", "");
    check(RUN("call", "demo.total", "--items", "1", "--url", server->url), 2, "", "@FILE or -");
    check(RUN("call", "demo.total", "--items", "@/no/such", "--url", server->url), 2, "",
          "/no/such");
    check(RUN("call", "demo.total", "--items", "-", "--notify", "--url", server->url), 2, "",
          "notification");
}

static void a_notification_prints_nothing(void **state)
{
    (void)state;
    check(RUN("call", "update", "[1]", "--notify", "--url", server->url), 0, "", "");
    check(RUN("call", "no.such", "--notify", "--url", server->url), 0, "", "");
    check(RUN("call", "update", "7", "--notify", "--url", server->url), 2, "", "array or object");
}

static void call_with_a_key_is_executed_once(void **state)
{
    (void)state;
    struct run first = RUN("call", "demo.serial", "--idem", "cli-1", "--url", server->url);
    assert_int_equal(first.status, 0);
    for (int i = 0; i < 4; i++)
        check(RUN("call", "--idem=cli-1", "demo.serial", "--url", server->url), 0, first.out, "");
    done(&first);
    check(RUN("call", "demo.serial", "[1]", "--idem", "cli-1", "--url", server->url), 1, "",
          "weft.idem.mismatch");
    check(RUN("call", "demo.serial", "--idem", "a b", "--url", server->url), 2, "", "--idem");
}

static void call_without_parameters_sends_none(void **state)
{
    (void)state;
    check(RUN("call", "demo.echo", "--url", server->url), 0, "null\n", "");
}

static void call_takes_the_server_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("WEFT_URL", server->url, 1), 0);
    struct run run = RUN("call", "subtract", "[23, 42]");
    assert_int_equal(unsetenv("WEFT_URL"), 0);
    check(run, 0, "-19\n", "");
}

static void call_of_an_unknown_method_says_so_and_fails(void **state)
{
    (void)state;
    check(RUN("call", "no.such", "--url", server->url), 1, "",
          "weft call: unimplemented (-32601): ");
}

static void call_refused_by_the_method_names_what_is_wrong(void **state)
{
    (void)state;
    check(RUN("call", "doc.fetch", "{\"doc\":7}", "--url", server->url), 1, "",
          "weft call: invalid_argument (-32602): ");
    check(RUN("call", "doc.fetch", "{\"doc\":7}", "--url", server->url), 1, "", "\n  doc ");
}

static void call_with_parameters_that_are_not_json_is_wrong_usage(void **state)
{
    (void)state;
    /* Checked before anything is connected: nobody listens on port 1. */
    static const char *const bad[] = {"[1,", "{'a':1}", "", "[1] [2]", "{\"a\":1,\"a\":2}", "\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(RUN("call", "sum", bad[i], "--url", "ws://127.0.0.1:1/"), 2, "", "not valid JSON");
    static const char *const scalars[] = {"7", "\"text\"", "null", "true"};
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
        check(RUN("call", "sum", scalars[i], "--url", "ws://127.0.0.1:1/"), 2, "",
              "array or object");
}

static void wrong_usage_exits_2_and_points_at_the_help(void **state)
{
    (void)state;
    check(RUN("call"), 2, "", "Try 'weft call --help'");
    check(RUN("call", "a", "[]", "b"), 2, "", "unexpected argument 'b'");
    check(RUN("call", "a", "--nonsense"), 2, "", "unknown option '--nonsense'");
    check(RUN("call", "a", "--url", "http://127.0.0.1/"), 2, "", "http://127.0.0.1/");
    check(RUN("call", "a", "--timeout", "soon", "--url", server->url), 2, "", "--timeout");
    check(RUN("call", "a", "--timeout", "0", "--url", server->url), 2, "", "--timeout");
    check(RUN("doc"), 2, "", "Try 'weft doc --help'");
    check(RUN("doc", "cat"), 2, "", "Try 'weft doc --help'");
    check(RUN("doc", "burn", "name"), 2, "", "no 'doc burn'");
    check(RUN("doc", "cat", "\xff", "--url", server->url), 2, "", "NAME is not valid UTF-8");
}

static void help_exits_0_and_goes_to_stdout(void **state)
{
    (void)state;
    static const char *const commands[] = {"call", "doc"};
    for (size_t i = 0; i < 2; i++) {
        struct run run = RUN(commands[i], "--help");
        assert_int_equal(run.status, 0);
        assert_non_null(strstr(run.out, "--url URL"));
        assert_non_null(strstr(run.out, "WEFT_URL"));
        assert_string_equal(run.err, "");
        done(&run);
    }
}

/* ---- Servers that are not there ---- */

/* A socket on a free port of 127.0.0.1, which listens if |listening|; its URL in |ret_url|. */
static int take_port(bool listening, char ret_url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    if (listening)
        assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(ret_url, 64, "ws://127.0.0.1:%u/ws", ntohs(address.sin_port));
    return fd;
}

static void a_server_that_does_not_run_is_a_failure(void **state)
{
    (void)state;
    char url[64];
    int fd = take_port(false, url);
    check(RUN("call", "sum", "[1]", "--url", url), 1, "", "weft call: cannot connect to ws://");
    check(RUN("doc", "cat", "x", "--url", url), 1, "", "weft doc: cannot connect to ws://");
    close(fd);
}

static void a_server_of_another_kind_is_a_failure(void **state)
{
    (void)state;
    char url[80];
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/elsewhere", server->port);
    check(RUN("call", "sum", "[1]", "--url", url), 1, "",
          "/elsewhere answered with HTTP status 404");
}

/* ---- weft doc cat ---- */

/* Makes the document |name| with the content that |op| inserts. */
static void write_document(const char *name, const char *op)
{
    char params[512];
    struct test_ws *ws = test_ws_connect_greeted(server->url);
    snprintf(params, sizeof(params), "{\"doc\":\"%s\",\"create\":true,\"client\":\"c1\"}", name);
    const struct weft_json *opened = test_ws_result(ws, "doc.open", params);
    struct weft_slice epoch = weft__json_string(weft__json_get(opened, "epoch"));
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"epoch\":\"%.*s\",\"client\":\"c1\",\"seq\":1,\"version\":0,"
             "\"op\":%s}",
             name, (int)epoch.len, (const char *)epoch.ptr, op);
    test_ws_result(ws, "doc.submit", params);
    test_ws_close(ws);
}

static void doc_cat_prints_the_text_exactly(void **state)
{
    (void)state;
    write_document("cli/exact", "[\"a\\tb\\r\\nc\\u2028\\ud83d\\ude00 \\u00e9\\u001b[31m\"]");
    check(RUN("doc", "cat", "cli/exact", "--url", server->url), 0,
          "a\tb\r\nc\xe2\x80\xa8\xf0\x9f\x98\x80 \xc3\xa9\x1b[31m", "");
}

static void doc_cat_of_an_empty_document_prints_nothing(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(server->url);
    test_ws_result(ws, "doc.open", "{\"doc\":\"cli/empty\",\"create\":true}");
    test_ws_close(ws);
    check(RUN("doc", "cat", "cli/empty", "--url", server->url), 0, "", "");
}

static void doc_cat_of_a_missing_document_fails_and_does_not_create_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check(RUN("doc", "cat", "cli/missing", "--url", server->url), 1, "",
              "weft doc: not_found (-32005): ");
    struct test_ws *ws = test_ws_connect_greeted(server->url);
    assert_string_equal(test_ws_error(ws, "doc.fetch", "{\"doc\":\"cli/missing\"}"), "not_found");
    test_ws_close(ws);
}

static void doc_cat_of_a_name_with_quotes_asks_for_that_name(void **state)
{
    (void)state;
    write_document("cli/\\\"q\\\"", "[\"quoted\"]");
    check(RUN("doc", "cat", "cli/\"q\"", "--url", server->url), 0, "quoted", "");
}

/* ---- */

static int start_server(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("WEFT_URL"), 0);
    server = test_server_new(NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_server_free(server);
    return 0;
}

/* ---- weft describe ---- */

static void describe_lists_methods_by_the_names_that_people_use(void **state)
{
    (void)state;
    struct run run = RUN("describe", "--url", server->url);
    assert_int_equal(run.status, 0);
    assert_string_equal(run.err, "");
    assert_non_null(strstr(run.out, "\ndoc.submit               applies an operation\n"));
    assert_non_null(strstr(run.out, "\ndemo.count       server  gives 1 to [n]\n"));
    assert_non_null(strstr(run.out, "\ndemo.mirror      both    gives back what it takes\n"));
    assert_null(strstr(run.out, "$/"));
    done(&run);
}

static void describe_as_json_is_an_openrpc_document(void **state)
{
    (void)state;
    struct run run = RUN("describe", "--json", "--url", server->url);
    assert_int_equal(run.status, 0);
    assert_ptr_equal(strstr(run.out, "{\"openrpc\":\"1.3.2\",\"info\":{\"title\":\"weft\","),
                     run.out);
    assert_non_null(strstr(run.out, "\"x-weft-alias\":\"doc.open\""));
    assert_non_null(strstr(run.out, "\"x-weft-stream\":\"client\""));
    done(&run);
    check(RUN("describe", "surplus", "--url", server->url), 2, "", "weft describe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describe_lists_methods_by_the_names_that_people_use),
        cmocka_unit_test(describe_as_json_is_an_openrpc_document),
        cmocka_unit_test(call_prints_the_result_and_a_newline),
        cmocka_unit_test(call_without_parameters_sends_none),
        cmocka_unit_test(parameters_come_from_a_file),
        cmocka_unit_test(a_deadline_is_told_to_the_server),
        cmocka_unit_test(items_that_come_are_printed_before_the_result),
        cmocka_unit_test(lines_of_a_file_are_sent_as_items),
        cmocka_unit_test(a_notification_prints_nothing),
        cmocka_unit_test(call_with_a_key_is_executed_once),
        cmocka_unit_test(call_takes_the_server_from_the_environment),
        cmocka_unit_test(call_of_an_unknown_method_says_so_and_fails),
        cmocka_unit_test(call_refused_by_the_method_names_what_is_wrong),
        cmocka_unit_test(call_with_parameters_that_are_not_json_is_wrong_usage),
        cmocka_unit_test(wrong_usage_exits_2_and_points_at_the_help),
        cmocka_unit_test(help_exits_0_and_goes_to_stdout),
        cmocka_unit_test(a_server_that_does_not_run_is_a_failure),
        cmocka_unit_test(a_server_of_another_kind_is_a_failure),
        cmocka_unit_test(doc_cat_prints_the_text_exactly),
        cmocka_unit_test(doc_cat_of_an_empty_document_prints_nothing),
        cmocka_unit_test(doc_cat_of_a_missing_document_fails_and_does_not_create_it),
        cmocka_unit_test(doc_cat_of_a_name_with_quotes_asks_for_that_name),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
