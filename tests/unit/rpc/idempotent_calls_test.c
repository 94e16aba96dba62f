/* SPDX-License-Identifier: Apache-2.0 */
/* Calls with idempotency keys: what runs, what is answered from memory, what waits. */
#include "rpc_world.h"

#include "rpc/idempotent_calls.h"

static struct world world;
static struct weft_rpc_idem_cache cache;
static struct weft_rpc_idem_calls calls;
static const char *principal = "";
static int guarded; /* 1 inside of the lock */
static int locked;  /* times that it was entered */

static struct weft_slice principal_of(const struct weft_rpc_call *call)
{
    (void)call;
    return weft__slice_str(principal);
}

static void enter(void *ctx)
{
    (void)ctx;
    assert_int_equal(guarded++, 0);
    ++locked;
}

static void leave(void *ctx)
{
    (void)ctx;
    assert_int_equal(--guarded, 0);
}

static const struct weft_rpc_idem_guard guard = {.enter = enter, .leave = leave};

/* Runs and answers with the number of runs. */
static void serve_count(struct weft_rpc_call *call, void *ctx)
{
    struct world *w = ctx;
    struct weft_rpc_reply reply;
    ++w->runs;
    assert_int_equal(guarded, 0);
    weft__json_put_u64(weft__rpc_reply_begin(&reply, call), (uint64_t)w->runs);
    weft__rpc_reply_send(&reply);
}

/* Answers what |failing| says. */
static struct weft_rpc_failure failing;

static void serve_failing(struct weft_rpc_call *call, void *ctx)
{
    ++((struct world *)ctx)->runs;
    weft__rpc_call_fail(call, &failing);
}

static int start(const struct weft_alloc *alloc)
{
    static const struct weft_hash_key key = {.k0 = 5, .k1 = 6};
    const struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    const struct weft_rpc_method methods[] = {
        {.name = "test.count", .handler = serve_count, .ctx = &world},
        {.name = "test.failing", .handler = serve_failing, .ctx = &world},
        {.name = "test.bound",
         .handler = serve_count,
         .ctx = &world,
         .flags = WEFT_RPC_METHOD_NO_IDEM},
    };
    principal = "";
    int err = world_init(&world, alloc, true);
    weft__rpc_idem_init(&cache, alloc, key, &limits);
    weft__rpc_idem_calls_init(&calls, &world.env, &cache, &guard, principal_of);
    if (!err)
        err = weft__rpc_registry_add_all(&world.registry, methods, WEFT_ARRAY_LEN(methods));
    return err;
}

static void stop(void)
{
    weft__rpc_peer_done(&world.peer);
    for (size_t i = 0; i < world.held_count; i++)
        weft__rpc_call_drop(world.held[i]);
    world.held_count = 0;
    weft__rpc_idem_calls_done(&calls);
    weft__rpc_env_done(&world.env);
    weft__rpc_registry_done(&world.registry);
    weft__bytes_done(&world.sent);
    weft__rpc_idem_done(&cache);
}

static int set_up(void **state)
{
    (void)state;
    int err = start(weft_alloc_default());
    world_greet(&world);
    return err;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    return 0;
}

#define CALL(id, method, params, key)                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params              \
    ",\"meta\":{\"idem\":\"" key "\"}}"
#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"

static void a_repeat_is_answered_without_the_method(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
    assert_exchange(&world, CALL("\"x\"", "test.count", "[1]", "a"), RESULT("\"x\"", "1") "\n");
    assert_exchange(&world, CALL("1", "test.count", "[1]", "b"), RESULT("1", "2") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.count\"}",
                    RESULT("1", "3") "\n");
    assert_int_equal(world.runs, 3);
    assert_int_equal(cache.stats.hits, 1);
}

static void members_of_a_batch_have_keys_of_their_own(void **state)
{
    (void)state;
    assert_exchange(&world,
                    "[" CALL("1", "test.count", "[1]", "a") "," CALL(
                        "2", "test.count", "[1]", "b") "," CALL("3", "test.count", "[1]", "a") "]",
                    "[" RESULT("1", "1") "," RESULT("2", "2") "," RESULT("3", "1") "]\n");
}

static void without_a_greeting_keys_are_ignored(void **state)
{
    (void)state;
    world.peer.greeted = false;
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "2") "\n");
}

