/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of JSON documents: operations and documents as text, and random ones. */
#ifndef WEFT_TESTS_UNIT_OT_JSON_MODEL_H
#define WEFT_TESTS_UNIT_OT_JSON_MODEL_H

#include "base/utf8.h"
#include "lib/test.h"
#include "ot/tree_work.h"

/* Parses |json|; the arena keeps it. */
static inline const struct weft_json *json_parse(struct weft_arena *arena, const char *json)
{
    const struct weft_json *value;
    int err = weft__json_parse(weft__slice_str(json), arena, NULL, NULL, &value);
    if (err)
        fail_msg("%s: %s", weft_err_message(err), json);
    return value;
}

static inline struct weft_tree_value *value_of(const char *json)
{
    struct weft_arena arena;
    struct weft_tree_value *value;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__tree_from_json(weft_alloc_default(), json_parse(&arena, json), &value, NULL));
    weft__arena_done(&arena);
    return value;
}

static inline int op_from(const char *json, struct weft_tree_op **ret_op,
                          struct weft_ot_error *error)
{
    struct weft_arena arena;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__tree_parse(weft_alloc_default(), json_parse(&arena, json), ret_op, error);
    weft__arena_done(&arena);
    return err;
}

static inline struct weft_tree_op *op_of(const char *json)
{
    struct weft_tree_op *op;
    struct weft_ot_error error = {0};
    if (op_from(json, &op, &error))
        fail_msg("%s: %s", error.message, json);
    return op;
}

/* The JSON of an operation, or of |value|; the caller frees it. */
static inline char *json_of(const struct weft_tree_op *op, const struct weft_tree_value *value)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    if (op)
        weft__tree_op_write(op, &w);
    else
        weft__tree_write(value, &w);
    assert_ok(weft__bytes_error(&out));
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    char *copy = strdup((const char *)out.ptr);
    assert_non_null(copy);
    weft__bytes_done(&out);
    return copy;
}

static inline void assert_op_is(const struct weft_tree_op *op, const char *want)
{
    char *got = json_of(op, NULL);
    assert_string_equal(got, want);
    free(got);
}

static inline void assert_value_is(const struct weft_tree_value *value, const char *want)
{
    char *got = json_of(NULL, value);
    assert_string_equal(got, want);
    free(got);
}

/* |doc| after |op|, which must fit. */
static inline struct weft_tree_value *after(struct weft_tree_value *doc,
                                            const struct weft_tree_op *op)
{
    struct weft_tree_value *result;
    struct weft_ot_error error = {0};
    if (weft__tree_apply(weft_alloc_default(), doc, op, &result, &error)) {
        char *json = json_of(op, NULL);
        char *text = json_of(NULL, doc);
        fail_msg("%s: %s on %s", error.message, json, text);
    }
    return result;
}

/* ---- random ---- */

static inline void put_random_string(struct test_random *rng, struct weft_json_writer *w)
{
    static const char *const texts[] = {
        "", "a", "hello", "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x98\x80!", "the quick fox"};
    weft__json_put_str(w, texts[test_random_below(rng, WEFT_ARRAY_LEN(texts))]);
}

static inline const char *random_name(struct test_random *rng)
{
    static const char *const names[] = {"a", "b", "c", "list", "", "__proto__", "\xf0\x9f\x98\x80"};
    return names[test_random_below(rng, WEFT_ARRAY_LEN(names))];
}

static inline void put_random_value(struct test_random *rng, struct weft_json_writer *w,
                                    unsigned depth)
{
    static const char *const names[] = {"a", "b", "c", "list"};
    switch (test_random_below(rng, depth > 0 ? 7 : 5)) {
    case 0:
        weft__json_put_null(w);
        break;
    case 1:
        weft__json_put_i64(w, (int64_t)test_random_below(rng, 100) - 50);
        break;
    case 2:
        weft__json_put_bool(w, test_random_one_in(rng, 2));
        break;
    case 3:
    case 4:
        put_random_string(rng, w);
        break;
    case 5:
        weft__json_begin_array(w);
        for (size_t n = test_random_below(rng, 5); n > 0; n--)
            put_random_value(rng, w, depth - 1);
        weft__json_end_array(w);
        break;
    default:
        weft__json_begin_object(w);
        for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
            if (test_random_one_in(rng, 2))
                continue;
            weft__json_key(w, names[i]);
            put_random_value(rng, w, depth - 1);
        }
        weft__json_end_object(w);
        break;
    }
}

