/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the PROXY protocol's header. Checked besides memory safety: the length lies inside the
 * input and its limits; one byte less is not enough; bytes behind the header change nothing; and
 * once something is refused, more bytes do not make it better.
 */
#include "codec/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_proxy: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct weft_proxy_header whole = {0};
    struct weft_proxy_header part = {0};
    ptrdiff_t got = weft__proxy_read(data, len, &whole);
    if (got > 0) {
        require((size_t)got <= len, "longer than the input");
        require(got <=
                    (data[0] == 'P' ? WEFT_PROXY_V1_MAX : WEFT_PROXY_V2_HEAD + WEFT_PROXY_V2_MAX),
                "longer than allowed");
        require(weft__proxy_read(data, (size_t)got - 1, &part) == 0, "one byte less was enough");
        require(weft__proxy_read(data, (size_t)got, &part) == got, "needs what follows");
        require(memcmp(&whole, &part, offsetof(struct weft_proxy_header, version) + 1) == 0,
                "what follows matters");
    }
    size_t step = len / 64 + 1;
    for (size_t i = 0; i < len; i += step) {
        ptrdiff_t early = weft__proxy_read(data, i, &part);
        require(early == 0 || early == got, "more bytes changed the answer");
    }
    return 0;
}
