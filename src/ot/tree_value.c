/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values with shared structure: life, order of keys, from and to JSON, comparison, text. */
#include "ot/tree_value.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum { TEXT_AS_STRING = 1024 }; /* an edited text up to this many bytes is kept as a STRING */

struct weft_tree_value *weft__tree_new(const struct weft_alloc *alloc, enum weft_tree_type type,
                                       size_t behind)
{
    size_t size = sizeof(struct weft_tree_value) + behind;
    struct weft_tree_value *value = weft__mem_alloc(alloc, size);
    if (!value)
        return NULL;
    *value = (struct weft_tree_value){
        .alloc = alloc,
        .size = size,
        .bytes = 4,
        .type = (uint8_t)type,
    };
    atomic_init(&value->refs, 1);
    return value;
}

struct weft_tree_value *weft__tree_new_string(const struct weft_alloc *alloc,
                                              struct weft_slice text)
{
    struct weft_tree_value *value = weft__tree_new(alloc, WEFT_TREE_STRING, text.len);
    if (!value)
        return NULL;
    value->count = (uint32_t)text.len;
    value->bytes = text.len + 2;
    weft__mem_copy(value + 1, text.ptr, text.len);
    return value;
}

struct weft_tree_value *weft__tree_new_number(const struct weft_alloc *alloc, double number)
{
    const double whole = 9007199254740992.0; /* 2^53 */
    struct weft_tree_value *value = weft__tree_new(alloc, WEFT_TREE_REAL, 0);
    if (!value)
        return NULL;
    if (number >= -whole && number <= whole && (double)(int64_t)number == number) {
        value->type = WEFT_TREE_INTEGER;
        value->as.integer = (int64_t)number;
    } else {
        value->as.real = number;
    }
    return value;
}

struct weft_tree_value *weft__tree_open(const struct weft_alloc *alloc, enum weft_tree_type type,
                                        size_t count)
{
    size_t each =
        type == WEFT_TREE_LIST ? sizeof(struct weft_tree_value *) : sizeof(struct weft_tree_member);
    struct weft_tree_value *value = weft__tree_new(alloc, type, count * each);
    if (value)
        value->count = (uint32_t)count;
    return value;
}

void weft__tree_close(struct weft_tree_value *container)
{
    unsigned height = 0;
    size_t bytes = 2;
    for (uint32_t i = 0; i < container->count; i++) {
        const struct weft_tree_value *value;
        if (container->type == WEFT_TREE_LIST) {
            value = weft__tree_items(container)[i];
        } else {
            value = weft__tree_members(container)[i].value;
            bytes += weft__tree_members(container)[i].key->bytes + 1;
        }
        bytes += value->bytes + 1;
        height = WEFT_MAX(height, (unsigned)value->height);
    }
    container->bytes = bytes;
    container->height = (uint8_t)WEFT_MIN(height + 1, 255u);
}

void weft__tree_unref(struct weft_tree_value *value)
{
    if (!value || atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; value->type == WEFT_TREE_LIST && i < value->count; i++)
        weft__tree_unref(weft__tree_items(value)[i]);
    for (uint32_t i = 0; value->type == WEFT_TREE_OBJECT && i < value->count; i++) {
        weft__tree_unref(weft__tree_members(value)[i].key);
        weft__tree_unref(weft__tree_members(value)[i].value);
    }
    if (value->type == WEFT_TREE_TEXT)
        weft__rope_done(weft__tree_rope(value));
    weft__mem_free(value->alloc, value, value->size);
}

/* In UTF-16, characters beyond U+FFFF (four bytes here) come before U+E000 to U+FFFF. */
static int lead_order(uint8_t byte)
{
    return byte == 0xee || byte == 0xef ? byte + 0x100 : byte;
}

