/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A budget of memory, shared by the threads of a process: accounts are allocators that count what
 * they gave out, and the budget knows their sum.
 *
 *   account ──► used: exact, an atomic of its own      one for each thread and kind of use
 *      │ each time `used` crosses a multiple of 64 KiB
 *      ▼
 *   budget ──► total: the sum of the accounts, each rounded down to 64 KiB
 *
 * So a busy allocator touches the shared number rarely, and yet nothing ever has to be added up. An
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

enum { WEFT_BUDGET_GRAIN = 64 * 1024 /* bytes; a power of two */ };

struct weft_budget {
    size_t limit; /* bytes; SIZE_MAX: none. Constant while accounts are in use */
    atomic_size_t total;
};

/* Use |alloc|; the rest is private but for weft__budget_account_used. Begins a cache line where its
 * owner takes care of that; it is as large as two. */
struct weft_budget_account {
    struct weft_alloc alloc; /* counts, and passes on to |below| */
    const struct weft_alloc *below;
    struct weft_budget *budget;
    atomic_size_t used;
    atomic_size_t refused; /* allocations that failed because the budget was spent */
    bool hard;
    uint8_t padding[128 - sizeof(struct weft_alloc) - 2 * sizeof(void *) -
                    2 * sizeof(atomic_size_t) - sizeof(bool)];
};

void weft__budget_init(struct weft_budget *budget, size_t limit);

/* An account of |budget| that allocates with |below|; all three must outlive what is allocated. */
void weft__budget_account_init(struct weft_budget_account *account, struct weft_budget *budget,
                               const struct weft_alloc *below, bool hard);

/* Counts |bytes| that something else allocated for this account's purpose, and counts them off. */
void weft__budget_charge(struct weft_budget_account *account, size_t bytes);
void weft__budget_release(struct weft_budget_account *account, size_t bytes);

/* Bytes in use, exactly. */
static inline size_t weft__budget_account_used(const struct weft_budget_account *account)
{
    return atomic_load_explicit(&account->used, memory_order_relaxed);
}

/* Bytes in use by all accounts, less up to 64 KiB for each. */
static inline size_t weft__budget_total(const struct weft_budget *budget)
{
    size_t total = atomic_load_explicit(&budget->total, memory_order_relaxed);
    /* Giving back may be counted a moment before the taking by another thread is. */
    return total > SIZE_MAX / 2 ? 0 : total;
}

#endif
