/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rich text operations from and to JSON. What a peer sends is checked here, strictly: everything
 * that can be wrong with an operation without looking at the document.
 */
#include "base/utf8.h"
#include "ot/rich_embed.h"

static int refuse(struct weft_ot_error *error, const char *message)
{
    return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT, message);
}

static int no_memory(struct weft_ot_error *error)
{
    return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static int parse_count(const struct weft_json *value, struct weft_rich_part *part,
                       struct weft_ot_error *error)
{
    int64_t count;
    if (!weft__json_i64(value, &count))
        return refuse(error, "a count must be a whole number");
    if (count < 1)
        return refuse(error, "a count must be positive");
    if (count > (int64_t)WEFT_RICH_UNITS_MAX)
        return refuse(error, "a count is larger than any document");
    part->units = (uint32_t)count;
    return 0;
}

static int parse_text(const struct weft_json *value, struct weft_rich_part *part,
                      struct weft_ot_error *error)
{
    struct weft_slice text = weft__json_string(value);
    if (text.len == 0)
        return refuse(error, "an insertion must not be empty");
    if (text.len > WEFT_RICH_UNITS_MAX)
        return refuse(error, "a text is larger than any document");
    part->text = text.ptr;
    part->len = (uint32_t)text.len;
    part->units = (uint32_t)(weft__utf8_count(text.ptr, text.len) +
                             weft__utf8_count_astral(text.ptr, text.len));
    return 0;
}

/* Keeps |out|, the canonical form of an embed, in |b|'s scratch. Empties it. */
static int keep(struct weft_rich_build *b, struct weft_bytes *out, const uint8_t **ret_ptr,
                uint32_t *ret_len, struct weft_ot_error *error)
{
    int err = out->err;
    *ret_ptr = NULL;
    *ret_len = (uint32_t)out->len;
    if (!err && out->len) {
        *ret_ptr = (const uint8_t *)weft__arena_copy(&b->scratch, out->ptr, out->len);
        if (!*ret_ptr)
            err = WEFT_ERR_NOMEM;
    }
    weft__bytes_done(out);
    return err ? no_memory(error) : 0;
}

/* How deep a value may go: containers, and documents in one another. */
struct room {
    unsigned depth;
    unsigned nest;
};

static int parse_parts(const struct weft_alloc *alloc, const struct weft_json *array, bool doc,
                       struct room room, struct weft_rich_op **ret_op, struct weft_ot_error *error);

static int parse_any(const struct weft_alloc *alloc, const struct weft_json *value,
                     struct room room, struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    if (weft__json_is(value, WEFT_JSON_OBJECT) && weft__json_count(value) == 1)
        value = weft__json_get(value, "ops");
    if (!weft__json_is(value, WEFT_JSON_ARRAY))
        return refuse(error, "a rich text operation must have the member ops, an array");
    if (weft__json_count(value) > WEFT_RICH_PARTS_MAX)
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                             "the operation has too many parts");
    return parse_parts(alloc, value, false, room, ret_op, error);
}

static int parse_content(const struct weft_alloc *alloc, const struct weft_json *value,
                         struct room room, struct weft_rich_op **ret_op,
                         struct weft_ot_error *error)
{
    if (!weft__json_is(value, WEFT_JSON_ARRAY))
        return refuse(error, "a rich text document must be an array");
    WEFT_JSON_EACH (element, value) {
        if (!weft__json_get(element, "insert"))
            return refuse(error, "a rich text document must be insertions");
    }
    return parse_parts(alloc, value, true, room, ret_op, error);
}

/* What stands in |delta|, an embed's document or an operation on one. */
static int parse_inner(const struct weft_json *delta, bool insert, struct weft_rich_build *b,
                       struct room room, struct weft_bytes *out, struct weft_ot_error *error)
{
    struct weft_rich_op *inner;
    struct room inside = {room.depth - 1, room.nest - 1};
    if (room.nest == 0)
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                             "too many documents in one another");
    int err = insert ? parse_content(b->alloc, delta, inside, &inner, error)
                     : parse_any(b->alloc, delta, inside, &inner, error);
    if (err)
        return err;
    weft__rich_embed_write(inner, out);
    weft__rich_free(inner);
    return 0;
}

