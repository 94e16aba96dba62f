/* SPDX-License-Identifier: Apache-2.0 */
/* `weft bench rpc`: calls and streams on both wires, and servers that answer in many ways. */
#include "integration/bench_process.h"

#include "ws/frame.h"

/* ---- weft ---- */

static void calls_are_answered_on_both_wires(void **state)
{
    static const char *const wires[] = {"text", "binary"};
    struct test_server *server = test_server_new(NULL);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(wires); i++) {
        struct run run = BENCH(state, "rpc", server->url, "--wire", wires[i], "--depth", "8",
                               "--connections", "3", "--workers", "2", "--check");
        check_good(&run);
        assert_true(weft__json_string_is(weft__json_get(run.json, "wire"), wires[i]));
        assert_true(weft__json_is(weft__json_get(run.json, "streams"), WEFT_JSON_NULL));
        done(&run);
        run = BENCH(state, "rpc", server->url, "--wire", wires[i], "--rate", "200", "--connections",
                    "2", "--size", "70000", "--check");
        check_good(&run);
        assert_true(weft__json_string_is(weft__json_get(run.json, "latency_from"), "due"));
        done(&run);
        run = BENCH(state, "rpc", server->url, "--wire", wires[i], "--connections", "1", "--method",
                    "no.such");
        assert_int_equal(run.status, 1);
        assert_true(errors_of(&run, "answer") > 0);
        assert_true(number(&run, "errors") == errors_of(&run, "answer"));
        assert_non_null(strstr(run.out, "Method not found"));
        done(&run);
    }
    test_server_free(server);
}

static void items_are_counted_on_both_wires(void **state)
{
    static const char *const cases[][8] = {
        {"--wire", "text", "--params", "[500]"},
        {"--wire", "binary", "--params", "[500]"},
        {"--wire", "text", "--window", "1", "--params", "[100]"},
        {"--wire", "binary", "--window", "7", "--params", "[100]", "--depth", "9"},
        {"--wire", "binary", "--params", "[0]"},
        {"--wire", "binary", "--params", "[10]", "--rate", "100"},
    };
    struct test_server *server = test_server_new(NULL);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        const char *args[16] = {"rpc", server->url, "--stream", "--connections", "2"};
        for (size_t k = 0; k < 8; k++)
            args[5 + k] = cases[i][k];
        struct run run = run_bench(state, args);
        if (run.status != (i == 4))
            fail_msg("case %zu: %d %s%s", i, run.status, run.out, run.err);
        assert_true(number(&run, "errors") == 0);
        assert_true(number(&run, "streams") > 0);
        /* Items of streams that have not ended are counted, too. */
        unsigned long each = strtoul(cases[i][i == 2 || i == 3 ? 5 : 3] + 1, NULL, 10);
        assert_true(number(&run, "messages") >= (number(&run, "streams") - 19) * (double)each);
        done(&run);
    }
    test_server_free(server);
}

static void more_streams_than_the_server_allows_are_errors(void **state)
{
    struct test_server *server = test_server_new(NULL);
    struct run run = BENCH(state, "rpc", server->url, "--stream", "--depth", "33", "--connections",
                           "1", "--wire", "binary");
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "answer") > 0);
    assert_true(number(&run, "errors") == errors_of(&run, "answer"));
    done(&run);
    test_server_free(server);
}

/* ---- Servers that say what a test wants ---- */

/* When bytes come that hold |expect| (NULL: anything), |text| is said, as frames. */
struct step {
    const char *expect;
    const char *says[3];
};

struct talk {
    struct script script;
    const struct step *steps;
    size_t count;
    size_t done;
};

static bool holds(uint8_t *data, size_t len, const char *text)
{
    size_t at = 0;
    while (at < len) {
        struct weft_ws_head head;
        ptrdiff_t n = weft__ws_head_decode(data + at, len - at, &head);
        if (n <= 0 || head.len > len - at - (size_t)n)
            return false;
        at += (size_t)n;
        weft__ws_mask(data + at, head.len, head.mask, 0);
        if (memmem(data + at, head.len, text, strlen(text)))
            return true;
        at += head.len;
    }
    return false;
}

/* All in one write, so that it comes as one. */
static void say(int fd, const struct step *step)
{
    uint8_t out[2048];
    size_t len = 0;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(step->says) && step->says[i]; i++) {
        size_t text = strlen(step->says[i]);
        const struct weft_ws_head head = {.opcode = WEFT_WS_OPCODE_TEXT, .len = text, .fin = true};
        len += weft__ws_head_encode(&head, out + len);
        memcpy(out + len, step->says[i], text);
        len += text;
    }
    write_all(fd, out, len);
}

