/* SPDX-License-Identifier: Apache-2.0 */
/* Reading parsed JSON: lookup in containers, and scalars under the types that C has. */
#include "codec/json_lex.h"

const struct weft_json *weft__json_at(const struct weft_json *array, size_t index)
{
    WEFT_JSON_EACH (element, array) {
        if (index-- == 0)
            return element;
    }
    return NULL;
}

const struct weft_json *weft__json_get_slice(const struct weft_json *object, struct weft_slice key)
{
    const struct weft_json *found = NULL;
    WEFT_JSON_EACH_KEY (candidate, object) {
        if (weft__slice_eq(weft__json_string(candidate), key)) {
            found = weft__json_member(candidate);
            if (object->flags & WEFT_JSON_FLAG_UNIQUE_KEYS)
                break;
        }
    }
    return found;
}

const struct weft_json *weft__json_get(const struct weft_json *object, const char *key)
{
    return weft__json_get_slice(object, weft__slice_str(key));
}

bool weft__json_bool(const struct weft_json *value, bool *ret_bool)
{
    if (!weft__json_is(value, WEFT_JSON_BOOL))
        return false;
    *ret_bool = value->as.boolean;
    return true;
}

bool weft__json_i64(const struct weft_json *value, int64_t *ret_integer)
{
    if (!weft__json_is(value, WEFT_JSON_NUMBER) || !(value->flags & WEFT_JSON_FLAG_INTEGER))
        return false;
    *ret_integer = value->as.integer;
    return true;
}

bool weft__json_short_integer(const struct weft_json *value, int64_t *ret_integer)
{
    if (!weft__json_is(value, WEFT_JSON_NUMBER) || !(value->flags & WEFT_JSON_FLAG_DIGITS))
        return false;
    *ret_integer = value->as.integer;
    return true;
}

/* Reads decimal digits without sign or leading zeroes; at most 16, so that nothing overflows. */
static bool digits_to_integer(struct weft_slice digits, int64_t *ret_integer)
{
    if (digits.len == 0 || digits.len > 16 || (digits.ptr[0] == '0' && digits.len > 1))
        return false;
    int64_t integer = 0;
    for (size_t i = 0; i < digits.len; ++i) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        integer = integer * 10 + (digits.ptr[i] - '0');
    }
    *ret_integer = integer;
    return true;
}

bool weft__json_u53(const struct weft_json *value, uint64_t *ret_integer)
{
    int64_t integer;
    if (!weft__json_i64(value, &integer) && !digits_to_integer(weft__json_string(value), &integer))
        return false;
    if (integer < 0 || integer >= (int64_t)1 << 53)
        return false;
    *ret_integer = (uint64_t)integer;
    return true;
}

bool weft__json_double(const struct weft_json *value, double *ret_double)
{
    if (!weft__json_is(value, WEFT_JSON_NUMBER))
        return false;
    if (!(value->flags & WEFT_JSON_FLAG_INTEGER))
        *ret_double = value->as.real;
    else if (value->as.integer == 0 && value->raw[0] == '-')
        *ret_double = -0.0;
    else
        *ret_double = (double)value->as.integer;
    return true;
}

/* ---- copies: nodes, then the source they stand in, then strings that are not in it ---- */

static bool is_inside(struct weft_slice outer, struct weft_slice inner)
{
    uintptr_t begin = (uintptr_t)outer.ptr;
    return (uintptr_t)inner.ptr >= begin && (uintptr_t)inner.ptr + inner.len <= begin + outer.len;
}

size_t weft__json_copy_size(const struct weft_json *value)
{
    struct weft_slice raw = weft__json_raw(value);
    size_t size = value->span * sizeof(*value) + raw.len;
    for (uint32_t i = 0; i < value->span; ++i) {
        struct weft_slice string = weft__json_string(value + i);
        if (string.ptr && !is_inside(raw, string))
            size += string.len;
    }
    return size;
}

const struct weft_json *weft__json_copy(const struct weft_json *value, void *memory)
{
    struct weft_slice raw = weft__json_raw(value);
    struct weft_json *nodes = memory;
    uint8_t *source = (uint8_t *)(nodes + value->span);
    uint8_t *strings = source + raw.len;
    memcpy(nodes, value, value->span * sizeof(*value));
    memcpy(source, raw.ptr, raw.len);
    for (uint32_t i = 0; i < value->span; ++i) {
        nodes[i].raw = source + (nodes[i].raw - raw.ptr);
        struct weft_slice string = weft__json_string(&nodes[i]);
        if (!string.ptr)
            continue;
        if (is_inside(raw, string)) {
            nodes[i].as.string = source + (string.ptr - raw.ptr);
        } else {
            weft__mem_copy(strings, string.ptr, string.len);
            nodes[i].as.string = strings;
            strings += string.len;
        }
    }
    return nodes;
}
