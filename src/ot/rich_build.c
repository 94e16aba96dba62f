/* SPDX-License-Identifier: Apache-2.0 */
/* Making canonical rich text operations, and walking them in pieces. */
#include "ot/rich_build.h"
#include "base/assert.h"
#include "base/utf8.h"

void weft__rich_build_init(struct weft_rich_build *b, const struct weft_alloc *alloc)
{
    b->alloc = alloc;
    b->parts = b->few;
    b->count = 0;
    b->cap = WEFT_ARRAY_LEN(b->few);
    b->held = 0;
    b->err = 0;
    b->error = (struct weft_ot_error){0};
    weft__arena_init(&b->scratch, alloc, SIZE_MAX);
}

void weft__rich_build_done(struct weft_rich_build *b)
{
    if (b->parts != b->few)
        weft__mem_free(b->alloc, b->parts, b->cap * sizeof(*b->parts));
    weft__arena_done(&b->scratch);
}

void weft__rich_build_fail(struct weft_rich_build *b, int err, int status, const char *message)
{
    if (!b->err)
        b->err = weft__ot_fail(&b->error, err, status, message);
}

static bool grow(struct weft_rich_build *b)
{
    size_t cap = b->cap * 2;
    struct weft_rich_part *parts = weft__mem_alloc_array(b->alloc, cap, sizeof(*parts));
    if (!parts) {
        weft__rich_build_fail(b, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    memcpy(parts, b->parts, b->count * sizeof(*parts));
    if (b->parts != b->few)
        weft__mem_free(b->alloc, b->parts, b->cap * sizeof(*b->parts));
    b->parts = parts;
    b->cap = cap;
    return true;
}

static bool same_attributes(const struct weft_rich_part *a, const struct weft_rich_part *b)
{
    return a->attr_len == b->attr_len &&
           (a->attr_len == 0 || a->attr == b->attr || memcmp(a->attr, b->attr, a->attr_len) == 0);
}

bool weft__rich_joins(const struct weft_rich_part *a, const struct weft_rich_part *b)
{
    return a->kind == b->kind && !a->embed && !b->embed && same_attributes(a, b);
}

/* Counts what |part| holds behind |last|, which may be NULL. */
static bool hold(struct weft_rich_build *b, const struct weft_rich_part *last,
                 const struct weft_rich_part *part)
{
    b->held += part->len;
    if (part->attr_len && !(last && weft__rich_joins(last, part)))
        b->held += part->attr_len;
    if (b->held <= WEFT_RICH_BYTES_MAX)
        return true;
    weft__rich_build_fail(b, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                          "the result would be too large");
    return false;
}

void weft__rich_build_add(struct weft_rich_build *b, struct weft_rich_part part)
{
    WEFT_ASSERT(b->parts);
    if (b->err || part.units == 0)
        return;
    struct weft_rich_part *last = b->count ? &b->parts[b->count - 1] : NULL;
    bool after_delete = last && last->kind == WEFT_RICH_KIND_DELETE;
    if (after_delete && part.kind == WEFT_RICH_KIND_DELETE &&
        part.units <= UINT32_MAX - last->units) {
        last->units += part.units;
        return;
    }
    if (!hold(b, last, &part) || (b->count == b->cap && !grow(b)))
        return;
    b->parts[b->count] = part;
    if (after_delete && part.kind == WEFT_RICH_KIND_INSERT) {
        b->parts[b->count] = b->parts[b->count - 1];
        b->parts[b->count - 1] = part;
    }
    b->count++;
}

struct sums {
    uint64_t base;
    uint64_t inserted;
    uint64_t bytes; /* inserted: text, embeds and attributes */
    uint64_t held;  /* the same of all parts */
    size_t count;   /* parts after joining */
};

static struct sums sum(const struct weft_rich_part *parts, size_t count)
{
    struct sums s = {0};
    for (size_t i = 0; i < count; i++) {
        const struct weft_rich_part *part = &parts[i];
        if (part->kind == WEFT_RICH_KIND_INSERT) {
            s.inserted += part->units;
        } else {
            s.base += part->units;
        }
        uint64_t held = part->len;
        if (i == 0 || !weft__rich_joins(part - 1, part)) {
            s.count++;
            held += part->attr_len;
        }
        s.held += held;
        if (part->kind == WEFT_RICH_KIND_INSERT)
            s.bytes += held;
    }
    return s;
}

static void fill(struct weft_rich_op *op, const struct weft_rich_part *parts, size_t count)
{
    uint8_t *at = (uint8_t *)&op->parts[op->count];
    struct weft_rich_part *to = op->parts;
    for (size_t i = 0; i < count; i++) {
        const struct weft_rich_part *part = &parts[i];
        if (i > 0 && weft__rich_joins(part - 1, part)) {
            to[-1].units += part->units;
            to[-1].len += part->len;
        } else {
            *to = *part;
            weft__mem_copy(at, part->attr, part->attr_len);
            to->attr = at;
            at += part->attr_len;
            to->text = part->text ? at : NULL;
            to++;
        }
        if (part->text) {
            memcpy(at, part->text, part->len);
            at += part->len;
        }
    }
}

int weft__rich_build_pack(struct weft_rich_build *b, const struct weft_rich_part *parts,
                          size_t count, struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    struct sums s = sum(parts, count);
    if (s.base > WEFT_RICH_UNITS_MAX || s.inserted > WEFT_RICH_UNITS_MAX ||
        s.held > WEFT_RICH_UNITS_MAX || s.count > UINT32_MAX)
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                             "counts add up to more than any document");
    size_t size = sizeof(struct weft_rich_op) + s.count * sizeof(*parts) + (size_t)s.held;
    struct weft_rich_op *op = weft__mem_alloc(b->alloc, size);
    if (!op)
        return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "out of memory");
    op->alloc = b->alloc;
    op->size = size;
    op->base = (uint32_t)s.base;
    op->inserted = (uint32_t)s.inserted;
    op->bytes = (size_t)s.bytes;
    op->count = (uint32_t)s.count;
    fill(op, parts, count);
    *ret_op = op;
    return 0;
}

