/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody sends who means harm, on the text wire over a real connection: every message gets
 * the answer that docs/protocol/rpc.md promises, the connection serves the next call, and the
 * memory that all of it took is given back. The binary wire: rpc_hostile_binary.c. */
#include "rpc_support.h"

#include "base/bytes.h"

#include <unistd.h>

enum {
    WAIT_MS = 10000,
    DEEP = 100000,
    LONG = 1000000,
    MESSAGE_MAX = 1024 * 1024,
    MEMORY_SLACK = 256 * 1024,
};

static struct test_in_process *world;
static struct weft_bytes made;

/* ---- Long texts ---- */

/* |before|, |part| |count| times, |after|. **Lifetime:** until the next call. */
static const char *make(const char *before, const char *part, size_t count, const char *after)
{
    weft__bytes_clear(&made);
    weft__bytes_append_str(&made, before);
    for (size_t i = 0; i < count; i++)
        weft__bytes_append_str(&made, part);
    weft__bytes_append(&made, after, strlen(after) + 1);
    assert_ok(weft__bytes_error(&made));
    return (const char *)made.ptr;
}

/* ---- Expectations ---- */

/* The error answer that a message gets. */
struct expected {
    int64_t code;
    const char *id;     /* as it stands in the answer */
    const char *reason; /* NULL: none */
};

static const struct expected parse_error = {-32700, "null", NULL};
static const struct expected invalid = {-32600, "null", NULL};

static bool is_raw(const struct weft_json *value, const char *text)
{
    return weft__slice_eq_str(weft__json_raw(value), text);
}

static void check_error(const struct weft_json *answer, const char *sent,
                        const struct expected *want)
{
    const struct weft_json *error = weft__json_get(answer, "error");
    const struct weft_json *data = weft__json_get(error, "data");
    const struct weft_json *reason = weft__json_get(data, "reason");
    int64_t code = 0;
    bool ok = weft__json_i64(weft__json_get(error, "code"), &code) && code == want->code &&
              is_raw(weft__json_get(answer, "id"), want->id) &&
              (want->reason ? weft__json_string_is(reason, want->reason) : !reason) &&
              weft__json_is(weft__json_get(data, "code"), WEFT_JSON_STRING) &&
              weft__json_string_is(weft__json_get(data, "executed"), "no");
    if (!ok)
        fail_msg("%.200s was answered %.*s", sent, (int)weft__json_raw(answer).len,
                 (const char *)weft__json_raw(answer).ptr);
}

static void still_serves(struct test_ws *ws)
{
    int64_t sum = 0;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,2]"), &sum));
    assert_int_equal(sum, 3);
}

static void is_refused(struct test_ws *ws, const char *text, const struct expected *want)
{
    test_ws_send(ws, text);
    check_error(test_ws_next(ws), text, want);
    still_serves(ws);
}

/* A message that nobody answers: the next thing that comes is the answer to another call. */
static void is_ignored(struct test_ws *ws, const char *text)
{
    test_ws_send(ws, text);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"sum\",\"params\":[5]}");
    const struct weft_json *answer = test_ws_next(ws);
    if (!is_raw(weft__json_get(answer, "id"), "\"after\""))
        fail_msg("%.200s was answered %.*s", text, (int)weft__json_raw(answer).len,
                 (const char *)weft__json_raw(answer).ptr);
}

/* ---- Attacks, each on a connection that goes on ---- */

static void nesting(struct test_ws *ws)
{
    is_refused(ws, make("", "[", DEEP, ""), &parse_error);
    is_refused(ws, make("", "{\"a\":", DEEP, ""), &parse_error);
    is_refused(ws,
               make("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":", "[", DEEP, ""),
               &parse_error);
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":", "[", DEEP, ""),
               &parse_error);
    char closed[512] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":";
    size_t len = strlen(closed);
    memset(closed + len, '[', 64);
    memset(closed + len + 64, ']', 64);
    memcpy(closed + len + 128, "}", 2);
    is_refused(ws, closed, &parse_error); /* 65 with the envelope */
}

