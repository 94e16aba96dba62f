/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values that documents and operations share: reference counted, never changed once somebody
 * else can see them. An edit makes new values on the way from the root to the place and shares
 * everything beside it, so a snapshot is one reference.
 *
 *   object {"a": [1, 2]}:   [ value | key "a" | item ] ─► list [ value | item | item ] ─► 1, 2
 *
 * Members of an object are in the order of their keys (weft__tree_key_compare). A string that was
 * edited while long is a rope (TEXT); to everybody else it is a string like any other.
 *
 * **Thread:** values may be read and released by any thread, if the allocator is thread-safe.
 */
#ifndef WEFT_OT_TREE_VALUE_H
#define WEFT_OT_TREE_VALUE_H

#include "ot/rope.h"
#include "ot/text.h"
#include "ot/type.h"

#include <stdatomic.h>

/* Containers inside one another in a document, and places on the way to any place of an operation.
 * With what an operation and a message put around them, 64 levels of JSON are never passed. */
#define WEFT_TREE_DEPTH_MAX 56u

enum weft_tree_type {
    WEFT_TREE_NULL,
    WEFT_TREE_BOOL,
    WEFT_TREE_INTEGER, /* a number that is whole and fits */
    WEFT_TREE_REAL,
    WEFT_TREE_STRING, /* bytes behind the value */
    WEFT_TREE_TEXT,   /* a rope behind the value */
    WEFT_TREE_LIST,   /* |count| items behind the value */
    WEFT_TREE_OBJECT, /* |count| members behind the value */
};

struct weft_tree_value {
    const struct weft_alloc *alloc;
    size_t size;  /* bytes of this allocation */
    size_t bytes; /* of the content, about as many as its JSON has */
    atomic_uint refs;
    uint32_t count; /* items, members, bytes of a string */
    uint8_t type;   /* enum weft_tree_type */
    uint8_t height; /* containers inside one another, this one included */
    union {
        bool boolean;
        int64_t integer;
        double real;
    } as;
};

struct weft_tree_member {
    struct weft_tree_value *key; /* a STRING */
    struct weft_tree_value *value;
};

static inline struct weft_tree_value *weft__tree_ref(struct weft_tree_value *value)
{
    if (value)
        atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
    return value;
}

/* Gives one reference back. NULL is allowed. */
void weft__tree_unref(struct weft_tree_value *value);

static inline bool weft__tree_is_container(const struct weft_tree_value *value)
{
    return value && value->type >= WEFT_TREE_LIST;
}

static inline bool weft__tree_is_number(const struct weft_tree_value *value)
{
    return value->type == WEFT_TREE_INTEGER || value->type == WEFT_TREE_REAL;
}

static inline bool weft__tree_is_string(const struct weft_tree_value *value)
{
    return value->type == WEFT_TREE_STRING || value->type == WEFT_TREE_TEXT;
}

/* What lies behind a value of the type. */
static inline struct weft_tree_value **weft__tree_items(const struct weft_tree_value *list)
{
    return (struct weft_tree_value **)(uintptr_t)(list + 1);
}

static inline struct weft_tree_member *weft__tree_members(const struct weft_tree_value *object)
{
    return (struct weft_tree_member *)(uintptr_t)(object + 1);
}

static inline struct weft_rope *weft__tree_rope(const struct weft_tree_value *text)
{
    return (struct weft_rope *)(uintptr_t)(text + 1);
}

static inline struct weft_slice weft__tree_string(const struct weft_tree_value *string)
{
    return (struct weft_slice){(const uint8_t *)(string + 1), string->count};
}

/* The order of keys in objects and operations, that of their UTF-16 units: < 0, 0 or > 0. */
int weft__tree_key_compare(struct weft_slice a, struct weft_slice b);

/* New values with one reference; NULL when out of memory. */
struct weft_tree_value *weft__tree_new(const struct weft_alloc *alloc, enum weft_tree_type type,
                                       size_t behind);
struct weft_tree_value *weft__tree_new_string(const struct weft_alloc *alloc,
                                              struct weft_slice text);
/* A whole number of up to 2^53 is kept as INTEGER. */
struct weft_tree_value *weft__tree_new_number(const struct weft_alloc *alloc, double number);

/* A list or object with room for |count| items or members, none of them set. Whoever makes one sets
 * them all, in order, and calls weft__tree_close; or fewer, and lowers |count| before. */
struct weft_tree_value *weft__tree_open(const struct weft_alloc *alloc, enum weft_tree_type type,
                                        size_t count);
/* Counts bytes and height. */
void weft__tree_close(struct weft_tree_value *container);

/* |json| as a value. **Errors:** WEFT_ERR_TOO_BIG (nested too deep), WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__tree_from_json(const struct weft_alloc *alloc, const struct weft_json *json,
                                       struct weft_tree_value **ret_value,
                                       struct weft_ot_error *error);

void weft__tree_write(const struct weft_tree_value *value, struct weft_json_writer *out);

/* The same JSON value, whatever the notation of numbers. */
bool weft__tree_equal(const struct weft_tree_value *a, const struct weft_tree_value *b);

double weft__tree_number(const struct weft_tree_value *number);

/* The index of |key| in |object|, or of the member before which it belongs. */
uint32_t weft__tree_find(const struct weft_tree_value *object, struct weft_slice key,
                         bool *ret_found);

/* Makes |ret_rope| the text of |string|, a STRING or TEXT; the caller ends it.
 * **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__tree_open_text(const struct weft_alloc *alloc,
                                       const struct weft_tree_value *string,
                                       struct weft_rope *ret_rope);

/* |string| after |op|. **Errors:** as weft__text_apply. */
WEFT_MUST_USE int weft__tree_edit_text(const struct weft_alloc *alloc,
                                       const struct weft_tree_value *string,
                                       const struct weft_text_op *op,
                                       struct weft_tree_value **ret_value,
                                       struct weft_ot_error *error);

/* WEFT_ERR_NOMEM as every function of a type reports it. */
static inline int weft__tree_no_memory(struct weft_ot_error *error)
{
    return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

#endif
