/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reader of HTTP/1 bodies. The first byte chooses between the chunked coding and a
 * Content-Length. Checked besides memory safety: byte by byte gives what the whole gave, content
 * lies inside the input and stays within the limit, and after the end nothing is read.
 */
#include "codec/http1_body.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 4096 };

struct outcome {
    int err;
    bool done;
    size_t used;
    size_t content;
    uint64_t sum; /* over the content */
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_http_body: %s\n", what);
    abort();
}

/* Reads |data|, |step| bytes at a time. */
static struct outcome read_all(const struct weft_http1_head *head, const uint8_t *data, size_t len,
                               size_t step)
{
    struct outcome out = {0};
    struct weft_http1_body body;
    struct weft_slice run;
    out.err = weft__http1_body_init(&body, head, LIMIT);
    while (!out.err && !weft__http1_body_is_done(&body) && out.used < len) {
        size_t n = len - out.used < step ? len - out.used : step;
        ptrdiff_t got = weft__http1_body_read(&body, data + out.used, n, &run);
        if (got < 0) {
            out.err = (int)got;
            break;
        }
        require(got > 0 && (size_t)got <= n, "no progress");
        require(!run.len ||
                    (run.ptr >= data + out.used && run.ptr + run.len == data + out.used + got),
                "content outside of what was read");
        for (size_t i = 0; i < run.len; i++)
            out.sum = out.sum * 31 + run.ptr[i];
        out.content += run.len;
        out.used += (size_t)got;
    }
    out.done = !out.err && weft__http1_body_is_done(&body);
    require(out.content <= LIMIT, "more content than the limit");
    if (out.done)
        require(weft__http1_body_read(&body, data, len, &run) == 0 && run.len == 0,
                "reads on behind the end");
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct weft_http1_head head = {.content_length = -1, .chunked = data[0] & 1};
    if (!head.chunked)
        head.content_length = data[0] / 2;
    struct outcome whole = read_all(&head, data + 1, len - 1, len);
    struct outcome bytes = read_all(&head, data + 1, len - 1, 1);
    require(whole.err == bytes.err && whole.done == bytes.done, "a split changes the answer");
    if (!whole.err)
        require(whole.used == bytes.used && whole.content == bytes.content &&
                    whole.sum == bytes.sum,
                "a split changes the content");
    return 0;
}
