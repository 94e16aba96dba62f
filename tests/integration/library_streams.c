/* SPDX-License-Identifier: Apache-2.0 */
/* Items beside calls, in C: handlers and callers on loops, on the pool and on plain threads. */
#include "lib/cut_proxy.h"
#include "lib/in_process.h"
#include "lib/random.h"
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>
#include <weft/stream.h>

enum { MANY = 5000, FEWER = 1000 };

static struct test_in_process *world;
static const char large[] = "\"................................................................\"";

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_for(atomic_int *value, int wanted)
{
    for (int i = 0; i < 1000 && atomic_load(value) < wanted; i++)
        pause_ms(10);
    assert_true(atomic_load(value) >= wanted);
}

static void init_options(struct weft_client_options *options)
{
    weft_client_options_init(options);
    options->loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options->url = world->url;
}

static struct weft_client *connect_with(const struct weft_client_options *options)
{
    struct weft_client *client = NULL;
    char message[256];
    if (weft_client_connect(options, &client, message, sizeof(message)))
        fail_msg("%s", message);
    return client;
}

static struct weft_client *connect_client(void)
{
    struct weft_client_options options;
    init_options(&options);
    return connect_with(&options);
}

static struct weft_stream *open_call(struct weft_client *client, const char *method,
                                     const char *params, uint32_t timeout_ms)
{
    struct weft_stream *stream = NULL;
    struct weft_call_options options;
    weft_call_options_init(&options);
    options.timeout_ms = timeout_ms;
    assert_ok(weft_peer_open(weft_client_peer(client), method, params, &options, &stream));
    return stream;
}

static void expect_answer(struct weft_stream *stream, int status, const char *result)
{
    const struct weft_answer *answer = NULL;
    assert_ok(weft_stream_answer_wait(stream, &answer));
    if (answer->status != status)
        fail_msg("%d %s", answer->status, answer->message);
    if (result)
        assert_string_equal(answer->result, result);
    assert_ptr_equal(weft_stream_answer(stream), answer);
}

/* ---- methods ---- */

/* [n]: the numbers 1 to n, on the loop, as there is room. */
struct counting {
    struct weft_call *call;
    long next;
    long last;
};

static void count_on(struct weft_stream *stream, void *ctx)
{
    struct counting *counting = ctx;
    char text[32];
    while (counting->next <= counting->last) {
        snprintf(text, sizeof(text), "%ld", counting->next);
        int err = weft_stream_send(stream, text);
        if (err == WEFT_ERR_AGAIN)
            return;
        if (err)
            break;
        counting->next++;
    }
    weft_stream_on_ready(stream, NULL, NULL);
    snprintf(text, sizeof(text), "%ld", counting->next - 1);
    (void)weft_call_finish(counting->call, text);
    weft_call_release(counting->call);
}

static void serve_count(struct weft_call *call, void *ctx)
{
    struct counting *counting = weft_call_alloc(call, sizeof(*counting));
    (void)ctx;
    *counting = (struct counting){.call = weft_call_keep(call),
                                  .next = 1,
                                  .last = strtol(weft_call_params(call, NULL) + 1, NULL, 10)};
    weft_stream_on_ready(weft_call_stream(call), count_on, counting);
}

/* The same on a thread of the pool, which waits for room. */
static void serve_count_blocking(struct weft_call *call, void *ctx)
{
    long last = strtol(weft_call_params(call, NULL) + 1, NULL, 10);
    char text[32] = "0";
    int err = 0;
    (void)ctx;
    for (long i = 1; i <= last && !err; i++) {
        snprintf(text, sizeof(text), "%ld", i);
        err = weft_stream_send_wait(weft_call_stream(call), text);
    }
    (void)weft_call_finish(call, text);
}

/* The sum of what comes. */
static void serve_total(struct weft_call *call, void *ctx)
{
    struct weft_item *item;
    long total = 0;
    char text[32];
    (void)ctx;
    while (!weft_stream_receive_wait(weft_call_stream(call), &item) && item) {
        total += strtol(item->value, NULL, 10);
        weft_item_free(item);
    }
    snprintf(text, sizeof(text), "%ld", total);
    (void)weft_call_finish(call, text);
}

