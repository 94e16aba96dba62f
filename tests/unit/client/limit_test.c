/* SPDX-License-Identifier: Apache-2.0 */
/* What is larger than the server takes (4,096 bytes here) stays here: sending it would end the
 * connection, and with it what everybody else is doing there. */
#include "scripted_server.h"

#include <weft/client.h>
#include <weft/stream.h>

enum { TOO_MUCH = 4096 };

/* A JSON array with a string, |TOO_MUCH| bytes. */
static char text[TOO_MUCH + 1];

static int make_text(void **state)
{
    (void)state;
    memset(text, 'x', TOO_MUCH);
    memcpy(text, "[\"", 2);
    memcpy(text + TOO_MUCH - 2, "\"]", 2);
    text[TOO_MUCH] = '\0';
    return 0;
}

static void on_work(struct weft_call *call, void *ctx)
{
    struct event_log *log = ctx;
    const struct weft_failure failure = {.status = WEFT_STATUS_ABORTED, .details = text};
    log_add(log, "%s ", weft_err_name(weft_call_finish(call, text)));
    log_add(log, "%s ", weft_err_name(weft_call_fail(call, &failure)));
    log_add(log, "%s ", weft_err_name(weft_call_finish(call, "1")));
}

static struct weft_client *connect_to(const struct script *script, struct event_log *log)
{
    char message[256] = "";
    struct weft_client *client = NULL;
    struct weft_client_options options;
    const struct weft_method method = {.name = "work", .handler = on_work, .ctx = log};
    weft_client_options_init(&options);
    options.url = script->url;
    options.methods = &method;
    options.method_count = 1;
    int err = weft_client_connect(&options, &client, message, sizeof(message));
    if (err)
        fail_msg("%s", message);
    return client;
}

static void serve_one(struct script *script)
{
    script_answer(script, script_expect(script, "small"), "\"result\":1");
}

static void calls_of_the_peer_are_refused(void **state)
{
    (void)state;
    struct script script = {.run = serve_one};
    struct weft_answer *answer = NULL;
    struct weft_stream *stream = NULL;
    struct event_log log;
    log_init(&log);
    script_start(&script);
    struct weft_client *client = connect_to(&script, &log);
    struct weft_peer *peer = weft_client_peer(client);
    assert_err(weft_peer_call(peer, "large", text, NULL, NULL, NULL), WEFT_ERR_TOO_BIG);
    assert_err(weft_peer_notify(peer, "large", text), WEFT_ERR_TOO_BIG);
    assert_err(weft_peer_open(peer, "large", text, NULL, &stream), WEFT_ERR_TOO_BIG);
    assert_ok(weft_peer_call_wait(peer, "small", NULL, NULL, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

static void serve_upload(struct script *script)
{
    const struct weft_json *call = script_expect(script, "upload");
    (void)script_expect(script, "$/item");
    (void)script_expect(script, "$/end");
    script_answer(script, call, "\"result\":1");
}

static void items_are_refused(void **state)
{
    (void)state;
    struct script script = {.run = serve_upload};
    struct weft_stream *stream = NULL;
    const struct weft_answer *answer = NULL;
    struct event_log log;
    log_init(&log);
    script_start(&script);
    struct weft_client *client = connect_to(&script, &log);
    assert_ok(weft_peer_open(weft_client_peer(client), "upload", NULL, NULL, &stream));
    assert_err(weft_stream_send(stream, text), WEFT_ERR_TOO_BIG);
    assert_err(weft_stream_send_wait(stream, text), WEFT_ERR_TOO_BIG);
    assert_ok(weft_stream_send_wait(stream, "[1]"));
    weft_stream_end(stream);
    assert_ok(weft_stream_answer_wait(stream, &answer));
    assert_int_equal(answer->status, 0);
    weft_stream_unref(stream);
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

static void call_work(struct script *script)
{
    script_send(script, "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"work\"}");
    const struct weft_json *answer = script_recv(script);
    SCRIPT_CHECK(answer &&
                 weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "result")), "1"));
}

static void answers_are_refused_and_another_can_be_given(void **state)
{
    (void)state;
    struct script script = {.run = call_work};
    struct event_log log;
    log_init(&log);
    script_start(&script);
    struct weft_client *client = connect_to(&script, &log);
    log_wait(&log, "TOO_BIG TOO_BIG OK ");
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_the_peer_are_refused),
        cmocka_unit_test(items_are_refused),
        cmocka_unit_test(answers_are_refused_and_another_can_be_given),
    };
    return cmocka_run_group_tests(tests, make_text, NULL);
}
