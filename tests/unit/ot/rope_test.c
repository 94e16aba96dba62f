/* SPDX-License-Identifier: Apache-2.0 */
/* The rope against an array of code points: edits, snapshots, positions, failing memory. */
#include "unit/ot/model.h"

#include <pthread.h>

/* One random edit on both; |most| code points at once. */
static void random_edit(struct test_random *rng, struct weft_rope *rope, struct model *m,
                        size_t most)
{
    size_t pos = test_random_size(rng, 0, m->len);
    if (m->len > 0 && test_random_one_in(rng, 2)) {
        size_t count = test_random_size(rng, 0, WEFT_MIN(most, m->len - pos));
        assert_ok(weft__rope_delete(rope, pos, count));
        model_splice(m, pos, count, NULL, 0);
        return;
    }
    struct model text = model_random(rng, test_random_size(rng, 0, most));
    struct weft_bytes bytes = model_utf8(&text);
    assert_ok(weft__rope_insert(rope, pos, weft__bytes_slice(&bytes)));
    model_splice(m, pos, 0, text.points, text.len);
    weft__bytes_done(&bytes);
    model_done(&text);
}

static void empty_rope_has_no_text_and_no_memory(void **state)
{
    (void)state;
    struct test_alloc mem;
    struct weft_rope rope;
    struct weft_rope copy;
    struct weft_rope_iter iter;
    struct weft_slice chunk;
    test_alloc_init(&mem);
    weft__rope_init(&rope, &mem.alloc);
    assert_ok(weft__rope_insert(&rope, 0, WEFT_SLICE_LIT("")));
    assert_ok(weft__rope_delete(&rope, 0, 0));
    weft__rope_snapshot(&rope, &copy);
    weft__rope_iter_init(&iter, &copy, 0, SIZE_MAX);
    assert_false(weft__rope_iter_next(&iter, &chunk));
    assert_true(weft__rope_check(&rope));
    assert_int_equal(weft__rope_bytes(&rope), 0);
    assert_true(weft__rope_matches(&rope, 0, WEFT_SLICE_LIT("")));
    assert_false(weft__rope_matches(&rope, 0, WEFT_SLICE_LIT("a")));
    assert_int_equal(mem.calls, 0);
    weft__rope_done(&copy);
    weft__rope_done(&rope);
    test_alloc_done(&mem);
}

static void ranges_outside_the_text_are_refused(void **state)
{
    (void)state;
    struct weft_rope rope;
    size_t pos = 99;
    weft__rope_init(&rope, weft_alloc_default());
    assert_err(weft__rope_insert(&rope, 1, WEFT_SLICE_LIT("x")), WEFT_ERR_USAGE);
    assert_ok(weft__rope_insert(&rope, 0, WEFT_SLICE_LIT("a\xf0\x9f\x98\x80z")));
    assert_err(weft__rope_insert(&rope, 4, WEFT_SLICE_LIT("x")), WEFT_ERR_USAGE);
    assert_err(weft__rope_delete(&rope, 4, 0), WEFT_ERR_USAGE);
    assert_err(weft__rope_delete(&rope, 2, 2), WEFT_ERR_USAGE);
    assert_err(weft__rope_delete(&rope, 1, SIZE_MAX), WEFT_ERR_USAGE);
    assert_err(weft__rope_from_utf16(&rope, 2, &pos), WEFT_ERR_USAGE); /* inside the pair */
    assert_err(weft__rope_from_utf16(&rope, 5, &pos), WEFT_ERR_USAGE);
    assert_err(weft__rope_from_bytes(&rope, 3, &pos), WEFT_ERR_USAGE);
    assert_err(weft__rope_from_bytes(&rope, 7, &pos), WEFT_ERR_USAGE);
    assert_int_equal(pos, 99);
    assert_ok(weft__rope_from_utf16(&rope, 3, &pos));
    assert_int_equal(pos, 2);
    weft__rope_done(&rope);
}

