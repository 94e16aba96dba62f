/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions in code points, bytes and UTF-16 units. One walk from the root serves all three: `unit`
 * says which measure of a child decides where to go down.
 */
#include "base/utf8.h"
#include "ot/rope_node.h"

enum unit {
    UNIT_POINTS,
    UNIT_BYTES,
    UNIT_UTF16,
};

static uint64_t measure(struct weft_rope_size size, enum unit unit)
{
    switch (unit) {
    case UNIT_BYTES:
        return size.bytes;
    case UNIT_UTF16:
        return (uint64_t)size.points + size.astral;
    case UNIT_POINTS:
        break;
    }
    return size.points;
}

static struct weft_rope_size entry_size(const struct weft_rope_inner *inner, unsigned at)
{
    return (struct weft_rope_size){
        .bytes = inner->bytes[at],
        .points = inner->points[at],
        .astral = inner->astral[at],
    };
}

static void add_size(struct weft_rope_size *to, struct weft_rope_size more)
{
    to->bytes += more.bytes;
    to->points += more.points;
    to->astral += more.astral;
}

/* Adds to |sum| the characters at the beginning of |text| that lie whole within |*rest| units and
 * takes their units off |*rest|. */
static void walk_text(struct weft_slice text, enum unit unit, uint64_t *rest,
                      struct weft_rope_size *sum)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t bytes = (uint32_t)weft__utf8_lead_len(text.ptr[at]);
        struct weft_rope_size one = {.bytes = bytes, .points = 1, .astral = bytes == 4};
        uint64_t units = measure(one, unit);
        if (units > *rest)
            return;
        *rest -= units;
        add_size(sum, one);
        at += bytes;
    }
}

/* The size of the whole characters within the first |target| units of the text; |ret_rest|: units
 * of |target| that are left over, inside a character or past the end. */
static struct weft_rope_size locate(struct weft_rope *rope, enum unit unit, uint64_t target,
                                    uint64_t *ret_rest)
{
    struct weft_rope_size sum = {0};
    *ret_rest = target;
    if (!rope->root)
        return sum;
    weft__rope_flush(rope);
    const struct weft_rope_node *node = rope->root;
    while (node->height > 0) {
        const struct weft_rope_inner *inner = (const struct weft_rope_inner *)(const void *)node;
        unsigned i = 0;
        for (; i + 1 < inner->count; i++) {
            struct weft_rope_size size = entry_size(inner, i);
            if (measure(size, unit) > *ret_rest)
                break;
            *ret_rest -= measure(size, unit);
            add_size(&sum, size);
        }
        node = inner->child[i];
    }
    const struct weft_rope_leaf *leaf = (const struct weft_rope_leaf *)(const void *)node;
    struct weft_rope_size before = sum;
    walk_text((struct weft_slice){leaf->text, leaf->before}, unit, ret_rest, &sum);
    if (sum.bytes - before.bytes == leaf->before)
        walk_text((struct weft_slice){weft__rope_leaf_tail(leaf), leaf->after}, unit, ret_rest,
                  &sum);
    return sum;
}

struct weft_rope_size weft__rope_size_before(struct weft_rope *rope, size_t pos)
{
    uint64_t rest;
    return locate(rope, UNIT_POINTS, pos, &rest);
}

int weft__rope_from_bytes(struct weft_rope *rope, size_t bytes, size_t *ret_pos)
{
    uint64_t rest;
    struct weft_rope_size size = locate(rope, UNIT_BYTES, bytes, &rest);
    if (rest)
        return WEFT_ERR_USAGE;
    *ret_pos = size.points;
    return 0;
}

int weft__rope_from_utf16(struct weft_rope *rope, size_t units, size_t *ret_pos)
{
    uint64_t rest;
    struct weft_rope_size size = locate(rope, UNIT_UTF16, units, &rest);
    if (rest)
        return WEFT_ERR_USAGE;
    *ret_pos = size.points;
    return 0;
}
