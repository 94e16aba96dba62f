/* SPDX-License-Identifier: Apache-2.0 */
/* Optimal string alignment over names of bounded length. */
#include "suggest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum { SHORT_NAME = 4 /* names up to here may differ by one edit only */ };

static char folded(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(const char *a, size_t len, const char *b)
{
    unsigned rows[3][SUGGEST_MAX + 1]; /* row i of the table is rows[i % 3] */
    size_t other = strlen(b);
    if (len > SUGGEST_MAX || other > SUGGEST_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= other; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3];
        const unsigned *higher = rows[(i + 1) % 3]; /* i - 2, read only from the second row on */
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= other; j++) {
            bool same = folded(a[i - 1]) == folded(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = least(row[j], higher[j - 2] + 1);
        }
    }
    return rows[len % 3][other];
}

void suggest_offer(struct suggest *suggest, const char *candidate)
{
    unsigned distance = suggest_distance(suggest->name, suggest->len, candidate);
    unsigned allowed = suggest->len <= SHORT_NAME ? 1 : 2;
    if (distance > allowed || (suggest->best && distance >= suggest->distance))
        return;
    suggest->best = candidate;
    suggest->distance = distance;
}
