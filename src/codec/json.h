/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259): a strict parser into values that live in an arena, and a writer.
 *
 * A parsed text is one array of nodes in the order of the text; a container is followed by all its
 * descendants, and every node knows how many nodes it spans. In an object a key is a string node,
 * its value the node behind it, and the key spans both:
 *
 *   {"a":[1,2],"b":3}     object span 7, count 2
 *                           key "a" span 4 ─► array span 3, count 2 ─► 1 ─► 2
 *                           key "b" span 2 ─► 3
 *
 * so walking forward is adding a span, and no node holds a pointer to another one. Every node keeps
 * its place in the source, which the answer to a call echoes byte for byte.
 *
 * **Lifetime:** values live as long as the arena *and the text*: strings without escapes and raw
 * spans point into it. **Thread:** a parsed tree is constant and may be read by any thread.
 */
#ifndef WEFT_CODEC_JSON_H
#define WEFT_CODEC_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"

#include <weft/err.h>

enum weft_json_type {
    WEFT_JSON_NULL,
    WEFT_JSON_BOOL,
    WEFT_JSON_NUMBER,
    WEFT_JSON_STRING,
    WEFT_JSON_ARRAY,
    WEFT_JSON_OBJECT,
};

/* One value. Read it through the functions below. */
struct weft_json {
    uint8_t type;       /* enum weft_json_type */
    uint8_t flags;      /* private to the codec */
    uint32_t span;      /* nodes from here to the next sibling, this one included */
    uint32_t count;     /* elements, members, or decoded bytes of a string */
    uint32_t raw_len;   /* bytes of the value in the source */
    const uint8_t *raw; /* its first byte in the source */
    union {
        const uint8_t *string; /* decoded bytes, not terminated */
        int64_t integer;       /* a number whose value is a whole one and fits */
        double real;           /* any other number */
        bool boolean;
    } as;
};

/* What is wrong with a text; detail below the result of weft__json_parse. */
enum weft_json_fault {
    WEFT_JSON_FAULT_NONE,
    WEFT_JSON_FAULT_SYNTAX,    /* not the grammar of RFC 8259 */
    WEFT_JSON_FAULT_TRUNCATED, /* a correct beginning that stops too early */
    WEFT_JSON_FAULT_UTF8,      /* a string with bytes that are not UTF-8 */
    WEFT_JSON_FAULT_SURROGATE, /* an escaped surrogate without its other half */
    WEFT_JSON_FAULT_NUMBER,    /* a number beyond the range of double */
    WEFT_JSON_FAULT_DUPLICATE, /* a key given twice in one object */
    WEFT_JSON_FAULT_DEPTH,     /* nested deeper than |max_depth| */
    WEFT_JSON_FAULT_SIZE,      /* more than |max_values| values, or over 4 GiB of text */
    WEFT_JSON_FAULT_MEMORY,    /* the arena is exhausted */
};

struct weft_json_error {
    enum weft_json_fault fault;
    size_t offset;       /* byte in the text at which it was noticed */
    const char *message; /* a few words for people. **Lifetime:** static */
};

enum { WEFT_JSON_MAX_DEPTH = 64, WEFT_JSON_MAX_VALUES = 262144 };

/* All zeroes is the strictest setting, the one for the wire. */
struct weft_json_options {
    uint32_t max_depth;            /* containers inside one another; 0 = WEFT_JSON_MAX_DEPTH */
    uint32_t max_values;           /* values and keys together; 0 = WEFT_JSON_MAX_VALUES */
    bool allow_duplicate_keys;     /* then the last one counts */
    bool text_is_utf8;             /* the caller has checked the whole text already */
    struct weft_hash_key hash_key; /* random, where peers choose the keys */
};

/*
 * Parses |text|, which must hold one value and white space, nothing else (no byte order mark).
 * Refused in any setting: invalid UTF-8, lone surrogates, numbers beyond double.
 *
 * |options| and |error| may be NULL. |arena| receives nodes and unescaped strings, also those of an
 * attempt that failed.
 * **Errors:** WEFT_ERR_JSON, WEFT_ERR_UTF8, WEFT_ERR_TOO_BIG (depth or size), WEFT_ERR_NOMEM;
 * |error| then says more.
 */