static void ids(struct test_ws *ws)
{
    static const struct {
        const char *id;
        const struct expected *want; /* NULL: it is a good one */
    } cases[] = {
        {"18446744073709551616", &invalid},
        {"18446744073709551617", &invalid},
        {"18446744073709551615", &invalid},
        {"9223372036854775808", &invalid},
        {"-9223372036854775809", &invalid},
        {"9007199254740993", &invalid},
        {"-9007199254740993", &invalid},
        {"9007199254740992", NULL},
        {"-9007199254740992", NULL},
        {"-1", NULL},
        {"0", NULL},
        {"1.5", &invalid},
        {"1.0", &invalid},
        {"1e3", &invalid},
        {"-0.0", &invalid},
        {"1e308", &invalid},
        {"1e400", &parse_error},
        {"-1e400", &parse_error},
        {"1e99999999999", &parse_error},
        {"1e-99999999999", &invalid},
        {"null", &invalid},
        {"true", &invalid},
        {"[]", &invalid},
        {"{}", &invalid},
        {"[1]", &invalid},
        {"\"\"", NULL},
        {"\"__proto__\"", NULL},
        {"\"constructor\"", NULL},
        {"\"a\\u0000b\"", NULL},
        {"\"\\ud83d\\ude00\"", NULL},
        {"\"$s1\"", &invalid},
        {"\"\\u0024s1\"", &invalid},
        {"\"\\ud800\"", &parse_error},
        {"\"\\udc00\\ud800\"", &parse_error},
        {"01", &parse_error},
        {"+1", &parse_error},
        {"NaN", &parse_error},
        {"0x10", &parse_error},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        char text[160];
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"sum\",\"params\":[4]}", cases[i].id);
        if (cases[i].want) {
            is_refused(ws, text, cases[i].want);
            continue;
        }
        test_ws_send(ws, text);
        const struct weft_json *answer = test_ws_next(ws);
        assert_true(is_raw(weft__json_get(answer, "id"), cases[i].id));
        assert_true(is_raw(weft__json_get(answer, "result"), "4"));
    }
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":\"", "i", LONG, "\"}"),
               &invalid);
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":", "9", LONG, "}"),
               &parse_error);
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":0.", "0", LONG, "1}"),
               &invalid);
}

static void keys(struct test_ws *ws)
{
    static const char params[] =
        "{\"__proto__\":{\"admin\":true},\"constructor\":{\"prototype\":1},"
        "\"\":0,\"a\\u0000\":1,\"a\":2}";
    assert_true(is_raw(test_ws_result(ws, "demo.echo", params), params));
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":\"own\",\"method\":\"sum\",\"params\":[6],"
                     "\"__proto__\":{\"method\":\"x\"},\"constructor\":[],\"hasOwnProperty\":1}");
    assert_true(is_raw(weft__json_get(test_ws_next(ws), "result"), "6"));
    static const struct expected unknown = {-32601, "1", NULL};
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"__proto__\"}", &unknown);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"constructor\"}", &unknown);
    static const char *const duplicate[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"sum\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"method\":\"demo.echo\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[1],\"par\\u0061ms\":[2]}",
        "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":{\"a\":1,\"a\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":{\"a\":1,\"\\u0061\":2}"
        "}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[[{\"\":1,\"\":2}]]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\","
        "\"params\":{\"__proto__\":1,\"__proto__\":2}}",
        "{\"x\":1,\"x\":2,\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\"}",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(duplicate); i++)
        is_refused(ws, duplicate[i], &parse_error);
}

static void live_ids(struct test_ws *ws)
{
    static const struct expected live = {-32600, "null", "weft.rpc.duplicate_id"};
    static const struct {
        const char *id;
        const char *again; /* the same one in another spelling */
    } cases[] = {{"77", "77"}, {"\"a/b\"", "\"\\u0061\\/b\""}, {"\"\"", "\"\""}, {"-5", "-5"}};
    char text[160];
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"demo.sleep\",\"params\":[30000]}",
                 cases[i].id);
        test_ws_send(ws, text);
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"sum\"}",
                 cases[i].again);
        is_refused(ws, text, &live);
        snprintf(text, sizeof(text), "[{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"sum\"}]",
                 cases[i].again);
        test_ws_send(ws, text);
        const struct weft_json *answers = test_ws_next(ws);
        assert_int_equal(weft__json_count(answers), 1);
        check_error(weft__json_at(answers, 0), text, &live);
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":%s}}",
                 cases[i].again);
        test_ws_send(ws, text);
        const struct weft_json *answer = test_ws_next(ws);
        assert_true(is_raw(weft__json_get(answer, "id"), cases[i].id));
        assert_true(is_raw(weft__json_get(weft__json_get(answer, "error"), "code"), "-32800"));
    }
    /* The string "5" and the integer 5 are two ids; one batch may not use one twice. */
    test_ws_send(ws, "[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.sleep\",\"params\":[20]},"
                     "{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"method\":\"sum\",\"params\":[1]},"
                     "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"sum\",\"params\":[2]}]");
    const struct weft_json *answers = test_ws_next(ws);
    assert_int_equal(weft__json_count(answers), 3);
    check_error(weft__json_at(answers, 1), "the same id in one batch", &live);
    still_serves(ws);
}

