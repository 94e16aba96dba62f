/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of an open document: a B+tree of UTF-8 leaves. Inner nodes count the bytes, code points
 * and four-byte characters below each child, so that a position in code points, in bytes or in
 * UTF-16 units (code points + four-byte characters) is found in O(log n).
 *
 *   root ─► inner [points|bytes|astral|child] × ≤ 30 ─► … ─► leaf [ text ‥ gap ‥ text ] ≤ 1,006 B
 *
 * Nodes are reference counted and never written while shared: a snapshot takes one reference to the
 * root, and a later edit copies the nodes on its way down. A finger remembers the leaf of the last
 * edit, whose whole path belongs to this rope alone; edits there touch that leaf only, and its
 * counts reach the inner nodes later (weft__rope_flush).
 *
 * Every function that can fail leaves the text unchanged when it does. Text handed in must be valid
 * UTF-8; positions that split a character cannot be expressed in code points.
 *
 * **Thread:** a rope is used by one thread at a time. A snapshot is a rope of its own, may go to
 * another thread and may be read and released there while the original is edited, provided that the
 * allocator is thread-safe.
 */
#ifndef WEFT_OT_ROPE_H
#define WEFT_OT_ROPE_H

#include "base/bytes.h"
#include "base/slice.h"

#include <weft/alloc.h>
#include <weft/err.h>

/* The longest text, in bytes. */
#define WEFT_ROPE_BYTES_MAX 0x7fffffffu

/* The tallest tree. Half-filled nodes reach WEFT_ROPE_BYTES_MAX at 7. */
#define WEFT_ROPE_HEIGHT_MAX 12

struct weft_rope_node;
struct weft_rope_inner;
struct weft_rope_leaf;

struct weft_rope_size {
    uint32_t bytes;
    uint32_t points; /* code points */
    uint32_t astral; /* characters of four bytes, two units in UTF-16 */
};

/* The way from the root to one leaf: nodes[0] is the root, at[i] the child taken in nodes[i]. */
struct weft_rope_path {
    struct weft_rope_leaf *leaf; /* NULL: the path leads nowhere */
    uint32_t start;              /* code points before the leaf */
    unsigned height;             /* inner nodes on the path */
    struct weft_rope_inner *nodes[WEFT_ROPE_HEIGHT_MAX];
    uint8_t at[WEFT_ROPE_HEIGHT_MAX];
};

/* The members are private. */
struct weft_rope {
    const struct weft_alloc *alloc;
    struct weft_rope_node *root; /* NULL: the empty text */
    struct weft_rope_size size;
    struct weft_rope_path finger;
};

/* Walks the chunks of a range; members are private. */
struct weft_rope_iter {
    struct weft_rope_path path;
    uint32_t skip; /* code points of the leaf to pass over first */
    uint32_t left; /* code points still to come */
};

/* The empty text, without memory. */
void weft__rope_init(struct weft_rope *rope, const struct weft_alloc *alloc);

/* Releases everything; safe on a rope of zeroes and on a failed one. */
void weft__rope_done(struct weft_rope *rope);

/* Makes |ret_snapshot| (not initialised before) the same text in O(1). Both may be edited or
 * released in any order. */
void weft__rope_snapshot(struct weft_rope *rope, struct weft_rope *ret_snapshot);

/* Lengths of the whole text, O(1). */
static inline size_t weft__rope_bytes(const struct weft_rope *rope)
{
    return rope->size.bytes;
}

static inline size_t weft__rope_points(const struct weft_rope *rope)
{
    return rope->size.points;
}

static inline size_t weft__rope_utf16(const struct weft_rope *rope)
{
    return (size_t)rope->size.points + rope->size.astral;
}

/* Inserts |text| (valid UTF-8, not part of this rope) before code point |pos|.
 * **Errors:** WEFT_ERR_USAGE (|pos| past the end), WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rope_insert(struct weft_rope *rope, size_t pos, struct weft_slice text);

/* Removes |count| code points from |pos| on.
 * **Errors:** WEFT_ERR_USAGE (the range leaves the text), WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rope_delete(struct weft_rope *rope, size_t pos, size_t count);

/* Begins a walk over |count| code points from |pos|; the range is cut at the end of the text. The
 * rope must not be edited during the walk. */
void weft__rope_iter_init(struct weft_rope_iter *iter, struct weft_rope *rope, size_t pos,
                          size_t count);

/* The next chunk: never empty, never part of a character. False at the end of the range.
 * **Lifetime:** until the rope (or the snapshot walked over) is edited or released. */
bool weft__rope_iter_next(struct weft_rope_iter *iter, struct weft_slice *ret_chunk);

/* Appends the text of the range, cut at the end, to |out|. */
void weft__rope_copy(struct weft_rope *rope, size_t pos, size_t count, struct weft_bytes *out);

/* True when the text from |pos| on begins with |text|. */
bool weft__rope_matches(struct weft_rope *rope, size_t pos, struct weft_slice text);

/* What lies before code point |pos|, which is cut at the end: its bytes and UTF-16 units are the
 * position in those units. */
struct weft_rope_size weft__rope_size_before(struct weft_rope *rope, size_t pos);

/* The code point that begins at byte |bytes|.
 * **Errors:** WEFT_ERR_USAGE past the end or inside a character. */
WEFT_MUST_USE int weft__rope_from_bytes(struct weft_rope *rope, size_t bytes, size_t *ret_pos);

/* The code point that begins at UTF-16 unit |units|.
 * **Errors:** WEFT_ERR_USAGE past the end or between the halves of a surrogate pair. */
WEFT_MUST_USE int weft__rope_from_utf16(struct weft_rope *rope, size_t units, size_t *ret_pos);

/* Brings the counts of the inner nodes up to date with the finger's leaf. Reading functions call it
 * themselves; on a snapshot nobody has edited it writes nothing. */
void weft__rope_flush(struct weft_rope *rope);

/* Walks the whole tree and says whether every invariant holds: heights, counts, fill, reference
 * counts, text valid in every leaf. For WEFT_DCHECK and tests; O(n). */
bool weft__rope_check(struct weft_rope *rope);

#endif
