/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the next call of a provided method; against a simple model too. */
#include "lib/test.h"

#include "rpc/providers.h"

static struct test_alloc mem;
static struct weft_rpc_providers table;
static const struct weft_rpc_method like = {.flags = WEFT_RPC_METHOD_GREETED};
static const struct weft_hash_key hash_key = {.k0 = 7, .k1 = 8};

static int set_up(void **state)
{
    (void)state;
    test_alloc_init(&mem);
    weft__rpc_providers_init(&table, &mem.alloc, hash_key, &like);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__rpc_providers_done(&table);
    test_alloc_done(&mem);
    return 0;
}

static struct weft_rpc_provider *add(uint64_t id)
{
    struct weft_rpc_provider *provider;
    assert_ok(weft__rpc_provider_add(&table, id, (unsigned)id % 3, &provider));
    return provider;
}

static void offer(struct weft_rpc_provider *provider, const char *name)
{
    assert_ok(weft__rpc_provider_offer(&table, provider, weft__slice_str(name), false));
}

static struct weft_rpc_provided *named(const char *name)
{
    struct weft_rpc_provided *provided = weft__rpc_provided_find(&table, weft__slice_str(name));
    assert_non_null(provided);
    return provided;
}

/* The provider that gets the next call. */
static uint64_t next_of(const char *name)
{
    struct weft_rpc_pick pick;
    assert_ok(weft__rpc_provided_pick(&table, named(name), &pick));
    assert_int_equal(pick.worker, pick.provider % 3);
    return pick.provider;
}

static void equals_take_turns(void **state)
{
    (void)state;
    unsigned counts[4] = {0};
    for (uint64_t id = 1; id <= 3; id++)
        offer(add(id), "a.b");
    for (int i = 0; i < 30; i++) {
        uint64_t id = next_of("a.b");
        ++counts[id];
        weft__rpc_provider_release(&table, id);
    }
    for (int id = 1; id <= 3; id++)
        assert_int_equal(counts[id], 10);
}

static void who_has_the_fewest_calls_is_next(void **state)
{
    (void)state;
    offer(add(1), "a");
    offer(add(2), "a");
    for (int i = 0; i < 4; i++)
        (void)next_of("a");
    weft__rpc_provider_release(&table, 1);
    weft__rpc_provider_release(&table, 1);
    assert_int_equal(next_of("a"), 1);
    assert_int_equal(next_of("a"), 1);
    assert_int_equal(table.stats.outstanding, 4);
}

static void calls_of_all_names_count(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    offer(one, "a");
    offer(one, "b");
    offer(add(2), "a");
    (void)next_of("b");
    assert_int_equal(next_of("a"), 2);
}

static void capacity_is_not_exceeded(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    struct weft_rpc_pick pick;
    one->capacity = 2;
    offer(one, "a");
    (void)next_of("a");
    (void)next_of("a");
    assert_err(weft__rpc_provided_pick(&table, named("a"), &pick), WEFT_ERR_BUSY);
    weft__rpc_provider_release(&table, 1);
    assert_int_equal(next_of("a"), 1);
}

static void count_method(const struct weft_rpc_method *method, void *arg)
{
    assert_string_equal(method->name, "b");
    ++*(int *)arg;
}

static void what_is_provided_now_can_be_listed(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    int count = 0;
    offer(one, "a");
    offer(one, "b");
    (void)weft__rpc_provider_withdraw(&table, one, WEFT_SLICE_LIT("a"));
    weft__rpc_provided_each(&table, count_method, &count);
    assert_int_equal(count, 1);
}

static void who_is_away_gets_nothing(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    struct weft_rpc_pick pick;
    offer(one, "a");
    weft__rpc_provider_set_away(one, true);
    assert_err(weft__rpc_provided_pick(&table, named("a"), &pick), WEFT_ERR_NOT_FOUND);
    weft__rpc_provider_set_away(one, false);
    assert_int_equal(next_of("a"), 1);
}

