/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions about our own invariants; what a peer sends is answered with errors, never asserted.
 * WEFT_ASSERT stays on in every build. WEFT_DCHECK is for walks over whole structures and exists
 * in debug and sanitizer builds only (WEFT_DEBUG).
 */
#ifndef WEFT_BASE_ASSERT_H
#define WEFT_BASE_ASSERT_H

#include "base/compiler.h"

/* Prints the place and the condition on standard error and aborts. */
WEFT_NORETURN void weft__assert_failed(const char *condition, const char *file, int line);

#define WEFT_ASSERT(cond)                                                                          \
    (WEFT_LIKELY(cond) ? (void)0 : weft__assert_failed(#cond, __FILE__, __LINE__))

#ifdef WEFT_DEBUG
#define WEFT_DCHECK(cond) WEFT_ASSERT(cond)
#else
#define WEFT_DCHECK(cond) ((void)sizeof(cond))
#endif

#endif