static void an_empty_key_is_none(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.count", "[1]", ""), RESULT("1", "1") "\n");
    assert_exchange(&world, CALL("1", "test.count", "[1]", ""), RESULT("1", "2") "\n");
}

static void malformed_keys_are_refused(void **state)
{
    (void)state;
#define BAD_KEY                                                                                    \
    ERROR_TEXT("1", "-32602", "an idempotency key is 1 to 128 visible characters of ASCII",        \
               "\"code\":\"invalid_argument\",\"reason\":\"weft.idem.key\",\"retryable\":false,"   \
               "\"executed\":\"no\"")                                                              \
    "\n"
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a b"), BAD_KEY);
    assert_exchange(&world, CALL("1", "test.count", "[1]", "\xc3\xa9"), BAD_KEY);
    assert_exchange(&world, CALL("1", "test.count", "[1]", "\\u0000"), BAD_KEY);
    assert_int_equal(world.runs, 0);
    assert_int_equal(cache.stats.entries, 0);
}

static void some_methods_take_no_key(void **state)
{
    (void)state;
#define NO_KEY                                                                                     \
    ERROR_TEXT("1", "-32602", "this method takes no idempotency key",                              \
               "\"code\":\"invalid_argument\",\"reason\":\"weft.idem.method\","                    \
               "\"retryable\":false,\"executed\":\"no\"")                                          \
    "\n"
    assert_exchange(&world, CALL("1", "demo.count", "[3]", "a"), NO_KEY);
    assert_exchange(&world, CALL("1", "test.bound", "[3]", "a"), NO_KEY);
    assert_int_equal(world.peer.streams, 0);
    assert_int_equal(world.runs, 0);
}

static void other_parameters_are_refused(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
    assert_exchange(&world, CALL("1", "test.count", "[2]", "a"),
                    ERROR_TEXT("1", "-32009", "the idempotency key was used with other parameters",
                               "\"code\":\"failed_precondition\",\"reason\":\"weft.idem.mismatch\","
                               "\"retryable\":false,\"executed\":\"no\"") "\n");
    assert_int_equal(world.runs, 1);
}

static void principals_do_not_see_each_others_answers(void **state)
{
    (void)state;
    principal = "ann";
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
    principal = "bob";
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "2") "\n");
    principal = "ann";
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
}

static void an_alias_is_the_same_method(void **state)
{
    (void)state;
    assert_ok(weft__rpc_registry_alias(&world.registry, "test.alias", "test.count"));
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
    assert_exchange(&world, CALL("1", "test.alias", "[1]", "a"), RESULT("1", "1") "\n");
}

/* ---- which answers are kept ---- */

/* Calls test.failing twice with a key; true when the second call did not run. */
static bool is_kept(struct weft_rpc_failure failure)
{
    static int count;
    char text[256];
    world.runs = 0;
    failing = failure;
    snprintf(text, sizeof(text), CALL("1", "test.failing", "[1]", "key-%d"), ++count);
    assert_ok(world_receive(&world, text));
    struct weft_slice first = weft__bytes_slice(&world.sent);
    size_t len = first.len;
    assert_ok(world_receive(&world, text));
    /* Kept or made anew, the error is the same. */
    assert_int_equal(world.sent.len, 2 * len);
    assert_memory_equal(world.sent.ptr, world.sent.ptr + len, len);
    weft__bytes_clear(&world.sent);
    return world.runs == 1;
}