static struct weft_rpc_provided *hold(const char *name, bool expected)
{
    return weft__rpc_provided_hold(&table, weft__slice_str(name), expected);
}

static void a_name_lives_as_long_as_it_is_offered_or_held(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    struct weft_rpc_pick pick;
    offer(one, "jobs.resize");
    struct weft_rpc_provided *name = hold("jobs.resize", false);
    assert_ptr_equal(name, named("jobs.resize"));
    assert_string_equal(name->method.name, "jobs.resize");
    assert_ptr_equal(name->method.ctx, name);
    assert_int_equal(name->method.index, UINT32_MAX);
    assert_int_equal(name->method.flags, WEFT_RPC_METHOD_GREETED);
    (void)next_of("jobs.resize");
    assert_int_equal(table.stats.names, 1);
    weft__rpc_provider_remove(&table, one);
    assert_null(weft__rpc_provider_find(&table, 1));
    assert_int_equal(table.stats.names, 0);
    assert_ptr_equal(named("jobs.resize"), name);
    assert_err(weft__rpc_provided_pick(&table, name, &pick), WEFT_ERR_NOT_FOUND);
    assert_int_equal(table.stats.outstanding, 0);
    weft__rpc_provider_release(&table, 1); /* of one that left: nothing to count */
    assert_null(weft__rpc_provided_find(&table, WEFT_SLICE_LIT("jobs.resiz")));
    assert_null(hold("jobs.resize", false)); /* nobody provides it, though a call has it */
    offer(add(2), "jobs.resize");
    assert_ptr_equal(named("jobs.resize"), name); /* the call may go there */
    weft__rpc_provided_release(&table, name);
    assert_ptr_equal(named("jobs.resize"), name);
    weft__rpc_provider_remove(&table, weft__rpc_provider_find(&table, 2));
    assert_int_equal(table.names.count, 0);
}

static void a_name_that_is_expected_can_be_held_before_anybody_offers_it(void **state)
{
    (void)state;
    struct weft_rpc_pick pick;
    assert_null(hold("jobs.soon", false));
    struct weft_rpc_provided *name = hold("jobs.soon", true);
    assert_ptr_equal(hold("jobs.soon", true), name);
    assert_int_equal(table.stats.names, 0);
    assert_err(weft__rpc_provided_pick(&table, name, &pick), WEFT_ERR_NOT_FOUND);
    offer(add(1), "jobs.soon");
    assert_int_equal(next_of("jobs.soon"), 1);
    weft__rpc_provided_release(&table, name);
    weft__rpc_provided_release(&table, name);
    assert_int_equal(table.stats.names, 1);
}

static void names_that_come_and_go_leave_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 10000 };
    char name[32];
    size_t before = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_rpc_provider *provider = add(i + 1);
        snprintf(name, sizeof(name), "n%u", i);
        offer(provider, name);
        if (i % 2)
            assert_true(weft__rpc_provider_withdraw(&table, provider, weft__slice_str(name)));
        weft__rpc_provider_remove(&table, provider);
        assert_int_equal(table.names.count, 0);
        if (i == ROUNDS / 2)
            before = mem.live_bytes;
    }
    assert_int_equal(mem.live_bytes, before);
}

static void a_refused_offer_leaves_no_name(void **state)
{
    (void)state;
    table.offers_max = 2;
    struct weft_rpc_provider *one = add(1);
    offer(one, "a");
    offer(one, "b");
    assert_err(weft__rpc_provider_offer(&table, one, WEFT_SLICE_LIT("c"), false), WEFT_ERR_DENIED);
    assert_ok(weft__rpc_provider_offer(&table, one, WEFT_SLICE_LIT("b"), true)); /* no new one */
    assert_int_equal(table.names.count, 2);
    assert_true(weft__rpc_provider_withdraw(&table, one, WEFT_SLICE_LIT("a")));
    offer(one, "c");
    assert_int_equal(table.names.count, 2);
}

