/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A budget of memory for a whole process. An account is an allocator that counts what it gave out
 * for one purpose; the budget knows the sum of its accounts.
 *
 *   account ──► used, in stripes: each thread mostly has one of its own, so that threads which
 *      │        allocate do not meet
 *      │ each time a stripe crosses a multiple of 64 KiB
 *      ▼
 *   budget ──► total: the sum of all stripes, each rounded down to 64 KiB
 *
 * So the shared number is touched rarely, and yet nothing ever has to be added up to know it. An
 * account may be *hard*: its allocations fail while the budget is spent. The others go on, because
 * what they serve could not be refused any more; who decides what is refused earlier reads the
 * total.
 *
 * **Thread:** any; a block may be given back on another thread than it was taken on.
 */
#ifndef WEFT_BASE_BUDGET_H
#define WEFT_BASE_BUDGET_H

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    WEFT_BUDGET_GRAIN = 64 * 1024, /* bytes; a power of two */
    WEFT_BUDGET_STRIPES = 16,      /* a power of two */
};

struct weft_budget {
    size_t limit; /* bytes; SIZE_MAX: none. Constant while accounts are in use */
    atomic_llong total;
};

/* Bytes taken less bytes given back by some of the threads; may be negative. A cache line. */
struct weft_budget_stripe {
    atomic_llong used;
    uint8_t padding[64 - sizeof(atomic_llong)];
};

/* Use |alloc|; the rest is private. */
struct weft_budget_account {
    struct weft_alloc alloc; /* counts, and passes on to |below| */
    const struct weft_alloc *below;
    struct weft_budget *budget;
    bool hard;
    atomic_size_t refused;
    uint8_t padding[64];
    struct weft_budget_stripe stripes[WEFT_BUDGET_STRIPES];
};

void weft__budget_init(struct weft_budget *budget, size_t limit);

/* An account of |budget| that allocates with |below|; all three must outlive what is allocated. */
void weft__budget_account_init(struct weft_budget_account *account, struct weft_budget *budget,
                               const struct weft_alloc *below, bool hard);

/* Counts |bytes| that something else allocated for this account's purpose, and counts them off. */
void weft__budget_charge(struct weft_budget_account *account, size_t bytes);
void weft__budget_release(struct weft_budget_account *account, size_t bytes);

/* Bytes in use: exact when no thread allocates. */
size_t weft__budget_account_used(const struct weft_budget_account *account);

/* Allocations that failed because the budget was spent. */
size_t weft__budget_account_refused(const struct weft_budget_account *account);

/* Bytes in use by all accounts, less up to 64 KiB for each thread and account. */
static inline size_t weft__budget_total(const struct weft_budget *budget)
{
    long long total = atomic_load_explicit(&budget->total, memory_order_relaxed);
    return total > 0 ? (size_t)total : 0;
}

#endif
