/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation that leads from one rich text to another. Characters and embeds are compared without
 * their attributes, by the algorithm of Myers in linear memory: two searches, from the beginning
 * and from the end, meet in the middle of the shortest way, and each half is searched in the same
 * manner. The work is bounded; what is left over when it is done is replaced as a whole. What is
 * kept gets the difference of its attributes, and embeds of the kind delta the one of their
 * content.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "ot/rich_embed.h"

enum {
    REACH = 4096,       /* removals and insertions on the way that is searched for */
    STEPS_MAX = 1 << 22 /* places looked at in one difference */
};

#define EMBED 0x80000000u /* | the number of the part */

struct side {
    const struct weft_rich_op *op;
    uint32_t *codes; /* code points, or embeds */
    uint32_t count;
};

/* How far each diagonal was followed, from one end. */
struct search {
    int32_t first; /* diagonals left out at the ends, which have run off the plane */
    int32_t last;
    int32_t reached[2 * REACH + 3];
};

struct diff {
    struct weft_rich_build *build;
    struct side from;
    struct side to;
    struct weft_rich_cursor old;
    struct weft_rich_cursor new;
    uint32_t steps;
    struct search forth;
    struct search back;
};

/* Two texts, from |a| to before |a_end| and from |b| to before |b_end|. */
struct range {
    uint32_t a, a_end;
    uint32_t b, b_end;
};

static bool load(const struct weft_alloc *alloc, const struct weft_rich_op *op, struct side *side)
{
    side->op = op;
    side->count = 0;
    side->codes = weft__mem_alloc_array(alloc, WEFT_MAX(op->inserted, 1u), sizeof(*side->codes));
    if (!side->codes)
        return false;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_rich_part *part = &op->parts[i];
        if (part->embed) {
            side->codes[side->count++] = EMBED | i;
            continue;
        }
        for (uint32_t at = 0; at < part->len;) {
            size_t len = weft__utf8_lead_len(part->text[at]);
            side->codes[side->count++] = weft__utf8_decode(part->text + at);
            at += (uint32_t)len;
        }
    }
    return true;
}

static void unload(const struct weft_alloc *alloc, struct side *side)
{
    if (side->codes)
        weft__mem_free(alloc, side->codes, WEFT_MAX(side->op->inserted, 1u) * sizeof(*side->codes));
}

static bool same(const struct diff *d, uint32_t a, uint32_t b)
{
    uint32_t x = d->from.codes[a];
    uint32_t y = d->to.codes[b];
    if (!(x & y & EMBED))
        return x == y;
    const struct weft_rich_part *old = &d->from.op->parts[x ^ EMBED];
    const struct weft_rich_part *new = &d->to.op->parts[y ^ EMBED];
    return (weft__rich_embed_is_delta(old) && weft__rich_embed_is_delta(new)) ||
           (old->len == new->len &&memcmp(old->text, new->text, old->len) == 0);
}

static uint32_t units_of(const struct side *side, uint32_t at, uint32_t end)
{
    uint32_t units = 0;
    for (; at < end; at++)
        units += side->codes[at] > 0xffff && !(side->codes[at] & EMBED) ? 2 : 1;
    return units;
}

static void keep(struct diff *d, uint32_t from, uint32_t end)
{
    for (uint32_t units = units_of(&d->from, from, end); units > 0 && !d->build->err;) {
        uint32_t left = WEFT_MIN(weft__rich_cursor_left(&d->old), weft__rich_cursor_left(&d->new));
        uint32_t piece = WEFT_MIN(units, left);
        struct weft_rich_part old = weft__rich_cursor_take(&d->old, piece, d->build);
        struct weft_rich_part new = weft__rich_cursor_take(&d->new, piece, d->build);
        struct weft_rich_part part = {.kind = WEFT_RICH_KIND_RETAIN, .units = piece};
        if (old.embed)
            weft__rich_embed_diff(d->build, &old, &new, &part);
        weft__rich_attributes_diff(d->build, &old, &new, &part);
        weft__rich_build_add(d->build, part);
        units -= piece;
    }
}

static void replace(struct diff *d, const struct range *r)
{
    uint32_t gone = units_of(&d->from, r->a, r->a_end);
    uint32_t come = units_of(&d->to, r->b, r->b_end);
    while (come > 0) {
        struct weft_rich_part part = weft__rich_cursor_take(&d->new, come, d->build);
        weft__rich_build_add(d->build, part);
        come -= part.units;
    }
    weft__rich_build_add(d->build,
                         (struct weft_rich_part){.kind = WEFT_RICH_KIND_DELETE, .units = gone});
    while (gone > 0)
        gone -= weft__rich_cursor_take(&d->old, gone, d->build).units;
}

static void search_init(struct search *s, int32_t most)
{
    s->first = s->last = 0;
    for (int32_t k = REACH + 1 - most - 1; k <= REACH + 1 + most + 1; k++)
        s->reached[k] = -1;
    s->reached[REACH + 2] = 0;
}

