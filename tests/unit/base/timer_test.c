/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer wheel, against an array of due times. A timer fires in the first advance that reaches
 * its tick, in the order of ticks, and once.
 */
#include "lib/test.h"

#include "base/timer.h"

enum { TIMERS = 64 };

#define MS WEFT_NS_PER_MS

struct world;

struct entry {
    struct weft_timer timer;
    struct world *world;
    bool running;
    uint64_t due_ms; /* rounded up */
    unsigned fired;
};

struct world {
    struct weft_timer_wheel wheel;
    struct test_random rng;
    struct entry entries[TIMERS];
    uint64_t now_ns;
    uint64_t last_tick; /* of what fired in this advance */
    bool restart;       /* callbacks start and stop others */
    size_t running;
};

static uint64_t ceil_ms(uint64_t ns)
{
    return ns / MS + (ns % MS != 0);
}

/* A time that lies anywhere: past, near, at the edges of the levels, beyond the wheel. */
static uint64_t random_due(struct world *w)
{
    static const uint64_t reach_ms[] = {1,        2,        63,       64,       65,
                                        4095,     4096,     4097,     262143,   262144,
                                        16777215, 16777216, 16777217, 33554432, 100000000};
    uint64_t ahead;
    switch (test_random_below(&w->rng, 6)) {
    case 0:
        return w->now_ns - test_random_below(&w->rng, w->now_ns < 5 * MS ? w->now_ns + 1 : 5 * MS);
    case 1:
        ahead = test_random_below(&w->rng, 3 * MS);
        break;
    case 2:
        ahead = test_random_below(&w->rng, 5000 * MS);
        break;
    case 3:
        ahead = reach_ms[test_random_below(&w->rng, sizeof(reach_ms) / sizeof(*reach_ms))] * MS +
                test_random_below(&w->rng, 2 * MS) - MS;
        break;
    case 4:
        ahead = test_random_below(&w->rng, 20000000) * MS;
        break;
    default:
        ahead = test_random_below(&w->rng, 100) * MS;
    }
    return w->now_ns + ahead;
}

static void start(struct world *w, struct entry *e)
{
    uint64_t due_ns = random_due(w);
    /* Once an advance is under way, the wheel stands at the tick that fires. */
    weft__timer_start(&w->wheel, &e->timer, due_ns);
    w->running += !e->running;
    e->running = true;
    e->due_ms = ceil_ms(due_ns);
    if (e->due_ms <= w->wheel.now_ms)
        e->due_ms = w->wheel.now_ms + 1; /* "a timer fires … never before", and never at once */
}

static void stop(struct world *w, struct entry *e)
{
    weft__timer_stop(&w->wheel, &e->timer);
    w->running -= e->running;
    e->running = false;
}

static void fired(struct weft_timer *timer)
{
    struct entry *e = WEFT_CONTAINER_OF(timer, struct entry, timer);
    struct world *w = e->world;
    assert_true(e->running);
    assert_false(weft__timer_running(timer));
    assert_int_equal(e->due_ms, w->wheel.now_ms);
    assert_true(e->due_ms >= w->last_tick);
    w->last_tick = e->due_ms;
    e->running = false;
    e->fired++;
    w->running--;
    if (!w->restart)
        return;
    struct entry *other = &w->entries[test_random_below(&w->rng, TIMERS)];
    switch (test_random_below(&w->rng, 4)) {
    case 0:
        start(w, e);
        break;
    case 1:
        start(w, other);
        break;
    case 2:
        stop(w, other);
        break;
    default:
        memset(e, 0xee, sizeof(*e)); /* as if freed, and made anew */
        e->world = w;
        e->running = false;
        weft__timer_init(&e->timer, fired);
    }
}

static void world_init(struct world *w, uint64_t now_ns)
{
    memset(w->entries, 0, sizeof(w->entries));
    w->now_ns = now_ns;
    w->running = 0;
    weft__timer_wheel_init(&w->wheel, now_ns);
    for (int i = 0; i < TIMERS; i++) {
        w->entries[i].world = w;
        weft__timer_init(&w->entries[i].timer, fired);
    }
}

static void check(struct world *w)
{
    uint64_t first_ms = UINT64_MAX;
    size_t running = 0;
    for (int i = 0; i < TIMERS; i++) {
        struct entry *e = &w->entries[i];
        assert_int_equal(weft__timer_running(&e->timer), e->running);
        if (!e->running)
            continue;
        running++;
        assert_true(e->due_ms > w->wheel.now_ms); /* Nothing due was left. */
        first_ms = e->due_ms < first_ms ? e->due_ms : first_ms;
    }
    assert_int_equal(running, w->running);
    assert_int_equal(w->wheel.count, running);
    uint64_t next = weft__timer_wheel_next_ns(&w->wheel);
    if (!running) {
        assert_int_equal(next, UINT64_MAX);
    } else {
        assert_true(next <= first_ms * MS);
        assert_true(next > w->wheel.now_ms * MS); /* or the loop would spin */
    }
}

static void advance(struct world *w, uint64_t now_ns)
{
    w->last_tick = 0;
    w->now_ns = now_ns;
    weft__timer_wheel_advance(&w->wheel, now_ns);
    assert_int_equal(w->wheel.now_ms, now_ns / MS);
    check(w);
}