static void *play_talk(void *arg)
{
    struct talk *talk = arg;
    uint8_t bytes[8192];
    int fd = accept(talk->script.listener, NULL, NULL);
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n > 0)
        answer(fd, bytes, (size_t)n);
    /* A close frame, which comes alone, ends the talk. */
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0 && bytes[0] != 0x88) {
        const struct step *step = &talk->steps[talk->done];
        if (talk->done == talk->count || (step->expect && !holds(bytes, (size_t)n, step->expect)))
            continue;
        say(fd, step);
        talk->done++;
    }
    (void)close(fd);
    return NULL;
}

static struct run run_talk(void **state, const struct step *steps, size_t count, size_t *ret_done,
                           const char *const *more)
{
    struct talk talk = {.steps = steps, .count = count};
    listen_script(&talk.script);
    const char *args[16] = {"rpc", talk.script.url, "--connections", "1"};
    for (size_t i = 0; more[i]; i++)
        args[4 + i] = more[i];
    assert_int_equal(pthread_create(&talk.script.thread, NULL, play_talk, &talk), 0);
    struct run run = run_bench(state, args);
    assert_int_equal(pthread_join(talk.script.thread, NULL), 0);
    (void)close(talk.script.listener);
    *ret_done = talk.done;
    return run;
}

/* The ids of the first two calls of a connection with one at a time, which take turns. */
#define ONE "10000000"
#define TWO "10000001"
#define HELLO "10131072"
#define OPENING "{\"jsonrpc\":\"2.0\","

static const char *const plain[] = {NULL};

static void answers_of_any_spelling_are_understood(void **state)
{
    static const struct step steps[] = {
        {"\"id\":" ONE, {OPENING "\"id\":" ONE ",\"result\":1}"}},
        {"\"id\":" TWO, {OPENING "\"result\":{\"id\":5,\"x\":\"}\"},\"id\":" TWO "}"}},
        {"\"id\":" ONE,
         {" { \"id\" : " ONE " , \"error\":null, \"jsonrpc\" : \"2.0\",\n"
          "\"result\" : [ {\"a\":\"\\\"}]\"} ] } "}},
        {"\"id\":" TWO,
         {OPENING "\"method\":\"news\",\"params\":{\"id\":1}}",
          OPENING "\"id\":\"$s1\",\"method\":\"ask\"}", "{\"result\":null,\"id\":" TWO "}"}},
        {"\"id\":" ONE, {OPENING "\"method\":\"$/ping\"}"}},
        {"$/pong", {OPENING "\"result\":\",\\\"id\\\":7\",\"id\":" ONE "}"}},
        {"\"id\":" TWO, {OPENING "\"id\":" TWO ",\"result\":{}}"}},
    };
    size_t steps_done;
    struct run run = run_talk(state, steps, WEFT_ARRAY_LEN(steps), &steps_done, plain);
    assert_int_equal(steps_done, WEFT_ARRAY_LEN(steps));
    if (run.status != 0 || number(&run, "messages") != 6)
        fail_msg("%d %s%s", run.status, run.out, run.err);
    done(&run);
}