int weft__tree_key_compare(struct weft_slice a, struct weft_slice b)
{
    size_t len = WEFT_MIN(a.len, b.len);
    for (size_t i = 0; i < len; i++) {
        if (a.ptr[i] != b.ptr[i])
            return lead_order(a.ptr[i]) - lead_order(b.ptr[i]);
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static int compare_members(const void *a, const void *b)
{
    const struct weft_tree_member *x = a;
    const struct weft_tree_member *y = b;
    return weft__tree_key_compare(weft__tree_string(x->key), weft__tree_string(y->key));
}

static struct weft_tree_value *from_json(const struct weft_alloc *alloc,
                                         const struct weft_json *json);

static struct weft_tree_value *list_from(const struct weft_alloc *alloc,
                                         const struct weft_json *json)
{
    struct weft_tree_value *list = weft__tree_open(alloc, WEFT_TREE_LIST, weft__json_count(json));
    if (!list)
        return NULL;
    uint32_t done = 0;
    WEFT_JSON_EACH (element, json) {
        struct weft_tree_value *item = from_json(alloc, element);
        if (!item)
            break;
        weft__tree_items(list)[done++] = item;
    }
    bool whole = done == list->count;
    list->count = done;
    weft__tree_close(list);
    if (whole)
        return list;
    weft__tree_unref(list);
    return NULL;
}

static struct weft_tree_value *object_from(const struct weft_alloc *alloc,
                                           const struct weft_json *json)
{
    struct weft_tree_value *object =
        weft__tree_open(alloc, WEFT_TREE_OBJECT, weft__json_count(json));
    if (!object)
        return NULL;
    struct weft_tree_member *members = weft__tree_members(object);
    uint32_t done = 0;
    WEFT_JSON_EACH_KEY (key, json) {
        struct weft_tree_value *name = weft__tree_new_string(alloc, weft__json_string(key));
        struct weft_tree_value *value = name ? from_json(alloc, weft__json_member(key)) : NULL;
        if (!value) {
            weft__tree_unref(name);
            break;
        }
        members[done++] = (struct weft_tree_member){name, value};
    }
    bool whole = done == object->count;
    object->count = done;
    weft__tree_close(object);
    if (whole) {
        qsort(members, done, sizeof(*members), compare_members);
        return object;
    }
    weft__tree_unref(object);
    return NULL;
}

static struct weft_tree_value *number_from(const struct weft_alloc *alloc,
                                           const struct weft_json *json)
{
    int64_t integer;
    double real = 0;
    bool whole = weft__json_i64(json, &integer);
    if (!whole && !weft__json_double(json, &real))
        return NULL;
    struct weft_tree_value *value =
        weft__tree_new(alloc, whole ? WEFT_TREE_INTEGER : WEFT_TREE_REAL, 0);
    if (value && whole)
        value->as.integer = integer;
    else if (value)
        value->as.real = real;
    return value;
}

/* NULL when out of memory. Recursion ends with the depth that was checked before. */
static struct weft_tree_value *from_json(const struct weft_alloc *alloc,
                                         const struct weft_json *json)
{
    struct weft_tree_value *value = NULL;
    switch ((enum weft_json_type)json->type) {
    case WEFT_JSON_NULL:
        return weft__tree_new(alloc, WEFT_TREE_NULL, 0);
    case WEFT_JSON_BOOL:
        value = weft__tree_new(alloc, WEFT_TREE_BOOL, 0);
        if (value && !weft__json_bool(json, &value->as.boolean))
            value->as.boolean = false;
        return value;
    case WEFT_JSON_NUMBER:
        return number_from(alloc, json);
    case WEFT_JSON_STRING:
        return weft__tree_new_string(alloc, weft__json_string(json));
    case WEFT_JSON_ARRAY:
        return list_from(alloc, json);
    case WEFT_JSON_OBJECT:
        return object_from(alloc, json);
    }
    return value;
}

/* True when |json| nests at most |depth| containers. */
static bool is_shallow(const struct weft_json *json, unsigned depth)
{
    if (json->type < WEFT_JSON_ARRAY)
        return true;
    if (depth == 0)
        return false;
    WEFT_JSON_EACH (element, json) {
        if (!is_shallow(element, depth - 1))
            return false;
    }
    WEFT_JSON_EACH_KEY (key, json) {
        if (!is_shallow(weft__json_member(key), depth - 1))
            return false;
    }
    return true;
}

int weft__tree_from_json(const struct weft_alloc *alloc, const struct weft_json *json,
                         struct weft_tree_value **ret_value, struct weft_ot_error *error)
{
    if (!is_shallow(json, WEFT_TREE_DEPTH_MAX))
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                             "the value is nested too deep");
    struct weft_tree_value *value = from_json(alloc, json);
    if (!value)
        return weft__tree_no_memory(error);
    *ret_value = value;
    return 0;
}

static void write_text(const struct weft_tree_value *text, struct weft_json_writer *out)
{
    struct weft_bytes bytes;
    struct weft_rope *rope = weft__tree_rope(text);
    weft__bytes_init(&bytes, text->alloc, SIZE_MAX);
    weft__bytes_reserve(&bytes, weft__rope_bytes(rope));
    weft__rope_copy(rope, 0, SIZE_MAX, &bytes);
    if (weft__bytes_error(&bytes) && !out->out->err)
        out->out->err = weft__bytes_error(&bytes);
    weft__json_put_string(out, weft__bytes_slice(&bytes));
    weft__bytes_done(&bytes);
}

static void write_container(const struct weft_tree_value *value, struct weft_json_writer *out)
{
    if (value->type == WEFT_TREE_LIST) {
        weft__json_begin_array(out);
        for (uint32_t i = 0; i < value->count; i++)
            weft__tree_write(weft__tree_items(value)[i], out);
        weft__json_end_array(out);
        return;
    }
    weft__json_begin_object(out);
    for (uint32_t i = 0; i < value->count; i++) {
        const struct weft_tree_member *member = &weft__tree_members(value)[i];
        weft__json_key_slice(out, weft__tree_string(member->key));
        weft__tree_write(member->value, out);
    }
    weft__json_end_object(out);
}

void weft__tree_write(const struct weft_tree_value *value, struct weft_json_writer *out)
{
    switch ((enum weft_tree_type)value->type) {
    case WEFT_TREE_NULL:
        weft__json_put_null(out);
        break;
    case WEFT_TREE_BOOL:
        weft__json_put_bool(out, value->as.boolean);
        break;
    case WEFT_TREE_INTEGER:
        weft__json_put_i64(out, value->as.integer);
        break;
    case WEFT_TREE_REAL:
        weft__json_put_double(out, value->as.real);
        break;
    case WEFT_TREE_STRING:
        weft__json_put_string(out, weft__tree_string(value));
        break;
    case WEFT_TREE_TEXT:
        write_text(value, out);
        break;
    case WEFT_TREE_LIST:
    case WEFT_TREE_OBJECT:
        write_container(value, out);
        break;
    }
}

double weft__tree_number(const struct weft_tree_value *number)
{
    return number->type == WEFT_TREE_INTEGER ? (double)number->as.integer : number->as.real;
}

static bool strings_equal(const struct weft_tree_value *a, const struct weft_tree_value *b)
{
    if (a->type == WEFT_TREE_STRING && b->type == WEFT_TREE_STRING)
        return weft__slice_eq(weft__tree_string(a), weft__tree_string(b));
    if (a->bytes != b->bytes)
        return false;
    if (a->type == WEFT_TREE_STRING)
        return weft__rope_matches(weft__tree_rope(b), 0, weft__tree_string(a));
    if (b->type == WEFT_TREE_STRING)
        return weft__rope_matches(weft__tree_rope(a), 0, weft__tree_string(b));
    struct weft_rope_iter iter;
    struct weft_slice chunk;
    size_t at = 0;
    weft__rope_iter_init(&iter, weft__tree_rope(a), 0, SIZE_MAX);
    while (weft__rope_iter_next(&iter, &chunk)) {
        if (!weft__rope_matches(weft__tree_rope(b), at, chunk))
            return false;
        at += weft__utf8_count(chunk.ptr, chunk.len);
    }
    return true;
}

static bool containers_equal(const struct weft_tree_value *a, const struct weft_tree_value *b)
{
    if (a->type != b->type || a->count != b->count || a->height != b->height)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->type == WEFT_TREE_LIST) {
            if (!weft__tree_equal(weft__tree_items(a)[i], weft__tree_items(b)[i]))
                return false;
            continue;
        }
        const struct weft_tree_member *x = &weft__tree_members(a)[i];
        const struct weft_tree_member *y = &weft__tree_members(b)[i];
        if (!weft__tree_equal(x->key, y->key) || !weft__tree_equal(x->value, y->value))
            return false;
    }
    return true;
}