/* Gives back what comes, on the loop; takes nothing while what it has does not fit. */
struct mirror {
    struct weft_call *call;
    struct weft_item *item;
};

static void mirror_on(struct weft_stream *stream, void *ctx)
{
    struct mirror *mirror = ctx;
    int err = 0;
    while (mirror->item || (!(err = weft_stream_receive(stream, &mirror->item)) && mirror->item)) {
        err = weft_stream_send(stream, mirror->item->value);
        if (err)
            break;
        weft_item_free(mirror->item);
        mirror->item = NULL;
    }
    if (err == WEFT_ERR_AGAIN)
        return;
    weft_item_free(mirror->item);
    weft_stream_on_ready(stream, NULL, NULL);
    (void)weft_call_finish(mirror->call, "\"mirrored\"");
    weft_call_release(mirror->call);
}

static void serve_mirror(struct weft_call *call, void *ctx)
{
    struct mirror *mirror = weft_call_alloc(call, sizeof(*mirror));
    (void)ctx;
    *mirror = (struct mirror){.call = weft_call_keep(call)};
    weft_stream_on_ready(weft_call_stream(call), mirror_on, mirror);
}

/* Sends until nobody wants it; tells how it ended. */
static atomic_int flood_ended;

static void serve_flood(struct weft_call *call, void *ctx)
{
    int err;
    (void)ctx;
    do
        err = weft_stream_send_wait(weft_call_stream(call), large);
    while (!err);
    assert_int_equal(err, WEFT_ERR_CLOSED);
    atomic_fetch_add(&flood_ended, 1);
}

/* Waits for items until nobody wants it. */
static atomic_int listen_began;
static atomic_int listen_ended;

static void serve_listen(struct weft_call *call, void *ctx)
{
    struct weft_item *item;
    int err;
    (void)ctx;
    atomic_fetch_add(&listen_began, 1);
    while (!(err = weft_stream_receive_wait(weft_call_stream(call), &item)) && item)
        weft_item_free(item);
    assert_int_equal(err, WEFT_ERR_CLOSED);
    atomic_fetch_add(&listen_ended, 1);
}

/* Fills its queue at once, then answers: the items come first. */
static void serve_burst(struct weft_call *call, void *ctx)
{
    int sent = 0;
    char text[32];
    (void)ctx;
    while (weft_stream_send(weft_call_stream(call), large) == 0)
        sent++;
    assert_true(sent > 1000);
    assert_err(weft_stream_send(weft_call_stream(call), "[1"), WEFT_ERR_JSON);
    snprintf(text, sizeof(text), "%d", sent);
    assert_ok(weft_call_finish(call, text));
    assert_err(weft_stream_send(weft_call_stream(call), "1"), WEFT_ERR_STATE);
    assert_err(weft_call_finish(call, "1"), WEFT_ERR_STATE);
}

static void serve_burst_and_fail(struct weft_call *call, void *ctx)
{
    static const struct weft_failure failure = {.status = WEFT_STATUS_ABORTED};
    (void)ctx;
    for (int i = 0; i < 100; i++)
        assert_ok(weft_stream_send(weft_call_stream(call), large));
    assert_ok(weft_call_fail(call, &failure));
}

static void serve_plain(struct weft_call *call, void *ctx)
{
    (void)ctx;
    assert_null(weft_call_stream(call));
    assert_ok(weft_call_finish(call, "\"plain\""));
}

