/* SPDX-License-Identifier: Apache-2.0 */
/* Answers find their calls: thousands in flight, any order, deadlines, strangers. */
#include "lib/test.h"

#include "rpc/correlation.h"
#include "rpc/jsonrpc.h"

enum { MANY = 10000 };

static struct weft_timer_wheel wheel;
static struct weft_rpc_correlation correlation;
static size_t expired_count;
static struct weft_rpc_outgoing *expired_last;

static void on_expired(struct weft_rpc_outgoing *outgoing)
{
    ++expired_count;
    expired_last = outgoing;
}

/* Finds and ends the one with |key|. */
static struct weft_rpc_outgoing *take(struct weft_slice key)
{
    struct weft_rpc_outgoing *outgoing = weft__rpc_correlation_find(&correlation, key);
    if (outgoing)
        weft__rpc_correlation_remove(outgoing);
    return outgoing;
}

static struct weft_rpc_outgoing *take_number(uint64_t number)
{
    struct weft_rpc_outgoing *outgoing = weft__rpc_correlation_find_number(&correlation, number);
    if (outgoing)
        weft__rpc_correlation_remove(outgoing);
    return outgoing;
}

static void start(const struct weft_alloc *alloc, bool is_server)
{
    expired_count = 0;
    weft__timer_wheel_init(&wheel, 0);
    weft__rpc_correlation_init(&correlation, alloc, (struct weft_hash_key){3, 4}, &wheel,
                               on_expired, &weft__rpc_wire_json, is_server);
}

static void remove_all(void)
{
    struct weft_rpc_outgoing *first;
    while ((first = weft__rpc_correlation_first(&correlation)) != NULL)
        weft__rpc_correlation_remove(first);
}

static int set_up(void **state)
{
    (void)state;
    start(weft_alloc_default(), true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_all();
    weft__rpc_correlation_done(&correlation);
    return 0;
}

static void ids_of_servers_and_clients_differ(void **state)
{
    (void)state;
    struct weft_rpc_outgoing a, b;
    assert_ok(weft__rpc_correlation_add(&correlation, &a, WEFT_RPC_NO_DEADLINE));
    assert_ok(weft__rpc_correlation_add(&correlation, &b, WEFT_RPC_NO_DEADLINE));
    assert_true(weft__slice_eq_str(weft__rpc_outgoing_id(&a), "\"$s1\""));
    assert_true(weft__slice_eq_str(weft__rpc_outgoing_id(&b), "\"$s2\""));
    assert_ptr_equal(take(WEFT_SLICE_LIT("\"$s2")), &b);
    assert_null(take(WEFT_SLICE_LIT("1")));
    assert_ptr_equal(take_number(1), &a);
    weft__rpc_correlation_done(&correlation);
    start(weft_alloc_default(), false);
    assert_ok(weft__rpc_correlation_add(&correlation, &a, WEFT_RPC_NO_DEADLINE));
    assert_true(weft__slice_eq_str(weft__rpc_outgoing_id(&a), "1"));
    assert_null(take(WEFT_SLICE_LIT("\"$s1")));
    assert_ptr_equal(take(WEFT_SLICE_LIT("1")), &a);
}

static void ten_thousand_answers_in_random_order(void **state)
{
    (void)state;
    struct test_random rng;
    struct weft_rpc_outgoing *calls = calloc(MANY, sizeof(*calls));
    size_t *order = calloc(MANY, sizeof(*order));
    assert_true(calls && order);
    test_random_init(&rng, "correlation");
    for (size_t i = 0; i < MANY; ++i) {
        uint64_t deadline_ns = i % 2 ? WEFT_NS_PER_S * (1 + i % 50) : WEFT_RPC_NO_DEADLINE;
        assert_ok(weft__rpc_correlation_add(&correlation, &calls[i], deadline_ns));
        order[i] = i;
    }
    for (size_t i = MANY - 1; i > 0; --i) {
        size_t other = test_random_size(&rng, 0, i), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < MANY; ++i) {
        char key[32];
        snprintf(key, sizeof(key), "\"$s%zu", order[i] + 1);
        struct weft_slice slice = weft__slice_str(key);
        assert_ptr_equal(take(slice), &calls[order[i]]);
        assert_null(take(slice));
        assert_int_equal(weft__rpc_correlation_count(&correlation), MANY - 1 - i);
    }
    weft__timer_wheel_advance(&wheel, 1000 * WEFT_NS_PER_S);
    assert_int_equal(expired_count, 0);
    free(calls);
    free(order);
}

static void strangers_find_nothing(void **state)
{
    (void)state;
    static struct weft_rpc_outgoing a; /* outlives this function: the teardown ends it */
    static const char *const keys[] = {"", "\"", "\"$s", "\"$s0", "\"$s01", "\"$s2", "$s1", "1"};
    assert_ok(weft__rpc_correlation_add(&correlation, &a, WEFT_RPC_NO_DEADLINE));
    for (size_t i = 0; i < WEFT_ARRAY_LEN(keys); ++i)
        assert_null(take(weft__slice_str(keys[i])));
    assert_null(take_number(0));
    assert_null(take_number(2));
    assert_null(take_number(UINT64_MAX));
}

static void deadlines_end_calls_in_their_order(void **state)
{
    (void)state;
    struct weft_rpc_outgoing slow, fast, forever;
    assert_ok(weft__rpc_correlation_add(&correlation, &slow, 20 * WEFT_NS_PER_MS));
    assert_ok(weft__rpc_correlation_add(&correlation, &fast, 10 * WEFT_NS_PER_MS));
    assert_ok(weft__rpc_correlation_add(&correlation, &forever, WEFT_RPC_NO_DEADLINE));
    assert_true(weft__timer_wheel_next_ns(&wheel) <= 11 * WEFT_NS_PER_MS);
    weft__timer_wheel_advance(&wheel, 12 * WEFT_NS_PER_MS);
    assert_int_equal(expired_count, 1);
    assert_ptr_equal(expired_last, &fast);
    assert_null(take_number(2));
    weft__timer_wheel_advance(&wheel, 22 * WEFT_NS_PER_MS);
    assert_int_equal(expired_count, 2);
    assert_ptr_equal(weft__rpc_correlation_first(&correlation), &forever);
    weft__rpc_correlation_remove(&forever);
    assert_null(weft__rpc_correlation_first(&correlation));
    assert_true(weft__timer_wheel_next_ns(&wheel) == UINT64_MAX);
}

static int add_many(const struct weft_alloc *alloc, void *ctx)
{
    static struct weft_rpc_outgoing calls[200];
    int err = 0;
    (void)ctx;
    start(alloc, false);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(calls) && !err; ++i)
        err = weft__rpc_correlation_add(&correlation, &calls[i], WEFT_NS_PER_S);
    remove_all();
    weft__rpc_correlation_done(&correlation);
    return err;
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(add_many, NULL) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ids_of_servers_and_clients_differ),
        TEST(ten_thousand_answers_in_random_order),
        TEST(strangers_find_nothing),
        TEST(deadlines_end_calls_in_their_order),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