/* An embed to insert, or what to do with one. */
static int parse_embed(const struct weft_json *value, struct weft_rich_part *part,
                       struct weft_rich_build *b, struct room room, struct weft_ot_error *error)
{
    const struct weft_json *delta = weft__json_get(value, "delta");
    bool insert = part->kind == WEFT_RICH_KIND_INSERT;
    struct weft_bytes out;
    int err;
    if (!weft__json_is(value, WEFT_JSON_OBJECT) || weft__json_count(value) != 1)
        return refuse(error, "an embed must be an object with one member");
    if (!delta && !insert)
        return refuse(error, "embeds of this kind have no operations");
    weft__bytes_init(&out, b->alloc, WEFT_RICH_UNITS_MAX);
    if (delta) {
        err = parse_inner(delta, insert, b, room, &out, error);
    } else {
        err = weft__rich_value(value, room.depth, &out);
        if (err == WEFT_ERR_TOO_BIG)
            weft__ot_fail(error, err, WEFT_STATUS_INVALID_ARGUMENT,
                          "an embed is nested too deeply");
        else if (err)
            err = no_memory(error);
    }
    if (err) {
        weft__bytes_done(&out);
        return err;
    }
    part->embed = true;
    part->units = 1;
    return keep(b, &out, &part->text, &part->len, error);
}

static int parse_attributes(const struct weft_json *value, struct weft_rich_part *part,
                            struct weft_rich_build *b, struct room room,
                            struct weft_ot_error *error)
{
    struct weft_bytes out;
    weft__bytes_init(&out, b->alloc, WEFT_RICH_UNITS_MAX);
    int err =
        weft__rich_attributes(value, part->kind == WEFT_RICH_KIND_RETAIN, room.depth, &out, error);
    if (!err)
        return keep(b, &out, &part->attr, &part->attr_len, error);
    weft__bytes_done(&out);
    return err;
}

static int parse_part(const struct weft_json *value, struct weft_rich_build *b, struct room room,
                      struct weft_ot_error *error)
{
    struct weft_rich_part part = {0};
    const struct weft_json *insert = weft__json_get(value, "insert");
    const struct weft_json *retain = weft__json_get(value, "retain");
    const struct weft_json *gone = weft__json_get(value, "delete");
    const struct weft_json *attributes = weft__json_get(value, "attributes");
    int err;
    if (!!insert + !!retain + !!gone != 1 || weft__json_count(value) != (attributes ? 2u : 1u))
        return refuse(error, "a part must have one of insert, retain and delete, attributes, and "
                             "nothing else");
    if (gone && attributes)
        return refuse(error, "a deletion has no attributes");
    part.kind = insert   ? WEFT_RICH_KIND_INSERT
                : retain ? WEFT_RICH_KIND_RETAIN
                         : WEFT_RICH_KIND_DELETE;
    if (weft__json_is(insert, WEFT_JSON_STRING))
        err = parse_text(insert, &part, error);
    else if (insert || weft__json_is(retain, WEFT_JSON_OBJECT))
        err = parse_embed(insert ? insert : retain, &part, b, room, error);
    else
        err = parse_count(retain ? retain : gone, &part, error);
    if (!err && attributes)
        err = parse_attributes(attributes, &part, b, room, error);
    if (!err)
        weft__rich_build_add(b, part);
    return err;
}

static int parse_parts(const struct weft_alloc *alloc, const struct weft_json *array, bool doc,
                       struct room room, struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_build b;
    int err = 0;
    if (room.depth < 3) /* the array, a part, and what is in it */
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                             "the operation is nested too deeply");
    room.depth -= 2;
    weft__rich_build_init(&b, alloc);
    WEFT_JSON_EACH (element, array) {
        err = parse_part(element, &b, room, error);
        if (err)
            break;
    }
    if (!err)
        err = doc ? weft__rich_build_content(&b, ret_op, error)
                  : weft__rich_build_finish(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

static const struct room whole = {WEFT_RICH_DEPTH_MAX, WEFT_RICH_NEST_MAX};

int weft__rich_parse(const struct weft_alloc *alloc, const struct weft_json *value,
                     struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    return parse_any(alloc, value, whole, ret_op, error);
}

int weft__rich_parse_doc(const struct weft_alloc *alloc, const struct weft_json *value,
                         struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    return parse_content(alloc, value, whole, ret_op, error);
}

static void write_part(const struct weft_rich_part *part, struct weft_json_writer *out)
{
    static const char *const names[] = {"retain", "insert", "delete"};
    struct weft_slice text = {part->text, part->len};
    weft__json_begin_object(out);
    weft__json_key(out, names[part->kind]);
    if (part->embed)
        weft__json_put_raw(out, text);
    else if (part->text)
        weft__json_put_string(out, text);
    else
        weft__json_put_u64(out, part->units);
    weft__rich_attributes_write(part, out);
    weft__json_end_object(out);
}

void weft__rich_write(const struct weft_rich_op *op, struct weft_json_writer *out)
{
    weft__json_begin_array(out);
    for (uint32_t i = 0; i < op->count; i++)
        write_part(&op->parts[i], out);
    weft__json_end_array(out);
}
