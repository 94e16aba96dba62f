/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed hashing of bytes that peers choose: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012; one compression and three finalisation rounds), so that nobody outside
 * can construct collisions in our tables.
 */
#ifndef WEFT_BASE_HASH_H
#define WEFT_BASE_HASH_H

#include "base/slice.h"

struct weft_hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* The 64-bit hash of |data| under |key|. Thread: any. */
uint64_t weft__hash(const struct weft_hash_key *key, struct weft_slice data);

#endif