static void text_beyond_the_limit_is_refused_before_it_is_read(void **state)
{
    (void)state;
    struct weft_rope rope;
    uint8_t byte = 'x';
    weft__rope_init(&rope, weft_alloc_default());
    assert_ok(weft__rope_insert(&rope, 0, WEFT_SLICE_LIT("x")));
    struct weft_slice huge = {&byte, WEFT_ROPE_BYTES_MAX};
    assert_err(weft__rope_insert(&rope, 0, huge), WEFT_ERR_TOO_BIG);
    assert_int_equal(weft__rope_bytes(&rope), 1);
    weft__rope_done(&rope);
}

static void random_edits_equal_the_array(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "random_edits_equal_the_array");
    static const size_t mosts[] = {1, 3, 40, 700, 6000};
    for (size_t run = 0; run < 40; run++) {
        struct weft_rope rope;
        struct model m = model_random(&rng, test_random_size(&rng, 0, 20000));
        model_rope(&m, weft_alloc_default(), &rope);
        for (size_t i = 0; i < 150; i++) {
            random_edit(&rng, &rope, &m, mosts[test_random_below(&rng, 5)]);
            if (i % 10 == 0 || m.len < 2000)
                assert_rope_is(&rope, &m);
        }
        assert_rope_is(&rope, &m);
        weft__rope_done(&rope);
        model_done(&m);
    }
}

/* Three inner levels: large edits let whole subtrees go and split nodes near the root. */
static void tall_tree_equals_the_array(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "tall_tree_equals_the_array");
    struct weft_rope rope;
    struct weft_rope before;
    struct model m = model_random(&rng, 600000);
    model_rope(&m, weft_alloc_default(), &rope);
    assert_true(weft__rope_bytes(&rope) > 900u * 1006);
    for (size_t i = 0; i < 8; i++) {
        struct model old = model_copy(&m);
        weft__rope_snapshot(&rope, &before);
        for (size_t edit = 0; edit < 4; edit++)
            random_edit(&rng, &rope, &m, edit == 3 ? 250000 : 1000);
        assert_rope_is(&rope, &m);
        assert_rope_is(&before, &old);
        weft__rope_done(&before);
        model_done(&old);
    }
    weft__rope_done(&rope);
    model_done(&m);
}

/* Where people really type: runs of single characters with a backspace now and then. */
static void typing_at_one_place_equals_the_array(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "typing_at_one_place_equals_the_array");
    struct weft_rope rope;
    struct model m = model_random(&rng, 3000);
    model_rope(&m, weft_alloc_default(), &rope);
    for (size_t run = 0; run < 60; run++) {
        size_t pos = test_random_size(&rng, 0, m.len);
        bool backwards = test_random_one_in(&rng, 3);
        for (size_t i = 0; i < 120; i++) {
            if (pos > 0 && test_random_one_in(&rng, 4)) {
                pos--;
                assert_ok(weft__rope_delete(&rope, pos, 1));
                model_splice(&m, pos, 1, NULL, 0);
                continue;
            }
            uint8_t bytes[4];
            uint32_t point = model_random_point(&rng);
            size_t len = weft__utf8_encode(point, bytes);
            assert_ok(weft__rope_insert(&rope, pos, (struct weft_slice){bytes, len}));
            model_splice(&m, pos, 0, &point, 1);
            pos += backwards ? 0 : 1;
        }
        assert_rope_is(&rope, &m);
    }
    weft__rope_done(&rope);
    model_done(&m);
}

/* Inserting at one place again and again, the cursor staying before it, must not leave a leaf for
 * every character. */
