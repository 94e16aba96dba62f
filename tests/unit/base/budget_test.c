/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts count exactly, the budget knows their sum to a grain, and a spent budget stops hard
 * accounts alone. */
#include "lib/test.h"

#include "base/budget.h"

#include <pthread.h>

struct world {
    struct test_alloc mem;
    struct weft_budget budget;
    struct weft_budget_account hard;
    struct weft_budget_account soft;
};

static void world_init(struct world *world, size_t limit)
{
    test_alloc_init(&world->mem);
    weft__budget_init(&world->budget, limit);
    weft__budget_account_init(&world->hard, &world->budget, &world->mem.alloc, true);
    weft__budget_account_init(&world->soft, &world->budget, &world->mem.alloc, false);
}

static void world_done(struct world *world)
{
    assert_int_equal(weft__budget_account_used(&world->hard), 0);
    assert_int_equal(weft__budget_account_used(&world->soft), 0);
    assert_int_equal(weft__budget_total(&world->budget), 0);
    test_alloc_done(&world->mem);
}

static void an_account_counts_what_it_gave_out(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, SIZE_MAX);
    const struct weft_alloc *alloc = &world.soft.alloc;
    void *a = weft__mem_alloc(alloc, 1000);
    assert_int_equal(weft__budget_account_used(&world.soft), 1000);
    a = weft__mem_realloc(alloc, a, 1000, 3000);
    assert_int_equal(weft__budget_account_used(&world.soft), 3000);
    a = weft__mem_realloc(alloc, a, 3000, 500);
    assert_int_equal(weft__budget_account_used(&world.soft), 500);
    weft__budget_charge(&world.soft, 70);
    assert_int_equal(weft__budget_account_used(&world.soft), 570);
    weft__budget_release(&world.soft, 70);
    weft__mem_free(alloc, a, 500);
    world_done(&world);
}

static void what_fails_below_is_not_counted(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, SIZE_MAX);
    void *a = weft__mem_alloc(&world.soft.alloc, 10);
    world.mem.fail_at = world.mem.calls + 1;
    world.mem.fail_after = true;
    assert_null(weft__mem_alloc(&world.soft.alloc, 10));
    assert_null(weft__mem_realloc(&world.soft.alloc, a, 10, 20));
    assert_int_equal(weft__budget_account_used(&world.soft), 10);
    weft__mem_free(&world.soft.alloc, a, 10);
    world_done(&world);
}

static void the_total_is_the_sum_of_accounts_to_a_grain(void **state)
{
    enum { COUNT = 500 };
    struct world world;
    void *blocks[COUNT];
    size_t sizes[COUNT];
    size_t sum = 0;
    struct test_random random;
    (void)state;
    test_random_init(&random, "budget");
    world_init(&world, SIZE_MAX);
    for (size_t i = 0; i < COUNT; i++) {
        struct weft_budget_account *account = i % 2 ? &world.hard : &world.soft;
        sizes[i] = 1 + test_random_below(&random, 10000);
        blocks[i] = weft__mem_alloc(&account->alloc, sizes[i]);
        assert_non_null(blocks[i]);
        sum += sizes[i];
        size_t total = weft__budget_total(&world.budget);
        assert_true(total <= sum && sum - total < (size_t)2 * WEFT_BUDGET_GRAIN);
    }
    for (size_t i = 0; i < COUNT; i++)
        weft__mem_free(i % 2 ? &world.hard.alloc : &world.soft.alloc, blocks[i], sizes[i]);
    world_done(&world);
}

static void a_spent_budget_stops_hard_accounts_alone(void **state)
{
    enum { LIMIT = 1024 * 1024 };
    struct world world;
    (void)state;
    world_init(&world, LIMIT);
    void *most = weft__mem_alloc(&world.hard.alloc, LIMIT);
    assert_non_null(most);
    assert_null(weft__mem_alloc(&world.hard.alloc, 1));
    assert_null(weft__mem_realloc(&world.hard.alloc, most, LIMIT, LIMIT + 1));
    assert_int_equal(weft__budget_account_refused(&world.hard), 2);
    void *more = weft__mem_alloc(&world.soft.alloc, LIMIT);
    assert_non_null(more);
    most = weft__mem_realloc(&world.hard.alloc, most, LIMIT, 10);
    assert_non_null(most);
    weft__mem_free(&world.soft.alloc, more, LIMIT);
    weft__mem_free(&world.hard.alloc, most, 10);
    void *again = weft__mem_alloc(&world.hard.alloc, LIMIT / 2);
    assert_non_null(again);
    weft__mem_free(&world.hard.alloc, again, LIMIT / 2);
    assert_null(weft__mem_alloc(&world.hard.alloc, SIZE_MAX));
    world_done(&world);
}

/* ---- Threads: what one takes, another gives back ---- */

enum { THREADS = 4, ROUNDS = 2000, BLOCK = 3001 };

struct chain {
    struct weft_budget_account *account;
    _Atomic(void *) slots[THREADS];
};

struct link {
    struct chain *chain;
    unsigned index;
};

static void *pass_on(void *arg)
{
    struct link *link = arg;
    struct chain *chain = link->chain;
    for (int i = 0; i < ROUNDS; i++) {
        void *mine = weft__mem_alloc(&chain->account->alloc, BLOCK);
        unsigned next = (link->index + 1) % THREADS;
        void *other = atomic_exchange(&chain->slots[next], mine);
        weft__mem_free(&chain->account->alloc, other, BLOCK);
    }
    return NULL;
}

static void blocks_may_be_given_back_by_other_threads(void **state)
{
    struct weft_budget budget;
    struct weft_budget_account account;
    struct chain chain = {.account = &account};
    struct link links[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    weft__budget_init(&budget, SIZE_MAX);
    weft__budget_account_init(&account, &budget, weft_alloc_default(), false);
    for (unsigned i = 0; i < THREADS; i++) {
        links[i] = (struct link){&chain, i};
        assert_int_equal(pthread_create(&threads[i], NULL, pass_on, &links[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(weft__budget_account_used(&account), THREADS * BLOCK);
    for (unsigned i = 0; i < THREADS; i++)
        weft__mem_free(&account.alloc, chain.slots[i], BLOCK);
    assert_int_equal(weft__budget_account_used(&account), 0);
    /* Stripes that went below zero are rounded down too: up to a grain for each. */
    assert_true(weft__budget_total(&budget) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_counts_what_it_gave_out),
        cmocka_unit_test(what_fails_below_is_not_counted),
        cmocka_unit_test(the_total_is_the_sum_of_accounts_to_a_grain),
        cmocka_unit_test(a_spent_budget_stops_hard_accounts_alone),
        cmocka_unit_test(blocks_may_be_given_back_by_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