int weft__rich_build_content(struct weft_rich_build *b, struct weft_rich_op **ret_op,
                             struct weft_ot_error *error)
{
    if (b->err)
        return weft__ot_fail(error, b->err, b->error.status, b->error.message);
    return weft__rich_build_pack(b, b->parts, b->count, ret_op, error);
}

int weft__rich_build_finish(struct weft_rich_build *b, struct weft_rich_op **ret_op,
                            struct weft_ot_error *error)
{
    if (b->err)
        return weft__ot_fail(error, b->err, b->error.status, b->error.message);
    while (b->count) {
        const struct weft_rich_part *last = &b->parts[b->count - 1];
        if (last->kind != WEFT_RICH_KIND_RETAIN || last->embed || last->attr_len)
            break;
        b->count--;
    }
    if (b->count > WEFT_RICH_PARTS_MAX)
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "the operation would have too many parts");
    return weft__rich_build_pack(b, b->parts, b->count, ret_op, error);
}

void weft__rich_free(struct weft_rich_op *op)
{
    if (op)
        weft__mem_free(op->alloc, op, op->size);
}

/* Bytes of the first |units| units of |text|; false when that divides a character. */
static bool cut(const uint8_t *text, uint32_t units, uint32_t *ret_bytes)
{
    uint32_t at = 0;
    while (units > 0) {
        uint32_t len = (uint32_t)weft__utf8_lead_len(text[at]);
        uint32_t wide = len == 4 ? 2 : 1;
        if (wide > units)
            return false;
        units -= wide;
        at += len;
    }
    *ret_bytes = at;
    return true;
}

struct weft_rich_part weft__rich_cursor_take(struct weft_rich_cursor *c, uint32_t max,
                                             struct weft_rich_build *b)
{
    if (c->part == c->end)
        return (struct weft_rich_part){.kind = WEFT_RICH_KIND_RETAIN, .units = max};
    struct weft_rich_part piece = *c->part;
    uint32_t left = piece.units - c->units;
    if (piece.text && !piece.embed) {
        piece.text += c->bytes;
        piece.len -= c->bytes;
    }
    piece.units = left;
    if (max < left) {
        uint32_t bytes = max;
        if (piece.text && piece.len != left && !cut(piece.text, max, &bytes)) {
            weft__rich_build_fail(b, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                                  "a count divides a character");
            bytes = 0;
        } else {
            piece.units = max;
            piece.len = piece.text ? bytes : 0;
            c->units += max;
            c->bytes += piece.len;
            return piece;
        }
    }
    c->part++;
    c->units = c->bytes = 0;
    return piece;
}