static const struct weft_method methods[] = {
    {.name = "test.count", .handler = serve_count, .flags = WEFT_METHOD_SENDS},
    {.name = "test.count_blocking",
     .handler = serve_count_blocking,
     .flags = WEFT_METHOD_SENDS | WEFT_METHOD_BLOCKING},
    {.name = "test.total",
     .handler = serve_total,
     .flags = WEFT_METHOD_RECEIVES | WEFT_METHOD_BLOCKING},
    {.name = "test.mirror",
     .handler = serve_mirror,
     .flags = WEFT_METHOD_RECEIVES | WEFT_METHOD_SENDS},
    {.name = "test.flood",
     .handler = serve_flood,
     .flags = WEFT_METHOD_SENDS | WEFT_METHOD_BLOCKING},
    {.name = "test.listen",
     .handler = serve_listen,
     .flags = WEFT_METHOD_RECEIVES | WEFT_METHOD_BLOCKING},
    {.name = "test.burst", .handler = serve_burst, .flags = WEFT_METHOD_SENDS},
    {.name = "test.burst_and_fail", .handler = serve_burst_and_fail, .flags = WEFT_METHOD_SENDS},
    {.name = "test.plain", .handler = serve_plain},
};

/* ---- from the server ---- */

/* Takes items that count up from 1; returns how many. */
static long receive_count(struct weft_stream *stream)
{
    struct weft_item *item;
    long count = 0;
    int err;
    while (!(err = weft_stream_receive_wait(stream, &item)) && item) {
        assert_int_equal(strtol(item->value, NULL, 10), ++count);
        assert_int_equal(item->len, strlen(item->value));
        weft_item_free(item);
    }
    assert_ok(err);
    return count;
}

static void items_come_in_order_and_before_the_answer(void **state)
{
    static const char *const names[] = {"test.count", "test.count_blocking", "demo.count"};
    (void)state;
    struct weft_client *client = connect_client();
    for (size_t i = 0; i < 3; i++) {
        struct weft_stream *stream = open_call(client, names[i], "[5000]", 0);
        assert_int_equal(receive_count(stream), MANY);
        expect_answer(stream, 0, "5000");
        weft_stream_unref(stream);
    }
    weft_client_close(client);
}

static void a_wide_window_may_be_asked_for(void **state)
{
    (void)state;
    struct weft_stream *stream = NULL;
    struct weft_call_options options;
    struct weft_client *client = connect_client();
    weft_call_options_init(&options);
    options.window_items = 1000;
    options.window_bytes = 1000000;
    assert_ok(weft_peer_open(weft_client_peer(client), "test.count", "[5000]", &options, &stream));
    assert_int_equal(receive_count(stream), MANY);
    expect_answer(stream, 0, "5000");
    weft_stream_unref(stream);
    weft_client_close(client);
}

static void what_was_sent_comes_before_the_answer(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.burst", NULL, 0);
    struct weft_item *item;
    int count = 0;
    char text[32];
    while (!weft_stream_receive_wait(stream, &item) && item) {
        assert_string_equal(item->value, large);
        weft_item_free(item);
        count++;
    }
    snprintf(text, sizeof(text), "%d", count);
    expect_answer(stream, 0, text);
    weft_stream_unref(stream);

    stream = open_call(client, "test.burst_and_fail", NULL, 0);
    for (count = 0; !weft_stream_receive_wait(stream, &item) && item; count++)
        weft_item_free(item);
    assert_int_equal(count, 100);
    expect_answer(stream, WEFT_STATUS_ABORTED, NULL);
    weft_stream_unref(stream);
    weft_client_close(client);
}

static void waiting_for_the_answer_drops_the_items(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.count", "[5000]", 0);
    struct weft_item *item = NULL;
    expect_answer(stream, 0, "5000");
    assert_ok(weft_stream_receive(stream, &item));
    assert_null(item);
    weft_stream_unref(stream);
    weft_client_close(client);
}

/* ---- to the server ---- */

static void items_go_to_the_server(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.total", NULL, 0);
    char text[32];
    for (int i = 1; i <= MANY; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_ok(weft_stream_send_wait(stream, text));
    }
    weft_stream_end(stream);
    assert_err(weft_stream_send(stream, "1"), WEFT_ERR_STATE);
    snprintf(text, sizeof(text), "%d", MANY * (MANY + 1) / 2);
    expect_answer(stream, 0, text);
    weft_stream_unref(stream);
    weft_client_close(client);
}

