/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of calls in the form of an application fails once, on both wires: nothing leaks,
 * every call ends exactly once, and no answer says "not executed" of a handler that ran. */
#include "peer_world.h"

#include "rpc/binary.h"
#include "rpc/jsonrpc.h"

#include <weft/stream.h>

enum { CALLS_MAX = 16, ITEMS = 40 };

static const struct weft_rpc_wire *const wires[] = {&weft__rpc_wire_json, &weft__rpc_wire_binary};

/* ---- calls and their answers ---- */

struct asked {
    const char *method;
    int status; /* the one expected when there is memory */
    int answers;
    bool ran; /* by a handler that noted it */
};

/* What a step knows; the handlers find it by their ctx. */
static struct state {
    struct world world;
    struct asked asked[CALLS_MAX];
    size_t count;
    struct weft_call *kept[CALLS_MAX];
    size_t kept_count;
    bool lacked; /* a function said WEFT_ERR_NOMEM */
    int notified;
    /* streams */
    bool mirrors; /* a handler has the call */
    int taken;    /* items that a handler got */
    int sent;     /* items that it gave back */
    struct weft_stream *stream;
    int offered, received;
    bool sealed;
} the;

static int noted(int err)
{
    if (err == WEFT_ERR_NOMEM)
        the.lacked = true;
    return err;
}

static void check_answer(const struct weft_answer *answer, int want)
{
    bool lost = answer->status == WEFT_STATUS_UNAVAILABLE && !the.world.connected;
    bool lacked = answer->status == WEFT_STATUS_RESOURCE_EXHAUSTED;
    if (answer->status != want && !lost && !lacked)
        fail_msg("status %d (%s), not %d", answer->status, answer->reason, want);
    if (lost || lacked)
        the.lacked = true;
    if (lacked && !strstr(answer->reason, ".memory"))
        fail_msg("%s (%s)", answer->message, answer->reason);
}

static void on_answer(void *ctx, const struct weft_answer *answer)
{
    struct asked *asked = ctx;
    ++asked->answers;
    check_answer(answer, asked->status);
    if (asked->ran)
        assert_int_not_equal(answer->executed, WEFT_EXECUTED_NO);
}

/* The parameters are the number of the call among |the.asked|. */
static void ask(const char *method, int status)
{
    char params[16];
    const struct weft_call_options options = {
        .struct_size = sizeof(options), .idempotency_key = "key-1", .traceparent = "00-ab-cd-01"};
    struct asked *asked = &the.asked[the.count];
    assert_true(the.count < CALLS_MAX);
    snprintf(params, sizeof(params), "[%zu]", the.count);
    *asked = (struct asked){.method = method, .status = status};
    if (noted(weft_peer_call(the.world.to_server, method, params, &options, on_answer, asked)) == 0)
        ++the.count;
}

/* ---- handlers ---- */

/* Answers at once, unless there is no memory for that. */
static void serve_now(struct weft_call *call, void *ctx)
{
    size_t len;
    (void)ctx;
    assert_string_equal(weft_call_method(call), "t.now");
    (void)weft_call_alloc(call, 100);
    (void)noted(weft_call_finish(call, weft_call_params(call, &len)));
}

static struct asked *asked_by(struct weft_call *call)
{
    size_t i = strtoull(weft_call_params(call, NULL) + 1, NULL, 10);
    assert_true(i < CALLS_MAX);
    return &the.asked[i];
}

/* Keeps it for another thread. */
static void serve_keep(struct weft_call *call, void *ctx)
{
    (void)ctx;
    assert_true(the.kept_count < CALLS_MAX);
    asked_by(call)->ran = true;
    the.kept[the.kept_count++] = weft_call_keep(call);
}

static void serve_notice(struct weft_call *call, void *ctx)
{
    (void)ctx;
    the.notified += weft_call_is_notification(call);
}

static void answered_there(void *ctx, const struct weft_answer *answer)
{
    struct weft_call *call = ctx;
    check_answer(answer, WEFT_STATUS_OK);
    (void)noted(weft_call_finish(call, "\"back\""));
    weft_call_release(call);
}

static const struct weft_failure lack = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                         .reason = "test.memory"};

static void give_up(struct weft_call *call)
{
    (void)noted(weft_call_fail(call, &lack));
    weft_call_release(call);
}