static void batches(struct test_ws *ws)
{
    static const struct expected large = {-32008, "null", "weft.rpc.batch"};
    is_refused(ws, "[]", &invalid);
    is_refused(ws, make("[1", ",1", DEEP - 1, "]"), &large);
    is_refused(ws, make("[[]", ",[]", DEEP - 1, "]"), &large);
    is_refused(ws, make("[1", ",1", 262144, "]"), &parse_error); /* too many values */
    is_refused(ws, make("[{}", ",{}", 100, "]"), &large);
    static const char *const nested[] = {"[[]]",
                                         "[[[]]]",
                                         "[1]",
                                         "[null]",
                                         "[\"\"]",
                                         "[{}]",
                                         "[[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\"}]]"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(nested); i++) {
        test_ws_send(ws, nested[i]);
        const struct weft_json *answers = test_ws_next(ws);
        assert_int_equal(weft__json_count(answers), 1);
        check_error(weft__json_at(answers, 0), nested[i], &invalid);
        still_serves(ws);
    }
    test_ws_send(ws, make("[[]", ",[[]]", 99, "]"));
    assert_int_equal(weft__json_count(test_ws_next(ws)), 100);
    static const char *const single[] = {"1", "\"\"", "null", "true", "{}", "-0"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(single); i++)
        is_refused(ws, single[i], &invalid);
}

static void answers_and_streams_of_nobody(struct test_ws *ws)
{
    static const char *const nobodys[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"$s1\",\"result\":{\"a\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"$s18446744073709551617\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"$s\",\"error\":{\"code\":1,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"$s-1\",\"error\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1e300,\"message\":7}}",
        "[{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1},{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1}]",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":404,\"value\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":\"$s1\",\"value\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":[],\"value\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":[404,1]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":404}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":\"$s404\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":404}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":\"$s1\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":18446744073709551617}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":null}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"items_total\":1e19}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":-1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":18446744073709551616}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":9007199254740991}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/nothing\",\"params\":{\"id\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/hello\",\"params\":{\"v\":[1,1]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"__proto__\"}",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(nobodys); i++)
        is_ignored(ws, nobodys[i]);
    static const char *const malformed[] = {
        "{\"jsonrpc\":\"2.0\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":1,\"error\":{}}",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(malformed); i++)
        is_refused(ws, malformed[i], &invalid);
    static const struct expected both = {-32600, "9", NULL};
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":1,\"error\":{}}", &both);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sum\",\"result\":1}", &both);
}