WEFT_MUST_USE int weft__json_parse(struct weft_slice text, struct weft_arena *arena,
                                   const struct weft_json_options *options,
                                   struct weft_json_error *error,
                                   const struct weft_json **ret_value);

/* Where the value of the member |name| is to be kept; NULL: nowhere. */
typedef const struct weft_json **weft_json_place_fn(void *ctx, struct weft_slice name);

/*
 * Reads an object in one pass whose members are known by name, without a tree of the object itself:
 * |place| says for each where its value belongs, and what is there must be NULL. Meant for the many
 * small objects of a protocol; |options| as for weft__json_parse, and what it refuses is refused.
 *
 * False for all that is not so simple, and then weft__json_parse judges: no object, a name without
 * a place, or whose place is taken, or with an escape, any fault, no memory. Places may have been
 * written to.
 */
WEFT_MUST_USE bool weft__json_parse_members(struct weft_slice text, struct weft_arena *arena,
                                            const struct weft_json_options *options,
                                            weft_json_place_fn *place, void *ctx);

/* ---- reading; a NULL value is allowed everywhere and is of no type ---- */

static inline bool weft__json_is(const struct weft_json *value, enum weft_json_type type)
{
    return value && value->type == (uint8_t)type;
}

/* The value as it stands in the source. */
static inline struct weft_slice weft__json_raw(const struct weft_json *value)
{
    return value ? (struct weft_slice){value->raw, value->raw_len} : (struct weft_slice){NULL, 0};
}

/* Elements of an array, members of an object; 0 for anything else. */
static inline size_t weft__json_count(const struct weft_json *value)
{
    return value && value->type >= WEFT_JSON_ARRAY ? value->count : 0;
}

/* The value behind |value| in its array; for a key, the next key. */
static inline const struct weft_json *weft__json_next(const struct weft_json *value)
{
    return value + value->span;
}