static void a_slow_receiver_slows_the_sender_down(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.mirror", NULL, 0);
    int sent = 0;
    /* Nobody takes what comes back: both windows and both queues fill up, and no more. */
    for (int i = 0; i < 200; i++) {
        while (weft_stream_send(stream, "1") == 0)
            sent++;
        pause_ms(1);
    }
    assert_in_range(sent, 100, 4000);
    weft_stream_cancel(stream);
    expect_answer(stream, WEFT_STATUS_CANCELED, NULL);
    assert_err(weft_stream_send(stream, "1"), WEFT_ERR_CLOSED);
    weft_stream_unref(stream);
    weft_client_close(client);
}

/* ---- both ways ---- */

static void *send_many(void *arg)
{
    char text[32];
    for (int i = 1; i <= FEWER; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_ok(weft_stream_send_wait(arg, text));
    }
    weft_stream_end(arg);
    return NULL;
}

static void items_go_both_ways_at_once(void **state)
{
    (void)state;
    pthread_t thread;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "demo.mirror", NULL, 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, stream), 0);
    assert_int_equal(receive_count(stream), FEWER);
    pthread_join(thread, NULL);
    expect_answer(stream, 0, "null");
    weft_stream_unref(stream);

    stream = open_call(client, "test.mirror", NULL, 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, stream), 0);
    assert_int_equal(receive_count(stream), FEWER);
    pthread_join(thread, NULL);
    expect_answer(stream, 0, "\"mirrored\"");
    weft_stream_unref(stream);
    weft_client_close(client);
}

/* ---- without waiting ---- */

struct polled {
    atomic_int items;
    atomic_int answers;
};

static void poll_on(struct weft_stream *stream, void *ctx)
{
    struct polled *polled = ctx;
    struct weft_item *item;
    while (!weft_stream_receive(stream, &item) && item) {
        weft_item_free(item);
        atomic_fetch_add(&polled->items, 1);
    }
    assert_err(weft_stream_receive_wait(stream, &item), WEFT_ERR_STATE);
    assert_err(weft_stream_send_wait(stream, "1"), WEFT_ERR_STATE);
    if (weft_stream_answer(stream))
        atomic_fetch_add(&polled->answers, 1);
}

static void a_caller_is_told_when_to_come_back(void **state)
{
    (void)state;
    struct polled polled = {.items = 0};
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.count", "[5000]", 0);
    struct weft_item *item;
    weft_stream_on_ready(stream, poll_on, &polled);
    wait_for(&polled.answers, 1);
    assert_int_equal(atomic_load(&polled.items), MANY);
    assert_ok(weft_stream_receive(stream, &item));
    assert_null(item);
    weft_stream_unref(stream);
    weft_client_close(client);
}

/* ---- the end of a call ---- */

static void leaving_early_cancels_the_call(void **state)
{
    (void)state;
    int before = atomic_load(&flood_ended);
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.flood", NULL, 0);
    struct weft_item *item;
    assert_ok(weft_stream_receive_wait(stream, &item));
    weft_item_free(item);
    weft_stream_unref(stream);
    wait_for(&flood_ended, before + 1);

    before = atomic_load(&listen_ended);
    stream = open_call(client, "test.listen", NULL, 0);
    assert_ok(weft_stream_send(stream, "{}"));
    wait_for(&listen_began, before + 1);
    weft_stream_cancel(stream);
    weft_stream_cancel(stream);
    expect_answer(stream, WEFT_STATUS_CANCELED, NULL);
    assert_ok(weft_stream_receive_wait(stream, &item));
    assert_null(item);
    weft_stream_unref(stream);
    wait_for(&listen_ended, before + 1);
    weft_client_close(client);
}

static void a_deadline_ends_both_sides(void **state)
{
    (void)state;
    int before = atomic_load(&flood_ended);
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.flood", NULL, 50);
    struct weft_item *item;
    assert_ok(weft_stream_receive_wait(stream, &item));
    weft_item_free(item);
    wait_for(&flood_ended, before + 1);
    expect_answer(stream, WEFT_STATUS_DEADLINE_EXCEEDED, NULL);
    weft_stream_unref(stream);
    weft_client_close(client);
}

