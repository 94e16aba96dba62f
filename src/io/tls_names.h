/* SPDX-License-Identifier: Apache-2.0 */
/* Names of certificates against names that peers ask for (RFC 6125 §6.4). **Thread:** any. */
#ifndef WEFT_IO_TLS_NAMES_H
#define WEFT_IO_TLS_NAMES_H

#include "base/slice.h"

/* How well a name of a certificate fits. */
enum weft_tls_fit {
    WEFT_TLS_FIT_NONE,
    WEFT_TLS_FIT_WILDCARD, /* by "*.…" */
    WEFT_TLS_FIT_EXACT,
};

/*
 * How |pattern|, a DNS name of a certificate, fits |host|. Case of ASCII letters and the root's dot
 * at the end of |host| change nothing. A wildcard is the whole first label of |pattern|, stands for
 * exactly one label, and has at least two labels behind it; internationalised names are compared as
 * they stand in the certificate ("xn--…"). What is no host name fits nothing.
 */
enum weft_tls_fit weft__tls_name_fit(struct weft_slice pattern, struct weft_slice host);

#endif
