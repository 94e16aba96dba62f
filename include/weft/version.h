/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the library. */
#ifndef WEFT_VERSION_H
#define WEFT_VERSION_H

#include <weft/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version a program was compiled against. */
#define WEFT_VERSION "0.1.0"

/* The version of the library that runs. **Lifetime:** static. Thread: any. Since: 0.1. */
WEFT_API const char *weft_version(void);

#ifdef __cplusplus
}
#endif

#endif