static void run_random(uint64_t start_ns, bool restart, const char *name)
{
    static struct world w;
    test_random_init(&w.rng, name);
    w.restart = restart;
    world_init(&w, start_ns);
    for (int step = 0; step < 20000; step++) {
        struct entry *e = &w.entries[test_random_below(&w.rng, TIMERS)];
        uint64_t ahead;
        switch (test_random_below(&w.rng, 8)) {
        case 0:
        case 1:
        case 2:
            start(&w, e);
            break;
        case 3:
            stop(&w, e);
            break;
        case 4: /* as a loop does: to the time that the wheel asks for */
            ahead = weft__timer_wheel_next_ns(&w.wheel);
            if (ahead != UINT64_MAX && ahead > w.now_ns)
                advance(&w, ahead);
            break;
        case 5:
            advance(&w, w.now_ns + test_random_below(&w.rng, 20000000) * MS);
            break;
        default:
            advance(&w, w.now_ns + test_random_below(&w.rng, 300 * MS));
        }
        check(&w);
    }
}

static void wheel_agrees_with_a_list(void **state)
{
    (void)state;
    run_random(0, false, "timer");
    run_random(UINT64_C(123456789012345678), false, "timer, later");
}

static void callbacks_may_start_stop_and_free_any_timer(void **state)
{
    (void)state;
    run_random(UINT64_C(987654321987654), true, "timer callbacks");
}

/* Every distance around the edges of the levels, from every kind of position. */
static void timers_fire_in_their_very_tick(void **state)
{
    static struct world w;
    static const uint64_t edges[] = {1, 64, 4096, 262144, 16777216, 33554432, 50331648};
    (void)state;
    w.restart = false;
    for (size_t at = 0; at < sizeof(edges) / sizeof(*edges); at++)
        for (int64_t off = -2; off <= 2; off++)
            for (size_t ahead = 0; ahead < sizeof(edges) / sizeof(*edges); ahead++)
                for (int64_t more = -2; more <= 2; more++) {
                    uint64_t now_ms = edges[at] * 3 + 10 + (uint64_t)off;
                    uint64_t due_ms = now_ms + edges[ahead] + 2 + (uint64_t)more;
                    struct entry *e = &w.entries[0];
                    world_init(&w, now_ms * MS);
                    weft__timer_start(&w.wheel, &e->timer, due_ms * MS - 5);
                    e->running = true;
                    e->due_ms = due_ms;
                    w.running = 1;
                    if (due_ms - 1 > now_ms)
                        advance(&w, (due_ms - 1) * MS + 999999);
                    assert_int_equal(e->fired, 0);
                    advance(&w, due_ms * MS);
                    assert_int_equal(e->fired, 1);
                    advance(&w, (due_ms + 70000000) * MS);
                    assert_int_equal(e->fired, 1);
                }
}

static void count_fired(struct weft_timer *timer)
{
    struct entry *e = WEFT_CONTAINER_OF(timer, struct entry, timer);
    e->fired++;
}

/* "Never" is written as the largest time. */
static void timer_at_the_end_of_time_does_not_fire(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w, 5 * WEFT_NS_PER_S);
    struct entry *e = &w.entries[0];
    weft__timer_init(&e->timer, count_fired);
    weft__timer_start(&w.wheel, &e->timer, UINT64_MAX);
    weft__timer_wheel_advance(&w.wheel, 5 * WEFT_NS_PER_S + 400 * 24 * 3600 * WEFT_NS_PER_S);
    assert_int_equal(e->fired, 0);
    assert_true(weft__timer_running(&e->timer));
    weft__timer_stop(&w.wheel, &e->timer);
    assert_int_equal(w.wheel.count, 0);
}

static void timer_started_again_moves(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w, 0);
    struct entry *e = &w.entries[0];
    weft__timer_init(&e->timer, count_fired);
    weft__timer_start(&w.wheel, &e->timer, 10 * MS);
    weft__timer_start(&w.wheel, &e->timer, 1000 * MS);
    assert_int_equal(w.wheel.count, 1);
    weft__timer_wheel_advance(&w.wheel, 999 * MS);
    assert_int_equal(e->fired, 0);
    weft__timer_wheel_advance(&w.wheel, 1000 * MS);
    assert_int_equal(e->fired, 1);
    weft__timer_stop(&w.wheel, &e->timer);
    assert_int_equal(w.wheel.count, 0);
}

static void time_that_stands_or_goes_back_fires_nothing(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w, 1000 * MS);
    struct entry *e = &w.entries[0];
    weft__timer_init(&e->timer, count_fired);
    weft__timer_start(&w.wheel, &e->timer, 1000 * MS); /* already past: fires at the next tick */
    weft__timer_wheel_advance(&w.wheel, 1000 * MS + 999999);
    weft__timer_wheel_advance(&w.wheel, 10 * MS);
    assert_int_equal(e->fired, 0);
    assert_int_equal(w.wheel.now_ms, 1000);
    weft__timer_wheel_advance(&w.wheel, 1001 * MS);
    assert_int_equal(e->fired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheel_agrees_with_a_list),
        cmocka_unit_test(callbacks_may_start_stop_and_free_any_timer),
        cmocka_unit_test(timers_fire_in_their_very_tick),
        cmocka_unit_test(timer_at_the_end_of_time_does_not_fire),
        cmocka_unit_test(timer_started_again_moves),
        cmocka_unit_test(time_that_stands_or_goes_back_fires_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
