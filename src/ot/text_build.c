/* SPDX-License-Identifier: Apache-2.0 */
/* Making operations: parts in, one canonical allocation out. */
#include "ot/text_build.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"

void weft__text_build_init(struct weft_text_build *b, const struct weft_alloc *alloc)
{
    b->alloc = alloc;
    b->parts = b->few;
    b->count = 0;
    b->cap = WEFT_ARRAY_LEN(b->few);
    b->err = 0;
}

void weft__text_build_done(struct weft_text_build *b)
{
    if (b->parts != b->few)
        weft__mem_free(b->alloc, b->parts, b->cap * sizeof(*b->parts));
    b->parts = b->few;
}

static bool grow(struct weft_text_build *b)
{
    size_t cap = b->cap * 2;
    struct weft_text_part *parts = weft__mem_alloc_array(b->alloc, cap, sizeof(*parts));
    if (!parts) {
        b->err = WEFT_ERR_NOMEM;
        return false;
    }
    memcpy(parts, b->parts, b->count * sizeof(*parts));
    weft__text_build_done(b);
    b->parts = parts;
    b->cap = cap;
    return true;
}

/* Extends |last| by |part| where that needs no copy: counts without text, or text that goes on. */
static bool extend(struct weft_text_part *last, const struct weft_text_part *part)
{
    if (last->kind != part->kind || part->points > WEFT_TEXT_POINTS_MAX - last->points)
        return false;
    bool counts = !last->text && !part->text;
    bool goes_on = last->text && part->text && last->text + last->len == part->text &&
                   part->len <= UINT32_MAX - last->len;
    if (!counts && !goes_on)
        return false;
    last->points += part->points;
    last->len += part->len;
    return true;
}

void weft__text_build_add(struct weft_text_build *b, struct weft_text_part part)
{
    if (part.points == 0 || b->err)
        return;
    if (b->count > 0 && extend(&b->parts[b->count - 1], &part))
        return;
    if (b->count == b->cap && !grow(b))
        return;
    b->parts[b->count++] = part;
}

/* A run of neighbours of one kind in |b|, which become one part. */
struct run {
    size_t end; /* index behind its last part */
    uint64_t points;
    uint64_t len;
    bool has_text; /* every one of them has */
};

static struct run run_at(const struct weft_text_build *b, size_t first)
{
    struct run run = {.end = first, .has_text = true};
    do {
        const struct weft_text_part *part = &b->parts[run.end++];
        run.points += part->points;
        run.len += part->len;
        run.has_text = run.has_text && part->text;
    } while (run.end < b->count && b->parts[run.end].kind == b->parts[first].kind);
    if (!run.has_text)
        run.len = 0;
    return run;
}

/* What the runs of a builder add up to. */
struct total {
    size_t count;
    uint64_t len;
    uint64_t base;
    uint64_t inserted;
};

static struct total add_up(const struct weft_text_build *b)
{
    struct total total = {0};
    for (size_t i = 0; i < b->count;) {
        struct run run = run_at(b, i);
        total.count++;
        total.len += run.len;
        if (b->parts[i].kind == WEFT_TEXT_KIND_INSERT)
            total.inserted += run.points;
        else
            total.base += run.points;
        i = run.end;
    }
    return total;
}

static void fill(const struct weft_text_build *b, struct weft_text_op *op)
{
    uint8_t *text = (uint8_t *)(op->parts + op->count);
    size_t first = 0;
    for (uint32_t n = 0; n < op->count; n++) {
        struct run run = run_at(b, first);
        op->parts[n] = (struct weft_text_part){
            .kind = b->parts[first].kind,
            .points = (uint32_t)run.points,
            .len = (uint32_t)run.len,
            .text = run.has_text ? text : NULL,
        };
        for (; first < run.end; first++) {
            if (!run.has_text)
                continue;
            memcpy(text, b->parts[first].text, b->parts[first].len);
            text += b->parts[first].len;
        }
    }
}

int weft__text_build_finish(struct weft_text_build *b, struct weft_text_op **ret_op,
                            struct weft_ot_error *error)
{
    /* What follows the last change needs no skip. */
    while (b->count > 0 && b->parts[b->count - 1].kind == WEFT_TEXT_KIND_SKIP)
        b->count--;
    struct total total = add_up(b);
    if (!b->err && (total.base > WEFT_TEXT_POINTS_MAX || total.inserted > WEFT_TEXT_POINTS_MAX ||
                    total.len > UINT32_MAX))
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                             "the counts of the operation add up past every document");
    size_t size = sizeof(struct weft_text_op) + total.count * sizeof(struct weft_text_part) +
                  (size_t)total.len;
    struct weft_text_op *op = b->err ? NULL : weft__mem_alloc(b->alloc, size);
    if (!op)
        return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "out of memory");
    op->alloc = b->alloc;
    op->size = size;
    op->base = (uint32_t)total.base;
    op->inserted = (uint32_t)total.inserted;
    op->count = (uint32_t)total.count;
    fill(b, op);
    *ret_op = op;
    return 0;
}

void weft__text_free(struct weft_text_op *op)
{
    if (op)
        weft__mem_free(op->alloc, op, op->size);
}

struct weft_text_part weft__text_cursor_take(struct weft_text_cursor *c, uint32_t max)
{
    if (c->part == c->end)
        return (struct weft_text_part){.kind = WEFT_TEXT_KIND_SKIP, .points = max};
    struct weft_text_part piece = *c->part;
    piece.points -= c->points;
    if (piece.text) {
        piece.text += c->bytes;
        piece.len -= c->bytes;
    }
    if (piece.points <= max) {
        c->part++;
        c->points = c->bytes = 0;
        return piece;
    }
    piece.points = max;
    if (piece.text)
        piece.len = (uint32_t)weft__utf8_offset(piece.text, piece.len, max);
    c->points += piece.points;
    c->bytes += piece.len;
    return piece;
}
