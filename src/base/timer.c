/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchical timer wheel. A timer that is due in less than 64^(l+1) ms lies at level l. */
#include "base/timer.h"

#include "base/assert.h"

enum { SLOT_BITS = 6, SLOT_MASK = WEFT_TIMER_SLOTS - 1 };

static const uint64_t WHEEL_REACH_MS = 1ull << (SLOT_BITS * WEFT_TIMER_LEVELS);

void weft__timer_wheel_init(struct weft_timer_wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct weft_timer_wheel){.now_ms = now_ns / WEFT_NS_PER_MS};
    for (int level = 0; level < WEFT_TIMER_LEVELS; level++)
        for (int slot = 0; slot < WEFT_TIMER_SLOTS; slot++)
            weft__list_init(&wheel->slots[level][slot]);
}

void weft__timer_init(struct weft_timer *timer, weft_timer_fn *fn)
{
    *timer = (struct weft_timer){.fn = fn};
    weft__list_init(&timer->node);
}

/* Puts a stopped timer into its slot. Times past and times beyond the wheel are moved to its edges;
 * the latter are sorted in again when their slot comes up. */
static void place(struct weft_timer_wheel *wheel, struct weft_timer *timer)
{
    uint64_t at = timer->due_ms;
    if (at <= wheel->now_ms)
        at = wheel->now_ms + 1;
    if (at - wheel->now_ms >= WHEEL_REACH_MS)
        at = wheel->now_ms + WHEEL_REACH_MS - 1;
    unsigned level = weft__log2_u64(at ^ wheel->now_ms) / SLOT_BITS;
    if (level >= WEFT_TIMER_LEVELS)
        level = WEFT_TIMER_LEVELS - 1;
    unsigned slot = (unsigned)(at >> (level * SLOT_BITS)) & SLOT_MASK;
    weft__list_push(&wheel->slots[level][slot], &timer->node);
    wheel->used[level] |= 1ull << slot;
}

void weft__timer_start(struct weft_timer_wheel *wheel, struct weft_timer *timer, uint64_t due_ns)
{
    weft__timer_stop(wheel, timer);
    timer->due_ms = due_ns / WEFT_NS_PER_MS + (due_ns % WEFT_NS_PER_MS != 0);
    place(wheel, timer);
    wheel->count++;
}

void weft__timer_stop(struct weft_timer_wheel *wheel, struct weft_timer *timer)
{
    if (!weft__timer_running(timer))
        return;
    WEFT_ASSERT(wheel->count > 0);
    weft__list_remove(&timer->node);
    wheel->count--;
}

/* Sorts the timers of one slot of a higher level into the levels below. */
static void cascade(struct weft_timer_wheel *wheel, unsigned level, unsigned slot)
{
    struct weft_list timers;
    weft__list_init(&timers);
    weft__list_splice(&timers, &wheel->slots[level][slot]);
    wheel->used[level] &= ~(1ull << slot);
    struct weft_list *node;
    while ((node = weft__list_pop(&timers))) {
        struct weft_timer *timer = WEFT_CONTAINER_OF(node, struct weft_timer, node);
        if (timer->due_ms <= wheel->now_ms) {
            /* Due in this very tick, whose slot at level 0 is about to fire. */
            unsigned now_slot = (unsigned)wheel->now_ms & SLOT_MASK;
            weft__list_push(&wheel->slots[0][now_slot], &timer->node);
            wheel->used[0] |= 1ull << now_slot;
        } else {
            place(wheel, timer);
        }
    }
}

static void fire(struct weft_timer_wheel *wheel)
{
    unsigned slot = (unsigned)wheel->now_ms & SLOT_MASK;
    struct weft_list due;
    weft__list_init(&due);
    weft__list_splice(&due, &wheel->slots[0][slot]);
    wheel->used[0] &= ~(1ull << slot);
    struct weft_list *node;
    while ((node = weft__list_pop(&due))) {
        struct weft_timer *timer = WEFT_CONTAINER_OF(node, struct weft_timer, node);
        WEFT_ASSERT(wheel->count > 0 && timer->due_ms <= wheel->now_ms);
        wheel->count--;
        timer->fn(timer);
    }
}

static void tick(struct weft_timer_wheel *wheel)
{
    wheel->now_ms++;
    for (unsigned level = WEFT_TIMER_LEVELS - 1; level > 0; level--) {
        uint64_t below = (1ull << (level * SLOT_BITS)) - 1;
        if ((wheel->now_ms & below) == 0)
            cascade(wheel, level, (unsigned)(wheel->now_ms >> (level * SLOT_BITS)) & SLOT_MASK);
    }
    fire(wheel);
}

/* The next tick after now at which something may happen: the first used slot of level 0, or the
 * tick at which a used slot of a higher level is sorted in. */
static uint64_t next_ms(const struct weft_timer_wheel *wheel)
{
    uint64_t best = UINT64_MAX;
    for (unsigned level = 0; level < WEFT_TIMER_LEVELS; level++) {
        if (!wheel->used[level])
            continue;
        unsigned shift = level * SLOT_BITS;
        uint64_t base = (wheel->now_ms >> shift) + 1;
        unsigned turn = (unsigned)base & SLOT_MASK;
        uint64_t used = wheel->used[level];
        used = turn ? (used >> turn) | (used << (64 - turn)) : used;
        uint64_t at = (base + weft__ctz_u64(used)) << shift;
        best = WEFT_MIN(best, at);
    }
    return best;
}

void weft__timer_wheel_advance(struct weft_timer_wheel *wheel, uint64_t now_ns)
{
    uint64_t target = now_ns / WEFT_NS_PER_MS;
    while (wheel->now_ms < target) {
        uint64_t next = next_ms(wheel);
        if (next > target) {
            wheel->now_ms = target;
            break;
        }
        wheel->now_ms = next - 1;
        tick(wheel);
    }
}

uint64_t weft__timer_wheel_next_ns(const struct weft_timer_wheel *wheel)
{
    if (!wheel->count)
        return UINT64_MAX;
    uint64_t next = next_ms(wheel);
    return next == UINT64_MAX ? UINT64_MAX : next * WEFT_NS_PER_MS;
}
