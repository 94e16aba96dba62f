/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of answers: what is found, what is kept, and what goes first; against a simple model
 * too. */
#include "lib/test.h"

#include "base/timer.h"
#include "rpc/idempotency.h"

static struct test_alloc mem;
static struct weft_rpc_idem_cache cache;
static uint64_t now_ns;

static const int us = 0; /* who runs calls */
static const int others = 0;

/* What an entry takes for a key of one byte, method "m" and principal "p". */
enum { ENTRY = sizeof(struct weft_rpc_idem_entry) + 6 };

static void start(struct weft_rpc_idem_limits limits)
{
    static const struct weft_hash_key key = {.k0 = 3, .k1 = 4};
    weft__rpc_idem_init(&cache, &mem.alloc, key, &limits);
}

static int set_up(void **state)
{
    (void)state;
    test_alloc_init(&mem);
    now_ns = 1000;
    start(WEFT_RPC_IDEM_LIMITS_DEFAULT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__rpc_idem_done(&cache);
    test_alloc_done(&mem);
    return 0;
}

static void restart(struct weft_rpc_idem_limits limits)
{
    weft__rpc_idem_done(&cache);
    start(limits);
}

static enum weft_rpc_idem_verdict begin_as(const char *principal, const char *method,
                                           const char *key, const char *params, const void *owner,
                                           struct weft_rpc_idem_found *ret_found)
{
    const struct weft_rpc_idem_call call = {
        .principal = weft__slice_str(principal),
        .method = weft__slice_str(method),
        .key = weft__slice_str(key),
        .params = weft__slice_str(params),
        .owner = owner,
    };
    return weft__rpc_idem_begin(&cache, &call, now_ns, ret_found);
}

static enum weft_rpc_idem_verdict begin(const char *key, struct weft_rpc_idem_found *ret_found)
{
    return begin_as("p", "m", key, "[1]", &us, ret_found);
}

static void finish(struct weft_rpc_idem_entry *entry, const char *result)
{
    const struct weft_rpc_outcome outcome = {.result = weft__slice_str(result)};
    weft__rpc_idem_finish(&cache, entry, weft__rpc_kept_new(&mem.alloc, &outcome), true, now_ns);
}

/* Runs a call to its end. */
static void run(const char *principal, const char *key, const char *result)
{
    struct weft_rpc_idem_found found;
    assert_int_equal(begin_as(principal, "m", key, "[1]", &us, &found), WEFT_RPC_IDEM_RUN);
    finish(found.entry, result);
}

static void assert_stored(const char *principal, const char *key, const char *result)
{
    struct weft_rpc_idem_found found;
    assert_int_equal(begin_as(principal, "m", key, "[1]", &us, &found), WEFT_RPC_IDEM_STORED);
    assert_true(found.answer->is_result);
    assert_true(weft__slice_eq_str(found.answer->result, result));
    weft__rpc_kept_unref(found.answer);
}

/* The next call with |key| would run. */
static void assert_unknown(const char *principal, const char *key)
{
    struct weft_rpc_idem_found found;
    assert_int_equal(begin_as(principal, "m", key, "[1]", &us, &found), WEFT_RPC_IDEM_RUN);
    weft__rpc_idem_forget(&cache, found.entry);
}

/* ---- what is found ---- */

static void a_repeat_gets_the_kept_answer(void **state)
{
    (void)state;
    run("p", "k", "{\"a\":1}");
    assert_stored("p", "k", "{\"a\":1}");
    assert_stored("p", "k", "{\"a\":1}");
    assert_int_equal(cache.stats.hits, 2);
    assert_int_equal(cache.stats.stored, 1);
    assert_int_equal(cache.stats.entries, 1);
}

static void principal_method_and_key_tell_calls_apart(void **state)
{
    (void)state;
    static const char *const names[][3] = {
        {"p", "m", "k"},  {"", "m", "k"},  {"q", "m", "k"}, {"p", "n", "k"},
        {"p", "m", "kk"}, {"pm", "", "k"}, {"", "pm", "k"}, {"", "", "pmk"},
    };
    struct weft_rpc_idem_found found;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
        char result[24];
        snprintf(result, sizeof(result), "%zu", i);
        assert_int_equal(begin_as(names[i][0], names[i][1], names[i][2], "[1]", &us, &found),
                         WEFT_RPC_IDEM_RUN);
        finish(found.entry, result);
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
        char result[24];
        snprintf(result, sizeof(result), "%zu", i);
        assert_int_equal(begin_as(names[i][0], names[i][1], names[i][2], "[1]", &us, &found),
                         WEFT_RPC_IDEM_STORED);
        assert_true(weft__slice_eq_str(found.answer->result, result));
        weft__rpc_kept_unref(found.answer);
    }
}

