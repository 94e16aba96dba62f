/* SPDX-License-Identifier: Apache-2.0 */
/* Paths grow from both corners of a box of the edit graph, one difference at a time, until two of
 * them meet; the point where they do divides the box. */
#include "ot/sequence_diff.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>
#include <weft/err.h>

/* A part of the edit graph: elements from |x| to |x_end| of the first sequence, and so on. */
struct box {
    int32_t x;
    int32_t x_end;
    int32_t y;
    int32_t y_end;
};

struct search {
    const uint32_t *a;
    const uint32_t *b;
    int32_t reach;    /* differences that paths from one corner may have */
    int32_t *forward; /* how far the path on each diagonal has come; 2 * reach + 2 of them */
    int32_t *backward;
    weft_sequence_kept_fn *kept;
    void *ctx;
    uint32_t from; /* the run that is not reported yet */
    uint32_t to;
    uint32_t count;
};

static void keep(struct search *s, int32_t x, int32_t y, int32_t count)
{
    if (count == 0)
        return;
    bool touches = s->from + s->count == (uint32_t)x && s->to + s->count == (uint32_t)y;
    if (s->count && !touches) {
        s->kept(s->ctx, s->from, s->to, s->count);
        s->count = 0;
    }
    if (!s->count) {
        s->from = (uint32_t)x;
        s->to = (uint32_t)y;
    }
    s->count += (uint32_t)count;
}

/* One side of the search: its paths, and the diagonals that are still inside the box. */
struct side {
    int32_t *paths;
    int32_t low; /* diagonals left out at both ends */
    int32_t high;
};

/* Where the path of one more difference on diagonal |k| begins. */
static int32_t step(const int32_t *path, int32_t k, int32_t d)
{
    bool down = k == -d || (k != d && path[-1] < path[1]);
    return down ? path[1] : path[-1] + 1;
}

/* Grows the forward paths by one difference. True when one meets a backward path, at *|ret_x|,
 * *|ret_y|, of the box. */
static bool grow_forward(const struct search *s, const struct box *box, struct side *side,
                         int32_t limit, int32_t d, int32_t *ret_x, int32_t *ret_y)
{
    int32_t n = box->x_end - box->x;
    int32_t m = box->y_end - box->y;
    const uint32_t *a = s->a + box->x;
    const uint32_t *b = s->b + box->y;
    for (int32_t k = -d + side->low; k <= d - side->high; k += 2) {
        int32_t *path = &side->paths[limit + k];
        int32_t x = step(path, k, d);
        int32_t y = x - k;
        while (x < n && y < m && a[x] == b[y]) {
            x++;
            y++;
        }
        *path = x;
        int32_t facing = limit + (n - m) - k;
        if (x > n)
            side->high += 2;
        else if (y > m)
            side->low += 2;
        else if (((n - m) & 1) && facing >= 0 && facing < 2 * limit && s->backward[facing] >= 0 &&
                 x >= n - s->backward[facing]) {
            *ret_x = x;
            *ret_y = y;
            return true;
        }
    }
    return false;
}

static bool grow_backward(const struct search *s, const struct box *box, struct side *side,
                          int32_t limit, int32_t d, int32_t *ret_x, int32_t *ret_y)
{
    int32_t n = box->x_end - box->x;
    int32_t m = box->y_end - box->y;
    const uint32_t *a = s->a + box->x;
    const uint32_t *b = s->b + box->y;
    for (int32_t k = -d + side->low; k <= d - side->high; k += 2) {
        int32_t *path = &side->paths[limit + k];
        int32_t x = step(path, k, d);
        int32_t y = x - k;
        while (x < n && y < m && a[n - x - 1] == b[m - y - 1]) {
            x++;
            y++;
        }
        *path = x;
        int32_t facing = limit + (n - m) - k;
        if (x > n)
            side->high += 2;
        else if (y > m)
            side->low += 2;
        else if (((n - m) & 1) == 0 && facing >= 0 && facing < 2 * limit &&
                 s->forward[facing] >= 0 && s->forward[facing] >= n - x) {
            *ret_x = s->forward[facing];
            *ret_y = limit + s->forward[facing] - facing;
            return true;
        }
    }
    return false;
}

/* A point on a shortest path through |box|, in which nothing at either end is equal. False when
 * that has too many differences. */
static bool middle(const struct search *s, const struct box *box, int32_t *ret_x, int32_t *ret_y)
{
    int32_t both = (box->x_end - box->x) + (box->y_end - box->y);
    int32_t limit = (both + 1) / 2 < s->reach ? (both + 1) / 2 : s->reach;
    size_t size = (2 * (size_t)limit + 2) * sizeof(int32_t);
    memset(s->forward, 0xff, size);
    memset(s->backward, 0xff, size);
    s->forward[limit + 1] = 0;
    s->backward[limit + 1] = 0;
    struct side forward = {.paths = s->forward};
    struct side backward = {.paths = s->backward};
    for (int32_t d = 0; d < limit; d++) {
        if (grow_forward(s, box, &forward, limit, d, ret_x, ret_y) ||
            grow_backward(s, box, &backward, limit, d, ret_x, ret_y))
            return true;
    }
    return false;
}

/* Each division halves the differences, so this nests to their logarithm. */
static void compare(struct search *s, struct box box)
{
    int32_t start = box.x;
    while (box.x < box.x_end && box.y < box.y_end && s->a[box.x] == s->b[box.y]) {
        box.x++;
        box.y++;
    }
    keep(s, start, box.y - (box.x - start), box.x - start);
    int32_t end = box.x_end;
    while (box.x < box.x_end && box.y < box.y_end && s->a[box.x_end - 1] == s->b[box.y_end - 1]) {
        box.x_end--;
        box.y_end--;
    }
    int32_t x;
    int32_t y;
    if (box.x < box.x_end && box.y < box.y_end && middle(s, &box, &x, &y)) {
        compare(s, (struct box){box.x, box.x + x, box.y, box.y + y});
        compare(s, (struct box){box.x + x, box.x_end, box.y + y, box.y_end});
    }
    keep(s, box.x_end, box.y_end, end - box.x_end);
}

int weft__sequence_diff(const struct weft_alloc *alloc, struct weft_sequence first,
                        struct weft_sequence second, weft_sequence_kept_fn *kept, void *ctx)
{
    uint32_t most = (first.count + second.count + 1) / 2;
    struct search s = {
        .a = first.items,
        .b = second.items,
        .reach = (int32_t)WEFT_MIN(most, (uint32_t)WEFT_SEQUENCE_DIFF_MAX / 2),
        .kept = kept,
        .ctx = ctx,
    };
    size_t paths = 2 * (size_t)s.reach + 2;
    int32_t *room = weft__mem_alloc_array(alloc, 2 * paths, sizeof(*room));
    if (!room)
        return WEFT_ERR_NOMEM;
    s.forward = room;
    s.backward = room + paths;
    compare(&s, (struct box){0, (int32_t)first.count, 0, (int32_t)second.count});
    if (s.count)
        kept(ctx, s.from, s.to, s.count);
    weft__mem_free(alloc, room, 2 * paths * sizeof(*room));
    return 0;
}