static void an_error_is_kept_when_the_method_ran(void **state)
{
    (void)state;
    static const int kept[] = {WEFT_STATUS_INTERNAL, WEFT_STATUS_UNKNOWN, WEFT_STATUS_ABORTED,
                               WEFT_STATUS_DATA_LOSS};
    static const int not_kept[] = {WEFT_STATUS_UNAVAILABLE, WEFT_STATUS_RESOURCE_EXHAUSTED,
                                   WEFT_STATUS_DEADLINE_EXCEEDED, WEFT_STATUS_CANCELED};
    static const int refusals[] = {WEFT_STATUS_INVALID_ARGUMENT, WEFT_STATUS_NOT_FOUND,
                                   WEFT_STATUS_PERMISSION_DENIED, WEFT_STATUS_FAILED_PRECONDITION};
    const struct weft_rpc_violation rule = {"f", "r"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(kept); i++) {
        assert_true(is_kept((struct weft_rpc_failure){.status = kept[i]}));
        assert_false(is_kept(
            (struct weft_rpc_failure){.status = kept[i], .executed = WEFT_RPC_EXECUTED_NO}));
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(not_kept); i++) {
        assert_false(is_kept((struct weft_rpc_failure){.status = not_kept[i]}));
        assert_false(is_kept((struct weft_rpc_failure){.status = not_kept[i],
                                                       .executed = WEFT_RPC_EXECUTED_UNKNOWN}));
        assert_true(is_kept(
            (struct weft_rpc_failure){.status = not_kept[i], .executed = WEFT_RPC_EXECUTED_YES}));
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(refusals); i++) {
        assert_false(is_kept((struct weft_rpc_failure){.status = refusals[i]}));
        assert_true(is_kept((struct weft_rpc_failure){.status = refusals[i],
                                                      .executed = WEFT_RPC_EXECUTED_YES,
                                                      .reason = "acme.limit",
                                                      .message = "too much",
                                                      .violations = &rule,
                                                      .violation_count = 1,
                                                      .details = WEFT_SLICE_LIT("{\"a\":[1]}")}));
    }
}

static void a_method_that_gives_no_answer_has_failed(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, CALL("1", "test.forget", "[1]", "a")));
    assert_ok(world_receive(&world, CALL("2", "test.forget", "[1]", "a")));
    assert_int_equal(world.runs, 1);
}

static void a_result_that_nobody_waits_for_is_kept(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold_cancel", "[1]", "a"), "");
    weft__rpc_peer_done(&world.peer);
    assert_int_equal(world.cancel_status, WEFT_STATUS_UNAVAILABLE);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("\"late\""));
    const struct weft_rpc_peer_options options = {
        .is_server = true, .session = "s_2", .events = &world_events, .events_ctx = &world};
    weft__rpc_peer_init(&world.peer, &world.env, &options);
    world_greet(&world);
    assert_exchange(&world, CALL("7", "test.hold_cancel", "[1]", "a"),
                    RESULT("7", "\"late\"") "\n");
    assert_int_equal(world.runs, 1);
}

static void an_error_after_the_end_of_the_call_is_not_kept(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold_cancel\","
                                    "\"meta\":{\"idem\":\"a\",\"timeout_ms\":5}}"));
    world_advance_ms(&world, 10);
    assert_int_equal(world.cancel_status, WEFT_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(cache.stats.running, 1);
    weft__rpc_call_drop(world_take(&world, 0));
    assert_int_equal(cache.stats.forgotten, 1);
    assert_int_equal(cache.stats.entries, 0);
}

static void notifications_are_not_executed_twice(void **state)
{
    (void)state;
#define NOTIFY                                                                                     \
    "{\"jsonrpc\":\"2.0\",\"method\":\"test.count\",\"params\":[1],\"meta\":{\"idem\":\"a\"}}"
    assert_exchange(&world, NOTIFY, "");
    assert_exchange(&world, NOTIFY, "");
    assert_int_equal(world.runs, 1);
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "1") "\n");
}

/* ---- repeats of what runs ---- */

static void repeats_wait_for_the_call_that_runs(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("2", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, "[" CALL("3", "test.hold", "[1]", "a") "]", "");
    assert_int_equal(world.runs, 1);
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 3);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("[7]"));
    assert_sent(&world, RESULT("2", "[7]") "\n[" RESULT("3", "[7]") "]\n" RESULT("1", "[7]") "\n");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
    assert_int_equal(cache.stats.joined, 2);
    assert_exchange(&world, CALL("4", "test.hold", "[1]", "a"), RESULT("4", "[7]") "\n");
}

static void repeats_get_the_error_of_the_call_that_runs(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("2", "test.hold", "[1]", "a"), "");
    weft__rpc_call_error(world_take(&world, 0), WEFT_STATUS_DATA_LOSS, "acme.gone", NULL);
#define GONE(id)                                                                                   \
    ERROR_TEXT(id, "-32015", "data_loss",                                                          \
               "\"code\":\"data_loss\",\"reason\":\"acme.gone\",\"retryable\":false,"              \
               "\"executed\":\"unknown\"")                                                         \
    "\n"
    assert_sent(&world, GONE("2") GONE("1"));
}