static void a_running_call_is_known_to_its_owner(void **state)
{
    (void)state;
    struct weft_rpc_idem_found first, found;
    assert_int_equal(begin("k", &first), WEFT_RPC_IDEM_RUN);
    assert_int_equal(begin("k", &found), WEFT_RPC_IDEM_RUNNING);
    assert_ptr_equal(found.entry, first.entry);
    assert_int_equal(begin_as("p", "m", "k", "[1]", &others, &found), WEFT_RPC_IDEM_RUNNING);
    assert_null(found.entry);
    assert_int_equal(cache.stats.joined, 1);
    assert_int_equal(cache.stats.busy, 1);
    assert_int_equal(cache.stats.running, 1);
    finish(first.entry, "1");
    assert_int_equal(cache.stats.running, 0);
    assert_stored("p", "k", "1");
}

static void other_parameters_are_a_mismatch(void **state)
{
    (void)state;
    static const char *const params[] = {"[2]", "[1 ]", "", "[1][1]"};
    struct weft_rpc_idem_found running, found;
    run("p", "k", "1");
    assert_int_equal(begin("running", &running), WEFT_RPC_IDEM_RUN);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(params); i++) {
        assert_int_equal(begin_as("p", "m", "k", params[i], &us, &found), WEFT_RPC_IDEM_MISMATCH);
        assert_int_equal(begin_as("p", "m", "running", params[i], &us, &found),
                         WEFT_RPC_IDEM_MISMATCH);
    }
    assert_int_equal(cache.stats.mismatches, 2 * WEFT_ARRAY_LEN(params));
    weft__rpc_idem_forget(&cache, running.entry);
    assert_stored("p", "k", "1");
}

static void a_forgotten_call_runs_again(void **state)
{
    (void)state;
    struct weft_rpc_idem_found found;
    assert_int_equal(begin("k", &found), WEFT_RPC_IDEM_RUN);
    weft__rpc_idem_forget(&cache, found.entry);
    assert_unknown("p", "k");
    assert_int_equal(cache.stats.forgotten, 2);
    assert_int_equal(cache.stats.entries, 0);
    assert_int_equal(cache.stats.bytes, 0);
}

static void errors_are_kept_whole(void **state)
{
    (void)state;
    const struct weft_rpc_violation rules[] = {{"a", "max"}, {"b.c", ""}};
    const struct weft_rpc_failure failure = {.status = WEFT_STATUS_ABORTED,
                                             .message = "no",
                                             .reason = "acme.no",
                                             .retryable = true,
                                             .retry_after_ms = 7,
                                             .violations = rules,
                                             .violation_count = 2,
                                             .details = WEFT_SLICE_LIT("[1,2]")};
    const struct weft_rpc_outcome outcome = {.failure = &failure};
    struct weft_rpc_kept *answer = weft__rpc_kept_new(&mem.alloc, &outcome);
    assert_non_null(answer);
    assert_false(answer->is_result);
    assert_int_equal(answer->failure.status, WEFT_STATUS_ABORTED);
    assert_string_equal(answer->failure.message, "no");
    assert_string_equal(answer->failure.reason, "acme.no");
    assert_int_equal(answer->failure.executed, WEFT_RPC_EXECUTED_UNKNOWN);
    assert_true(answer->failure.retryable);
    assert_int_equal(answer->failure.retry_after_ms, 7);
    assert_int_equal(answer->failure.violation_count, 2);
    assert_string_equal(answer->failure.violations[0].rule, "max");
    assert_string_equal(answer->failure.violations[1].field, "b.c");
    assert_string_equal(answer->failure.violations[1].rule, "");
    assert_true(weft__slice_eq_str(answer->failure.details, "[1,2]"));
    weft__rpc_kept_unref(answer);
    const struct weft_rpc_failure bare = {.status = WEFT_STATUS_INTERNAL};
    answer = weft__rpc_kept_new(&mem.alloc, &(struct weft_rpc_outcome){.failure = &bare});
    assert_non_null(answer);
    assert_null(answer->failure.message);
    assert_null(answer->failure.reason);
    assert_null(answer->failure.violations);
    weft__rpc_kept_unref(answer);
}