static void prepending_fills_leaves(void **state)
{
    (void)state;
    struct test_alloc mem;
    struct weft_rope rope;
    test_alloc_init(&mem);
    weft__rope_init(&rope, &mem.alloc);
    for (size_t place = 0; place < 2; place++) {
        for (size_t i = 0; i < 20000; i++)
            assert_ok(weft__rope_insert(&rope, place * 10000, WEFT_SLICE_LIT("x")));
    }
    assert_true(weft__rope_check(&rope));
    assert_true(mem.live_bytes < 3 * weft__rope_bytes(&rope));
    weft__rope_done(&rope);
    test_alloc_done(&mem);
}

static void deleting_everything_bit_by_bit_leaves_nothing(void **state)
{
    (void)state;
    struct test_random rng;
    struct test_alloc mem;
    test_random_init(&rng, "deleting_everything_bit_by_bit_leaves_nothing");
    test_alloc_init(&mem);
    struct weft_rope rope;
    struct model m = model_random(&rng, 40000);
    model_rope(&m, &mem.alloc, &rope);
    while (m.len > 0) {
        size_t count = test_random_size(&rng, 1, WEFT_MIN(m.len, (size_t)60));
        size_t pos = test_random_size(&rng, 0, m.len - count);
        assert_ok(weft__rope_delete(&rope, pos, count));
        model_splice(&m, pos, count, NULL, 0);
        if (test_random_one_in(&rng, 50))
            assert_rope_is(&rope, &m);
        /* Leaves that were let down join: memory follows the text. */
        if (m.len > 0 && test_random_one_in(&rng, 50))
            assert_true(mem.live_bytes < 8 * weft__rope_bytes(&rope) + 16384);
    }
    assert_int_equal(mem.live_blocks, 0);
    weft__rope_done(&rope);
    model_done(&m);
    test_alloc_done(&mem);
}

static void snapshots_keep_their_text_while_the_original_changes(void **state)
{
    (void)state;
    enum { SNAPSHOTS = 12 };
    struct test_random rng;
    test_random_init(&rng, "snapshots_keep_their_text_while_the_original_changes");
    struct weft_rope ropes[SNAPSHOTS];
    struct model models[SNAPSHOTS];
    models[0] = model_random(&rng, 30000);
    model_rope(&models[0], weft_alloc_default(), &ropes[0]);
    for (size_t i = 1; i < SNAPSHOTS; i++) {
        size_t from = test_random_below(&rng, i);
        weft__rope_snapshot(&ropes[from], &ropes[i]);
        models[i] = model_copy(&models[from]);
        for (size_t edit = 0; edit < 30; edit++) {
            size_t which = test_random_below(&rng, i + 1);
            random_edit(&rng, &ropes[which], &models[which],
                        test_random_one_in(&rng, 10) ? 5000 : 20);
        }
    }
    for (size_t i = 0; i < SNAPSHOTS; i++)
        assert_rope_is(&ropes[i], &models[i]);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        weft__rope_done(&ropes[i]);
        model_done(&models[i]);
    }
}

static void snapshot_allocates_nothing(void **state)
{
    (void)state;
    struct test_random rng;
    struct test_alloc mem;
    test_random_seed(&rng, 7);
    test_alloc_init(&mem);
    struct weft_rope rope;
    struct weft_rope copy;
    struct model m = model_random(&rng, 50000);
    model_rope(&m, &mem.alloc, &rope);
    size_t calls = mem.calls;
    weft__rope_snapshot(&rope, &copy);
    assert_int_equal(mem.calls, calls);
    /* The first edit copies one path, the next ones at that place nothing. */
    assert_ok(weft__rope_insert(&rope, 100, WEFT_SLICE_LIT("x")));
    assert_true(mem.calls - calls <= 5);
    assert_rope_is(&copy, &m);
    weft__rope_done(&copy);
    weft__rope_done(&rope);
    model_done(&m);
    test_alloc_done(&mem);
}

struct reader {
    struct weft_rope rope;
    const struct model *m;
    bool ok;
};