static void wrong_answers_are_errors(void **state)
{
    static const struct {
        struct step step;
        const char *kind;
        const char *option;
    } cases[] = {
        {{NULL, {OPENING "\"id\":5,\"result\":1}"}}, "protocol", NULL},
        {{NULL, {OPENING "\"id\":" TWO ",\"result\":1}"}}, "protocol", NULL},
        {{NULL, {OPENING "\"id\":\"" ONE "\",\"result\":1}"}}, "protocol", NULL},
        {{NULL, {OPENING "\"result\":1,\"id\":99999999999999999999}"}}, "protocol", NULL},
        {{NULL, {OPENING "\"id\":" ONE ",\"result\":1}", OPENING "\"id\":" ONE ",\"result\":1}"}},
         "protocol",
         NULL},
        {{NULL, {OPENING "\"id\":" ONE ",\"error\":{\"code\":-1,\"message\":\"no\"}}"}},
         "answer",
         NULL},
        {{NULL, {"{\"error\":{\"code\":-1},\"id\":" ONE ",\"result\":null}"}}, "answer", NULL},
        {{NULL, {"what?"}}, "protocol", NULL},
        {{NULL, {"{\"id\":" ONE ",\"result\":[1}"}}, "protocol", NULL},
        {{NULL, {OPENING "\"method\":\"$/item\",\"params\":{\"id\":" ONE ",\"value\":1}}"}},
         "protocol",
         NULL},
        {{NULL, {OPENING "\"id\":" ONE ",\"result\":[\"another\"]}"}}, "content", "--check"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        const char *const more[] = {cases[i].option, NULL};
        size_t steps_done;
        struct run run = run_talk(state, &cases[i].step, 1, &steps_done, more);
        if (run.status != 1 || errors_of(&run, cases[i].kind) != 1 || number(&run, "errors") != 1)
            fail_msg("case %zu: %d %s%s", i, run.status, run.out, run.err);
        done(&run);
    }
}

#define WELCOME                                                                                    \
    OPENING "\"id\":" HELLO ",\"result\":{\"limits\":{\"window_items\":2,\"window_bytes\":900}}}"
#define AN_ITEM OPENING "\"method\":\"$/item\",\"params\":{\"id\":" ONE ",\"value\":{\"a\":[1]}}}"

static const char *const two_items[] = {"--stream", "--window", "2", NULL};

static void credit_is_given_for_items_that_came(void **state)
{
    static const struct step steps[] = {
        {"$/hello", {WELCOME}},
        {"\"items_total\":2", {AN_ITEM, AN_ITEM}},
        {"\"items_total\":4",
         {"{\"method\":\"$/item\", \"params\": {\"value\":2, \"id\":" ONE "}}", AN_ITEM,
          OPENING "\"id\":" ONE ",\"result\":4}"}},
    };
    size_t steps_done;
    struct run run = run_talk(state, steps, WEFT_ARRAY_LEN(steps), &steps_done, two_items);
    assert_int_equal(steps_done, WEFT_ARRAY_LEN(steps));
    if (run.status != 0 || number(&run, "messages") != 4 || number(&run, "streams") != 1)
        fail_msg("%d %s%s", run.status, run.out, run.err);
    done(&run);
}

static void items_without_credit_are_an_error(void **state)
{
    static const struct step steps[] = {{"$/hello", {WELCOME}},
                                        {NULL, {AN_ITEM, AN_ITEM, AN_ITEM}}};
    size_t steps_done;
    struct run run = run_talk(state, steps, WEFT_ARRAY_LEN(steps), &steps_done, two_items);
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "credit") == 1 && number(&run, "errors") == 1);
    done(&run);
}

static void greeting_that_is_refused_is_an_error(void **state)
{
    static const struct step refusal = {
        NULL, {OPENING "\"id\":" HELLO ",\"error\":{\"code\":-32601,\"message\":\"hello?\"}}"}};
    size_t steps_done;
    struct run run = run_talk(state, &refusal, 1, &steps_done, two_items);
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "handshake") == 1 && number(&run, "errors") == 1);
    assert_non_null(strstr(run.err, "hello?"));
    done(&run);
}

/* A server that takes no subprotocol cannot be measured over the binary wire. */
static void binary_wire_needs_its_protocol(void **state)
{
    const char *const more[] = {"--wire", "binary", NULL};
    size_t steps_done;
    struct run run = run_talk(state, NULL, 0, &steps_done, more);
    assert_int_equal(run.status, 1);
    assert_true(errors_of(&run, "handshake") == 1 && number(&run, "errors") == 1);
    done(&run);
}

/* ---- The command line ---- */

static void wrong_usage_is_told(void **state)
{
    static const char *const cases[][6] = {
        {"rpc", "ws://127.0.0.1:1/", "--wire", "morse"},
        {"echo", "ws://127.0.0.1:1/", "--wire", "binary"},
        {"echo", "ws://127.0.0.1:1/", "--stream"},
        {"storm", "ws://127.0.0.1:1/", "--stream"},
        {"rpc", "ws://127.0.0.1:1/", "--window", "5"},
        {"rpc", "ws://127.0.0.1:1/", "--stream", "--check"},
        {"rpc", "ws://127.0.0.1:1/", "--stream", "--window", "0"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct run run = run_bench(state, cases[i]);
        if (run.status != 2 || !strstr(run.err, "Try 'weft bench --help'") || run.out[0])
            fail_msg("case %zu: %d %s%s", i, run.status, run.out, run.err);
        done(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered_on_both_wires),
        cmocka_unit_test(items_are_counted_on_both_wires),
        cmocka_unit_test(more_streams_than_the_server_allows_are_errors),
        cmocka_unit_test(answers_of_any_spelling_are_understood),
        cmocka_unit_test(wrong_answers_are_errors),
        cmocka_unit_test(credit_is_given_for_items_that_came),
        cmocka_unit_test(items_without_credit_are_an_error),
        cmocka_unit_test(greeting_that_is_refused_is_an_error),
        cmocka_unit_test(binary_wire_needs_its_protocol),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return io_run_tests_above("cli_bench_rpc", tests, WEFT_ARRAY_LEN(tests));
}