static void keys_are_visible_ascii(void **state)
{
    (void)state;
    char longest[WEFT_RPC_IDEM_KEY_MAX + 2];
    memset(longest, 'k', sizeof(longest));
    assert_true(weft__rpc_idem_key_valid(weft__slice_str("!")));
    assert_true(weft__rpc_idem_key_valid(weft__slice_str("01JABC-def~")));
    assert_true(weft__rpc_idem_key_valid(weft__slice(longest, WEFT_RPC_IDEM_KEY_MAX)));
    assert_false(weft__rpc_idem_key_valid(weft__slice(longest, WEFT_RPC_IDEM_KEY_MAX + 1)));
    assert_false(weft__rpc_idem_key_valid(weft__slice_str("")));
    assert_false(weft__rpc_idem_key_valid(weft__slice_str("a b")));
    assert_false(weft__rpc_idem_key_valid(weft__slice_str("a\x7f")));
    assert_false(weft__rpc_idem_key_valid(weft__slice_str("\xc3\xa9")));
    assert_false(weft__rpc_idem_key_valid(WEFT_SLICE_LIT("a\0")));
}

/* ---- what is kept ---- */

static void answers_expire_and_running_calls_do_not(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    struct weft_rpc_idem_found running, found;
    limits.ttl_ns = 100;
    restart(limits);
    assert_int_equal(begin("running", &running), WEFT_RPC_IDEM_RUN);
    run("p", "a", "1");
    now_ns += 50;
    run("p", "b", "2");
    now_ns += 49;
    assert_stored("p", "a", "1");
    now_ns += 1;
    assert_unknown("p", "a");
    assert_stored("p", "b", "2");
    now_ns += 1000;
    weft__rpc_idem_tick(&cache, now_ns);
    assert_int_equal(cache.stats.entries, 1);
    assert_int_equal(cache.stats.expired, 2);
    assert_int_equal(begin("running", &found), WEFT_RPC_IDEM_RUNNING);
    weft__rpc_idem_forget(&cache, running.entry);
}

static void without_a_time_answers_do_not_expire(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    limits.ttl_ns = UINT64_MAX;
    restart(limits);
    run("p", "a", "1");
    now_ns = UINT64_MAX - 1;
    weft__rpc_idem_tick(&cache, now_ns);
    assert_stored("p", "a", "1");
}

static void the_least_recently_used_answer_makes_room(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    limits.entries = 3;
    restart(limits);
    run("p", "a", "1");
    run("p", "b", "2");
    run("p", "c", "3");
    assert_stored("p", "a", "1");
    run("p", "d", "4");
    assert_int_equal(cache.stats.evicted, 1);
    assert_stored("p", "a", "1");
    assert_stored("p", "c", "3");
    assert_stored("p", "d", "4");
    assert_unknown("p", "b");
}

static void running_calls_are_never_evicted(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    struct weft_rpc_idem_found a, b, found;
    limits.entries = 2;
    restart(limits);
    assert_int_equal(begin("a", &a), WEFT_RPC_IDEM_RUN);
    assert_int_equal(begin("b", &b), WEFT_RPC_IDEM_RUN);
    assert_int_equal(begin("c", &found), WEFT_RPC_IDEM_FULL);
    assert_null(found.entry);
    assert_int_equal(cache.stats.full, 1);
    finish(a.entry, "1");
    assert_int_equal(begin("c", &found), WEFT_RPC_IDEM_RUN);
    assert_int_equal(cache.stats.evicted, 1);
    finish(b.entry, "2");
    finish(found.entry, "3");
    assert_stored("p", "b", "2");
    assert_stored("p", "c", "3");
}

