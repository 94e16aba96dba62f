/* SPDX-License-Identifier: Apache-2.0 */
/* Values in canonical JSON, and attributes: lists of entries sorted by key, merged in one pass. */
#include "ot/rich_build.h"

enum { HEAD = 2 * sizeof(uint32_t) };

struct entry {
    struct weft_slice key;
    struct weft_slice value;
    struct weft_slice all; /* as it is kept */
};

static int order(struct weft_slice a, struct weft_slice b)
{
    size_t len = WEFT_MIN(a.len, b.len);
    int diff = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return diff ? diff : (a.len > b.len) - (a.len < b.len);
}

static int key_order(const struct weft_json *a, const struct weft_json *b)
{
    return order(weft__json_string(a), weft__json_string(b));
}

static void sift(const struct weft_json **keys, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && key_order(keys[child + 1], keys[child]) > 0)
            child++;
        if (key_order(keys[at], keys[child]) >= 0)
            return;
        const struct weft_json *key = keys[at];
        keys[at] = keys[child];
        keys[child] = key;
    }
}

static void sort_keys(const struct weft_json **keys, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(keys, i, count);
    for (size_t end = count; end > 1;) {
        const struct weft_json *key = keys[0];
        keys[0] = keys[--end];
        keys[end] = key;
        sift(keys, 0, end);
    }
}

/* The keys of |object| in order; freed with free_keys. */
static const struct weft_json **sorted_keys(const struct weft_json *object,
                                            const struct weft_alloc *alloc)
{
    size_t count = weft__json_count(object);
    const struct weft_json **keys = weft__mem_alloc_array(alloc, count, sizeof(*keys));
    size_t i = 0;
    if (!keys)
        return NULL;
    WEFT_JSON_EACH_KEY (key, object)
        keys[i++] = key;
    sort_keys(keys, count);
    return keys;
}

static void put_text(struct weft_slice text, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_put_string(&w, text);
}

static int put_object(const struct weft_json *value, unsigned depth, struct weft_bytes *out)
{
    size_t count = weft__json_count(value);
    int err = 0;
    weft__bytes_append_byte(out, '{');
    if (count > 0) {
        const struct weft_json **keys = sorted_keys(value, out->alloc);
        if (!keys)
            return WEFT_ERR_NOMEM;
        for (size_t i = 0; i < count && !err; i++) {
            if (i)
                weft__bytes_append_byte(out, ',');
            put_text(weft__json_string(keys[i]), out);
            weft__bytes_append_byte(out, ':');
            err = weft__rich_value(weft__json_member(keys[i]), depth, out);
        }
        weft__mem_free(out->alloc, keys, count * sizeof(*keys));
    }
    weft__bytes_append_byte(out, '}');
    return err;
}

static int put_array(const struct weft_json *value, unsigned depth, struct weft_bytes *out)
{
    int err = 0;
    bool first = true;
    weft__bytes_append_byte(out, '[');
    WEFT_JSON_EACH (element, value) {
        if (!first)
            weft__bytes_append_byte(out, ',');
        first = false;
        err = weft__rich_value(element, depth, out);
        if (err)
            return err;
    }
    weft__bytes_append_byte(out, ']');
    return 0;
}

static void put_number(const struct weft_json *value, struct weft_bytes *out)
{
    struct weft_json_writer w;
    int64_t whole;
    double real = 0;
    weft__json_writer_init(&w, out);
    if (weft__json_i64(value, &whole))
        weft__json_put_i64(&w, whole);
    else if (weft__json_double(value, &real))
        weft__json_put_double(&w, real);
}

int weft__rich_value(const struct weft_json *value, unsigned depth, struct weft_bytes *out)
{
    bool yes = false;
    switch ((enum weft_json_type)value->type) {
    case WEFT_JSON_NULL:
        weft__bytes_append_str(out, "null");
        return 0;
    case WEFT_JSON_BOOL:
        weft__bytes_append_str(out, weft__json_bool(value, &yes) && yes ? "true" : "false");
        return 0;
    case WEFT_JSON_NUMBER:
        put_number(value, out);
        return 0;
    case WEFT_JSON_STRING:
        put_text(weft__json_string(value), out);
        return 0;
    case WEFT_JSON_ARRAY:
    case WEFT_JSON_OBJECT:
        break;
    }
    if (depth == 0)
        return WEFT_ERR_TOO_BIG;
    return value->type == WEFT_JSON_ARRAY ? put_array(value, depth - 1, out)
                                          : put_object(value, depth - 1, out);
}

