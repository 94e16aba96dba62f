/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file. What is accepted must be printed in a form that is accepted
 * again and prints the same. */
#include "base/assert.h"
#include "config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads |text| and prints what came out. False when it is refused. */
static bool read_and_print(struct weft_slice text, struct weft_bytes *out)
{
    struct config config;
    config_init(&config);
    bool accepted = config_read_yaml(&config, "file", text) == 0;
    bool finished = config_finish(&config) == 0;
    WEFT_ASSERT(accepted || !finished);
    WEFT_ASSERT(finished == (config_errors(&config)[0] == '\0'));
    if (finished)
        config_print_yaml(&config, out);
    config_done(&config);
    return finished;
}

/* Takes the comments with the origins away, which differ in their lines. */
static void strip(struct weft_bytes *text)
{
    size_t len = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->len - i > 4 && memcmp(text->ptr + i, "  # ", 4) == 0 && i > 0 &&
            text->ptr[i - 1] != '\n')
            while (text->ptr[i] != '\n')
                i++;
        text->ptr[len++] = text->ptr[i];
    }
    text->len = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_bytes first;
    struct weft_bytes second;
    weft__bytes_init(&first, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&second, weft_alloc_default(), SIZE_MAX);
    if (size <= CONFIG_FILE_MAX && read_and_print(weft__slice(data, size), &first) &&
        !weft__bytes_error(&first) && first.len <= CONFIG_FILE_MAX) {
        WEFT_ASSERT(read_and_print(weft__bytes_slice(&first), &second));
        strip(&first);
        strip(&second);
        WEFT_ASSERT(weft__slice_eq(weft__bytes_slice(&first), weft__bytes_slice(&second)));
    }
    weft__bytes_done(&first);
    weft__bytes_done(&second);
    return 0;
}
