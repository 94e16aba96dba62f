/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, counting by address, the accept rate, and the levels of memory. */
#include "lib/test.h"

#include "base/timer.h"
#include "io/address.h"
#include "server/limits.h"
#include "server/machine.h"

#include <limits.h>
#include <pthread.h>

static const struct weft_hash_key hash_key = {1, 2};

static void init(struct weft_limits *limits, struct weft_server_limits asked)
{
    *limits = (struct weft_limits){0};
    assert_ok(weft__limits_init(limits, &asked, hash_key, weft_alloc_default()));
}

static struct weft_address address(const char *host)
{
    struct weft_address address;
    assert_ok(weft__address_from_numeric(host, 1234, &address));
    return address;
}

static int enter(struct weft_limits *limits, const char *host, struct weft_limits_address **ret)
{
    struct weft_address peer = address(host);
    return weft__limits_address_enter(limits, &peer, ret);
}

static void defaults_are_the_documented_ones(void **state)
{
    struct weft_limits limits;
    (void)state;
    init(&limits, (struct weft_server_limits){0});
    assert_int_equal(limits.set.max_message, 1024 * 1024);
    assert_int_equal(limits.set.max_fragments, 131072);
    assert_int_equal(limits.set.max_control, 100);
    assert_int_equal(limits.set.handshake_ms, 5000);
    assert_int_equal(limits.set.ping_ms, 25000);
    assert_int_equal(limits.set.pings_missed, 2);
    assert_int_equal(limits.set.stall_ms, 30000);
    assert_int_equal(limits.set.message_ms, 60000);
    assert_int_equal(limits.set.max_unsent, 1024 * 1024);
    assert_int_equal(limits.set.max_per_address, 1000);
    assert_int_equal(limits.set.max_accepts, UINT_MAX);
    assert_true(limits.set.max_connections < weft__machine_descriptors());
    assert_true(limits.set.max_connections >= 16);
    assert_int_equal(limits.set.memory, weft__machine_memory("") / 2);
    weft__limits_done(&limits);
}

static void a_budget_that_nothing_fits_into_is_refused(void **state)
{
    struct weft_limits limits = {0};
    const struct weft_server_limits asked = {.memory = 1000};
    (void)state;
    assert_err(weft__limits_init(&limits, &asked, hash_key, weft_alloc_default()), WEFT_ERR_USAGE);
    weft__limits_done(&limits);
}

static void an_address_has_so_many_connections_and_no_more(void **state)
{
    struct weft_limits limits;
    struct weft_limits_address *a;
    struct weft_limits_address *b;
    struct weft_limits_address *other;
    struct weft_limits_address *none = NULL;
    (void)state;
    init(&limits, (struct weft_server_limits){.max_per_address = 2});
    assert_ok(enter(&limits, "192.0.2.1", &a));
    assert_ok(enter(&limits, "::ffff:192.0.2.1", &b));
    assert_ptr_equal(a, b);
    assert_err(enter(&limits, "192.0.2.1", &none), WEFT_ERR_LIMIT);
    assert_ok(enter(&limits, "192.0.2.2", &other));
    weft__limits_address_leave(&limits, a);
    assert_ok(enter(&limits, "192.0.2.1", &a));
    weft__limits_address_leave(&limits, a);
    weft__limits_address_leave(&limits, b);
    weft__limits_address_leave(&limits, other);
    weft__limits_address_leave(&limits, NULL);
    weft__limits_done(&limits);
}

static void the_last_64_bits_of_ipv6_make_no_other_peer(void **state)
{
    struct weft_limits limits;
    struct weft_limits_address *a;
    struct weft_limits_address *b;
    struct weft_limits_address *none = NULL;
    (void)state;
    init(&limits, (struct weft_server_limits){.max_per_address = 1});
    assert_ok(enter(&limits, "2001:db8:1:2::1", &a));
    assert_err(enter(&limits, "2001:db8:1:2:ffff::9", &none), WEFT_ERR_LIMIT);
    assert_ok(enter(&limits, "2001:db8:1:3::1", &b));
    weft__limits_address_leave(&limits, a);
    weft__limits_address_leave(&limits, b);
    weft__limits_done(&limits);
}

static void loopback_is_counted_only_when_a_number_was_given(void **state)
{
    struct weft_limits limits;
    struct weft_limits_address *a;
    struct weft_limits_address *none = NULL;
    (void)state;
    init(&limits, (struct weft_server_limits){0});
    for (int i = 0; i < 2000; i++) {
        assert_ok(enter(&limits, i % 2 ? "127.0.0.1" : "::1", &a));
        assert_null(a);
    }
    weft__limits_done(&limits);
    init(&limits, (struct weft_server_limits){.max_per_address = 1});
    assert_ok(enter(&limits, "127.0.0.1", &a));
    assert_err(enter(&limits, "127.0.0.1", &none), WEFT_ERR_LIMIT);
    weft__limits_address_leave(&limits, a);
    weft__limits_done(&limits);
}

static void sockets_without_an_address_are_not_counted(void **state)
{
    struct weft_limits limits;
    struct weft_limits_address *a = (struct weft_limits_address *)&limits;
    const struct weft_address peer = {.u.any.sa_family = AF_UNIX};
    (void)state;
    init(&limits, (struct weft_server_limits){.max_per_address = 1});
    assert_ok(weft__limits_address_enter(&limits, &peer, &a));
    assert_null(a);
    weft__limits_done(&limits);
}

