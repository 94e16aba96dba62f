/* SPDX-License-Identifier: Apache-2.0 */
/* `weft doc check`: whether a data folder holds what was once acknowledged. */
#ifndef WEFT_BIN_DOC_CHECK_H
#define WEFT_BIN_DOC_CHECK_H

#include "args.h"

/* Checks the documents in |folder|, which no server may be using, and prints a line for each thing
 * that is wrong, and a summary. Returns the exit status: 0 all is fine, 1 it is not. */
int doc_check(const struct args *args, const char *folder);

#endif
