/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kind of document is to everybody else: a table of functions over opaque operations and
 * opaque documents. Whoever orders operations (the hub, a replica, the filter `weft ot`) works on
 * this table alone; text is the first entry, rich text and JSON trees are others.
 *
 * Operations are immutable. On the wire an operation and a snapshot are JSON values. The laws that
 * hold for every type, with a∘b = "apply a, then b":
 *
 *   apply(apply(d, a), b)                   = apply(d, compose(a, b))
 *   a ∘ transform(b, a, right)              = b ∘ transform(a, b, left)          (TP1)
 *   apply(apply(d, a), invert(a, d))        = d
 *
 * Side means the same in every type: in transform, LEFT puts this operation's own insertion first
 * where both insert at one place; in position, LEFT stays before what is inserted exactly there.
 *
 * **Thread:** an operation may be read by any thread; a document belongs to one.
 */
#ifndef WEFT_OT_TYPE_H
#define WEFT_OT_TYPE_H

#include "base/bytes.h"
#include "codec/json.h"

#include <weft/alloc.h>
#include <weft/err.h>

enum weft_ot_side {
    WEFT_OT_SIDE_LEFT,
    WEFT_OT_SIDE_RIGHT,
};

/* Why a function below failed, for the answer to a peer. */
struct weft_ot_error {
    int status;          /* enum weft_status: INVALID_ARGUMENT, OUT_OF_RANGE, … */
    const char *message; /* a short sentence without a full stop. **Lifetime:** static */
};

/* Fills |error|, which may be NULL, and returns |err|. */
static inline int weft__ot_fail(struct weft_ot_error *error, int err, int status,
                                const char *message)
{
    if (error)
        *error = (struct weft_ot_error){.status = status, .message = message};
    return err;
}

/*
 * Every function that takes |error| accepts NULL for it and fills it whenever it fails; every
 * `ret_…` is a new object that the caller frees with op_free or doc_free, untouched on failure.
 * **Errors**, where nothing else is said: WEFT_ERR_OP (malformed, or does not fit the document),
 * WEFT_ERR_TOO_BIG (the result would pass a limit of the type), WEFT_ERR_NOMEM.
 */
struct weft_ot_type {
    const char *name; /* as in the `type` of doc.open */

    /* A submitted operation is transformed on the RIGHT of those logged before it, not the LEFT. */
    bool logged_first;

    /* Reads and checks an operation: everything that can be wrong without knowing the document. The
     * result is in canonical form and does not refer to |value|. */
    int (*op_parse)(const struct weft_alloc *alloc, const struct weft_json *value, void **ret_op,
                    struct weft_ot_error *error);

    /* Writes |op| as one JSON value in canonical form. Failures stick to the writer's bytes. */
    void (*op_write)(const void *op, struct weft_json_writer *out);

    /* NULL is allowed. */
    void (*op_free)(void *op);

    /* True when |op| changes no document. */
    bool (*op_is_empty)(const void *op);

    /* Bytes of memory that |op| holds. */
    size_t (*op_memory)(const void *op);

    /* Optional: most bytes of content that |op| adds to a document (NULL: those of its JSON). */
    uint64_t (*op_growth)(const void *op);

    /* |op| as it must be applied after |other|, both made against the same document. */
    int (*op_transform)(const struct weft_alloc *alloc, const void *op, const void *other,
                        enum weft_ot_side side, void **ret_op, struct weft_ot_error *error);

    /* One operation that does |first|, then |second|. */
    int (*op_compose)(const struct weft_alloc *alloc, const void *first, const void *second,
                      void **ret_op, struct weft_ot_error *error);

    /* The operation that leads from apply(|doc|, |op|) back to |doc|. */
    int (*op_invert)(const struct weft_alloc *alloc, const void *op, void *doc, void **ret_op,
                     struct weft_ot_error *error);

    /* Where position |pos|, in the type's own units, is after |op|. */
    uint64_t (*op_position)(const void *op, uint64_t pos, enum weft_ot_side side);

    /* Optional (NULL: the type has none of it). As op_transform; what the two operations cannot
     * both have is written to |conflicts| as a JSON array. */
    int (*op_transform_reported)(const struct weft_alloc *alloc, const void *op, const void *other,
                                 enum weft_ot_side side, struct weft_json_writer *conflicts,
                                 void **ret_op, struct weft_ot_error *error);

    /* Optional: |op| in the one form of all that do the same (NULL: op_parse makes it). */
    int (*op_normalize)(const struct weft_alloc *alloc, const void *op, void **ret_op,
                        struct weft_ot_error *error);

    /* Optional: where |path|, a JSON value, leads after |op|, written to |out|. */
    int (*op_path)(const struct weft_alloc *alloc, const void *op, const struct weft_json *path,
                   enum weft_ot_side side, struct weft_json_writer *out,
                   struct weft_ot_error *error);

    /* A document from its snapshot, a JSON value; |snapshot| NULL: the type's empty document. */
    int (*doc_new)(const struct weft_alloc *alloc, const struct weft_json *snapshot, void **ret_doc,
                   struct weft_ot_error *error);

    /* NULL is allowed. */
    void (*doc_free)(void *doc);

    /* Applies |op| whole or not at all. */
    int (*doc_apply)(void *doc, const void *op, struct weft_ot_error *error);

    /* A document with the same content in O(1), which does not change when |doc| does. It may be
     * read and freed on another thread if the allocator is thread-safe. WEFT_ERR_NOMEM. */
    int (*doc_snapshot)(void *doc, void **ret_doc);

    /* Writes the content as one JSON value. Failures stick to the writer's bytes. */
    void (*doc_write)(void *doc, struct weft_json_writer *out);

    /* Bytes of content, and the greatest position in the type's own units. */
    size_t (*doc_bytes)(const void *doc);
    uint64_t (*doc_length)(const void *doc);

    /* Optional: an operation that leads from |from| to |to|. */
    int (*doc_diff)(const struct weft_alloc *alloc, void *from, void *to, void **ret_op,
                    struct weft_ot_error *error);
};

/* Plain text, text-unicode: see ot/text.h. */
extern const struct weft_ot_type weft__ot_text;

/* JSON documents, json1: see ot/tree.h. */
extern const struct weft_ot_type weft__ot_json;

/* Rich text, Delta with embeds: see ot/rich.h. */
extern const struct weft_ot_type weft__ot_rich;

/* The type called |name|, or NULL. **Lifetime:** static. */
const struct weft_ot_type *weft__ot_type_find(struct weft_slice name);

#endif
