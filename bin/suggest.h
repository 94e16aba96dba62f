/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": how far a mistyped name is from one that exists. */
#ifndef WEFT_BIN_SUGGEST_H
#define WEFT_BIN_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { SUGGEST_MAX = 48 /* bytes; longer names are far from everything */ };

/*
 * Edits (a character inserted, left out, replaced, or swapped with its neighbour) that make |b| out
 * of the |len| bytes at |a|. Upper and lower case, '-' and '_' are the same. UINT_MAX when either
 * is longer than SUGGEST_MAX.
 */
unsigned suggest_distance(const char *a, size_t len, const char *b);

/* The best of the names offered so far. All zero but |name| and |len| is the start. */
struct suggest {
    const char *name; /* what was written, |len| bytes */
    size_t len;
    const char *best; /* NULL: nothing is near */
    unsigned distance;
};

/* Offers |candidate|: it becomes |best| when it is nearer than that and near at all (two edits, in
 * short names one). Must live as long as |best| is used. */
void suggest_offer(struct suggest *suggest, const char *candidate);

#endif
