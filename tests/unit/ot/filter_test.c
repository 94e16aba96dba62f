/* SPDX-License-Identifier: Apache-2.0 */
/* `weft ot` as a process: one answer a line, in order, whatever the line. */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct filter {
    pid_t pid;
    int in;    /* written by the test */
    FILE *out; /* read by the test */
};

static void start(struct filter *f, const char *type)
{
    int to[2];
    int from[2];
    const char *binary = test_binary();
    assert_non_null(binary);
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[0]);
        close(to[1]);
        close(from[0]);
        close(from[1]);
        execl(binary, binary, "ot", "--type", type, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    f->in = to[1];
    f->out = fdopen(from[0], "r");
    assert_non_null(f->out);
}

static int finish(struct filter *f)
{
    int status;
    if (f->in >= 0)
        close(f->in);
    assert_int_equal(fgetc(f->out), EOF);
    fclose(f->out);
    while (waitpid(f->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void say(struct filter *f, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = write(f->in, text, len);
        assert_true(sent > 0);
        text += sent;
        len -= (size_t)sent;
    }
}

static void expect(struct filter *f, const char *want)
{
    char line[4096];
    assert_non_null(fgets(line, sizeof(line), f->out));
    line[strcspn(line, "\n")] = 0;
    assert_string_equal(line, want);
}

static void expect_error(struct filter *f, const char *code)
{
    char line[4096];
    char want[64];
    assert_non_null(fgets(line, sizeof(line), f->out));
    snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    line[strlen(want)] = 0;
    assert_string_equal(line, want);
}

/* Sends one line and waits for its answer: a filter that kept its output back would hang here. */
static void ask(struct filter *f, const char *line, const char *want)
{
    say(f, line, strlen(line));
    say(f, "\n", 1);
    expect(f, want);
}

static void ask_wrong(struct filter *f, const char *line, const char *code)
{
    say(f, line, strlen(line));
    say(f, "\n", 1);
    expect_error(f, code);
}

static void every_function_answers_before_the_next_line_is_sent(void **state)
{
    (void)state;
    struct filter f;
    start(&f, "text");
    ask(&f, "{\"f\":\"check\",\"op\":[\"x\"]}", "{\"ok\":true}");
    ask(&f, "{\"f\":\"apply\",\"doc\":\"abc\",\"op\":[1,\"X\"]}", "{\"result\":\"aXbc\"}");
    ask(&f, "{\"f\":\"compose\",\"a\":[\"x\"],\"b\":[1,\"y\"]}", "{\"result\":[\"xy\"]}");
    ask(&f, "{\"f\":\"transform\",\"a\":[\"x\"],\"b\":[\"y\"],\"side\":\"left\"}",
        "{\"result\":[\"x\"]}");
    ask(&f, "{\"f\":\"transform\",\"a\":[\"x\"],\"b\":[\"y\"],\"side\":\"right\"}",
        "{\"result\":[1,\"x\"]}");
    ask(&f, "{\"f\":\"invert\",\"doc\":\"abc\",\"op\":[{\"d\":1},\"x\"]}",
        "{\"result\":[\"a\",{\"d\":\"x\"}]}");
    ask(&f, "{\"f\":\"position\",\"op\":[\"xy\"],\"pos\":0,\"side\":\"left\"}", "{\"result\":0}");
    ask(&f, "{\"f\":\"position\",\"op\":[\"xy\"],\"pos\":0,\"side\":\"right\"}", "{\"result\":2}");
    assert_int_equal(finish(&f), 0);
}

static void rich_text_operations_are_answered_in_the_form_they_are_asked_in(void **state)
{
    (void)state;
    struct filter f;
    start(&f, "rich");
    ask(&f, "{\"f\":\"check\",\"op\":{\"ops\":[{\"insert\":\"x\"}]}}", "{\"ok\":true}");
    ask(&f,
        "{\"f\":\"apply\",\"doc\":[{\"insert\":\"ab\"}],\"op\":[{\"retain\":1},{\"delete\":1}]}",
        "{\"result\":[{\"insert\":\"a\"}]}");
    ask(&f,
        "{\"f\":\"compose\",\"a\":[{\"insert\":\"x\"}],\"b\":[{\"retain\":1},{\"insert\":\"y\"}]}",
        "{\"result\":[{\"insert\":\"xy\"}]}");
    ask(&f,
        "{\"f\":\"transform\",\"a\":[{\"insert\":\"x\"}],\"b\":[{\"insert\":\"y\"}],\"side\":"
        "\"left\"}",
        "{\"result\":[{\"insert\":\"x\"}]}");
    ask(&f,
        "{\"f\":\"transform\",\"a\":{\"ops\":[{\"insert\":\"x\"}]},\"b\":{\"ops\":[{\"insert\":"
        "\"y\"}]},\"side\":"
        "\"right\"}",
        "{\"result\":{\"ops\":[{\"retain\":1},{\"insert\":\"x\"}]}}");
    ask(&f, "{\"f\":\"invert\",\"doc\":[{\"insert\":\"ab\"}],\"op\":[{\"delete\":1}]}",
        "{\"result\":[{\"insert\":\"a\"}]}");
    ask(&f, "{\"f\":\"position\",\"op\":[{\"insert\":\"xy\"}],\"pos\":0,\"side\":\"right\"}",
        "{\"result\":2}");
    ask(&f, "{\"f\":\"normalize\",\"op\":[{\"delete\":1},{\"insert\":\"a\"},{\"retain\":1}]}",
        "{\"result\":[{\"insert\":\"a\"},{\"delete\":1}]}");
    ask(&f, "{\"f\":\"diff\",\"from\":[{\"insert\":\"ab\"}],\"to\":[{\"insert\":\"b\"}]}",
        "{\"result\":{\"ops\":[{\"delete\":1}]}}");
    ask_wrong(&f, "{\"f\":\"apply\",\"doc\":\"ab\",\"op\":[]}", "invalid_argument");
    ask_wrong(&f, "{\"f\":\"apply\",\"doc\":[],\"op\":[{\"delete\":1}]}", "out_of_range");
    assert_int_equal(finish(&f), 0);
}

static void wrong_lines_are_answered_and_the_next_one_is_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "5",
        "{}",
        "{\"f\":\"nothing\"}",
        "{\"f\":1}",
        "{\"f\":\"check\"}",
        "{\"f\":\"check\",\"op\":[1e300,\"x\"]}",
        "{\"f\":\"check\",\"op\":[1.5,\"x\"]}",
        "{\"f\":\"check\",\"op\":[\"\\ud83d\"]}",
        "{\"f\":\"check\",\"op\":[\"\xff\"]}",
        "{\"f\":\"apply\",\"op\":[]}",
        "{\"f\":\"apply\",\"doc\":5,\"op\":[]}",
        "{\"f\":\"transform\",\"a\":[],\"b\":[]}",
        "{\"f\":\"transform\",\"a\":[],\"b\":[],\"side\":\"up\"}",
        "{\"f\":\"position\",\"op\":[],\"pos\":-1,\"side\":\"left\"}",
        "{\"f\":\"position\",\"op\":[],\"pos\":0.5,\"side\":\"left\"}",
        "{\"f\":\"position\",\"op\":[],\"side\":\"left\"}",
    };
    struct filter f;
    start(&f, "text");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ask_wrong(&f, lines[i], "invalid_argument");
    ask_wrong(&f, "{\"f\":\"apply\",\"doc\":\"\",\"op\":[1,\"x\"]}", "out_of_range");
    ask_wrong(&f, "{\"f\":\"position\",\"op\":[],\"pos\":1e15,\"side\":\"left\"}", "out_of_range");
    ask_wrong(&f, "{\"f\":\"apply\",\"doc\":\"a\",\"op\":[{\"d\":\"b\"}]}", "failed_precondition");
    ask(&f, "{\"f\":\"check\",\"op\":[]}", "{\"ok\":true}");
    assert_int_equal(finish(&f), 0);
}