static void so_does_the_end_of_the_connection(void **state)
{
    (void)state;
    int began = atomic_load(&listen_began);
    int before = atomic_load(&flood_ended) + atomic_load(&listen_ended);
    struct weft_client *client = connect_client();
    struct weft_stream *floods = open_call(client, "test.flood", NULL, 0);
    struct weft_stream *listens = open_call(client, "test.listen", NULL, 0);
    struct weft_item *item;
    assert_ok(weft_stream_receive_wait(floods, &item));
    weft_item_free(item);
    wait_for(&listen_began, began + 1);
    weft_client_close(client);
    expect_answer(floods, WEFT_STATUS_UNAVAILABLE, NULL);
    expect_answer(listens, WEFT_STATUS_UNAVAILABLE, NULL);
    assert_err(weft_stream_send(listens, "1"), WEFT_ERR_CLOSED);
    weft_stream_unref(floods);
    weft_stream_unref(listens);
    for (int i = 0; i < 1000 && atomic_load(&flood_ended) + atomic_load(&listen_ended) < before + 2;
         i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&flood_ended) + atomic_load(&listen_ended), before + 2);
}

/* The handler learns of it in its callback, and answers and lets go there. */
static void so_does_it_for_a_handler_that_answers_when_told(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct weft_item *item = NULL;
        struct weft_client *client = connect_client();
        struct weft_stream *stream = open_call(client, "test.count", "[1000000]", 0);
        assert_ok(weft_stream_receive_wait(stream, &item));
        weft_item_free(item);
        weft_client_close(client); /* while the handler waits for room */
        weft_stream_unref(stream);
        client = connect_client();
        stream = open_call(client, "test.count", "[3]", 0);
        expect_answer(stream, WEFT_STATUS_OK, "3");
        weft_stream_unref(stream);
        weft_client_close(client);
    }
}

static void a_plain_method_can_be_opened_and_answers(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.plain", NULL, 0);
    expect_answer(stream, 0, "\"plain\"");
    weft_stream_unref(stream);
    stream = open_call(client, "test.unknown", NULL, 0);
    struct weft_item *item;
    assert_ok(weft_stream_receive_wait(stream, &item));
    assert_null(item);
    expect_answer(stream, WEFT_STATUS_UNIMPLEMENTED, NULL);
    weft_stream_unref(stream);
    assert_err(weft_peer_open(weft_client_peer(client), "test.plain", "1", NULL, &stream),
               WEFT_ERR_USAGE);
    weft_client_close(client);
}

static void unfit_items_are_refused(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_stream *stream = open_call(client, "test.total", NULL, 0);
    assert_err(weft_stream_send(stream, "1 2"), WEFT_ERR_JSON);
    assert_err(weft_stream_send(stream, ""), WEFT_ERR_JSON);
    assert_err(weft_stream_send(stream, "\"\xff\""), WEFT_ERR_JSON);
    assert_ok(weft_stream_send(stream, "7"));
    weft_stream_end(stream);
    weft_stream_end(stream);
    expect_answer(stream, 0, "7");
    weft_stream_unref(stream);
    weft_client_close(client);
}

/* ---- the server calls its clients ---- */

static atomic_int client_answered;

static void on_ready_of_client(struct weft_stream *stream, void *ctx)
{
    struct weft_item *item;
    while (!weft_stream_receive(stream, &item) && item)
        weft_item_free(item);
    const struct weft_answer *answer = weft_stream_answer(stream);
    if (!answer)
        return;
    assert_string_equal(answer->result, "300");
    weft_stream_on_ready(stream, NULL, NULL);
    weft_stream_unref(stream);
    (void)weft_call_finish(ctx, "\"called\"");
    weft_call_release(ctx);
    atomic_fetch_add(&client_answered, 1);
}