static void an_offer_made_again_is_changed(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    struct weft_rpc_pick pick;
    offer(one, "a");
    assert_ok(weft__rpc_provider_offer(&table, one, WEFT_SLICE_LIT("a"), true));
    assert_int_equal(one->offer_count, 1);
    assert_ok(weft__rpc_provided_pick(&table, named("a"), &pick));
    assert_true(pick.idempotent);
}

static void offers_can_be_taken_back(void **state)
{
    (void)state;
    struct weft_rpc_provider *one = add(1);
    offer(one, "a");
    offer(one, "b");
    assert_true(weft__rpc_provider_offers(&table, one, WEFT_SLICE_LIT("a")));
    (void)next_of("a");
    assert_true(weft__rpc_provider_withdraw(&table, one, WEFT_SLICE_LIT("a")));
    assert_false(weft__rpc_provider_withdraw(&table, one, WEFT_SLICE_LIT("a")));
    assert_false(weft__rpc_provider_withdraw(&table, one, WEFT_SLICE_LIT("never")));
    assert_false(weft__rpc_provider_offers(&table, one, WEFT_SLICE_LIT("a")));
    assert_null(weft__rpc_provided_find(&table, WEFT_SLICE_LIT("a")));
    assert_int_equal(one->outstanding, 1);
    weft__rpc_provider_withdraw_all(&table, one);
    assert_int_equal(one->offer_count, 0);
}

static void names_are_limited(void **state)
{
    (void)state;
    struct weft_rpc_provider *provider = NULL;
    struct weft_rpc_provided *held = hold("held", true); /* not offered, so it does not count */
    char name[32];
    for (unsigned i = 0; i < WEFT_RPC_PROVIDED_NAMES_MAX; i++) {
        if (i % WEFT_RPC_PROVIDER_OFFERS == 0)
            provider = add(i + 1);
        snprintf(name, sizeof(name), "n%u", i);
        offer(provider, name);
    }
    assert_err(weft__rpc_provider_offer(&table, provider, WEFT_SLICE_LIT("n0"), false),
               WEFT_ERR_DENIED);
    struct weft_rpc_provider *other = add(1000000);
    assert_err(weft__rpc_provider_offer(&table, other, WEFT_SLICE_LIT("one.more"), false),
               WEFT_ERR_LIMIT);
    assert_err(weft__rpc_provider_offer(&table, other, WEFT_SLICE_LIT("held"), false),
               WEFT_ERR_LIMIT);
    assert_int_equal(table.names.count, WEFT_RPC_PROVIDED_NAMES_MAX + 1);
    offer(other, "n0");
    weft__rpc_provider_withdraw_all(&table, provider);
    offer(other, "one.more");
    weft__rpc_provided_release(&table, held);
    assert_null(weft__rpc_provided_find(&table, WEFT_SLICE_LIT("held")));
}

static void providers_of_one_name_are_limited(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEFT_RPC_PROVIDERS_MAX; i++)
        offer(add(i + 1), "a");
    struct weft_rpc_provider *other = add(1000000);
    assert_err(weft__rpc_provider_offer(&table, other, WEFT_SLICE_LIT("a"), false), WEFT_ERR_LIMIT);
    assert_int_equal(other->offer_count, 0);
}

static void what_may_fail_over(void **state)
{
    (void)state;
    struct weft_rpc_attempt attempt = {.executed = WEFT_RPC_EXECUTED_UNKNOWN};
    assert_false(weft__rpc_attempt_may_fail_over(&attempt));
    attempt.idempotent = true;
    assert_true(weft__rpc_attempt_may_fail_over(&attempt));
    attempt = (struct weft_rpc_attempt){.executed = WEFT_RPC_EXECUTED_UNKNOWN, .has_key = true};
    assert_true(weft__rpc_attempt_may_fail_over(&attempt));
    attempt.failovers = WEFT_RPC_FAILOVERS_MAX;
    assert_false(weft__rpc_attempt_may_fail_over(&attempt));
    attempt = (struct weft_rpc_attempt){.executed = WEFT_RPC_EXECUTED_NO};
    assert_true(weft__rpc_attempt_may_fail_over(&attempt));
}