/* A random document, an object of which much is a container. */
static inline struct weft_tree_value *random_doc(struct test_random *rng)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "list");
    weft__json_begin_array(&w);
    for (size_t n = test_random_below(rng, 6); n > 0; n--)
        put_random_value(rng, &w, 2);
    weft__json_end_array(&w);
    weft__json_key(&w, "a");
    put_random_value(rng, &w, 3);
    weft__json_key(&w, "b");
    put_random_value(rng, &w, 2);
    weft__json_end_object(&w);
    weft__bytes_append_byte(&out, 0);
    struct weft_tree_value *value = value_of((const char *)out.ptr);
    weft__bytes_done(&out);
    return value;
}

struct random_path {
    size_t len;
    struct weft_tree_key keys[64];
};

/* Goes some way down in |value|, adding to |path|. Returns what is there. */
static inline struct weft_tree_value *random_way(struct test_random *rng,
                                                 struct weft_tree_value *value,
                                                 struct random_path *path, bool go)
{
    while (weft__tree_is_container(value) && value->count > 0 &&
           (go || !test_random_one_in(rng, 3))) {
        size_t i = test_random_below(rng, value->count);
        go = false;
        if (value->type == WEFT_TREE_LIST) {
            path->keys[path->len++] = weft__tree_index((int64_t)i);
            value = weft__tree_items(value)[i];
            continue;
        }
        struct weft_slice name = weft__tree_string(weft__tree_members(value)[i].key);
        path->keys[path->len++] = (struct weft_tree_key){name.ptr, (int64_t)name.len};
        value = weft__tree_members(value)[i].value;
    }
    return value;
}

/* Finds a place where something can be put. */
static inline bool random_gap(struct test_random *rng, struct weft_tree_value *doc,
                              struct random_path *path)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        path->len = 0;
        struct weft_tree_value *value = random_way(rng, doc, path, false);
        if (!weft__tree_is_container(value))
            continue;
        if (value->type == WEFT_TREE_LIST) {
            path->keys[path->len++] =
                weft__tree_index((int64_t)test_random_below(rng, value->count + 1u));
            return true;
        }
        struct weft_slice name = weft__slice_str(random_name(rng));
        bool found;
        weft__tree_find(value, name, &found);
        if (found)
            continue;
        path->keys[path->len++] = (struct weft_tree_key){name.ptr, (int64_t)name.len};
        return true;
    }
    return false;
}

static inline struct weft_tree_node *
at_path(struct weft_tree_work *work, struct weft_tree_node *root, const struct random_path *path)
{
    for (size_t i = 0; i < path->len; i++)
        root = weft__tree_descend(work, root, path->keys[i]);
    return root;
}

static inline struct weft_tree_value *random_value(struct test_random *rng)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    put_random_value(rng, &w, 2);
    weft__bytes_append_byte(&out, 0);
    struct weft_tree_value *value = value_of((const char *)out.ptr);
    weft__bytes_done(&out);
    return value;
}

/* Text is put somewhere, and some of what follows goes. */
static inline void put_random_edit(struct test_random *rng, struct weft_tree_work *work,
                                   struct weft_tree_node *at, const struct weft_tree_value *string)
{
    struct weft_slice text = weft__tree_string(string);
    size_t points = weft__utf8_count(text.ptr, text.len);
    size_t skip = test_random_size(rng, 0, points);
    size_t gone = test_random_size(rng, 0, points - skip);
    char json[64];
    int len = snprintf(json, sizeof(json), "[");
    if (skip)
        len += snprintf(json + len, sizeof(json) - (size_t)len, "%zu,", skip);
    len += snprintf(json + len, sizeof(json) - (size_t)len, "\"%c\"",
                    (char)('A' + test_random_below(rng, 26)));
    if (gone)
        len += snprintf(json + len, sizeof(json) - (size_t)len, ",{\"d\":%zu}", gone);
    snprintf(json + len, sizeof(json) - (size_t)len, "]");
    struct weft_text_op *op;
    struct weft_arena arena;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__text_parse(&work->scratch, json_parse(&arena, json), &op, NULL));
    weft__arena_done(&arena);
    weft__tree_put_text(work, at, op);
}

