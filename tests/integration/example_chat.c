/* SPDX-License-Identifier: Apache-2.0 */
/* examples/chat.c: what one says, all hear, until they leave. */
#include "integration/example_process.h"

static struct example example;

static int start(void **state)
{
    (void)state;
    example_start_server(&example, "chat", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    example_stop(&example);
    return 0;
}

static void what_one_says_all_hear(void **state)
{
    (void)state;
    struct weft_client *ann = example_connect(example.url);
    struct weft_client *bob = example_connect(example.url);
    struct weft_stream *to_ann = example_open(ann, "chat.join", "{\"name\":\"ann\"}");
    example_expect_item(to_ann, "{\"joined\":true,\"by\":{\"name\":\"ann\"}}");
    example_expect_call(bob, "chat.say", "{\"text\":\"hi\"}", WEFT_STATUS_FAILED_PRECONDITION,
                        NULL);
    struct weft_stream *to_bob = example_open(bob, "chat.join", "{\"name\":\"bob\"}");
    example_expect_item(to_ann, "{\"joined\":true,\"by\":{\"name\":\"bob\"}}");
    example_expect_item(to_bob, "{\"joined\":true,\"by\":{\"name\":\"bob\"}}");

    example_expect_call(bob, "chat.say", "{\"text\":\"hi\"}", 0, "null");
    example_expect_item(to_ann, "{\"said\":{\"text\":\"hi\"},\"by\":{\"name\":\"bob\"}}");
    example_expect_item(to_bob, "{\"said\":{\"text\":\"hi\"},\"by\":{\"name\":\"bob\"}}");
    example_expect_call(bob, "chat.join", "{}", WEFT_STATUS_ALREADY_EXISTS, NULL);
    weft_stream_unref(to_bob);
    weft_client_close(bob);
    example_expect_item(to_ann, "{\"left\":true,\"by\":{\"name\":\"bob\"}}");
    weft_stream_unref(to_ann);
    weft_client_close(ann);
}

static void a_crowd_hears_everything_in_order(void **state)
{
    enum { CROWD = 20, LINES = 50 };
    struct weft_client *clients[CROWD];
    struct weft_stream *streams[CROWD];
    char text[80];
    (void)state;
    for (int i = 0; i < CROWD; i++) {
        clients[i] = example_connect(example.url);
        snprintf(text, sizeof(text), "[%d]", i);
        streams[i] = example_open(clients[i], "chat.join", text);
        for (int k = 0; k <= i; k++) {
            snprintf(text, sizeof(text), "{\"joined\":true,\"by\":[%d]}", i);
            example_expect_item(streams[k], text);
        }
    }
    for (int i = 0; i < LINES; i++) {
        snprintf(text, sizeof(text), "[%d]", i);
        example_expect_call(clients[i % CROWD], "chat.say", text, 0, "null");
    }
    for (int i = 0; i < CROWD; i++) {
        for (int k = 0; k < LINES; k++) {
            snprintf(text, sizeof(text), "{\"said\":[%d],\"by\":[%d]}", k, k % CROWD);
            example_expect_item(streams[i], text);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        weft_stream_unref(streams[i]);
        weft_client_close(clients[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_says_all_hear),
        cmocka_unit_test(a_crowd_hears_everything_in_order),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
