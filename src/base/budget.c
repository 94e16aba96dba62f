/* SPDX-License-Identifier: Apache-2.0 */
/* Counting allocators. */
#include "base/budget.h"

#include "base/assert.h"

void weft__budget_init(struct weft_budget *budget, size_t limit)
{
    budget->limit = limit;
    atomic_init(&budget->total, 0);
}

void weft__budget_charge(struct weft_budget_account *account, size_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&account->used, bytes, memory_order_relaxed);
    size_t grains = (before + bytes) / WEFT_BUDGET_GRAIN - before / WEFT_BUDGET_GRAIN;
    if (grains)
        atomic_fetch_add_explicit(&account->budget->total, grains * WEFT_BUDGET_GRAIN,
                                  memory_order_relaxed);
}

void weft__budget_release(struct weft_budget_account *account, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&account->used, bytes, memory_order_relaxed);
    WEFT_ASSERT(before >= bytes);
    size_t grains = before / WEFT_BUDGET_GRAIN - (before - bytes) / WEFT_BUDGET_GRAIN;
    if (grains)
        atomic_fetch_sub_explicit(&account->budget->total, grains * WEFT_BUDGET_GRAIN,
                                  memory_order_relaxed);
}

/* Whether |more| bytes may be taken. */
static bool allowed(struct weft_budget_account *account, size_t more)
{
    size_t limit = account->budget->limit;
    size_t total = weft__budget_total(account->budget);
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
    if (!moved)
        return NULL;
    if (new_size > old_size)
        weft__budget_charge(account, new_size - old_size);
    else
        weft__budget_release(account, old_size - new_size);
    return moved;
}

static void account_free(void *ctx, void *ptr, size_t size)
{
    struct weft_budget_account *account = ctx;
    weft__budget_release(account, size);
    weft__mem_free(account->below, ptr, size);
}

void weft__budget_account_init(struct weft_budget_account *account, struct weft_budget *budget,
                               const struct weft_alloc *below, bool hard)
{
    *account = (struct weft_budget_account){
        .alloc = {.alloc = account_alloc,
                  .realloc = account_realloc,
                  .free = account_free,
                  .ctx = account},
        .below = below,
        .budget = budget,
        .hard = hard,
    };
    atomic_init(&account->used, 0);
    atomic_init(&account->refused, 0);
}