/* Calls the caller before it answers. */
static void serve_back(struct weft_call *call, void *ctx)
{
    (void)ctx;
    weft_call_keep(call);
    if (noted(weft_peer_call(weft_call_peer(call), "t.now", "[1]", NULL, answered_there, call)))
        give_up(call);
}

/* Answers what was kept, each in another way. */
static void *answer_kept(void *ctx)
{
    static const struct weft_violation rules[] = {{"a", "b"}, {"c", NULL}};
    static const struct weft_failure failure = {.status = WEFT_STATUS_ABORTED,
                                                .message = "not now",
                                                .reason = "test.race",
                                                .details = "{\"x\":[1,2]}",
                                                .violations = rules,
                                                .violation_count = 2};
    (void)ctx;
    for (size_t i = 0; i < the.kept_count; i++) {
        struct weft_call *call = the.kept[i];
        int err = 0, status = asked_by(call)->status;
        if (status == WEFT_STATUS_OK)
            err = weft_call_finish(call, "{\"later\":true}");
        else if (status == WEFT_STATUS_ABORTED)
            err = weft_call_fail(call, &failure);
        if (noted(err) != WEFT_ERR_NOMEM && err != WEFT_ERR_CLOSED)
            assert_ok(err);
        weft_call_release(call);
    }
    the.kept_count = 0;
    return NULL;
}

/* ---- items ---- */

/* Lets go of the call, whether it was answered, canceled, or ended for want of memory. */
static void leave_mirror(struct weft_call *call)
{
    if (!the.mirrors)
        return;
    the.mirrors = false;
    weft_stream_on_ready(weft_call_stream(call), NULL, NULL);
    weft_call_release(call);
}

/* Gives back what comes. */
static void mirror(struct weft_stream *stream, void *ctx)
{
    struct weft_call *call = ctx;
    struct weft_item *item;
    int err;
    while (!(err = weft_stream_receive(stream, &item)) && item) {
        char want[16];
        snprintf(want, sizeof(want), "%d", the.taken);
        assert_string_equal(item->value, want); /* none is missing */
        ++the.taken;
        int sending = noted(weft_stream_send(stream, item->value));
        if (!sending)
            ++the.sent;
        weft_item_free(item);
        if (sending) {
            err = sending;
            break;
        }
    }
    if (err == WEFT_ERR_AGAIN)
        return;
    if (!err)
        (void)noted(weft_call_finish(call, "\"all\""));
    else if (err == WEFT_ERR_NOMEM)
        (void)noted(weft_call_fail(call, &lack));
    leave_mirror(call);
}

static void gone(struct weft_call *call, void *ctx)
{
    (void)ctx;
    leave_mirror(call);
}

static void serve_mirror(struct weft_call *call, void *ctx)
{
    (void)ctx;
    the.mirrors = true;
    weft_call_keep(call);
    weft_call_on_cancel(call, gone, NULL);
    weft_stream_on_ready(weft_call_stream(call), mirror, call);
}

static const struct weft_method methods[] = {
    {.name = "t.now", .handler = serve_now},
    {.name = "t.ran", .handler = serve_keep},
    {.name = "t.notice", .handler = serve_notice},
    {.name = "t.back", .handler = serve_back},
    {.name = "t.mirror",
     .handler = serve_mirror,
     .flags = WEFT_METHOD_RECEIVES | WEFT_METHOD_SENDS},
};

static int begin(const struct weft_alloc *alloc, void *ctx)
{
    memset(&the, 0, sizeof(the));
    return world_init(&the.world, alloc, ctx, methods, WEFT_ARRAY_LEN(methods));
}

/* Ends the world and checks that every call had one answer. */
static int end(int err)
{
    answer_kept(NULL);
    world_done(&the.world);
    for (size_t i = 0; i < the.count; i++)
        if (the.asked[i].answers != 1)
            fail_msg("%s has %d answers", the.asked[i].method, the.asked[i].answers);
    return err ? err : the.lacked ? WEFT_ERR_NOMEM : 0;
}

/* ---- the steps ---- */