/* Appends one entry, whose value is written by weft__rich_value. */
static int put_entry(const struct weft_json *key, unsigned depth, struct weft_bytes *out)
{
    struct weft_slice name = weft__json_string(key);
    size_t at = out->len;
    uint32_t head[2] = {(uint32_t)name.len, 0};
    weft__bytes_append(out, head, HEAD);
    weft__bytes_append_slice(out, name);
    int err = weft__rich_value(weft__json_member(key), depth, out);
    if (!err && !out->err) {
        head[1] = (uint32_t)(out->len - at - HEAD - name.len);
        memcpy(out->ptr + at, head, HEAD);
    }
    return err ? err : out->err;
}

static int put_entries(const struct weft_json *object, bool keep_null, unsigned depth,
                       struct weft_bytes *out)
{
    size_t count = weft__json_count(object);
    size_t start = out->len;
    int err = 0;
    if (depth == 0 || count > WEFT_RICH_ATTRIBUTE_BYTES_MAX / (HEAD + 1))
        return WEFT_ERR_TOO_BIG;
    const struct weft_json **keys = sorted_keys(object, out->alloc);
    if (!keys)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < count && !err; i++) {
        if (keep_null || !weft__json_is(weft__json_member(keys[i]), WEFT_JSON_NULL))
            err = put_entry(keys[i], depth - 1, out);
        if (!err && out->len - start > WEFT_RICH_ATTRIBUTE_BYTES_MAX)
            err = WEFT_ERR_TOO_BIG;
    }
    weft__mem_free(out->alloc, keys, count * sizeof(*keys));
    return err;
}

int weft__rich_attributes(const struct weft_json *object, bool keep_null, unsigned depth,
                          struct weft_bytes *out, struct weft_ot_error *error)
{
    if (!weft__json_is(object, WEFT_JSON_OBJECT))
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                             "attributes must be an object");
    int err = weft__json_count(object) ? put_entries(object, keep_null, depth, out) : 0;
    if (err == WEFT_ERR_TOO_BIG)
        return weft__ot_fail(error, err, WEFT_STATUS_INVALID_ARGUMENT,
                             "attributes are too large or nested too deeply");
    return err ? weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory") : 0;
}

static bool next(struct weft_slice *entries, struct entry *ret_entry)
{
    uint32_t head[2];
    if (entries->len == 0)
        return false;
    memcpy(head, entries->ptr, HEAD);
    ret_entry->key = (struct weft_slice){entries->ptr + HEAD, head[0]};
    ret_entry->value = (struct weft_slice){entries->ptr + HEAD + head[0], head[1]};
    ret_entry->all = (struct weft_slice){entries->ptr, HEAD + (size_t)head[0] + head[1]};
    entries->ptr += ret_entry->all.len;
    entries->len -= ret_entry->all.len;
    return true;
}

void weft__rich_attributes_write(const struct weft_rich_part *part, struct weft_json_writer *out)
{
    struct weft_slice entries = {part->attr, part->attr_len};
    struct entry e;
    if (entries.len == 0)
        return;
    weft__json_key(out, "attributes");
    weft__json_begin_object(out);
    while (next(&entries, &e)) {
        weft__json_key_slice(out, e.key);
        weft__json_put_raw(out, e.value);
    }
    weft__json_end_object(out);
}

static bool is_null(const struct entry *e)
{
    return weft__slice_eq_str(e->value, "null");
}

/* What is kept of an entry found in the first list, the second or both (the other is NULL). */
typedef void pick_fn(const struct entry *a, const struct entry *b, bool keep_null,
                     struct weft_bytes *out);