/* ---- against a model ---- */

enum { IDS = 12, NAMES = 4 };

static struct {
    bool exists[IDS], away[IDS];
    uint32_t capacity[IDS], calls[IDS];
    bool offers[IDS][NAMES];
    uint64_t turn[IDS][NAMES]; /* when it was last chosen, or offered */
    uint64_t clock;
} model;

#define MIDDLE (UINT64_C(1) << 62)

static void check_pick(int name, const char *text)
{
    struct weft_rpc_pick pick;
    int best = -1;
    bool busy = false;
    struct weft_rpc_provided *provided = weft__rpc_provided_find(&table, weft__slice_str(text));
    if (!provided)
        return;
    for (int id = 0; id < IDS; id++) {
        if (!model.exists[id] || !model.offers[id][name] || model.away[id])
            continue;
        if (model.calls[id] >= model.capacity[id])
            busy = true;
        else if (best < 0 || model.calls[id] < model.calls[best] ||
                 (model.calls[id] == model.calls[best] &&
                  model.turn[id][name] < model.turn[best][name]))
            best = id;
    }
    int err = weft__rpc_provided_pick(&table, provided, &pick);
    if (best < 0) {
        assert_err(err, busy ? WEFT_ERR_BUSY : WEFT_ERR_NOT_FOUND);
        return;
    }
    assert_ok(err);
    assert_int_equal(pick.provider, best + 1);
    ++model.calls[best];
    model.turn[best][name] = MIDDLE + ++model.clock;
}

static void random_step(struct test_random *rng)
{
    static const char *const names[NAMES] = {"a", "b", "c.d", "e/f"};
    int id = (int)test_random_below(rng, IDS);
    int name = (int)test_random_below(rng, NAMES);
    struct weft_slice text = weft__slice_str(names[name]);
    struct weft_rpc_provider *provider = weft__rpc_provider_find(&table, (uint64_t)id + 1);
    assert_int_equal(provider != NULL, model.exists[id]);
    if (!provider) {
        provider = add((uint64_t)id + 1);
        model.exists[id] = true;
        model.away[id] = false;
        model.calls[id] = 0;
        provider->capacity = model.capacity[id] = (uint32_t)test_random_size(rng, 1, 6);
        memset(model.offers[id], 0, sizeof(model.offers[id]));
        return;
    }
    switch (test_random_below(rng, 12)) {
    case 0:
        weft__rpc_provider_remove(&table, provider);
        model.exists[id] = false;
        break;
    case 1:
        model.away[id] = !model.away[id];
        weft__rpc_provider_set_away(provider, model.away[id]);
        break;
    case 2:
        assert_int_equal(weft__rpc_provider_withdraw(&table, provider, text),
                         model.offers[id][name]);
        model.offers[id][name] = false;
        break;
    case 3:
    case 4:
        assert_ok(weft__rpc_provider_offer(&table, provider, text, true));
        if (!model.offers[id][name]) /* who is new goes before all: below every turn so far */
            model.turn[id][name] = MIDDLE - ++model.clock;
        model.offers[id][name] = true;
        break;
    case 5:
    case 6:
    case 7:
        if (model.calls[id] > 0) {
            weft__rpc_provider_release(&table, (uint64_t)id + 1);
            --model.calls[id];
        }
        break;
    default:
        check_pick(name, names[name]);
        break;
    }
}

/* How many names somebody offers. */
static size_t names_offered(void)
{
    size_t count = 0;
    for (int name = 0; name < NAMES; name++) {
        bool offered = false;
        for (int id = 0; id < IDS; id++)
            offered = offered || (model.exists[id] && model.offers[id][name]);
        count += offered;
    }
    return count;
}

