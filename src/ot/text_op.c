/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text operations from and to JSON. What a peer sends is checked here, strictly: everything that
 * can be wrong with an operation without looking at the document. The texts that the messages speak
 * of are in docs/protocol/text.md.
 */
#include "base/utf8.h"
#include "ot/text_build.h"

static int refuse(struct weft_ot_error *error, const char *message)
{
    return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT, message);
}

/* A whole number from 1 to the limit, whatever its notation. */
static int parse_count(const struct weft_json *value, uint32_t *ret_points,
                       struct weft_ot_error *error)
{
    int64_t count;
    if (!weft__json_i64(value, &count))
        return refuse(error, "a count must be a whole number");
    if (count < 1)
        return refuse(error, "a count must be positive");
    if (count > (int64_t)WEFT_TEXT_POINTS_MAX)
        return refuse(error, "a count is larger than any document");
    *ret_points = (uint32_t)count;
    return 0;
}

static int parse_string(const struct weft_json *value, struct weft_text_part *part,
                        struct weft_ot_error *error)
{
    struct weft_slice text = weft__json_string(value);
    if (text.len == 0)
        return refuse(error, "an insertion or a deletion must not be empty");
    if (text.len > WEFT_ROPE_BYTES_MAX)
        return refuse(error, "a text is larger than any document");
    part->text = text.ptr;
    part->len = (uint32_t)text.len;
    part->points = (uint32_t)weft__utf8_count(text.ptr, text.len);
    return 0;
}

static int parse_delete(const struct weft_json *value, struct weft_text_part *part,
                        struct weft_ot_error *error)
{
    const struct weft_json *what = weft__json_get(value, "d");
    part->kind = WEFT_TEXT_KIND_DELETE;
    if (!what || weft__json_count(value) != 1)
        return refuse(error, "a deletion must have the member d and no other");
    if (weft__json_is(what, WEFT_JSON_STRING))
        return parse_string(what, part, error);
    if (weft__json_is(what, WEFT_JSON_NUMBER))
        return parse_count(what, &part->points, error);
    return refuse(error, "the d of a deletion must be a number or a string");
}

static int parse_part(const struct weft_json *value, struct weft_text_part *part,
                      struct weft_ot_error *error)
{
    *part = (struct weft_text_part){.kind = WEFT_TEXT_KIND_SKIP};
    switch ((enum weft_json_type)value->type) {
    case WEFT_JSON_NUMBER:
        return parse_count(value, &part->points, error);
    case WEFT_JSON_STRING:
        part->kind = WEFT_TEXT_KIND_INSERT;
        return parse_string(value, part, error);
    case WEFT_JSON_OBJECT:
        return parse_delete(value, part, error);
    case WEFT_JSON_NULL:
    case WEFT_JSON_BOOL:
    case WEFT_JSON_ARRAY:
        break;
    }
    return refuse(error, "a part must be a number, a string or an object");
}

/* Collects the parts of |value|, an array. Neighbouring insertions and deletions are joined later;
 * skips that should have been one, or none, are refused as the reference refuses them. */
static int parse_parts(const struct weft_json *value, struct weft_text_build *b,
                       struct weft_ot_error *error)
{
    bool after_skip = false;
    WEFT_JSON_EACH (element, value) {
        struct weft_text_part part;
        int err = parse_part(element, &part, error);
        if (err)
            return err;
        bool skip = part.kind == WEFT_TEXT_KIND_SKIP;
        if (skip && after_skip)
            return refuse(error, "two skips in a row must be one");
        after_skip = skip;
        weft__text_build_add(b, part);
    }
    return after_skip ? refuse(error, "an operation must not end with a skip") : 0;
}

int weft__text_parse(const struct weft_alloc *alloc, const struct weft_json *value,
                     struct weft_text_op **ret_op, struct weft_ot_error *error)
{
    if (!weft__json_is(value, WEFT_JSON_ARRAY))
        return refuse(error, "a text operation must be an array");
    if (weft__json_count(value) > WEFT_TEXT_PARTS_MAX)
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                             "the operation has too many parts");
    struct weft_text_build b;
    weft__text_build_init(&b, alloc);
    int err = parse_parts(value, &b, error);
    if (!err)
        err = weft__text_build_finish(&b, ret_op, error);
    weft__text_build_done(&b);
    return err;
}

static void write_part(const struct weft_text_part *part, struct weft_json_writer *out)
{
    struct weft_slice text = {part->text, part->len};
    switch ((enum weft_text_kind)part->kind) {
    case WEFT_TEXT_KIND_SKIP:
        weft__json_put_u64(out, part->points);
        break;
    case WEFT_TEXT_KIND_INSERT:
        weft__json_put_string(out, text);
        break;
    case WEFT_TEXT_KIND_DELETE:
        weft__json_begin_object(out);
        weft__json_key(out, "d");
        if (part->text)
            weft__json_put_string(out, text);
        else
            weft__json_put_u64(out, part->points);
        weft__json_end_object(out);
        break;
    }
}

void weft__text_write(const struct weft_text_op *op, struct weft_json_writer *out)
{
    weft__json_begin_array(out);
    for (uint32_t i = 0; i < op->count; i++)
        write_part(&op->parts[i], out);
    weft__json_end_array(out);
}