static void last_line_needs_no_line_end(void **state)
{
    (void)state;
    struct filter f;
    const char text[] = "{\"f\":\"check\",\"op\":[]}\r\n{\"f\":\"check\",\"op\":[]}";
    start(&f, "text");
    say(&f, text, sizeof(text) - 1);
    close(f.in);
    f.in = -1;
    expect(&f, "{\"ok\":true}");
    expect(&f, "{\"ok\":true}");
    assert_int_equal(finish(&f), 0);
}

/* A line of any length costs one error at most, and the memory of the longest allowed one. */
static void line_over_the_limit_is_passed_over(void **state)
{
    (void)state;
    struct filter f;
    static char block[1 << 20];
    memset(block, 'x', sizeof(block));
    start(&f, "text");
    for (size_t i = 0; i < 70; i++)
        say(&f, block, sizeof(block));
    say(&f, "\n", 1);
    expect_error(&f, "resource_exhausted");
    ask(&f, "{\"f\":\"check\",\"op\":[]}", "{\"ok\":true}");
    assert_int_equal(finish(&f), 0);
}

static void unknown_type_is_a_usage_error(void **state)
{
    (void)state;
    struct filter f;
    start(&f, "prose");
    assert_int_equal(finish(&f), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_answers_before_the_next_line_is_sent),
        cmocka_unit_test(rich_text_operations_are_answered_in_the_form_they_are_asked_in),
        cmocka_unit_test(wrong_lines_are_answered_and_the_next_one_is_read),
        cmocka_unit_test(last_line_needs_no_line_end),
        cmocka_unit_test(line_over_the_limit_is_passed_over),
        cmocka_unit_test(unknown_type_is_a_usage_error),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
