/* SPDX-License-Identifier: Apache-2.0 */
/* The commands with a configuration: what a file says happens, and what is printed can be used. */
#include "lib/test.h"

#include "codec/json.h"
#include "lib/server_process.h"

#include <unistd.h>

static char folder[] = "/tmp/weft-config-XXXXXX";
static char file[64];

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* Runs weft with |args|; what it wrote is in |*ret_out| and |*ret_err|, to be freed. */
static int run_weft(const char *const *args, char **ret_out, char **ret_err)
{
    const char *argv[16] = {test_binary()};
    for (size_t i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    return test_run_program(argv, ret_out, ret_err);
}

#define RUN(ret_out, ret_err, ...)                                                                 \
    run_weft((const char *const[]){__VA_ARGS__, NULL}, ret_out, ret_err)

static void a_server_does_what_its_file_says(void **state)
{
    (void)state;
    write_file("workers: 3\nlog: {level: error}\nlimits:\n  max_message: 1KiB\n");
    const char *const args[] = {"--config", file, NULL};
    struct test_server *server = test_server_new(args);
    assert_int_equal(server->workers, 3);
    struct test_ws *ws = test_ws_connect(server->url, NULL);
    char text[1026];
    memset(text, ' ', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    test_ws_send(ws, text);
    assert_int_equal(test_ws_wait_closed(ws, 5000), 1009);
    test_ws_close(ws);
    test_server_free(server);
}

static void a_flag_wins_over_the_file(void **state)
{
    (void)state;
    write_file("workers: 3\n");
    const char *const args[] = {"--config", file, "--workers", "2", NULL};
    struct test_server *server = test_server_new(args);
    assert_int_equal(server->workers, 2);
    test_server_free(server);
}

static void a_wrong_file_starts_nothing(void **state)
{
    char *err;
    (void)state;
    write_file("limits:\n  max_mesage: 1KiB\n");
    assert_int_equal(RUN(NULL, &err, "serve", "--config", file, "--listen", "127.0.0.1:0"), 2);
    assert_non_null(strstr(err, "weft serve: /tmp/weft-config-"));
    assert_non_null(strstr(err, ":2:3: max_mesage: there is no such setting; did you mean "
                                "max_message?"));
    free(err);
    assert_int_equal(RUN(NULL, &err, "serve", "--config", "/nowhere"), 2);
    assert_non_null(strstr(err, "/nowhere: No such file"));
    free(err);
    assert_int_equal(RUN(NULL, &err, "serve", "--lsiten", "a"), 2);
    assert_non_null(strstr(err, "unknown option '--lsiten'; did you mean --listen?"));
    free(err);
}

static void a_file_can_be_checked(void **state)
{
    char *out;
    char *err;
    (void)state;
    write_file("workers: 3\n");
    assert_int_equal(RUN(&out, &err, "config", "--check", file), 0);
    assert_non_null(strstr(out, ": ok\n"));
    assert_string_equal(err, "");
    free(out);
    free(err);
    write_file("workers: many\nloop: 7\n");
    assert_int_equal(RUN(&out, &err, "config", "--check", file), 1);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, ":1:10: workers: must be a number"));
    assert_non_null(strstr(err, ":2:7: loop: must be"));
    free(out);
    free(err);
}

static void what_is_printed_is_a_file_of_the_same(void **state)
{
    char *first;
    char *second;
    (void)state;
    assert_int_equal(RUN(&first, NULL, "config", "--host", "a,b", "--tls-cert", "c", "--tls-key",
                         "k", "--max-message", "3MiB", "--memory=none"),
                     0);
    assert_non_null(strstr(first, "\n  max_message: 3MiB  # flag --max-message\n"));
    write_file(first);
    assert_int_equal(RUN(&second, NULL, "config", "--config", file), 0);
    const char *b = second;
    for (const char *a = first; *a; a = strchr(a, '\n') + 1, b = strchr(b, '\n') + 1) {
        const char *end = strstr(a, "  # ");
        const char *line = strchr(a, '\n');
        size_t len = (size_t)((end && end < line ? end : line) - a);
        assert_memory_equal(a, b, len);
    }
    assert_string_equal(b, "");
    free(first);
    free(second);
}

static void json_says_values_and_origins(void **state)
{
    char *out;
    struct weft_arena arena;
    const struct weft_json *all;
    int64_t number;
    (void)state;
    write_file("limits: {max_message: 2KiB}\n");
    assert_int_equal(RUN(&out, NULL, "config", "--json", "--config", file, "--workers", "5"), 0);
    weft__arena_init(&arena, weft_alloc_default(), 1 << 20);
    assert_int_equal(weft__json_parse(weft__slice_str(out), &arena, NULL, NULL, &all), 0);
    const struct weft_json *message = weft__json_get(all, "limits.max_message");
    assert_true(weft__json_i64(weft__json_get(message, "value"), &number));
    assert_int_equal(number, 2048);
    const struct weft_json *workers = weft__json_get(all, "workers");
    assert_true(weft__json_string_is(weft__json_get(workers, "origin"), "flag --workers"));
    const struct weft_json *memory = weft__json_get(all, "limits.memory");
    assert_true(weft__json_string_is(weft__json_get(memory, "value"), "auto"));
    assert_true(weft__json_string_is(weft__json_get(memory, "origin"), "default"));
    weft__arena_done(&arena);
    free(out);
}

static void logs_are_json_when_asked_for(void **state)
{
    char *err;
    struct weft_arena arena;
    const struct weft_json *line;
    (void)state;
    /* An address of nobody's machine: it logs, says why, and ends. */
    assert_int_equal(RUN(NULL, &err, "serve", "--log-format", "json", "--data",
                         ":memory:", "--insecure-no-auth", "--listen", "192.0.2.1:1"),
                     1);
    char *end = strchr(err, '\n');
    assert_non_null(end);
    weft__arena_init(&arena, weft_alloc_default(), 1 << 20);
    struct weft_slice text = weft__slice(err, (size_t)(end - err));
    if (weft__json_parse(text, &arena, NULL, NULL, &line))
        fail_msg("%s", err);
    assert_true(weft__json_string_is(weft__json_get(line, "level"), "error"));
    assert_true(weft__json_string_is(weft__json_get(line, "event"), "server.start_failed"));
    assert_int_equal(weft__json_string(weft__json_get(line, "time")).len, 24);
    weft__arena_done(&arena);
    free(err);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/weft.yaml", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_does_what_its_file_says),
        cmocka_unit_test(a_flag_wins_over_the_file),
        cmocka_unit_test(a_wrong_file_starts_nothing),
        cmocka_unit_test(a_file_can_be_checked),
        cmocka_unit_test(what_is_printed_is_a_file_of_the_same),
        cmocka_unit_test(json_says_values_and_origins),
        cmocka_unit_test(logs_are_json_when_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