static void one_principal_evicts_its_own_first(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    limits.entries = 8;
    limits.principal_entries = 2;
    restart(limits);
    run("q", "a", "0");
    run("p", "a", "1");
    run("p", "b", "2");
    for (int c = 'c'; c <= 'z'; c++) {
        const char key[] = {(char)c, '\0'};
        run("p", key, "3");
        assert_int_equal(cache.stats.entries, 3);
    }
    assert_stored("q", "a", "0");
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    enum { RESULT = 400 };
    char result[RESULT + 1];
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    memset(result, '1', RESULT);
    result[RESULT] = '\0';
    limits.bytes = limits.principal_bytes = 12 * (ENTRY + sizeof(struct weft_rpc_kept) + RESULT);
    restart(limits);
    for (int c = 'a'; c <= 'z'; c++) {
        const char key[] = {(char)c, '\0'};
        run("p", key, result);
        assert_true(cache.stats.bytes <= limits.bytes);
    }
    assert_int_equal(cache.stats.entries, 12);
    assert_int_equal(cache.stats.evicted, 14);
    assert_stored("p", "z", result);
    assert_stored("p", "o", result);
    assert_unknown("p", "n");
}

/* An answer that is not kept must not make the call run again. */
static void of_an_answer_too_large_its_existence_is_kept(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    struct weft_rpc_idem_found found;
    char result[2000];
    memset(result, '1', sizeof(result) - 1);
    result[sizeof(result) - 1] = '\0';
    limits.principal_bytes = 8000;
    restart(limits);
    run("p", "k", result);
    assert_int_equal(cache.stats.lost, 1);
    assert_int_equal(begin("k", &found), WEFT_RPC_IDEM_STORED);
    assert_false(found.answer->is_result);
    assert_string_equal(found.answer->failure.reason, "weft.idem.answer_lost");
    assert_int_equal(found.answer->failure.executed, WEFT_RPC_EXECUTED_YES);
    weft__rpc_kept_unref(found.answer);
    assert_int_equal(begin("e", &found), WEFT_RPC_IDEM_RUN);
    weft__rpc_idem_finish(&cache, found.entry, NULL, false, now_ns);
    assert_int_equal(begin("e", &found), WEFT_RPC_IDEM_STORED);
    assert_int_equal(found.answer->failure.executed, WEFT_RPC_EXECUTED_UNKNOWN);
    weft__rpc_kept_unref(found.answer);
}

static void an_answer_outlives_its_eviction(void **state)
{
    (void)state;
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    struct weft_rpc_idem_found found;
    limits.entries = 1;
    restart(limits);
    run("p", "a", "[1]");
    assert_int_equal(begin("a", &found), WEFT_RPC_IDEM_STORED);
    run("p", "b", "[2]");
    assert_true(weft__slice_eq_str(found.answer->result, "[1]"));
    weft__rpc_kept_unref(found.answer);
}

/* ---- against a model ---- */

enum { PRINCIPALS = 3, KEYS = 12, OWNERS = 2, PARAMS = 3 };

struct model_entry {
    bool exists;
    bool running;
    int params;
    int owner;
    uint64_t used;
    uint64_t expires_ns;
    size_t size;
    size_t result_len;
    struct weft_rpc_idem_entry *entry;
};

static struct {
    struct model_entry entries[PRINCIPALS][KEYS];
    struct weft_rpc_idem_limits limits;
    uint64_t uses;
} model;

static void model_sum(int principal, size_t *ret_count, size_t *ret_bytes)
{
    *ret_count = *ret_bytes = 0;
    for (int p = 0; p < PRINCIPALS; p++)
        for (int k = 0; k < KEYS; k++)
            if (model.entries[p][k].exists && (principal < 0 || p == principal)) {
                ++*ret_count;
                *ret_bytes += model.entries[p][k].size;
            }
}

static bool model_over(int principal)
{
    size_t count, bytes;
    model_sum(principal, &count, &bytes);
    return principal < 0
               ? count > model.limits.entries || bytes > model.limits.bytes
               : count > model.limits.principal_entries || bytes > model.limits.principal_bytes;
}

/* Drops the finished entry used longest ago, of |principal| or, when that is -1, of all. */
static bool model_evict(int principal)
{
    struct model_entry *oldest = NULL;
    for (int p = 0; p < PRINCIPALS; p++)
        for (int k = 0; k < KEYS; k++) {
            struct model_entry *entry = &model.entries[p][k];
            if (entry->exists && !entry->running && (principal < 0 || p == principal) &&
                (!oldest || entry->used < oldest->used))
                oldest = entry;
        }
    if (oldest)
        oldest->exists = false;
    return oldest != NULL;
}