static int call(const struct weft_alloc *alloc, void *ctx)
{
    int err = begin(alloc, ctx);
    if (!err) {
        ask("t.now", WEFT_STATUS_OK);
        ask("t.ran", WEFT_STATUS_OK);
        ask("t.ran", WEFT_STATUS_ABORTED);
        ask("t.ran", WEFT_STATUS_INTERNAL);
        ask("t.none", WEFT_STATUS_UNIMPLEMENTED);
        ask("t.back", WEFT_STATUS_OK);
        (void)noted(weft_peer_notify(the.world.to_server, "t.notice", "[]"));
        world_run(&the.world);
        world_elsewhere(answer_kept, NULL);
        world_run(&the.world);
        if (the.world.connected)
            for (size_t i = 0; i < the.count; i++)
                assert_int_equal(the.asked[i].answers, 1);
    }
    return end(err);
}

static void *ask_elsewhere(void *ctx)
{
    (void)ctx;
    ask("t.now", WEFT_STATUS_OK);
    ask("t.ran", WEFT_STATUS_OK);
    return NULL;
}

/* The connection ends while handlers and callers of other threads hold calls. */
static int call_and_leave(const struct weft_alloc *alloc, void *ctx)
{
    int err = begin(alloc, ctx);
    if (!err) {
        world_elsewhere(ask_elsewhere, NULL);
        world_run(&the.world);
        world_elsewhere(ask_elsewhere, NULL);
        world_disconnect(&the.world);
        world_elsewhere(answer_kept, NULL);
        world_run(&the.world);
        for (size_t i = 0; i < the.count; i++)
            if (the.asked[i].answers != 1)
                fail_msg("%zu has %d answers", i, the.asked[i].answers);
        ask("t.now", WEFT_STATUS_UNAVAILABLE);
        world_run(&the.world);
        the.lacked = false; /* `unavailable` is the right answer here */
    }
    return end(err);
}

static void take_items(void)
{
    struct weft_item *item;
    while (!weft_stream_receive(the.stream, &item) && item) {
        char want[16];
        snprintf(want, sizeof(want), "%d", the.received);
        assert_string_equal(item->value, want);
        ++the.received;
        weft_item_free(item);
    }
}

/* Offers as many items as go, and ends behind the last one. */
static void *give_items(void *ctx)
{
    (void)ctx;
    while (the.offered < ITEMS && !the.sealed) {
        char value[16];
        snprintf(value, sizeof(value), "%d", the.offered);
        int err = noted(weft_stream_send(the.stream, value));
        if (err == WEFT_ERR_AGAIN)
            return NULL;
        if (err) {
            the.sealed = true;
            break;
        }
        ++the.offered;
    }
    the.sealed = true;
    weft_stream_end(the.stream);
    return NULL;
}

static void check_stream_answer(void)
{
    const struct weft_answer *answer = weft_stream_answer(the.stream);
    if (!answer) {
        the.lacked = true; /* there was no memory for it; else the run without a failure fails */
        return;
    }
    check_answer(answer, WEFT_STATUS_OK);
    if (answer->status == WEFT_STATUS_OK) {
        assert_int_equal(the.received, the.offered);
        assert_string_equal(answer->result, "\"all\"");
    }
}

/* Items both ways; sent by this thread, then by another one. */
static int stream_items(const struct weft_alloc *alloc, void *ctx)
{
    enum { ROUNDS = 20 };
    int err = begin(alloc, ctx);
    if (!err)
        err = weft_peer_open(the.world.to_server, "t.mirror", "[]", NULL, &the.stream);
    if (!err) {
        (void)noted(weft_stream_send(the.stream, "0"));
        the.offered = the.lacked ? 0 : 1;
        the.sealed = the.lacked;
        for (int i = 0; i < ROUNDS; i++) {
            world_elsewhere(give_items, NULL);
            world_run(&the.world);
            take_items();
        }
        world_run(&the.world);
        take_items();
        check_stream_answer();
        weft_stream_unref(the.stream);
    }
    return end(err);
}

/* The caller gives up in the middle; what is still on its way is nobody's. */
static int stream_and_cancel(const struct weft_alloc *alloc, void *ctx)
{
    int err = begin(alloc, ctx);
    if (!err)
        err = weft_peer_open(the.world.to_server, "t.mirror", "[]", NULL, &the.stream);
    if (!err) {
        give_items(NULL);
        if (the.world.connected && the.world.first)
            world_deliver(&the.world);
        weft_stream_cancel(the.stream);
        world_turn(&the.world);
        world_run(&the.world);
        const struct weft_answer *answer = weft_stream_answer(the.stream);
        if (answer)
            check_answer(answer, WEFT_STATUS_CANCELED);
        else
            the.lacked = true;
        weft_stream_unref(the.stream);
    }
    return end(err);
}