static void names(struct test_ws *ws)
{
    static const struct expected unknown = {-32601, "8", NULL};
    static const struct expected request = {-32600, "8", NULL};
    static const char *const odd[] = {"",
                                      "\\u0000",
                                      "sum\\u0000",
                                      "\\n",
                                      "sum ",
                                      " sum",
                                      "\\u007f",
                                      "\\u202esum",
                                      "SUM",
                                      "$/",
                                      "rpc.",
                                      "rpc.nothing",
                                      "$/item",
                                      "$/ack",
                                      "../sum",
                                      "\\u0024/x",
                                      "weft{a=\\\"b\\\"}\\n"};
    char text[160];
    for (size_t i = 0; i < WEFT_ARRAY_LEN(odd); i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"%s\"}", odd[i]);
        is_refused(ws, text, &unknown);
    }
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"", "m", LONG, "\"}"), &unknown);
    is_refused(ws, make("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"", "\\u0000", LONG / 6, "\"}"),
               &unknown);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":7}", &request);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":null}", &request);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":[\"sum\"]}", &request);
    is_refused(ws, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\",\"params\":7}", &request);
    static const char *const unreadable[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"\n\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"\x01\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"\\ud800\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"\\udbff\\u0041\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\",\"params\":[\"\\udc00\"]}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\",\"\\ud800\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\",\"params\":[1e400]}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\"}{}",
        "\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sum\"}",
        "",
        " ",
        "nul",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(unreadable); i++)
        is_refused(ws, unreadable[i], &parse_error);
    /* A zero byte is a character of a string when it is escaped. */
    assert_true(is_raw(test_ws_result(ws, "demo.echo", "[\"a\\u0000b\"]"), "[\"a\\u0000b\"]"));
}

static const struct {
    const char *name;
    void (*run)(struct test_ws *ws);
} attacks[] = {
    {"nesting", nesting}, {"ids", ids},
    {"keys", keys},       {"live ids", live_ids},
    {"batches", batches}, {"answers and streams of nobody", answers_and_streams_of_nobody},
    {"names", names},
};

static void attack_all(bool greeted)
{
    struct test_ws *ws =
        greeted ? test_ws_connect_greeted(world->url) : test_ws_connect(world->url, NULL);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(attacks); i++) {
        attacks[i].run(ws);
        still_serves(ws);
    }
    test_ws_close(ws);
}

static void clients_that_did_not_greet_get_clear_errors(void **state)
{
    (void)state;
    attack_all(false);
}

static void clients_that_greeted_get_clear_errors(void **state)
{
    (void)state;
    attack_all(true);
}

/* ---- Streams ---- */

static void credit(struct test_ws *ws, const char *items, const char *bytes)
{
    char text[200];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"id\":\"c\","
             "\"items_total\":%s,\"bytes_total\":%s}}",
             items, bytes);
    test_ws_send(ws, text);
}

static void expect_items(struct test_ws *ws, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(weft__json_string_is(weft__json_get(test_ws_next(ws), "method"), "$/item"));
}

static void credit_that_is_no_total_is_ignored(void **state)
{
    (void)state;
    static const char *const odd[] = {"9223372036854775808",
                                      "18446744073709551616",
                                      "18446744073709551615",
                                      "9007199254740992",
                                      "-1",
                                      "-9223372036854775808",
                                      "1.5",
                                      "1e300",
                                      "null",
                                      "\"x\"",
                                      "[]",
                                      "0",
                                      "15"};
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"demo.count\",\"params\":[40]}");
    expect_items(ws, 16);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(odd); i++) {
        credit(ws, odd[i], odd[i]);
        credit(ws, odd[i], "100000");
    }
    is_ignored(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"id\":\"c\"}}");
    credit(ws, "9007199254740991", "9007199254740991");
    expect_items(ws, 24);
    assert_true(is_raw(weft__json_get(test_ws_next(ws), "result"), "40"));
    test_ws_close(ws);
}

static void items_that_may_not_come_close_the_connection(void **state)
{
    (void)state;
    static const char item[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":1,\"value\":1}}";
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[30000]}");
    test_ws_send(ws, item);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
    ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.total\"}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":1}}");
    assert_true(is_raw(weft__json_get(test_ws_next(ws), "result"), "0"));
    /* The call is over: 7.2. */
    is_ignored(ws, item);
    test_ws_close(ws);
}

/* ---- Other people's calls, and sessions ---- */

static void calls_of_others_cannot_be_canceled(void **state)
{
    (void)state;
    struct test_ws *mine = test_ws_connect_greeted(world->url);
    struct test_ws *other = test_ws_connect_greeted(world->url);
    rpc_send(mine, 31, "demo.sleep", "[30000]", "");
    test_ws_send(other, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":31}}");
    still_serves(other);
    test_ws_send(other, "{\"jsonrpc\":\"2.0\",\"id\":31,\"result\":\"forged\"}");
    still_serves(other);
    still_serves(mine);
    test_ws_send(mine, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":31}}");
    assert_true(
        is_raw(weft__json_get(weft__json_get(rpc_next(mine, 31), "error"), "code"), "-32800"));
    test_ws_close(mine);
    test_ws_close(other);
}

