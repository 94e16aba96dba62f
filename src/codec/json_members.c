/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of a protocol, read into the places that their members have. Scalars become nodes one by
 * one, anything deeper is parsed as a value of its own; so no node stands for the object or a key,
 * and nobody has to look for a key afterwards.
 *
 * Whatever is accepted here weft__json_parse accepts, too: limits count what is not made as if it
 * were.
 */
#include "codec/json_lex.h"

enum { SCALARS = 8 /* room for so many at a time */ };

struct reader {
    struct weft_json_lexer lexer;
    const struct weft_json_options *options;
    struct weft_json *scalars;
    uint32_t free;   /* of |scalars| */
    uint64_t values; /* and keys so far */
};

/* Spaces alone: texts with line breaks are no messages of programs. The last byte is a brace, so
 * nothing that looks for another one runs past it. */
static inline const uint8_t *skip_spaces(const uint8_t *at)
{
    while (*at == ' ')
        ++at;
    return at;
}

static inline struct weft_json *new_scalar(struct reader *r)
{
    if (!r->free) {
        r->scalars = weft__arena_alloc(r->lexer.arena, SCALARS * sizeof(*r->scalars));
        if (!r->scalars)
            return NULL;
        r->free = SCALARS;
    }
    --r->free;
    return r->scalars++;
}

/* Reads the value at |at|. Returns where it ends, or NULL. */
static inline const uint8_t *read_value(struct reader *r, const uint8_t *at,
                                        const struct weft_json **ret_value)
{
    bool is_string = *at == '"';
    if (is_string || *at == '-' || (*at >= '0' && *at <= '9')) {
        struct weft_json *scalar = new_scalar(r);
        *ret_value = scalar;
        if (!scalar)
            return NULL;
        return is_string ? weft__json_lex_string(&r->lexer, at, scalar)
                         : weft__json_lex_number(&r->lexer, at, scalar);
    }
    return weft__json_lex_value(&r->lexer, at, r->options, 1, ret_value);
}

/* Reads one member, from the quote of its name at |at|. Returns where the next thing is, or NULL.
 */
static inline const uint8_t *read_member(struct reader *r, const uint8_t *at,
                                         weft_json_place_fn *place, void *ctx)
{
    if (*at != '"')
        return NULL;
    const uint8_t *name = at + 1;
    const uint8_t *close = weft__json_scan_string(r->lexer.begin, name, r->lexer.end, false);
    if (!close)
        return NULL;
    const struct weft_json **value = place(ctx, weft__slice(name, (size_t)(close - name)));
    if (!value || *value)
        return NULL;
    at = skip_spaces(close + 1);
    if (*at != ':')
        return NULL;
    at = read_value(r, skip_spaces(at + 1), value);
    if (!at || at == r->lexer.end)
        return NULL;
    r->values += 1 + (*value)->span;
    return skip_spaces(at);
}

bool weft__json_parse_members(struct weft_slice text, struct weft_arena *arena,
                              const struct weft_json_options *options, weft_json_place_fn *place,
                              void *ctx)
{
    if (text.len < 2 || text.len > UINT32_MAX || text.ptr[0] != '{' ||
        text.ptr[text.len - 1] != '}')
        return false;
    struct reader r = {.lexer = {.begin = text.ptr,
                                 .end = text.ptr + text.len,
                                 .text_is_utf8 = options->text_is_utf8,
                                 .arena = arena},
                       .options = options,
                       .values = 1};
    uint32_t max_values = options->max_values ? options->max_values : WEFT_JSON_MAX_VALUES;
    const uint8_t *at = text.ptr;
    do
        at = read_member(&r, skip_spaces(at + 1), place, ctx);
    while (at && *at == ',');
    /* A brace before the last byte ends an object that something follows. */
    return at && *at == '}' && at + 1 == r.lexer.end && r.values <= max_values;
}