static bool model_make_room(int principal)
{
    for (;;) {
        bool own = model_over(principal);
        if (!own && !model_over(-1))
            return true;
        if (!model_evict(own ? principal : -1))
            return false;
    }
}

static enum weft_rpc_idem_verdict model_begin(int p, int k, int params, int owner, size_t size)
{
    struct model_entry *entry = &model.entries[p][k];
    if (entry->exists && entry->params != params)
        return WEFT_RPC_IDEM_MISMATCH;
    if (entry->exists && entry->running)
        return WEFT_RPC_IDEM_RUNNING;
    if (entry->exists) {
        entry->used = ++model.uses;
        return WEFT_RPC_IDEM_STORED;
    }
    *entry = (struct model_entry){
        .exists = true, .running = true, .params = params, .owner = owner, .size = size};
    if (model_make_room(p))
        return WEFT_RPC_IDEM_RUN;
    entry->exists = false;
    return WEFT_RPC_IDEM_FULL;
}

static void model_finish(int p, int k, size_t result_len)
{
    struct model_entry *entry = &model.entries[p][k];
    size_t more = sizeof(struct weft_rpc_kept) + result_len;
    bool fits = more <= model.limits.principal_bytes / 8 && more <= model.limits.bytes / 8;
    if (fits) {
        entry->size += more;
        fits = model_make_room(p);
        if (!fits)
            entry->size -= more;
    }
    entry->result_len = fits ? result_len : SIZE_MAX;
    entry->running = false;
    entry->used = ++model.uses;
    entry->expires_ns = now_ns + model.limits.ttl_ns;
}

/* The real one frees what expired little by little; it is made to catch up before each step. */
static void expire_both(void)
{
    weft__rpc_idem_tick(&cache, now_ns);
    for (int p = 0; p < PRINCIPALS; p++)
        for (int k = 0; k < KEYS; k++) {
            struct model_entry *entry = &model.entries[p][k];
            if (entry->exists && !entry->running && entry->expires_ns <= now_ns)
                entry->exists = false;
        }
}

static void step_begin(struct test_random *rng)
{
    static const char *const principals[PRINCIPALS] = {"", "p", "qq"};
    static const char *const all_params[PARAMS] = {"", "[1]", "[1,2,3,4,5]"};
    static const int owners[OWNERS] = {0, 0};
    int p = (int)test_random_below(rng, PRINCIPALS);
    int k = (int)test_random_below(rng, KEYS);
    int params = test_random_one_in(rng, 8) ? (int)test_random_below(rng, PARAMS) : k % PARAMS;
    int owner = (int)test_random_below(rng, OWNERS);
    char key[16];
    snprintf(key, sizeof(key), "k%d", k);
    size_t size = sizeof(struct weft_rpc_idem_entry) + 3 + strlen(principals[p]) + 1 + strlen(key);
    struct model_entry before = model.entries[p][k];
    enum weft_rpc_idem_verdict want = model_begin(p, k, params, owner, size);
    struct weft_rpc_idem_found found;
    assert_int_equal(begin_as(principals[p], "m", key, all_params[params], &owners[owner], &found),
                     want);
    if (want == WEFT_RPC_IDEM_RUN)
        model.entries[p][k].entry = found.entry;
    else if (want == WEFT_RPC_IDEM_RUNNING)
        assert_ptr_equal(found.entry, before.owner == owner ? before.entry : NULL);
    if (want != WEFT_RPC_IDEM_STORED)
        return;
    assert_int_equal(found.answer->is_result, before.result_len != SIZE_MAX);
    assert_int_equal(found.answer->result.len, found.answer->is_result ? before.result_len : 0);
    weft__rpc_kept_unref(found.answer);
}

static void step_end(struct test_random *rng)
{
    int p = (int)test_random_below(rng, PRINCIPALS);
    int k = (int)test_random_below(rng, KEYS);
    struct model_entry *entry = &model.entries[p][k];
    if (!entry->exists || !entry->running)
        return;
    if (test_random_one_in(rng, 4)) {
        weft__rpc_idem_forget(&cache, entry->entry);
        entry->exists = false;
        return;
    }
    char result[600];
    size_t len = test_random_size(rng, 1, test_random_one_in(rng, 10) ? sizeof(result) - 1 : 40);
    memset(result, '1', len);
    result[len] = '\0';
    model_finish(p, k, len);
    finish(entry->entry, result);
}