static void a_repeat_that_waits_can_be_canceled(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("2", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":2}}",
                    ERROR_TEXT("2", "-32800", "canceled",
                               "\"code\":\"canceled\",\"retryable\":false,"
                               "\"executed\":\"unknown\"") "\n");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, RESULT("1", "1") "\n");
}

static void a_repeat_that_waits_has_its_own_deadline(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, CALL("1", "test.hold", "[1]", "a")));
    assert_ok(world_receive(&world,
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.hold\",\"params\":[1],"
                            "\"meta\":{\"idem\":\"a\",\"timeout_ms\":5}}"));
    world_advance_ms(&world, 10);
    assert_sent(&world, ERROR_TEXT("2", "-32004", "deadline_exceeded",
                                   "\"code\":\"deadline_exceeded\",\"retryable\":false,"
                                   "\"executed\":\"unknown\"") "\n");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, RESULT("1", "1") "\n");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
}

static void when_the_first_ends_without_an_answer_the_next_one_runs(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("2", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("3", "test.hold", "[1]", "a"), "");
    weft__rpc_call_error(world_take(&world, 0), WEFT_STATUS_UNAVAILABLE, NULL, NULL);
    assert_sent(&world, ERROR_TEXT("1", "-32014", "unavailable",
                                   "\"code\":\"unavailable\",\"retryable\":true,"
                                   "\"executed\":\"unknown\"") "\n");
    assert_int_equal(world.runs, 1);
    world_advance_ms(&world, 2);
    assert_int_equal(world.runs, 2);
    assert_exchange(&world, CALL("4", "test.hold", "[1]", "a"), "");
    weft__rpc_call_result(world_take(&world, 1), WEFT_SLICE_LIT("[2]"));
    assert_sent(&world, RESULT("3", "[2]") "\n" RESULT("4", "[2]") "\n" RESULT("2", "[2]") "\n");
    assert_int_equal(cache.stats.running, 0);
    assert_int_equal(cache.stats.entries, 1);
}

static void nobody_runs_when_all_have_left_meanwhile(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, CALL("1", "test.hold", "[1]", "a")));
    assert_ok(world_receive(&world, CALL("2", "test.hold", "[1]", "a")));
    weft__rpc_call_error(world_take(&world, 0), WEFT_STATUS_UNAVAILABLE, NULL, NULL);
    assert_ok(world_receive(&world,
                            "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":2}}"));
    world_advance_ms(&world, 2);
    assert_int_equal(world.runs, 1);
    assert_int_equal(cache.stats.entries, 0);
}

static void the_end_of_the_connection_ends_those_that_wait(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, CALL("1", "test.hold_cancel", "[1]", "a")));
    assert_ok(world_receive(&world, CALL("2", "test.hold_cancel", "[1]", "a")));
    /* tear_down ends the peer, then the handler drops its call. */
}

static void a_repeat_with_an_ordering_key_holds_its_turn(void **state)
{
    (void)state;
#define ORDERED(id, key)                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"test.hold\",\"params\":[1],"                  \
    "\"meta\":{\"idem\":\"" key "\",\"order\":\"o\"}}"
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, ORDERED("2", "b"), "");
    assert_exchange(&world, ORDERED("3", "a"), "");
    assert_exchange(&world, ORDERED("4", "c"), "");
    assert_int_equal(world.runs, 2);
    weft__rpc_call_result(world_take(&world, 1), WEFT_SLICE_LIT("2"));
    assert_sent(&world, RESULT("2", "2") "\n");
    /* 3 has its turn and waits for 1; 4 waits for 3. */
    assert_int_equal(world.runs, 2);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, RESULT("3", "1") "\n" RESULT("1", "1") "\n");
    assert_int_equal(world.runs, 3);
    weft__rpc_call_result(world_take(&world, 2), WEFT_SLICE_LIT("4"));
    assert_sent(&world, RESULT("4", "4") "\n");
}

