/* SPDX-License-Identifier: Apache-2.0 */
/* What the server calls, when the client is closed meanwhile. */
#include "scripted_server.h"

#include <stdatomic.h>
#include <weft/client.h>

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

static void call_work(struct script *script)
{
    script_send(script, "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"work\"}");
}

static struct weft_client *connect_serving(const struct script *script,
                                           const struct weft_method *method)
{
    char message[256] = "";
    struct weft_client *client = NULL;
    struct weft_client_options options;
    weft_client_options_init(&options);
    options.url = script->url;
    options.methods = method;
    options.method_count = 1;
    int err = weft_client_connect(&options, &client, message, sizeof(message));
    if (err)
        fail_msg("%s", message);
    return client;
}

/* ---- A handler on the pool ---- */

struct worker {
    _Atomic(struct weft_client *) client;
    atomic_bool runs;
    atomic_int call_err;
    atomic_int notify_err;
    atomic_int token_err;
    atomic_int peer_err;
};

/* Uses the client while somebody closes it, and when its thread has long ended. */
static void work(struct weft_call *call, void *ctx)
{
    struct worker *worker = ctx;
    struct weft_client *client;
    while (!(client = atomic_load(&worker->client)))
        pause_ms(1);
    atomic_store(&worker->runs, true);
    while (weft_client_call(client, "a", NULL, 0, NULL, NULL) != WEFT_ERR_CLOSED)
        pause_ms(1);
    pause_ms(100);
    atomic_store(&worker->call_err, weft_client_call(client, "a", NULL, 0, NULL, NULL));
    atomic_store(&worker->notify_err, weft_client_notify(client, "a", NULL));
    atomic_store(&worker->token_err, weft_client_set_token(client, "secret"));
    atomic_store(&worker->peer_err, weft_peer_notify(weft_call_peer(call), "a", NULL));
    (void)weft_call_finish(call, NULL);
}

static void a_method_on_the_pool_may_use_its_client_while_that_is_closed(void **state)
{
    (void)state;
    struct worker worker = {.client = NULL};
    struct script script = {.run = call_work};
    const struct weft_method method = {
        .name = "work", .handler = work, .ctx = &worker, .flags = WEFT_METHOD_BLOCKING};
    script_start(&script);
    struct weft_client *client = connect_serving(&script, &method);
    atomic_store(&worker.client, client);
    while (!atomic_load(&worker.runs))
        pause_ms(1);
    weft_client_close(client);
    assert_err(atomic_load(&worker.call_err), WEFT_ERR_CLOSED);
    assert_err(atomic_load(&worker.notify_err), WEFT_ERR_CLOSED);
    assert_err(atomic_load(&worker.token_err), WEFT_ERR_CLOSED);
    assert_err(atomic_load(&worker.peer_err), WEFT_ERR_CLOSED);
    script_stop(&script);
}

/* ---- A call that outlives its client ---- */

static void keep(struct weft_call *call, void *ctx)
{
    _Atomic(struct weft_call *) *kept = ctx;
    atomic_store(kept, weft_call_keep(call));
}

static void a_call_that_was_kept_is_whole_after_its_client_has_ended(void **state)
{
    (void)state;
    _Atomic(struct weft_call *) kept = NULL;
    struct script script = {.run = call_work};
    const struct weft_method method = {.name = "work", .handler = keep, .ctx = &kept};
    script_start(&script);
    struct weft_client *client = connect_serving(&script, &method);
    struct weft_call *call;
    while (!(call = atomic_load(&kept)))
        pause_ms(1);
    weft_client_close(client);
    assert_string_equal(weft_call_method(call), "work");
    assert_string_equal(weft_call_params(call, NULL), "");
    assert_true(weft_call_is_canceled(call));
    assert_int_equal(weft_call_time_left_ms(call), 0);
    assert_err(weft_call_finish(call, "1"), WEFT_ERR_CLOSED);
    weft_call_release(call);
    script_stop(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_on_the_pool_may_use_its_client_while_that_is_closed),
        cmocka_unit_test(a_call_that_was_kept_is_whole_after_its_client_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
