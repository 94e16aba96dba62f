/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts one input into pieces in every way worth trying. */
#include "lib/test.h"

enum {
    /* Inputs up to this length are also cut in two at every place. */
    CUT_EVERYWHERE_MAX = 300,
};

struct split {
    const uint8_t *data;
    size_t len;
    struct test_piece *pieces;
    size_t count;
};

static void split_init(struct split *split, const void *data, size_t len)
{
    /* Byte by byte plus as many empty pieces again is the most that is ever made. */
    *split = (struct split){.data = data, .len = len};
    split->pieces = calloc(2 * len + 2, sizeof(*split->pieces));
    if (!split->pieces)
        fail_msg("out of memory");
}

static void split_add(struct split *split, size_t offset, size_t len)
{
    struct test_piece *piece = &split->pieces[split->count++];
    piece->data = malloc(len ? len : 1);
    if (!piece->data)
        fail_msg("out of memory");
    piece->len = len;
    if (len)
        memcpy(piece->data, split->data + offset, len);
}

static void split_run(struct split *split,
                      void (*run)(const struct test_piece *pieces, size_t count, void *ctx),
                      void *ctx)
{
    run(split->pieces, split->count, ctx);
    for (size_t i = 0; i < split->count; i++)
        free(split->pieces[i].data);
    free(split->pieces);
}

static void split_randomly(struct split *split, struct test_random *rng)
{
    /* Mostly small pieces in one run, mostly large ones in another. */
    size_t largest = test_random_size(rng, 1, split->len ? split->len : 1);
    size_t empty_ones = split->len;
    for (size_t offset = 0; offset < split->len;) {
        if (empty_ones > 0 && test_random_one_in(rng, 8)) {
            split_add(split, offset, 0);
            empty_ones--;
        }
        size_t rest = split->len - offset;
        size_t len = test_random_size(rng, 1, largest < rest ? largest : rest);
        split_add(split, offset, len);
        offset += len;
    }
}

void test_each_split(const void *data, size_t len, struct test_random *rng, unsigned random_runs,
                     void (*run)(const struct test_piece *pieces, size_t count, void *ctx),
                     void *ctx)
{
    struct split split;
    split_init(&split, data, len);
    split_add(&split, 0, len);
    split_run(&split, run, ctx);

    split_init(&split, data, len);
    for (size_t i = 0; i < len; i++)
        split_add(&split, i, 1);
    split_run(&split, run, ctx);

    for (size_t cut = 1; len <= CUT_EVERYWHERE_MAX && cut < len; cut++) {
        split_init(&split, data, len);
        split_add(&split, 0, cut);
        split_add(&split, cut, len - cut);
        split_run(&split, run, ctx);
    }
    for (unsigned i = 0; i < random_runs; i++) {
        split_init(&split, data, len);
        split_randomly(&split, rng);
        split_run(&split, run, ctx);
    }
}
