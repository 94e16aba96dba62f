/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects the parts of a new operation, in order, and makes the canonical operation of them. Text
 * and attributes are borrowed until the end; what has to be made anew on the way lives in
 * |scratch|. The first failure sticks until weft__rich_build_finish.
 */
#ifndef WEFT_OT_RICH_BUILD_H
#define WEFT_OT_RICH_BUILD_H

#include "ot/rich.h"

struct weft_rich_build {
    const struct weft_alloc *alloc;
    struct weft_rich_part *parts; /* |few|, or an allocation */
    size_t count;
    size_t cap;
    size_t held; /* bytes of text and attributes, at most WEFT_RICH_BYTES_MAX */
    int err;
    struct weft_ot_error error; /* says why, when |err| is set */
    struct weft_arena scratch;
    struct weft_rich_part few[8];
};

void weft__rich_build_init(struct weft_rich_build *b, const struct weft_alloc *alloc);
void weft__rich_build_done(struct weft_rich_build *b);

/* Keeps the first failure. */
void weft__rich_build_fail(struct weft_rich_build *b, int err, int status, const char *message);

/* True when |b| behind |a| is one part with it. */
bool weft__rich_joins(const struct weft_rich_part *a, const struct weft_rich_part *b);

/* Adds |part|; one of 0 units is nothing. */
void weft__rich_build_add(struct weft_rich_build *b, struct weft_rich_part part);

/* The canonical operation of |count| parts from |parts|. */
WEFT_MUST_USE int weft__rich_build_pack(struct weft_rich_build *b,
                                        const struct weft_rich_part *parts, size_t count,
                                        struct weft_rich_op **ret_op, struct weft_ot_error *error);

/* All that was added, a document: insertions, as many as there are. */
WEFT_MUST_USE int weft__rich_build_content(struct weft_rich_build *b, struct weft_rich_op **ret_op,
                                           struct weft_ot_error *error);

/* All that was added, without a plain retain at the end; at most WEFT_RICH_PARTS_MAX parts. */
WEFT_MUST_USE int weft__rich_build_finish(struct weft_rich_build *b, struct weft_rich_op **ret_op,
                                          struct weft_ot_error *error);

/* Walks parts in pieces of chosen length. */
struct weft_rich_cursor {
    const struct weft_rich_part *part; /* the next one, or end */
    const struct weft_rich_part *end;
    uint32_t units; /* of *part taken already */
    uint32_t bytes;
};

static inline void weft__rich_cursor_init(struct weft_rich_cursor *c, const struct weft_rich_op *op)
{
    *c = (struct weft_rich_cursor){.part = op->parts, .end = op->parts + op->count};
}

static inline bool weft__rich_cursor_is(const struct weft_rich_cursor *c, enum weft_rich_kind kind)
{
    return c->part != c->end && c->part->kind == kind;
}

/* Units left of the next part; behind the last part comes a plain retain without end. */
static inline uint32_t weft__rich_cursor_left(const struct weft_rich_cursor *c)
{
    return c->part == c->end ? UINT32_MAX : c->part->units - c->units;
}

/* Takes at most |max| > 0 units. Of a character that would be divided, the failure sticks to |b|
 * and the rest of the part is taken. */
struct weft_rich_part weft__rich_cursor_take(struct weft_rich_cursor *c, uint32_t max,
                                             struct weft_rich_build *b);

/* Does |s| on what |f| yields. |open|: behind |f| anything may follow, which is retained; else it
 * ends where |f| ends. */
void weft__rich_compose_into(struct weft_rich_build *b, struct weft_rich_cursor *f,
                             struct weft_rich_cursor *s, bool open);

/* Appends |value| as compact JSON with sorted keys. |depth|: containers it may still open.
 * **Errors:** WEFT_ERR_TOO_BIG; those of |out| stick there. */
WEFT_MUST_USE int weft__rich_value(const struct weft_json *value, unsigned depth,
                                   struct weft_bytes *out);

/* Appends the attributes |object| as entries; |keep_null| false leaves out those that are null.
 * |depth| as above, the object included. */
WEFT_MUST_USE int weft__rich_attributes(const struct weft_json *object, bool keep_null,
                                        unsigned depth, struct weft_bytes *out,
                                        struct weft_ot_error *error);
void weft__rich_attributes_write(const struct weft_rich_part *part, struct weft_json_writer *out);

/* What becomes of the attributes of |base| when those of |over| are set, made in |b|'s scratch. */
void weft__rich_attributes_compose(struct weft_rich_build *b, const struct weft_rich_part *base,
                                   const struct weft_rich_part *over, bool keep_null,
                                   struct weft_rich_part *part);

/* Those of |op| that |other| does not set too. */
void weft__rich_attributes_without(struct weft_rich_build *b, const struct weft_rich_part *op,
                                   const struct weft_rich_part *other, struct weft_rich_part *part);

/* What leads from the attributes of |from| to those of |to|. */
void weft__rich_attributes_diff(struct weft_rich_build *b, const struct weft_rich_part *from,
                                const struct weft_rich_part *to, struct weft_rich_part *part);

/* What leads back to |base| after |op|. */
void weft__rich_attributes_invert(struct weft_rich_build *b, const struct weft_rich_part *op,
                                  const struct weft_rich_part *base, struct weft_rich_part *part);

#endif
