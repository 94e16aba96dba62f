/* SPDX-License-Identifier: Apache-2.0 */
/* Operations inside embeds. They nest no deeper than the JSON they came in. */
#include "ot/rich_embed.h"

static const char head[] = "{\"delta\":";

void weft__rich_embed_write(const struct weft_rich_op *inner, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__bytes_append_str(out, head);
    weft__json_writer_init(&w, out);
    weft__rich_write(inner, &w);
    weft__bytes_append_byte(out, '}');
}

bool weft__rich_embed_is_delta(const struct weft_rich_part *part)
{
    const size_t skip = sizeof(head) - 1;
    return part->embed && part->len > skip && memcmp(part->text, head, skip) == 0;
}

/* The operation inside |part|; NULL, and the failure stuck to |b|, when there is none. */
static struct weft_rich_op *inside(struct weft_rich_build *b, const struct weft_rich_part *part)
{
    const size_t skip = sizeof(head) - 1;
    const struct weft_json_options options = {.max_values = UINT32_MAX};
    const struct weft_json *value;
    struct weft_rich_op *op = NULL;
    struct weft_ot_error error = {0};
    struct weft_arena arena;
    if (b->err)
        return NULL;
    if (!weft__rich_embed_is_delta(part)) {
        weft__rich_build_fail(b, WEFT_ERR_OP, WEFT_STATUS_FAILED_PRECONDITION,
                              "an operation on an embed finds something else");
        return NULL;
    }
    weft__arena_init(&arena, b->alloc, SIZE_MAX);
    int err = weft__json_parse((struct weft_slice){part->text + skip, part->len - skip - 1}, &arena,
                               &options, NULL, &value);
    if (err)
        weft__ot_fail(&error, err, weft_status_from_err(err), "an embed cannot be read");
    else
        err = weft__rich_parse(b->alloc, value, &op, &error);
    weft__arena_done(&arena);
    if (err)
        weft__rich_build_fail(b, err, error.status, error.message);
    return err ? NULL : op;
}

/* Takes |inner|. */
static void put(struct weft_rich_build *b, struct weft_rich_op *inner, struct weft_rich_part *part)
{
    struct weft_bytes out;
    weft__bytes_init(&out, b->alloc, WEFT_RICH_UNITS_MAX);
    weft__rich_embed_write(inner, &out);
    weft__rich_free(inner);
    part->embed = true;
    part->len = (uint32_t)out.len;
    part->text = out.err ? NULL : (uint8_t *)weft__arena_copy(&b->scratch, out.ptr, out.len);
    if (!part->text)
        weft__rich_build_fail(b, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    weft__bytes_done(&out);
}

/* Puts |result| into |part|, or makes |err| stick; frees |one| and |two|. */
static void conclude(struct weft_rich_build *b, int err, const struct weft_ot_error *error,
                     struct weft_rich_op *one, struct weft_rich_op *two,
                     struct weft_rich_op *result, struct weft_rich_part *part)
{
    if (err)
        weft__rich_build_fail(b, err, error->status, error->message);
    else if (result)
        put(b, result, part);
    weft__rich_free(one);
    weft__rich_free(two);
}

void weft__rich_embed_compose(struct weft_rich_build *b, const struct weft_rich_part *first,
                              const struct weft_rich_part *second, struct weft_rich_part *part)
{
    struct weft_ot_error error = {0};
    struct weft_rich_op *result = NULL;
    struct weft_rich_op *one = inside(b, first);
    struct weft_rich_op *two = inside(b, second);
    int err = 0;
    if (one && two && first->kind == WEFT_RICH_KIND_INSERT && two->base > one->inserted)
        err = weft__ot_fail(&error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                            "a count goes past the end of an embed");
    else if (one && two)
        err = weft__rich_compose(b->alloc, one, two, &result, &error);
    conclude(b, err, &error, one, two, result, part);
}

void weft__rich_embed_transform(struct weft_rich_build *b, const struct weft_rich_part *op,
                                const struct weft_rich_part *other, enum weft_ot_side side,
                                struct weft_rich_part *part)
{
    struct weft_ot_error error = {0};
    struct weft_rich_op *result = NULL;
    struct weft_rich_op *one = inside(b, op);
    struct weft_rich_op *two = inside(b, other);
    int err = one && two ? weft__rich_transform(b->alloc, one, two, side, &result, &error) : 0;
    conclude(b, err, &error, one, two, result, part);
}

void weft__rich_embed_invert(struct weft_rich_build *b, const struct weft_rich_part *op,
                             const struct weft_rich_part *base, struct weft_rich_part *part)
{
    struct weft_ot_error error = {0};
    struct weft_rich_op *result = NULL;
    struct weft_rich_op *one = inside(b, op);
    struct weft_rich_op *two = inside(b, base);
    int err = one && two ? weft__rich_invert(b->alloc, 0, one, two, &result, &error) : 0;
    conclude(b, err, &error, one, two, result, part);
}

void weft__rich_embed_diff(struct weft_rich_build *b, const struct weft_rich_part *from,
                           const struct weft_rich_part *to, struct weft_rich_part *part)
{
    struct weft_ot_error error = {0};
    struct weft_rich_op *result = NULL;
    if (from->len == to->len && memcmp(from->text, to->text, from->len) == 0)
        return;
    struct weft_rich_op *one = inside(b, from);
    struct weft_rich_op *two = inside(b, to);
    int err = one && two ? weft__rich_diff(b->alloc, 0, one, two, &result, &error) : 0;
    conclude(b, err, &error, one, two, result, part);
}

void weft__rich_embed_normalize(struct weft_rich_build *b, struct weft_rich_part *part)
{
    struct weft_ot_error error = {0};
    struct weft_rich_op *result = NULL;
    if (part->kind != WEFT_RICH_KIND_RETAIN || !part->embed)
        return;
    struct weft_rich_op *one = inside(b, part);
    int err = one ? weft__rich_normalize(b->alloc, one, &result, &error) : 0;
    if (!err && result && result->count == 0) {
        weft__rich_free(result);
        result = NULL;
        part->embed = false;
        part->text = NULL;
        part->len = 0;
    }
    conclude(b, err, &error, one, NULL, result, part);
}
