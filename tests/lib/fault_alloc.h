/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator for tests: fails the n-th allocation, counts live blocks and bytes, and ends the
 * test when a block is freed twice, with a wrong size, or by a pointer it never gave out.
 *
 *     struct test_alloc mem;
 *     test_alloc_init(&mem);
 *     … use &mem.alloc …
 *     test_alloc_done(&mem);      (fails the test when something is still allocated)
 *
 * Most tests of out-of-memory paths need only test_each_alloc_failure(). Not for several threads.
 */
#ifndef WEFT_TESTS_LIB_FAULT_ALLOC_H
#define WEFT_TESTS_LIB_FAULT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <weft/alloc.h>

struct test_alloc {
    struct weft_alloc alloc; /* give &mem.alloc to the code under test */
    size_t calls;            /* allocations and reallocations asked for so far */
    size_t fail_at;          /* this call fails, counted from 1; 0: none does */
    bool fail_after;         /* and so does every later one */
    size_t failures;         /* how many calls failed on purpose */
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
    size_t limit_bytes; /* allocations beyond so many live bytes fail; 0: no limit */
};

void test_alloc_init(struct test_alloc *mem);

/* Fails the test when a block is still live. */
void test_alloc_done(struct test_alloc *mem);

/*
 * Runs |step| with allocation 1 failing, then 2, and so on until a run needs no more; each twice:
 * only that allocation fails, and it and all later ones do. |step| makes what it needs with
 * |alloc|, frees everything, and returns what the code under test returned. Required of each run:
 * nothing leaks, and the result is WEFT_ERR_NOMEM, or 0 when the code can do without that memory.
 * The last run, without a failure, must return 0. Gives the number of allocations of that run.
 */
size_t test_each_alloc_failure(int (*step)(const struct weft_alloc *alloc, void *ctx), void *ctx);

#endif
