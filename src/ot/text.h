/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain text operations, text-unicode: a walk over the document from its beginning, made of parts.
 *
 *   5            skip 5 code points
 *   "abc"        insert "abc" here
 *   {"d":3}      delete 3 code points
 *   {"d":"xyz"}  delete "xyz", which must be what stands there
 *
 * What follows the last part stays as it is. In canonical form no two neighbours are of one kind
 * and no operation ends with a skip; every function here returns canonical operations. What is
 * accepted and refused is said in docs/protocol/text.md.
 *
 * An operation is one allocation: its parts, and behind them their text.
 *
 *   [ struct weft_text_op | part | part | … | text of the parts ]
 *
 * **Thread:** operations are immutable and may be read by any thread.
 */
#ifndef WEFT_OT_TEXT_H
#define WEFT_OT_TEXT_H

#include "ot/rope.h"
#include "ot/type.h"

/* The greatest count of a part, and of all parts of one operation together, in code points; no
 * text is longer. */
#define WEFT_TEXT_POINTS_MAX WEFT_ROPE_BYTES_MAX

/* Parts of an operation that a peer may send. */
#define WEFT_TEXT_PARTS_MAX 262144u

enum weft_text_kind {
    WEFT_TEXT_KIND_SKIP,
    WEFT_TEXT_KIND_INSERT,
    WEFT_TEXT_KIND_DELETE,
};

struct weft_text_part {
    uint32_t kind;       /* enum weft_text_kind */
    uint32_t points;     /* code points skipped, inserted or deleted, ≥ 1 */
    uint32_t len;        /* bytes of |text| */
    const uint8_t *text; /* what is inserted; what is deleted, NULL if that is not recorded */
};

struct weft_text_op {
    const struct weft_alloc *alloc;
    size_t size;       /* bytes of this allocation */
    uint32_t base;     /* code points skipped and deleted: no shorter document fits */
    uint32_t inserted; /* code points inserted */
    uint32_t count;
    struct weft_text_part parts[];
};

/* Reads and checks an operation; the result owns its text. |error| may be NULL here and below.
 * **Errors:** WEFT_ERR_OP, WEFT_ERR_TOO_BIG (too many parts), WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__text_parse(const struct weft_alloc *alloc, const struct weft_json *value,
                                   struct weft_text_op **ret_op, struct weft_ot_error *error);

/* Writes |op| as a JSON array. */
void weft__text_write(const struct weft_text_op *op, struct weft_json_writer *out);

/* NULL is allowed. */
void weft__text_free(struct weft_text_op *op);

/* Applies |op| to |rope| whole or not at all.
 * **Errors:** WEFT_ERR_OP with status out_of_range (a count past the end) or failed_precondition
 * (a deletion that names other text than it finds), WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__text_apply(struct weft_rope *rope, const struct weft_text_op *op,
                                   struct weft_ot_error *error);

/* |op| as it must be applied after |other|. Text of deletions is kept.
 * **Errors:** WEFT_ERR_OP (counts add up past WEFT_TEXT_POINTS_MAX), WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__text_transform(const struct weft_alloc *alloc,
                                       const struct weft_text_op *op,
                                       const struct weft_text_op *other, enum weft_ot_side side,
                                       struct weft_text_op **ret_op, struct weft_ot_error *error);

/* One operation for |first|, then |second|. **Errors:** as weft__text_transform; WEFT_ERR_OP also
 * when |second| names other text to delete than |first| inserted there. */
WEFT_MUST_USE int weft__text_compose(const struct weft_alloc *alloc,
                                     const struct weft_text_op *first,
                                     const struct weft_text_op *second,
                                     struct weft_text_op **ret_op, struct weft_ot_error *error);

/* What leads back to |rope| from apply(|rope|, |op|), with the text of its deletions.
 * **Errors:** as weft__text_apply. */
WEFT_MUST_USE int weft__text_invert(const struct weft_alloc *alloc, const struct weft_text_op *op,
                                    struct weft_rope *rope, struct weft_text_op **ret_op,
                                    struct weft_ot_error *error);

/* What leads from the text |from| to |to|, UTF-8 of at most WEFT_TEXT_POINTS_MAX / 2 code points
 * each, with the text of its deletions. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__text_diff(const struct weft_alloc *alloc, struct weft_slice from,
                                  struct weft_slice to, struct weft_text_op **ret_op,
                                  struct weft_ot_error *error);

/* Where code point |pos| is after |op|. A position inside deleted text goes to its beginning. */
uint64_t weft__text_position(const struct weft_text_op *op, uint64_t pos, enum weft_ot_side side);

/* WEFT_OK when |op| fits |rope|: counts within the text, recorded deletions equal to what stands
 * there; else as weft__text_apply. */
WEFT_MUST_USE int weft__text_fits(struct weft_rope *rope, const struct weft_text_op *op,
                                  struct weft_ot_error *error);

#endif