static void serve_call_back(struct weft_call *call, void *ctx)
{
    struct weft_stream *stream = NULL;
    (void)ctx;
    assert_ok(weft_peer_open(weft_call_peer(call), "test.count", "[300]", NULL, &stream));
    weft_stream_on_ready(stream, on_ready_of_client, weft_call_keep(call));
}

static void servers_open_streams_of_clients(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_answer *answer = NULL;
    init_options(&options);
    options.methods = methods;
    options.method_count = 1;
    struct weft_client *client = connect_with(&options);
    assert_ok(weft_peer_call_wait(weft_client_peer(client), "test.call_back", NULL, NULL, &answer));
    assert_string_equal(answer->result, "\"called\"");
    weft_answer_free(answer);
    weft_client_close(client);
}

/* ---- broken connections ---- */

static void nothing_is_lost_or_doubled_over_broken_connections(void **state)
{
    (void)state;
    struct weft_client_options options;
    char url[64];
    struct test_random rng;
    test_random_init(&rng, "streams over broken connections");
    struct test_cut_proxy *proxy = test_cut_proxy_start(
        (unsigned)strtoul(strrchr(world->url, ':') + 1, NULL, 10),
        &(struct test_cut_proxy_options){
            .seed = test_random_u64(&rng), .cut_bytes = 10000, .chunk_bytes = 700, .delay_ms = 1});
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws", test_cut_proxy_port(proxy));
    init_options(&options);
    options.url = url;
    options.reconnect = 1;
    options.reconnect_min_ms = 5;
    options.reconnect_max_ms = 20;
    struct weft_client *client = NULL;
    char message[256];
    for (int tries = 20; weft_client_connect(&options, &client, message, sizeof(message));)
        assert_true(--tries);
    pthread_t thread;
    struct weft_stream *counts = open_call(client, "test.count_blocking", "[1000]", 0);
    struct weft_stream *mirrors = open_call(client, "demo.mirror", NULL, 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, mirrors), 0);
    assert_int_equal(receive_count(counts), FEWER);
    assert_int_equal(receive_count(mirrors), FEWER);
    pthread_join(thread, NULL);
    expect_answer(counts, 0, "1000");
    expect_answer(mirrors, 0, "null");
    assert_true(test_cut_proxy_cuts(proxy) > 3);
    weft_stream_unref(counts);
    weft_stream_unref(mirrors);
    weft_client_close(client);
    test_cut_proxy_stop(proxy);
}

/* ---- the group ---- */

static int start_world(void **state)
{
    static struct weft_method all[WEFT_ARRAY_LEN(methods) + 1];
    struct weft_server_options options;
    (void)state;
    memcpy(all, methods, sizeof(methods));
    all[WEFT_ARRAY_LEN(methods)] =
        (struct weft_method){.name = "test.call_back", .handler = serve_call_back};
    test_in_process_options(&options);
    options.methods = all;
    options.method_count = WEFT_ARRAY_LEN(all);
    options.pool_threads = 4;
    world = test_in_process_start(&options);
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_and_before_the_answer),
        cmocka_unit_test(a_wide_window_may_be_asked_for),
        cmocka_unit_test(what_was_sent_comes_before_the_answer),
        cmocka_unit_test(waiting_for_the_answer_drops_the_items),
        cmocka_unit_test(items_go_to_the_server),
        cmocka_unit_test(a_slow_receiver_slows_the_sender_down),
        cmocka_unit_test(items_go_both_ways_at_once),
        cmocka_unit_test(a_caller_is_told_when_to_come_back),
        cmocka_unit_test(leaving_early_cancels_the_call),
        cmocka_unit_test(a_deadline_ends_both_sides),
        cmocka_unit_test(so_does_the_end_of_the_connection),
        cmocka_unit_test(so_does_it_for_a_handler_that_answers_when_told),
        cmocka_unit_test(a_plain_method_can_be_opened_and_answers),
        cmocka_unit_test(unfit_items_are_refused),
        cmocka_unit_test(servers_open_streams_of_clients),
        cmocka_unit_test(nothing_is_lost_or_doubled_over_broken_connections),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
