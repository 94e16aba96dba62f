/* SPDX-License-Identifier: Apache-2.0 */
/* port/crypto.h on OpenSSL's libcrypto and the kernel's random numbers. */
#ifndef WEFT_IO_CRYPTO_H
#define WEFT_IO_CRYPTO_H

#include "port/crypto.h"

/* **Lifetime:** static. **Thread:** any. */
const struct weft_crypto *weft__crypto_openssl(void);

#endif
