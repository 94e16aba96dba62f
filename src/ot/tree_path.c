/* SPDX-License-Identifier: Apache-2.0 */
/* Where a path leads after a JSON operation. */
#include "ot/tree_work.h"

#include "base/assert.h"

enum { PATH_MAX_KEYS = WEFT_TREE_DEPTH_MAX + 1 }; /* the last may be a position in a string */

struct path {
    unsigned count;
    struct weft_tree_key keys[2 * PATH_MAX_KEYS];
};

static int parse_path(const struct weft_json *json, struct path *path, struct weft_ot_error *error)
{
    path->count = 0;
    if (!weft__json_is(json, WEFT_JSON_ARRAY) || weft__json_count(json) > PATH_MAX_KEYS)
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                             "a path must be an array of at most 57 keys");
    WEFT_JSON_EACH (element, json) {
        int64_t index = -1;
        struct weft_slice name = weft__json_string(element);
        struct weft_tree_key *key = &path->keys[path->count++];
        if (weft__json_is(element, WEFT_JSON_STRING))
            *key = (struct weft_tree_key){name.len ? name.ptr : (const uint8_t *)"",
                                          (int64_t)name.len};
        else if (weft__json_i64(element, &index) && index >= 0 && index <= WEFT_TREE_INDEX_MAX)
            *key = weft__tree_index(index);
        else
            return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                                 "a key must be a string, or a whole number, 0 or greater");
    }
    return 0;
}

/* Moves |path| past what is taken. False when it is removed. |ret_picked| is where something with
 * the rest of it, from key |ret_from| on, is picked up; else NULL. */
static bool pass_takes(const struct weft_tree_node *node, struct path *path,
                       const struct weft_tree_node **ret_picked, unsigned *ret_from)
{
    bool removed = false;
    *ret_picked = NULL;
    for (unsigned i = 0; node; i++) {
        if (node->has & WEFT_TREE_REMOVE) {
            removed = true;
        } else if (node->has & WEFT_TREE_PICK) {
            removed = false;
            *ret_picked = node;
            *ret_from = i;
        }
        if (i == path->count)
            break;
        struct weft_tree_walk walk = weft__tree_walk(node, WEFT_TREE_TAKES, false);
        node = weft__tree_walk_to(&walk, path->keys[i]);
        path->keys[i] = weft__tree_shift(path->keys[i], -walk.passed);
    }
    return !removed;
}

/* Moves the keys of |path| from |i| on past what is put at |node| and below. */
static void pass_puts(const struct weft_tree_node *node, struct path *path, unsigned i,
                      enum weft_ot_side side)
{
    for (; node && i < path->count; i++) {
        if (node->has & WEFT_TREE_EDITS) {
            struct weft_tree_key *key = &path->keys[i];
            if ((node->has & WEFT_TREE_EDIT_TEXT) && !key->name)
                key->n = (int64_t)weft__text_position(node->text, (uint64_t)key->n, side);
            return;
        }
        struct weft_tree_walk walk = weft__tree_walk(node, WEFT_TREE_PUTS, true);
        node = weft__tree_walk_to(&walk, path->keys[i]);
        path->keys[i] = weft__tree_shift(path->keys[i], walk.passed);
    }
}

static const struct weft_tree_node *find_drop(const struct weft_tree_op *op, uint32_t slot)
{
    for (uint32_t i = 0; i < op->count; i++) {
        if ((op->nodes[i].has & WEFT_TREE_DROP) && op->nodes[i].drop == slot)
            return &op->nodes[i];
    }
    return NULL;
}

/* Replaces the first |from| keys by the way to |drop|. Returns its length. */
static unsigned move_path(struct path *path, unsigned from, const struct weft_tree_node *drop)
{
    unsigned depth = 0;
    for (const struct weft_tree_node *at = drop; at->parent; at = at->parent)
        depth++;
    WEFT_ASSERT(depth <= WEFT_TREE_DEPTH_MAX);
    memmove(path->keys + depth, path->keys + from, (path->count - from) * sizeof(*path->keys));
    path->count = depth + path->count - from;
    unsigned i = depth;
    for (const struct weft_tree_node *at = drop; at->parent; at = at->parent)
        path->keys[--i] = at->key;
    return depth;
}

static void write_path(const struct path *path, struct weft_json_writer *out)
{
    weft__json_begin_array(out);
    for (unsigned i = 0; i < path->count; i++) {
        if (path->keys[i].name)
            weft__json_put_string(out,
                                  (struct weft_slice){path->keys[i].name, (size_t)path->keys[i].n});
        else
            weft__json_put_i64(out, path->keys[i].n);
    }
    weft__json_end_array(out);
}

int weft__tree_path(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                    const struct weft_json *json, enum weft_ot_side side,
                    struct weft_json_writer *out, struct weft_ot_error *error)
{
    (void)alloc;
    struct path path;
    const struct weft_tree_node *picked;
    unsigned from = 0;
    int err = parse_path(json, &path, error);
    if (err)
        return err;
    const struct weft_tree_node *root = weft__tree_root(op);
    if (!pass_takes(root, &path, &picked, &from)) {
        weft__json_put_null(out);
        return 0;
    }
    const struct weft_tree_node *put = picked ? find_drop(op, picked->pick) : root;
    unsigned i = picked ? move_path(&path, from, put) : 0;
    pass_puts(put, &path, i, side);
    write_path(&path, out);
    return 0;
}
