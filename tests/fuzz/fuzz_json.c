/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON. What is accepted must be a sound tree, read the same once copied, and be
 * accepted again when it is written anew. What is read by its members must be such a tree, too.
 */
#include "base/assert.h"
#include "codec/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct weft_json_writer *w, const struct weft_json *value)
{
    double real;
    int64_t integer;
    bool flag;
    if (weft__json_i64(value, &integer)) {
        weft__json_put_i64(w, integer);
    } else if (weft__json_double(value, &real)) {
        weft__json_put_double(w, real);
    } else if (weft__json_bool(value, &flag)) {
        weft__json_put_bool(w, flag);
    } else if (weft__json_is(value, WEFT_JSON_STRING)) {
        weft__json_put_string(w, weft__json_string(value));
    } else if (weft__json_is(value, WEFT_JSON_ARRAY)) {
        weft__json_begin_array(w);
        WEFT_JSON_EACH (element, value)
            write_value(w, element);
        weft__json_end_array(w);
    } else if (weft__json_is(value, WEFT_JSON_OBJECT)) {
        weft__json_begin_object(w);
        WEFT_JSON_EACH_KEY (key, value) {
            weft__json_key_slice(w, weft__json_string(key));
            write_value(w, weft__json_member(key));
        }
        weft__json_end_object(w);
    } else {
        weft__json_put_null(w);
    }
}

static void assert_same(const struct weft_json *a, const struct weft_json *b)
{
    WEFT_ASSERT(a->span == b->span);
    for (uint32_t i = 0; i < a->span; ++i) {
        double real_a, real_b;
        WEFT_ASSERT(a[i].type == b[i].type && a[i].span == b[i].span);
        WEFT_ASSERT(weft__json_count(a + i) == weft__json_count(b + i));
        WEFT_ASSERT(weft__slice_eq(weft__json_string(a + i), weft__json_string(b + i)));
        if (weft__json_double(a + i, &real_a) && weft__json_double(b + i, &real_b))
            WEFT_ASSERT(!(real_a < real_b) && !(real_a > real_b));
    }
}

static void check_value(const struct weft_json *value, struct weft_arena *arena,
                        const struct weft_json_options *options)
{
    const struct weft_json *again;
    struct weft_bytes out;
    struct weft_json_writer w;
    void *memory = malloc(weft__json_copy_size(value));
    if (memory)
        assert_same(value, weft__json_copy(value, memory));
    free(memory);
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    write_value(&w, value);
    WEFT_ASSERT(weft__bytes_error(&out) == 0);
    WEFT_ASSERT(weft__json_parse(weft__bytes_slice(&out), arena, options, NULL, &again) == 0);
    assert_same(value, again);
    weft__bytes_done(&out);
}

/* ---- by members ---- */

enum { PLACES = 16 };

struct places {
    size_t count;
    struct weft_slice names[PLACES];
    const struct weft_json *values[PLACES];
};

static const struct weft_json **place_of(void *ctx, struct weft_slice name)
{
    struct places *places = ctx;
    size_t i = 0;
    while (i < places->count && !weft__slice_eq(places->names[i], name))
        i++;
    if (i == PLACES)
        return NULL;
    places->names[i] = name;
    places->count += i == places->count;
    return &places->values[i];
}

static void check_members(struct weft_slice text, struct weft_arena *arena,
                          const struct weft_json_options *options)
{
    struct places places = {.count = 0};
    const struct weft_json *object;
    if (!weft__json_parse_members(text, arena, options, place_of, &places))
        return;
    WEFT_ASSERT(weft__json_parse(text, arena, options, NULL, &object) == 0);
    WEFT_ASSERT(weft__json_count(object) == places.count);
    for (size_t i = 0; i < places.count; i++)
        assert_same(places.values[i], weft__json_get_slice(object, places.names[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_json_options options = {.hash_key = {1, 2}};
    struct weft_json_error error;
    struct weft_arena arena;
    const struct weft_json *value;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (weft__json_parse(weft__slice(data, size), &arena, &options, &error, &value) == 0)
        check_value(value, &arena, &options);
    else
        WEFT_ASSERT(error.fault != WEFT_JSON_FAULT_NONE && error.message && error.offset <= size);
    check_members(weft__slice(data, size), &arena, &options);
    weft__arena_done(&arena);
    return 0;
}
