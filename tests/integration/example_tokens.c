/* SPDX-License-Identifier: Apache-2.0 */
/* examples/tokens.c: words as they are made, and no work once their reader has left. */
#include "integration/example_process.h"

static struct example example;

static int start(void **state)
{
    (void)state;
    example_start_server(&example, "tokens", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    example_stop(&example);
    return 0;
}

static long made(struct weft_client *client)
{
    struct weft_answer *answer = NULL;
    assert_ok(weft_peer_call_wait(weft_client_peer(client), "text.made", NULL, NULL, &answer));
    long count = strtol(answer->result, NULL, 10);
    weft_answer_free(answer);
    return count;
}

static void words_come_before_the_answer(void **state)
{
    struct weft_item *item;
    const struct weft_answer *answer = NULL;
    int words = 0;
    (void)state;
    struct weft_client *client = example_connect(example.url);
    struct weft_stream *stream = example_open(client, "text.generate", "[12]");
    while (weft_stream_receive_wait(stream, &item) == 0 && item) {
        assert_int_equal(item->value[0], '"');
        weft_item_free(item);
        words++;
    }
    assert_int_equal(words, 12);
    assert_ok(weft_stream_answer_wait(stream, &answer));
    assert_string_equal(answer->result, "{\"words\":12}");
    weft_stream_unref(stream);
    example_expect_call(client, "text.generate", "[0]", WEFT_STATUS_INVALID_ARGUMENT, NULL);
    weft_client_close(client);
}

static void a_reader_who_leaves_stops_the_work(void **state)
{
    struct weft_item *item;
    (void)state;
    struct weft_client *client = example_connect(example.url);
    struct weft_stream *stream = example_open(client, "text.generate", "[100000]");
    for (int i = 0; i < 3; i++) {
        assert_ok(weft_stream_receive_wait(stream, &item));
        weft_item_free(item);
    }
    weft_stream_unref(stream);
    long before;
    long after = made(client);
    int rounds = 0;
    do {
        (void)usleep(50000);
        before = after;
        after = made(client);
    } while (after != before && ++rounds < 100);
    assert_int_equal(after, before);
    weft_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_before_the_answer),
        cmocka_unit_test(a_reader_who_leaves_stops_the_work),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