/* Moves what is at |from| elsewhere, if it can. */
static inline void put_random_move(struct test_random *rng, struct weft_tree_work *work,
                                   struct weft_tree_node *root, struct weft_tree_value *doc,
                                   const struct random_path *from)
{
    struct random_path to = {0};
    struct weft_tree_op *remove;
    struct weft_tree_work other;
    weft__tree_work_init(&other, weft_alloc_default());
    struct weft_tree_node *gone = weft__tree_grow(&other);
    weft__tree_put_remove(&other, at_path(&other, gone, from), NULL);
    assert_ok(weft__tree_finish(&other, gone, &remove, NULL));
    struct weft_tree_value *rest = weft__tree_own(work, after(doc, remove));
    if (random_gap(rng, rest, &to)) {
        weft__tree_put_pick(work, at_path(work, root, from), 0);
        weft__tree_put_drop(work, at_path(work, root, &to), 0);
    }
    weft__tree_op_free(remove);
    weft__tree_work_done(&other);
}

/* One simple operation that fits |doc|, maybe one that changes nothing. */
static inline struct weft_tree_op *random_part(struct test_random *rng, struct weft_tree_value *doc)
{
    struct weft_tree_work work;
    struct weft_tree_op *op;
    struct random_path path = {0};
    weft__tree_work_init(&work, weft_alloc_default());
    struct weft_tree_node *root = weft__tree_grow(&work);
    struct weft_tree_value *value = random_way(rng, doc, &path, true);
    struct weft_tree_node *at = at_path(&work, root, &path);
    if (weft__tree_is_string(value) && test_random_one_in(rng, 2)) {
        put_random_edit(rng, &work, at, value);
    } else if (weft__tree_is_number(value) && test_random_one_in(rng, 2)) {
        weft__tree_put_number(&work, at, (double)test_random_below(rng, 9) - 4);
    } else if (path.len > 0 && test_random_one_in(rng, 4)) {
        weft__tree_put_remove(&work, at, NULL);
    } else if (path.len > 0 && test_random_one_in(rng, 3)) {
        weft__tree_put_remove(&work, at, NULL);
        weft__tree_put_insert(&work, at, weft__tree_own(&work, random_value(rng)));
    } else if (path.len > 0 && test_random_one_in(rng, 2)) {
        put_random_move(rng, &work, root, doc, &path);
    } else if (random_gap(rng, doc, &path)) {
        weft__tree_put_insert(&work, at_path(&work, root, &path),
                              weft__tree_own(&work, random_value(rng)));
    }
    assert_ok(weft__tree_finish(&work, root, &op, NULL));
    weft__tree_work_done(&work);
    return op;
}

/* Several of them, composed. */
static inline struct weft_tree_op *random_op(struct test_random *rng, struct weft_tree_value *doc)
{
    struct weft_tree_op *op = op_of("null");
    struct weft_tree_value *now = weft__tree_ref(doc);
    for (size_t n = test_random_size(rng, 1, 4); n > 0; n--) {
        struct weft_tree_op *part = random_part(rng, now);
        struct weft_tree_op *both;
        struct weft_tree_value *next = after(now, part);
        assert_ok(weft__tree_compose(weft_alloc_default(), op, part, &both, NULL));
        weft__tree_op_free(op);
        weft__tree_op_free(part);
        weft__tree_unref(now);
        op = both;
        now = next;
    }
    weft__tree_unref(now);
    return op;
}

#endif
