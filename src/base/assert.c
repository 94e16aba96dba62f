/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the process when an invariant of ours does not hold. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void weft__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "weft: assertion failed: %s (%s:%d)\n", condition, file, line);
    fflush(stderr);
    abort();
}