static int enter_two(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_limits limits = {0};
    struct weft_limits_address *one = NULL;
    struct weft_limits_address *two = NULL;
    const struct weft_server_limits asked = {.max_per_address = 1};
    (void)ctx;
    assert_ok(weft__limits_init(&limits, &asked, hash_key, alloc));
    int err = enter(&limits, "192.0.2.1", &one);
    if (!err)
        err = enter(&limits, "192.0.2.2", &two);
    weft__limits_address_leave(&limits, one);
    weft__limits_address_leave(&limits, two);
    weft__limits_done(&limits);
    return err;
}

static void without_memory_an_address_is_refused(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(enter_two, NULL) > 0);
}

/* ---- Threads ---- */

enum { THREADS = 4, ROUNDS = 5000 };

static void *come_and_go(void *arg)
{
    struct weft_limits *limits = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct weft_limits_address *a = NULL;
        char host[32];
        snprintf(host, sizeof(host), "192.0.2.%d", i % 7);
        assert_true(weft__limits_enter(limits) >= 1);
        int err = enter(limits, host, &a);
        assert_true(err == 0 || err == WEFT_ERR_LIMIT);
        if (!err)
            weft__limits_address_leave(limits, a);
        (void)weft__limits_leave(limits);
    }
    return NULL;
}

static void workers_count_together(void **state)
{
    struct weft_limits limits;
    pthread_t threads[THREADS];
    (void)state;
    init(&limits, (struct weft_server_limits){.max_per_address = 2});
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &limits), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    weft__limits_done(&limits);
}

/* ---- Rates and levels ---- */

static void accepts_have_a_rate(void **state)
{
    struct weft_limits limits;
    uint64_t now_ns = 1000 * WEFT_NS_PER_S;
    unsigned count = 0;
    (void)state;
    init(&limits, (struct weft_server_limits){.max_accepts = 50});
    /* Obeys the pauses, for ten seconds. */
    for (uint64_t end_ns = now_ns + 10 * WEFT_NS_PER_S; now_ns < end_ns; count++)
        now_ns += weft__limits_accepted(&limits, now_ns);
    assert_in_range(count, 500, 500 + 6);
    weft__limits_done(&limits);
}

static void without_a_rate_nothing_waits(void **state)
{
    struct weft_limits limits;
    (void)state;
    init(&limits, (struct weft_server_limits){0});
    for (int i = 0; i < 100000; i++)
        assert_int_equal(weft__limits_accepted(&limits, WEFT_NS_PER_S), 0);
    weft__limits_done(&limits);
}

static void memory_has_levels_that_are_left_later_than_entered(void **state)
{
    enum { MIB = 1024 * 1024, BUDGET = 100 * MIB };
    static const struct {
        unsigned used; /* MiB */
        enum weft_memory_level level;
    } steps[] = {
        {0, WEFT_MEMORY_CALM},    {79, WEFT_MEMORY_CALM},    {81, WEFT_MEMORY_TIGHT},
        {76, WEFT_MEMORY_TIGHT},  {74, WEFT_MEMORY_CALM},    {89, WEFT_MEMORY_TIGHT},
        {91, WEFT_MEMORY_SCARCE}, {86, WEFT_MEMORY_SCARCE},  {84, WEFT_MEMORY_TIGHT},
        {101, WEFT_MEMORY_SPENT}, {96, WEFT_MEMORY_SPENT},   {94, WEFT_MEMORY_SCARCE},
        {0, WEFT_MEMORY_CALM},    {1000, WEFT_MEMORY_SPENT}, {0, WEFT_MEMORY_CALM},
    };
    struct weft_limits limits;
    struct weft_budget_account account;
    enum weft_memory_level level = WEFT_MEMORY_CALM;
    size_t used = 0;
    (void)state;
    init(&limits, (struct weft_server_limits){.memory = BUDGET});
    weft__budget_account_init(&account, &limits.budget, weft_alloc_default(), false);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t want = (size_t)steps[i].used * MIB;
        if (want > used)
            weft__budget_charge(&account, want - used);
        else
            weft__budget_release(&account, used - want);
        used = want;
        level = weft__limits_level(&limits, level);
        assert_int_equal(level, steps[i].level);
    }
    weft__budget_charge(&account, 90 * (size_t)MIB);
    assert_int_equal(weft__limits_excess(&limits, WEFT_MEMORY_SCARCE), 5 * MIB);
    assert_int_equal(weft__limits_excess(&limits, WEFT_MEMORY_SPENT), 0);
    weft__limits_done(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(a_budget_that_nothing_fits_into_is_refused),
        cmocka_unit_test(an_address_has_so_many_connections_and_no_more),
        cmocka_unit_test(the_last_64_bits_of_ipv6_make_no_other_peer),
        cmocka_unit_test(loopback_is_counted_only_when_a_number_was_given),
        cmocka_unit_test(sockets_without_an_address_are_not_counted),
        cmocka_unit_test(without_memory_an_address_is_refused),
        cmocka_unit_test(workers_count_together),
        cmocka_unit_test(accepts_have_a_rate),
        cmocka_unit_test(without_a_rate_nothing_waits),
        cmocka_unit_test(memory_has_levels_that_are_left_later_than_entered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