/* Another environment of the same cache, as another worker of a server has. */
static void in_another_environment_a_repeat_is_asked_to_come_again(void **state)
{
    (void)state;
    const struct weft_rpc_idem_call elsewhere = {
        .method = WEFT_SLICE_LIT("test.count"),
        .key = WEFT_SLICE_LIT("a"),
        .params = WEFT_SLICE_LIT("[1]"),
        .owner = &world,
    };
    const struct weft_rpc_outcome outcome = {.result = WEFT_SLICE_LIT("\"theirs\"")};
    struct weft_rpc_idem_found found;
    assert_int_equal(weft__rpc_idem_begin(&cache, &elsewhere, 1, &found), WEFT_RPC_IDEM_RUN);
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"),
                    ERROR_TEXT("1", "-32010", "a call with this key is running",
                               "\"code\":\"aborted\",\"reason\":\"weft.idem.in_progress\","
                               "\"retryable\":true,\"retry_after_ms\":250,"
                               "\"executed\":\"unknown\"") "\n");
    weft__rpc_idem_finish(&cache, found.entry, weft__rpc_kept_new(weft_alloc_default(), &outcome),
                          true, 1);
    assert_exchange(&world, CALL("1", "test.count", "[1]", "a"), RESULT("1", "\"theirs\"") "\n");
    assert_int_equal(world.runs, 0);
    assert_true(locked > 0);
}

static void a_full_cache_refuses(void **state)
{
    (void)state;
    cache.limits.entries = 1;
    assert_exchange(&world, CALL("1", "test.hold", "[1]", "a"), "");
    assert_exchange(&world, CALL("2", "test.count", "[1]", "b"),
                    ERROR_TEXT("2", "-32008", "too many calls with idempotency keys are running",
                               "\"code\":\"resource_exhausted\",\"reason\":\"weft.idem.full\","
                               "\"retryable\":true,\"executed\":\"no\"") "\n");
    assert_int_equal(world.runs, 1);
}

/* ---- memory ---- */

static int tell_story(const struct weft_alloc *alloc, void *ctx)
{
    static const char *const story[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"$/hello\",\"params\":{\"v\":[1,1]}}",
        CALL("1", "test.hold", "[1]", "a"),
        CALL("2", "test.hold", "[1]", "a"),
        CALL("3", "test.hold", "[1]", "a"),
        CALL("4", "test.count", "[1]", "b"),
        CALL("5", "test.count", "[1]", "b"),
    };
    (void)ctx;
    int err = start(alloc);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(story) && !err; i++)
        err = world_receive(&world, story[i]);
    if (!err && world.held_count > 0)
        weft__rpc_call_error(world_take(&world, 0), WEFT_STATUS_UNAVAILABLE, NULL, NULL);
    world_advance_ms(&world, 2);
    if (!err && world.held_count > 1)
        weft__rpc_call_result(world_take(&world, 1), WEFT_SLICE_LIT("1"));
    if (!err)
        err = world.failed;
    stop();
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(tell_story, NULL) > 10);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_repeat_is_answered_without_the_method),
        IN_WORLD(members_of_a_batch_have_keys_of_their_own),
        IN_WORLD(without_a_greeting_keys_are_ignored),
        IN_WORLD(an_empty_key_is_none),
        IN_WORLD(malformed_keys_are_refused),
        IN_WORLD(some_methods_take_no_key),
        IN_WORLD(other_parameters_are_refused),
        IN_WORLD(principals_do_not_see_each_others_answers),
        IN_WORLD(an_alias_is_the_same_method),
        IN_WORLD(an_error_is_kept_when_the_method_ran),
        IN_WORLD(a_method_that_gives_no_answer_has_failed),
        IN_WORLD(a_result_that_nobody_waits_for_is_kept),
        IN_WORLD(an_error_after_the_end_of_the_call_is_not_kept),
        IN_WORLD(notifications_are_not_executed_twice),
        IN_WORLD(repeats_wait_for_the_call_that_runs),
        IN_WORLD(repeats_get_the_error_of_the_call_that_runs),
        IN_WORLD(a_repeat_that_waits_can_be_canceled),
        IN_WORLD(a_repeat_that_waits_has_its_own_deadline),
        IN_WORLD(when_the_first_ends_without_an_answer_the_next_one_runs),
        IN_WORLD(nobody_runs_when_all_have_left_meanwhile),
        IN_WORLD(the_end_of_the_connection_ends_those_that_wait),
        IN_WORLD(a_repeat_with_an_ordering_key_holds_its_turn),
        IN_WORLD(in_another_environment_a_repeat_is_asked_to_come_again),
        IN_WORLD(a_full_cache_refuses),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