/* Follows diagonal |k| of a search as far as the texts are the same, after |edits| of them; |back|:
 * from the end. True when it stays on the plane, at |*ret_x|. */
static bool follow(struct diff *d, const struct range *r, bool back, int32_t edits, int32_t k,
                   int32_t *ret_x)
{
    struct search *s = back ? &d->back : &d->forth;
    int32_t *at = &s->reached[REACH + 1 + k];
    int32_t width = (int32_t)(r->a_end - r->a);
    int32_t height = (int32_t)(r->b_end - r->b);
    int32_t x = k == -edits || (k != edits && at[-1] < at[1]) ? at[1] : at[-1] + 1;
    int32_t y = x - k;
    while (x < width && y < height && y >= 0 &&
           (back ? same(d, r->a_end - 1 - (uint32_t)x, r->b_end - 1 - (uint32_t)y)
                 : same(d, r->a + (uint32_t)x, r->b + (uint32_t)y))) {
        x++;
        y++;
        d->steps++;
    }
    d->steps++;
    *at = *ret_x = x;
    if (x > width)
        s->last += 2;
    else if (y > height)
        s->first += 2;
    return x <= width && y <= height;
}

/* True when the search that has come to |x| on diagonal |k| has met the other one. */
static bool met(const struct diff *d, const struct range *r, bool back, int32_t k, int32_t x,
                int32_t most)
{
    const struct search *other = back ? &d->forth : &d->back;
    int32_t width = (int32_t)(r->a_end - r->a);
    int32_t facing = width - (int32_t)(r->b_end - r->b) - k;
    if (facing < -most || facing > most || other->reached[REACH + 1 + facing] < 0)
        return false;
    return x + other->reached[REACH + 1 + facing] >= width;
}

/* A place in the middle of a shortest way; false when it is too long. */
static bool middle(struct diff *d, const struct range *r, uint32_t *ret_a, uint32_t *ret_b)
{
    int32_t width = (int32_t)(r->a_end - r->a);
    int32_t height = (int32_t)(r->b_end - r->b);
    int32_t most = (int32_t)WEFT_MIN(((int64_t)width + height + 1) / 2, REACH);
    bool odd = (width - height) % 2 != 0;
    search_init(&d->forth, most);
    search_init(&d->back, most);
    for (int32_t edits = 0; edits < most; edits++) {
        for (int back = 0; back < 2; back++) {
            struct search *s = back ? &d->back : &d->forth;
            for (int32_t k = s->first - edits; k <= edits - s->last; k += 2) {
                int32_t x;
                bool inside = follow(d, r, back, edits, k, &x);
                if (!inside || odd == (back != 0) || !met(d, r, back, k, x, most))
                    continue;
                *ret_a = back ? r->a_end - (uint32_t)x : r->a + (uint32_t)x;
                *ret_b = back ? r->b_end - (uint32_t)(x - k) : r->b + (uint32_t)(x - k);
                return true;
            }
        }
        if (d->steps > STEPS_MAX)
            return false;
    }
    return false;
}

/* Half of the way at each level: this goes no deeper than REACH has bits. */
static void compare(struct diff *d, struct range r)
{
    uint32_t start = r.a;
    uint32_t end = r.a_end;
    uint32_t a;
    uint32_t b;
    while (r.a < r.a_end && r.b < r.b_end && same(d, r.a, r.b)) {
        r.a++;
        r.b++;
    }
    while (r.a < r.a_end && r.b < r.b_end && same(d, r.a_end - 1, r.b_end - 1)) {
        r.a_end--;
        r.b_end--;
    }
    keep(d, start, r.a);
    if (r.a == r.a_end || r.b == r.b_end || d->steps > STEPS_MAX || !middle(d, &r, &a, &b)) {
        replace(d, &r);
    } else {
        WEFT_ASSERT((a > r.a || b > r.b) && (a < r.a_end || b < r.b_end));
        compare(d, (struct range){r.a, a, r.b, b});
        compare(d, (struct range){a, r.a_end, b, r.b_end});
    }
    keep(d, r.a_end, end);
}

int weft__rich_diff(const struct weft_alloc *alloc, uint32_t skip, const struct weft_rich_op *from,
                    const struct weft_rich_op *to, struct weft_rich_op **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_rich_build b;
    struct diff *d = weft__mem_zalloc(alloc, sizeof(*d));
    int err;
    weft__rich_build_init(&b, alloc);
    if (d && load(alloc, from, &d->from) && load(alloc, to, &d->to)) {
        d->build = &b;
        weft__rich_cursor_init(&d->old, from);
        weft__rich_cursor_init(&d->new, to);
        weft__rich_build_add(&b,
                             (struct weft_rich_part){.kind = WEFT_RICH_KIND_RETAIN, .units = skip});
        compare(d, (struct range){0, d->from.count, 0, d->to.count});
        err = weft__rich_build_finish(&b, ret_op, error);
    } else {
        err = weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (d) {
        unload(alloc, &d->from);
        unload(alloc, &d->to);
        weft__mem_free(alloc, d, sizeof(*d));
    }
    weft__rich_build_done(&b);
    return err;
}