/* Walks the elements of an array; over anything but an array it takes no step. */
#define WEFT_JSON_EACH(element, array)                                                             \
    for (const struct weft_json *element = weft__json_is(array, WEFT_JSON_ARRAY) ? (array) + 1     \
                                                                                 : NULL,           \
                                *element##_end = element ? (array) + (array)->span : NULL;         \
         element != element##_end; element = weft__json_next(element))

/* Walks the keys of an object; weft__json_member gives each one's value. */
#define WEFT_JSON_EACH_KEY(key, object)                                                            \
    for (const struct weft_json *key = weft__json_is(object, WEFT_JSON_OBJECT) ? (object) + 1      \
                                                                               : NULL,             \
                                *key##_end = key ? (object) + (object)->span : NULL;               \
         key != key##_end; key = weft__json_next(key))

/* The value of |key|, a key of an object. */
static inline const struct weft_json *weft__json_member(const struct weft_json *key)
{
    return key + 1;
}

/* The element at |index|, counted from 0; NULL when there is none. Takes time in |index|. */
const struct weft_json *weft__json_at(const struct weft_json *array, size_t index);

/* The value of |key| in |object|, the last one where a key was allowed to repeat; NULL when there
 * is none or |object| is no object. Takes time in the number of members. */
const struct weft_json *weft__json_get(const struct weft_json *object, const char *key);
const struct weft_json *weft__json_get_slice(const struct weft_json *object, struct weft_slice key);

/* The decoded bytes of a string, which may hold zeroes; empty with ptr NULL for anything else. */
static inline struct weft_slice weft__json_string(const struct weft_json *value)
{
    return weft__json_is(value, WEFT_JSON_STRING)
               ? (struct weft_slice){value->as.string, value->count}
               : (struct weft_slice){NULL, 0};
}

/* True for the string |str|. */
static inline bool weft__json_string_is(const struct weft_json *value, const char *str)
{
    return weft__json_is(value, WEFT_JSON_STRING) &&
           weft__slice_eq_str(weft__json_string(value), str);
}

/* False, and nothing stored, unless |value| is a boolean. */
WEFT_MUST_USE bool weft__json_bool(const struct weft_json *value, bool *ret_bool);

/* The exact integer that a number stands for (7, 7.0 and 70e-1 are the same one). False, and
 * nothing stored, when |value| is no number, is not whole or does not fit. */
WEFT_MUST_USE bool weft__json_i64(const struct weft_json *value, int64_t *ret_integer);

/* As weft__json_i64 for what is spelled as an integer, in at most 18 digits: neither 7.0 nor 7e0.
 */
WEFT_MUST_USE bool weft__json_short_integer(const struct weft_json *value, int64_t *ret_integer);

/* As weft__json_i64 for integers from 0 to 2^53 - 1, those that every JSON implementation keeps
 * exactly; also accepts them as a string of decimal digits without leading zeroes. */
WEFT_MUST_USE bool weft__json_u53(const struct weft_json *value, uint64_t *ret_integer);

/* The double nearest to a number. False, and nothing stored, when |value| is no number. */
WEFT_MUST_USE bool weft__json_double(const struct weft_json *value, double *ret_double);

/* ---- keeping ---- */

/* Bytes that weft__json_copy needs for |value|. */
size_t weft__json_copy_size(const struct weft_json *value);

/* Copies |value|, all it contains and its place in the source into |memory|, weft__json_copy_size
 * bytes aligned for any type, and returns the copy. **Lifetime:** that of |memory| alone. */
const struct weft_json *weft__json_copy(const struct weft_json *value, void *memory);

/* ---- writing ---- */

enum { WEFT_JSON_WRITER_DEPTH = 64 };

/*
 * Writes compact JSON onto |out| and places the commas. What it cannot write is kept as the sticky
 * error of |out|: WEFT_ERR_UTF8 for a string that is not UTF-8, WEFT_ERR_USAGE for NaN and
 * infinities, and the failures of struct weft_bytes. Calls in an order that gives no JSON (a value
 * without a key in an object, an end without its beginning, containers nested deeper than
 * WEFT_JSON_WRITER_DEPTH) are mistakes of the caller and asserted.
 */
struct weft_json_writer {
    struct weft_bytes *out;
    uint64_t in_object; /* bit d: the container at depth d is an object */
    uint64_t has_items; /* bit d: it has an element or member already */
    uint32_t depth;     /* containers open */
    bool after_key;     /* the next thing is the value of a key */
};

/* Starts one value at the end of |out|. The writer owns nothing and needs no done. */
static inline void weft__json_writer_init(struct weft_json_writer *w, struct weft_bytes *out)
{
    *w = (struct weft_json_writer){.out = out};
}

void weft__json_begin_object(struct weft_json_writer *w);
void weft__json_end_object(struct weft_json_writer *w);
void weft__json_begin_array(struct weft_json_writer *w);
void weft__json_end_array(struct weft_json_writer *w);

/* The key of the member whose value is written next. */
void weft__json_key(struct weft_json_writer *w, const char *key);
void weft__json_key_slice(struct weft_json_writer *w, struct weft_slice key);

void weft__json_put_null(struct weft_json_writer *w);
void weft__json_put_bool(struct weft_json_writer *w, bool value);
void weft__json_put_i64(struct weft_json_writer *w, int64_t value);
void weft__json_put_u64(struct weft_json_writer *w, uint64_t value);
/* The shortest digits that read back as the same double. */
void weft__json_put_double(struct weft_json_writer *w, double value);
void weft__json_put_string(struct weft_json_writer *w, struct weft_slice value);
void weft__json_put_str(struct weft_json_writer *w, const char *value);
/* |json|, one complete JSON value that the caller vouches for, as it is. */
void weft__json_put_raw(struct weft_json_writer *w, struct weft_slice json);

#endif