static struct test_ws *with_session(void)
{
    struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
    const struct weft_json *hello =
        test_ws_result(ws, "$/hello", "{\"v\":[1,1],\"features\":[\"resume\"]}");
    assert_non_null(weft__json_get(hello, "resume_token"));
    return ws;
}

static void acknowledgements_and_numbers_from_the_future_end_the_connection(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":9007199254740991}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"seq\":2}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"seq\":9007199254740991}",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(wrong); i++) {
        struct test_ws *ws = with_session();
        test_ws_send(ws, wrong[i]);
        assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
        test_ws_close(ws);
    }
    /* What is no number at all says nothing. */
    struct test_ws *ws = with_session();
    is_ignored(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":-1}}");
    is_ignored(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":1e300}}");
    test_ws_close(ws);
}

/* ---- WebSocket frames ---- */

static unsigned close_after(const void *bytes, size_t len)
{
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    test_ws_send_raw(ws, bytes, len);
    unsigned code = test_ws_wait_closed(ws, WAIT_MS);
    test_ws_close(ws);
    return code;
}

static void lengths_that_nobody_may_send_close_the_connection(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[14];
        unsigned code;
    } cases[] = {
        {{0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, 1009},             /* 4 GiB */
        {{0x81, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, 1009}, /* one less */
        {{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, 1009},
        {{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002}, /* 2^63 */
        {{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, 1002},
        {{0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4}, 1009}, /* 1 MiB + 1 */
        {{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}, 1002},    /* not the shortest form */
        {{0x89, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},    /* a ping of 4 GiB */
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++)
        assert_int_equal(close_after(cases[i].bytes, sizeof(cases[i].bytes)), cases[i].code);
}

/* RFC 6455 §8.1 comes first: such a message never becomes JSON. */
static void text_that_is_not_utf8_closes_the_connection(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
                                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe2\x82\"}"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(texts); i++) {
        struct test_ws *ws = test_ws_connect(world->url, NULL);
        test_ws_send(ws, texts[i]);
        assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1007);
        test_ws_close(ws);
    }
}

/* ---- Afterwards ---- */

static uint64_t memory(void)
{
    return rpc_metric(world->url, "weft_memory_connection_bytes");
}

static void memory_is_given_back(void **state)
{
    (void)state;
    attack_all(true);
    uint64_t before = memory();
    for (int i = 0; i < 2; i++)
        attack_all(i % 2);
    /* The last connection's end is noticed a little later. */
    uint64_t after = memory();
    for (int i = 0; i < 100 && after > before + MEMORY_SLACK; i++) {
        usleep(20000);
        after = memory();
    }
    if (after > before + MEMORY_SLACK)
        fail_msg("%llu bytes before, %llu after", (unsigned long long)before,
                 (unsigned long long)after);
    /* No name of a method that does not exist becomes a series. */
    char *text = test_http(world->url,
                           "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_null(strstr(text, "mmmmmmmm"));
    assert_null(strstr(text, "__proto__"));
    free(text);
}

static int start(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.workers = 1;
    world = test_in_process_start(&options);
    weft__bytes_init(&made, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_in_process_free(world);
    weft__bytes_done(&made);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_did_not_greet_get_clear_errors),
        cmocka_unit_test(clients_that_greeted_get_clear_errors),
        cmocka_unit_test(credit_that_is_no_total_is_ignored),
        cmocka_unit_test(items_that_may_not_come_close_the_connection),
        cmocka_unit_test(calls_of_others_cannot_be_canceled),
        cmocka_unit_test(acknowledgements_and_numbers_from_the_future_end_the_connection),
        cmocka_unit_test(lengths_that_nobody_may_send_close_the_connection),
        cmocka_unit_test(text_that_is_not_utf8_closes_the_connection),
        cmocka_unit_test(memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