bool weft__tree_equal(const struct weft_tree_value *a, const struct weft_tree_value *b)
{
    if (a == b)
        return true;
    if (weft__tree_is_container(a))
        return containers_equal(a, b);
    if (weft__tree_is_string(a))
        return weft__tree_is_string(b) && strings_equal(a, b);
    if (a->type == WEFT_TREE_INTEGER && b->type == WEFT_TREE_INTEGER)
        return a->as.integer == b->as.integer;
    if (weft__tree_is_number(a) && weft__tree_is_number(b)) {
        double x = weft__tree_number(a);
        double y = weft__tree_number(b);
        return x <= y && x >= y;
    }
    return a->type == b->type && (a->type == WEFT_TREE_NULL || a->as.boolean == b->as.boolean);
}

uint32_t weft__tree_find(const struct weft_tree_value *object, struct weft_slice key,
                         bool *ret_found)
{
    const struct weft_tree_member *members = weft__tree_members(object);
    uint32_t low = 0;
    uint32_t high = object->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = weft__tree_key_compare(weft__tree_string(members[middle].key), key);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

int weft__tree_open_text(const struct weft_alloc *alloc, const struct weft_tree_value *string,
                         struct weft_rope *ret_rope)
{
    if (string->type == WEFT_TREE_TEXT) {
        struct weft_rope shared = *weft__tree_rope(string); /* which others may be reading */
        weft__rope_snapshot(&shared, ret_rope);
        return 0;
    }
    weft__rope_init(ret_rope, alloc);
    int err = weft__rope_insert(ret_rope, 0, weft__tree_string(string));
    if (err)
        weft__rope_done(ret_rope);
    return err;
}

/* The value for |rope|, which it takes over. */
static struct weft_tree_value *value_of_rope(const struct weft_alloc *alloc, struct weft_rope *rope)
{
    size_t len = weft__rope_bytes(rope);
    bool small = len <= TEXT_AS_STRING;
    struct weft_tree_value *value = weft__tree_new(alloc, small ? WEFT_TREE_STRING : WEFT_TREE_TEXT,
                                                   small ? len : sizeof(struct weft_rope));
    if (!value) {
        weft__rope_done(rope);
        return NULL;
    }
    value->bytes = len + 2;
    value->count = (uint32_t)len;
    if (!small) { /* a snapshot has no finger: whoever reads it writes nothing */
        weft__rope_snapshot(rope, weft__tree_rope(value));
        weft__rope_done(rope);
        return value;
    }
    struct weft_rope_iter iter;
    struct weft_slice chunk;
    uint8_t *at = (uint8_t *)(value + 1);
    weft__rope_iter_init(&iter, rope, 0, SIZE_MAX);
    while (weft__rope_iter_next(&iter, &chunk)) {
        memcpy(at, chunk.ptr, chunk.len);
        at += chunk.len;
    }
    weft__rope_done(rope);
    return value;
}

int weft__tree_edit_text(const struct weft_alloc *alloc, const struct weft_tree_value *string,
                         const struct weft_text_op *op, struct weft_tree_value **ret_value,
                         struct weft_ot_error *error)
{
    struct weft_rope rope;
    int err = weft__tree_open_text(alloc, string, &rope);
    if (err)
        return weft__tree_no_memory(error);
    err = weft__text_apply(&rope, op, error);
    if (err) {
        weft__rope_done(&rope);
        return err;
    }
    struct weft_tree_value *value = value_of_rope(alloc, &rope);
    if (!value)
        return weft__tree_no_memory(error);
    *ret_value = value;
    return 0;
}