static void random_calls_are_treated_as_by_a_simple_model(void **state)
{
    (void)state;
    enum { ROUNDS = 40, STEPS = 1500 };
    struct test_random rng;
    test_random_init(&rng, "idempotency");
    for (int round = 0; round < ROUNDS; round++) {
        memset(&model, 0, sizeof(model));
        model.limits = (struct weft_rpc_idem_limits){
            .entries = test_random_size(&rng, 1, 30),
            .bytes = test_random_size(&rng, 200, 12000),
            .principal_entries = test_random_size(&rng, 1, 14),
            .principal_bytes = test_random_size(&rng, 200, 8000),
            .ttl_ns = test_random_size(&rng, 1, 2000),
        };
        restart(model.limits);
        for (int i = 0; i < STEPS; i++) {
            size_t count, bytes;
            now_ns += test_random_below(&rng, 10);
            expire_both();
            if (test_random_one_in(&rng, 2))
                step_begin(&rng);
            else
                step_end(&rng);
            model_sum(-1, &count, &bytes);
            assert_int_equal(cache.stats.entries, count);
            assert_int_equal(cache.stats.bytes, bytes);
            assert_true(bytes <= model.limits.bytes && count <= model.limits.entries);
        }
        for (int p = 0; p < PRINCIPALS; p++)
            for (int k = 0; k < KEYS; k++)
                if (model.entries[p][k].exists && model.entries[p][k].running)
                    weft__rpc_idem_forget(&cache, model.entries[p][k].entry);
    }
}

/* ---- memory ---- */

static int use_cache(const struct weft_alloc *alloc, void *ctx)
{
    static const struct weft_hash_key key = {.k0 = 1, .k1 = 2};
    const struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    const struct weft_rpc_outcome outcome = {.result = WEFT_SLICE_LIT("[1]")};
    struct weft_rpc_idem_cache own;
    int err = 0;
    (void)ctx;
    weft__rpc_idem_init(&own, alloc, key, &limits);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "k%d", i);
        const struct weft_rpc_idem_call call = {
            .principal = weft__slice_str(i % 3 ? "p" : "q"),
            .method = WEFT_SLICE_LIT("m"),
            .key = weft__slice_str(name),
        };
        struct weft_rpc_idem_found found;
        enum weft_rpc_idem_verdict verdict = weft__rpc_idem_begin(&own, &call, 1, &found);
        if (verdict == WEFT_RPC_IDEM_FULL) {
            err = WEFT_ERR_NOMEM;
            continue;
        }
        assert_int_equal(verdict, WEFT_RPC_IDEM_RUN);
        struct weft_rpc_kept *answer = weft__rpc_kept_new(alloc, &outcome);
        if (!answer)
            err = WEFT_ERR_NOMEM;
        weft__rpc_idem_finish(&own, found.entry, answer, true, 1);
        assert_int_equal(weft__rpc_idem_begin(&own, &call, 1, &found), WEFT_RPC_IDEM_STORED);
        weft__rpc_kept_unref(found.answer);
    }
    weft__rpc_idem_done(&own);
    return err;
}

static void without_memory_calls_are_refused_or_their_answers_lost(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(use_cache, NULL) > 40);
}

int main(void)
{
#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CACHE(a_repeat_gets_the_kept_answer),
        WITH_CACHE(principal_method_and_key_tell_calls_apart),
        WITH_CACHE(a_running_call_is_known_to_its_owner),
        WITH_CACHE(other_parameters_are_a_mismatch),
        WITH_CACHE(a_forgotten_call_runs_again),
        WITH_CACHE(errors_are_kept_whole),
        cmocka_unit_test(keys_are_visible_ascii),
        WITH_CACHE(answers_expire_and_running_calls_do_not),
        WITH_CACHE(without_a_time_answers_do_not_expire),
        WITH_CACHE(the_least_recently_used_answer_makes_room),
        WITH_CACHE(running_calls_are_never_evicted),
        WITH_CACHE(one_principal_evicts_its_own_first),
        WITH_CACHE(bytes_are_bounded),
        WITH_CACHE(of_an_answer_too_large_its_existence_is_kept),
        WITH_CACHE(an_answer_outlives_its_eviction),
        WITH_CACHE(random_calls_are_treated_as_by_a_simple_model),
        cmocka_unit_test(without_memory_calls_are_refused_or_their_answers_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