static void merge(struct weft_rich_build *b, const struct weft_rich_part *one,
                  const struct weft_rich_part *two, pick_fn *pick, bool keep_null,
                  struct weft_rich_part *part)
{
    struct weft_slice left = {one->attr, one->attr_len};
    struct weft_slice right = {two->attr, two->attr_len};
    struct entry l;
    struct entry r;
    struct weft_bytes out;
    weft__bytes_init(&out, b->alloc, WEFT_RICH_ATTRIBUTE_BYTES_MAX);
    bool has_l = next(&left, &l);
    bool has_r = next(&right, &r);
    while (has_l || has_r) {
        int diff = !has_l ? 1 : !has_r ? -1 : order(l.key, r.key);
        pick(diff <= 0 ? &l : NULL, diff >= 0 ? &r : NULL, keep_null, &out);
        if (diff <= 0)
            has_l = next(&left, &l);
        if (diff >= 0)
            has_r = next(&right, &r);
    }
    const struct weft_rich_part *last = b->count ? &b->parts[b->count - 1] : NULL;
    part->attr_len = (uint32_t)out.len;
    if (out.len && last && last->attr_len == out.len && memcmp(last->attr, out.ptr, out.len) == 0)
        part->attr = last->attr; /* however many pieces get the same */
    else
        part->attr = out.len ? (uint8_t *)weft__arena_copy(&b->scratch, out.ptr, out.len) : NULL;
    if (out.err == WEFT_ERR_TOO_BIG)
        weft__rich_build_fail(b, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                              "attributes would be too large");
    else if (out.err || (out.len && !part->attr))
        weft__rich_build_fail(b, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    weft__bytes_done(&out);
}

static void pick_composed(const struct entry *base, const struct entry *over, bool keep_null,
                          struct weft_bytes *out)
{
    if (!over)
        weft__bytes_append_slice(out, base->all);
    else if (keep_null || !is_null(over))
        weft__bytes_append_slice(out, over->all);
}

void weft__rich_attributes_compose(struct weft_rich_build *b, const struct weft_rich_part *base,
                                   const struct weft_rich_part *over, bool keep_null,
                                   struct weft_rich_part *part)
{
    part->attr = base->attr;
    part->attr_len = base->attr_len;
    if (over->attr_len)
        merge(b, base, over, pick_composed, keep_null, part);
}

static void pick_unset(const struct entry *op, const struct entry *other, bool keep_null,
                       struct weft_bytes *out)
{
    (void)keep_null;
    if (op && !other)
        weft__bytes_append_slice(out, op->all);
}

void weft__rich_attributes_without(struct weft_rich_build *b, const struct weft_rich_part *op,
                                   const struct weft_rich_part *other, struct weft_rich_part *part)
{
    part->attr = op->attr;
    part->attr_len = op->attr_len;
    if (op->attr_len && other->attr_len)
        merge(b, op, other, pick_unset, true, part);
}

static void put_null(const struct entry *e, struct weft_bytes *out)
{
    uint32_t head[2] = {(uint32_t)e->key.len, 4};
    weft__bytes_append(out, head, HEAD);
    weft__bytes_append_slice(out, e->key);
    weft__bytes_append_str(out, "null");
}

static void pick_different(const struct entry *from, const struct entry *to, bool keep_null,
                           struct weft_bytes *out)
{
    (void)keep_null;
    if (!to)
        put_null(from, out);
    else if (!from || order(from->value, to->value) != 0)
        weft__bytes_append_slice(out, to->all);
}

void weft__rich_attributes_diff(struct weft_rich_build *b, const struct weft_rich_part *from,
                                const struct weft_rich_part *to, struct weft_rich_part *part)
{
    part->attr = NULL;
    part->attr_len = 0;
    if (from->attr_len || to->attr_len)
        merge(b, from, to, pick_different, true, part);
}

/* Arrays and objects are always put back, as the reference does. */
static void pick_inverse(const struct entry *op, const struct entry *base, bool keep_null,
                         struct weft_bytes *out)
{
    (void)keep_null;
    if (!op)
        return;
    if (!base) {
        put_null(op, out);
        return;
    }
    uint8_t first = base->value.ptr[0];
    if (first == '{' || first == '[' || order(op->value, base->value) != 0)
        weft__bytes_append_slice(out, base->all);
}

void weft__rich_attributes_invert(struct weft_rich_build *b, const struct weft_rich_part *op,
                                  const struct weft_rich_part *base, struct weft_rich_part *part)
{
    part->attr = NULL;
    part->attr_len = 0;
    if (op->attr_len)
        merge(b, op, base, pick_inverse, true, part);
}