static void *read_snapshot(void *arg)
{
    struct reader *reader = arg;
    struct weft_bytes text = model_utf8(reader->m);
    reader->ok = true;
    for (size_t i = 0; i < 20; i++) {
        reader->ok = reader->ok && weft__rope_matches(&reader->rope, 0, weft__bytes_slice(&text));
        reader->ok =
            reader->ok && weft__rope_size_before(&reader->rope, SIZE_MAX).bytes == text.len;
    }
    weft__rope_done(&reader->rope);
    weft__bytes_done(&text);
    return NULL;
}

static void snapshot_may_be_read_and_released_on_another_thread(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "snapshot_may_be_read_and_released_on_another_thread");
    struct weft_rope rope;
    struct model m = model_random(&rng, 20000);
    model_rope(&m, weft_alloc_default(), &rope);
    for (size_t run = 0; run < 10; run++) {
        struct model before = model_copy(&m);
        struct reader reader = {.m = &before};
        pthread_t thread;
        assert_ok(weft__rope_insert(&rope, 5, WEFT_SLICE_LIT("?")));
        uint32_t point = '?';
        model_splice(&before, 5, 0, &point, 1);
        model_splice(&m, 5, 0, &point, 1);
        weft__rope_snapshot(&rope, &reader.rope);
        assert_int_equal(pthread_create(&thread, NULL, read_snapshot, &reader), 0);
        for (size_t i = 0; i < 200; i++)
            random_edit(&rng, &rope, &m, 30);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(reader.ok);
        model_done(&before);
    }
    assert_rope_is(&rope, &m);
    weft__rope_done(&rope);
    model_done(&m);
}

static void positions_convert_between_points_bytes_and_utf16(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "positions_convert_between_points_bytes_and_utf16");
    struct weft_rope rope;
    struct model m = model_random(&rng, 3000);
    model_rope(&m, weft_alloc_default(), &rope);
    assert_ok(weft__rope_delete(&rope, 1500, 1)); /* leave a gap somewhere */
    model_splice(&m, 1500, 1, NULL, 0);
    size_t bytes = 0;
    size_t utf16 = 0;
    for (size_t i = 0; i <= m.len; i++) {
        struct weft_rope_size size = weft__rope_size_before(&rope, i);
        size_t pos;
        assert_int_equal(size.bytes, bytes);
        assert_int_equal(size.points + size.astral, utf16);
        assert_ok(weft__rope_from_bytes(&rope, bytes, &pos));
        assert_int_equal(pos, i);
        assert_ok(weft__rope_from_utf16(&rope, utf16, &pos));
        assert_int_equal(pos, i);
        if (i == m.len)
            break;
        uint8_t encoded[4];
        size_t len = weft__utf8_encode(m.points[i], encoded);
        if (len > 1)
            assert_err(weft__rope_from_bytes(&rope, bytes + len - 1, &pos), WEFT_ERR_USAGE);
        bytes += len;
        utf16 += len == 4 ? 2 : 1;
    }
    weft__rope_done(&rope);
    model_done(&m);
}

static void any_range_can_be_copied_and_compared(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "any_range_can_be_copied_and_compared");
    struct weft_rope rope;
    struct model m = model_random(&rng, 5000);
    model_rope(&m, weft_alloc_default(), &rope);
    for (size_t i = 0; i < 300; i++) {
        size_t pos = test_random_size(&rng, 0, m.len);
        size_t count = test_random_size(&rng, 0, m.len - pos);
        struct weft_bytes want;
        struct weft_bytes got;
        weft__bytes_init(&want, weft_alloc_default(), SIZE_MAX);
        weft__bytes_init(&got, weft_alloc_default(), SIZE_MAX);
        model_encode(&m, pos, count, &want);
        /* A range is cut at the end of the text. */
        weft__rope_copy(&rope, pos, pos + count == m.len ? SIZE_MAX : count, &got);
        assert_bytes(got.ptr, got.len, want.ptr, want.len);
        assert_true(weft__rope_matches(&rope, pos, weft__bytes_slice(&want)));
        if (want.len > 0) {
            want.ptr[want.len - 1] ^= 1;
            assert_false(weft__rope_matches(&rope, pos, weft__bytes_slice(&want)));
        }
        weft__bytes_done(&want);
        weft__bytes_done(&got);
        random_edit(&rng, &rope, &m, 10);
    }
    weft__rope_done(&rope);
    model_done(&m);
}