/* The connection ends in the middle. */
static int stream_and_leave(const struct weft_alloc *alloc, void *ctx)
{
    int err = begin(alloc, ctx);
    if (!err)
        err = weft_peer_open(the.world.to_server, "t.mirror", "[]", NULL, &the.stream);
    if (!err) {
        world_elsewhere(give_items, NULL);
        world_turn(&the.world);
        for (int i = 0; i < 5 && the.world.connected && the.world.first; i++)
            world_deliver(&the.world);
        world_disconnect(&the.world);
        world_run(&the.world);
        assert_err(weft_stream_send(the.stream, "1") == 0, false);
        const struct weft_answer *answer = weft_stream_answer(the.stream);
        if (answer && !the.lacked)
            check_answer(answer, WEFT_STATUS_UNAVAILABLE);
        weft_stream_unref(the.stream);
        the.lacked = false; /* nobody could be told more */
    }
    return end(err);
}

/* ---- waiting ---- */

struct waiter {
    struct weft_task done;
    int err;
    struct weft_answer *answer;
};

static void stop_loop(struct weft_task *task)
{
    (void)task;
    weft__loop_stop(the.world.loop);
}

static void *wait_for_answer(void *ctx)
{
    struct waiter *waiter = ctx;
    waiter->err = weft_peer_call_wait(the.world.to_server, "t.now", "[1]", NULL, &waiter->answer);
    weft__task_init(&waiter->done, stop_loop);
    weft__loop_post(the.world.loop, &waiter->done);
    return NULL;
}

/* Delivers whatever there is, once a tick. */
static void deliver_in_tick(struct weft_loop_hook *hook)
{
    (void)hook;
    if (the.world.connected && the.world.first) {
        world_deliver(&the.world);
        weft__loop_again(the.world.loop);
    }
    if (!the.world.connected && !the.world.client.closed)
        world_disconnect(&the.world);
}

static int wait_call(const struct weft_alloc *alloc, void *ctx)
{
    struct waiter waiter = {.err = WEFT_ERR_NOMEM};
    int err = begin(alloc, ctx);
    if (!err) {
        struct weft_loop_hook hook = {.fn = NULL};
        pthread_t thread;
        weft__loop_hook_add(the.world.loop, &hook, deliver_in_tick);
        assert_int_equal(pthread_create(&thread, NULL, wait_for_answer, &waiter), 0);
        assert_ok(weft__loop_run(the.world.loop));
        assert_int_equal(pthread_join(thread, NULL), 0);
        weft__loop_hook_remove(&hook);
        if (!waiter.err) {
            check_answer(waiter.answer, WEFT_STATUS_OK);
            weft_answer_free(waiter.answer);
        }
        err = waiter.err;
    }
    return end(err);
}

/* ---- the tests ---- */

static void each_failure(int (*step)(const struct weft_alloc *alloc, void *ctx))
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(wires); i++)
        assert_true(test_each_alloc_failure(step, (void *)(uintptr_t)wires[i]) > 20);
}

static void calls_end_once(void **state)
{
    (void)state;
    each_failure(call);
}

static void calls_of_a_connection_that_ends_end_once(void **state)
{
    (void)state;
    each_failure(call_and_leave);
}

static void streams_lose_no_item_silently(void **state)
{
    (void)state;
    each_failure(stream_items);
}

static void streams_that_are_canceled_end_once(void **state)
{
    (void)state;
    each_failure(stream_and_cancel);
}

static void streams_of_a_connection_that_ends_end_once(void **state)
{
    (void)state;
    each_failure(stream_and_leave);
}

static void whoever_waits_is_told(void **state)
{
    (void)state;
    each_failure(wait_call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_end_once),
        cmocka_unit_test(calls_of_a_connection_that_ends_end_once),
        cmocka_unit_test(streams_lose_no_item_silently),
        cmocka_unit_test(streams_that_are_canceled_end_once),
        cmocka_unit_test(streams_of_a_connection_that_ends_end_once),
        cmocka_unit_test(whoever_waits_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