static void random_steps_agree_with_a_simple_model(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "providers");
    memset(&model, 0, sizeof(model));
    for (int i = 0; i < 60000; i++) {
        size_t calls = 0, providers = 0;
        random_step(&rng);
        for (int id = 0; id < IDS; id++) {
            providers += model.exists[id];
            calls += model.exists[id] ? model.calls[id] : 0;
        }
        assert_int_equal(table.stats.providers, providers);
        assert_int_equal(table.names.count, names_offered());
        assert_int_equal(table.stats.names, names_offered());
        assert_int_equal(table.stats.outstanding, calls);
    }
}

/* ---- memory ---- */

/* What is counted agrees with what there is. */
static void check_table(const struct weft_rpc_providers *own, struct weft_rpc_provided *const *held)
{
    size_t names = 0, offers = 0, of_providers = 0;
    for (struct weft_map_node *node = weft__map_first(&own->names); node;
         node = weft__map_next(&own->names, node)) {
        const struct weft_rpc_provided *name =
            WEFT_CONTAINER_OF(node, const struct weft_rpc_provided, node);
        assert_true(name->offer_count > 0 || name == held[0] || name == held[1]);
        names += name->offer_count > 0;
        offers += name->offer_count;
    }
    for (struct weft_map_node *node = weft__map_first(&own->providers); node;
         node = weft__map_next(&own->providers, node))
        of_providers += WEFT_CONTAINER_OF(node, const struct weft_rpc_provider, node)->offer_count;
    assert_int_equal(own->stats.names, names);
    assert_int_equal(own->stats.providers, own->providers.count);
    assert_int_equal(of_providers, offers);
}

static int use_table(const struct weft_alloc *alloc, void *ctx)
{
    static const char *const names[] = {"a", "b", "c.d"};
    struct weft_rpc_providers own;
    struct weft_rpc_provided *held[2] = {NULL};
    int err = 0;
    (void)ctx;
    weft__rpc_providers_init(&own, alloc, hash_key, &like);
    held[0] = weft__rpc_provided_hold(&own, WEFT_SLICE_LIT("b"), true);
    for (uint64_t id = 1; id <= 3; id++) {
        struct weft_rpc_provider *provider = NULL;
        int failed = weft__rpc_provider_add(&own, id, 0, &provider);
        for (size_t i = 0; i < WEFT_ARRAY_LEN(names) && provider; i++) {
            int refused = weft__rpc_provider_offer(&own, provider, weft__slice_str(names[i]), true);
            failed = failed ? failed : refused;
            assert_int_equal(weft__rpc_provider_offers(&own, provider, weft__slice_str(names[i])),
                             !refused);
            check_table(&own, held);
        }
        err = err ? err : failed;
    }
    held[1] = weft__rpc_provided_hold(&own, WEFT_SLICE_LIT("a"), false);
    weft__rpc_provider_remove(&own, weft__rpc_provider_find(&own, 1));
    check_table(&own, held);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(held); i++)
        if (held[i])
            weft__rpc_provided_release(&own, held[i]);
    held[0] = held[1] = NULL;
    check_table(&own, held);
    weft__rpc_providers_done(&own);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(use_table, NULL) > 8);
}

int main(void)
{
#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_TABLE(equals_take_turns),
        WITH_TABLE(who_has_the_fewest_calls_is_next),
        WITH_TABLE(calls_of_all_names_count),
        WITH_TABLE(capacity_is_not_exceeded),
        WITH_TABLE(what_is_provided_now_can_be_listed),
        WITH_TABLE(who_is_away_gets_nothing),
        WITH_TABLE(a_name_lives_as_long_as_it_is_offered_or_held),
        WITH_TABLE(a_name_that_is_expected_can_be_held_before_anybody_offers_it),
        WITH_TABLE(names_that_come_and_go_leave_nothing),
        WITH_TABLE(a_refused_offer_leaves_no_name),
        WITH_TABLE(an_offer_made_again_is_changed),
        WITH_TABLE(offers_can_be_taken_back),
        WITH_TABLE(names_are_limited),
        WITH_TABLE(providers_of_one_name_are_limited),
        cmocka_unit_test(what_may_fail_over),
        WITH_TABLE(random_steps_agree_with_a_simple_model),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
