/* SPDX-License-Identifier: Apache-2.0 */
/* The items beside the call of `weft call`: those of a file go to the server, those that come are
 * printed. */
#ifndef WEFT_BIN_CALL_ITEMS_H
#define WEFT_BIN_CALL_ITEMS_H

#include "remote.h"

#include <stdio.h>

/*
 * Connects, makes |call|, sends each line of |items| as an item (NULL: there are none), prints the
 * items that come, each on a line, then the result, and disconnects. Returns the exit status;
 * what failed was reported.
 */
int call_with_items(const struct args *args, const struct remote_call *call, FILE *items);

#endif
