/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rich text operations, Delta: a walk over the document from its beginning, made of parts.
 *
 *   {"insert":"abc","attributes":{"bold":true}}   insert text here
 *   {"insert":{"image":"u"}}                      insert an embed, one unit long
 *   {"retain":5,"attributes":{"bold":null}}       keep 5 units, and change their attributes
 *   {"retain":{"delta":[…]}}                      change the embed that stands here
 *   {"delete":3}                                  delete 3 units
 *
 * Units are those of UTF-16; text is UTF-8, and nothing may divide a character. In canonical form
 * neighbours that could be one part are one, an insertion stands before a deletion at the same
 * place, and no operation ends with a plain retain. A document is an operation of insertions.
 * What is accepted and refused is said in docs/protocol/documents-rich.md.
 *
 * Attributes are kept as entries sorted by key, [u32 key length | u32 value length | key | value],
 * values and embeds as compact JSON with sorted keys: equal ones are equal bytes.
 *
 * **Thread:** operations are immutable and may be read by any thread.
 */
#ifndef WEFT_OT_RICH_H
#define WEFT_OT_RICH_H

#include "base/arena.h"
#include "ot/type.h"

/* Units of all parts of one operation together, and of a document. */
#define WEFT_RICH_UNITS_MAX 0x7fffffffu

enum {
    WEFT_RICH_PARTS_MAX = 262144,          /* of an operation */
    WEFT_RICH_ATTRIBUTE_BYTES_MAX = 16384, /* of one part, as kept */
    WEFT_RICH_DEPTH_MAX = 56,              /* containers in one another, from the array of parts */
    WEFT_RICH_NEST_MAX = 8,                /* documents in one another */
    WEFT_RICH_BYTES_MAX = 64 << 20,        /* text and attributes of an operation or document */
};

enum weft_rich_kind {
    WEFT_RICH_KIND_RETAIN,
    WEFT_RICH_KIND_INSERT,
    WEFT_RICH_KIND_DELETE,
};

struct weft_rich_part {
    uint8_t kind;        /* enum weft_rich_kind */
    bool embed;          /* |text| is JSON: the embed, or the operation on one */
    uint32_t units;      /* ≥ 1; of an embed 1 */
    uint32_t len;        /* bytes of |text| */
    uint32_t attr_len;   /* bytes of |attr| */
    const uint8_t *text; /* NULL for a plain retain and a deletion */
    const uint8_t *attr;
};

struct weft_rich_op {
    const struct weft_alloc *alloc;
    size_t size;       /* bytes of this allocation */
    uint32_t base;     /* units retained and deleted: no shorter document fits */
    uint32_t inserted; /* units inserted */
    size_t bytes;      /* inserted: text, embeds and their attributes */
    uint32_t count;
    struct weft_rich_part parts[];
};

/* Reads and checks an operation, {"ops":[…]} or the array alone.
 * **Errors:** WEFT_ERR_OP, WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rich_parse(const struct weft_alloc *alloc, const struct weft_json *value,
                                   struct weft_rich_op **ret_op, struct weft_ot_error *error);

/* As weft__rich_parse for an array of insertions, a document. */
WEFT_MUST_USE int weft__rich_parse_doc(const struct weft_alloc *alloc,
                                       const struct weft_json *value, struct weft_rich_op **ret_op,
                                       struct weft_ot_error *error);

/* Writes the parts of |op| as a JSON array. */
void weft__rich_write(const struct weft_rich_op *op, struct weft_json_writer *out);

/* NULL is allowed. */
void weft__rich_free(struct weft_rich_op *op);

/* As the functions of the same names in struct weft_ot_type. */
WEFT_MUST_USE int weft__rich_compose(const struct weft_alloc *alloc,
                                     const struct weft_rich_op *first,
                                     const struct weft_rich_op *second,
                                     struct weft_rich_op **ret_op, struct weft_ot_error *error);
WEFT_MUST_USE int weft__rich_transform(const struct weft_alloc *alloc,
                                       const struct weft_rich_op *op,
                                       const struct weft_rich_op *other, enum weft_ot_side side,
                                       struct weft_rich_op **ret_op, struct weft_ot_error *error);
uint64_t weft__rich_position(const struct weft_rich_op *op, uint64_t pos, enum weft_ot_side side);

/* |doc| is the document without its first |skip| units, which |op| begins with a plain retain of;
 * it reaches as far as |op| does. */
WEFT_MUST_USE int weft__rich_invert(const struct weft_alloc *alloc, uint32_t skip,
                                    const struct weft_rich_op *op, const struct weft_rich_op *doc,
                                    struct weft_rich_op **ret_op, struct weft_ot_error *error);

/* |op| without operations on embeds that change nothing. */
WEFT_MUST_USE int weft__rich_normalize(const struct weft_alloc *alloc,
                                       const struct weft_rich_op *op, struct weft_rich_op **ret_op,
                                       struct weft_ot_error *error);

/* What leads from |from| to |to|, documents behind |skip| units that both begin with. */
WEFT_MUST_USE int weft__rich_diff(const struct weft_alloc *alloc, uint32_t skip,
                                  const struct weft_rich_op *from, const struct weft_rich_op *to,
                                  struct weft_rich_op **ret_op, struct weft_ot_error *error);

#endif
