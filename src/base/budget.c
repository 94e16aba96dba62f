/* SPDX-License-Identifier: Apache-2.0 */
/* Counting allocators. */
#include "base/budget.h"

/* Threads' stacks lie apart, so where a local variable lies tells threads apart well enough: two
 * that get the same stripe are slower, not wrong. */
static struct weft_budget_stripe *stripe_here(struct weft_budget_account *account)
{
    char here;
    uint64_t hash = ((uintptr_t)&here >> 18) * 0x9e3779b97f4a7c15ull;
    return &account->stripes[(hash >> 40) % WEFT_BUDGET_STRIPES];
}

/* Whole grains in |bytes|, rounded down also below zero. */
static long long grains(long long bytes)
{
    return (bytes - (bytes < 0 ? WEFT_BUDGET_GRAIN - 1 : 0)) / WEFT_BUDGET_GRAIN;
}

static void count(struct weft_budget_account *account, long long bytes)
{
    struct weft_budget_stripe *stripe = stripe_here(account);
    long long before = atomic_fetch_add_explicit(&stripe->used, bytes, memory_order_relaxed);
    long long crossed = grains(before + bytes) - grains(before);
    if (crossed)
        atomic_fetch_add_explicit(&account->budget->total, crossed * WEFT_BUDGET_GRAIN,
                                  memory_order_relaxed);
}

void weft__budget_charge(struct weft_budget_account *account, size_t bytes)
{
    count(account, (long long)bytes);
}

void weft__budget_release(struct weft_budget_account *account, size_t bytes)
{
    count(account, -(long long)bytes);
}

/* Whether |more| bytes may be taken. */
static bool allowed(struct weft_budget_account *account, size_t more)
{
    size_t limit = account->budget->limit;
    size_t total = account->hard ? weft__budget_total(account->budget) : 0;
    if (!account->hard || (total <= limit && more <= limit - total))
        return true;
    atomic_fetch_add_explicit(&account->refused, 1, memory_order_relaxed);
    return false;
}

static void *account_alloc(void *ctx, size_t size)
{
    struct weft_budget_account *account = ctx;
    if (!allowed(account, size))
        return NULL;
    void *ptr = weft__mem_alloc(account->below, size);
    if (ptr)
        weft__budget_charge(account, size);
    return ptr;
}

static void *account_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct weft_budget_account *account = ctx;
    if (new_size > old_size && !allowed(account, new_size - old_size))
        return NULL;
    void *moved = weft__mem_realloc(account->below, ptr, old_size, new_size);
    if (moved)
        count(account, (long long)new_size - (long long)old_size);
    return moved;
}

static void account_free(void *ctx, void *ptr, size_t size)
{
    struct weft_budget_account *account = ctx;
    weft__budget_release(account, size);
    weft__mem_free(account->below, ptr, size);
}

size_t weft__budget_account_used(const struct weft_budget_account *account)
{
    long long used = 0;
    for (size_t i = 0; i < WEFT_BUDGET_STRIPES; i++)
        used += atomic_load_explicit(&account->stripes[i].used, memory_order_relaxed);
    return used > 0 ? (size_t)used : 0;
}

size_t weft__budget_account_refused(const struct weft_budget_account *account)
{
    return atomic_load_explicit(&account->refused, memory_order_relaxed);
}

void weft__budget_init(struct weft_budget *budget, size_t limit)
{
    budget->limit = limit;
    atomic_init(&budget->total, 0);
}

void weft__budget_account_init(struct weft_budget_account *account, struct weft_budget *budget,
                               const struct weft_alloc *below, bool hard)
{
    account->alloc = (struct weft_alloc){
        .alloc = account_alloc, .realloc = account_realloc, .free = account_free, .ctx = account};
    account->below = below;
    account->budget = budget;
    account->hard = hard;
    atomic_init(&account->refused, 0);
    for (size_t i = 0; i < WEFT_BUDGET_STRIPES; i++)
        atomic_init(&account->stripes[i].used, 0);
}