/* What one failing run of edits may do: the text is as before whenever a call fails. */
static int edits_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct test_random rng;
    int result = 0;
    test_random_seed(&rng, *(const uint64_t *)ctx);
    struct weft_rope rope;
    struct model m = {0};
    weft__rope_init(&rope, alloc);
    for (size_t i = 0; i < 14 && !result; i++) {
        struct weft_rope snapshot;
        weft__rope_snapshot(&rope, &snapshot); /* makes every node shared */
        size_t pos = test_random_size(&rng, 0, m.len);
        size_t gone = test_random_size(&rng, 0, m.len - pos);
        struct model text = model_random(&rng, test_random_one_in(&rng, 2) ? 9000 : 300);
        struct weft_bytes bytes = model_utf8(&text);
        if (i % 3 == 2) {
            result = weft__rope_delete(&rope, pos, gone / 2);
            if (!result)
                model_splice(&m, pos, gone / 2, NULL, 0);
        } else {
            result = weft__rope_insert(&rope, pos, weft__bytes_slice(&bytes));
            if (!result)
                model_splice(&m, pos, 0, text.points, text.len);
        }
        assert_rope_is(&rope, &m);
        weft__bytes_done(&bytes);
        model_done(&text);
        weft__rope_done(&snapshot);
    }
    weft__rope_done(&rope);
    model_done(&m);
    return result;
}

static void failing_memory_leaves_the_text_unchanged(void **state)
{
    (void)state;
    uint64_t seed = 11;
    assert_true(test_each_alloc_failure(edits_under_failure, &seed) > 100);
}

static int split_up_to_the_root(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_rope rope;
    int result = 0;
    (void)ctx;
    weft__rope_init(&rope, alloc);
    /* 40 leaves in pieces of half a leaf: leaves, an inner node and the root split on the way. */
    uint8_t piece[490];
    memset(piece, 'p', sizeof(piece));
    for (size_t i = 0; i < 80 && !result; i++) {
        size_t before = weft__rope_points(&rope);
        result = weft__rope_insert(&rope, before / 3, (struct weft_slice){piece, sizeof(piece)});
        assert_true(weft__rope_check(&rope));
        assert_int_equal(weft__rope_points(&rope), before + (result ? 0 : sizeof(piece)));
    }
    weft__rope_done(&rope);
    return result;
}

static void failing_memory_in_a_split_leaves_the_text_unchanged(void **state)
{
    (void)state;
    test_each_alloc_failure(split_up_to_the_root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_rope_has_no_text_and_no_memory),
        cmocka_unit_test(ranges_outside_the_text_are_refused),
        cmocka_unit_test(text_beyond_the_limit_is_refused_before_it_is_read),
        cmocka_unit_test(random_edits_equal_the_array),
        cmocka_unit_test(tall_tree_equals_the_array),
        cmocka_unit_test(typing_at_one_place_equals_the_array),
        cmocka_unit_test(prepending_fills_leaves),
        cmocka_unit_test(deleting_everything_bit_by_bit_leaves_nothing),
        cmocka_unit_test(snapshots_keep_their_text_while_the_original_changes),
        cmocka_unit_test(snapshot_allocates_nothing),
        cmocka_unit_test(snapshot_may_be_read_and_released_on_another_thread),
        cmocka_unit_test(positions_convert_between_points_bytes_and_utf16),
        cmocka_unit_test(any_range_can_be_copied_and_compared),
        cmocka_unit_test(failing_memory_leaves_the_text_unchanged),
        cmocka_unit_test(failing_memory_in_a_split_leaves_the_text_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
