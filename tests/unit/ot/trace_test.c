/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded editing histories (tests/vectors/traces): through the rope, through text operations,
 * and back again through their inverses. */
#include "codec/json.h"
#include "lib/test.h"
#include "ot/text.h"

struct patch {
    size_t pos;
    size_t deleted;
    struct weft_slice inserted;
};

static struct patch patch_of(const struct weft_json *value)
{
    uint64_t pos;
    uint64_t deleted;
    assert_true(weft__json_u53(weft__json_at(value, 0), &pos));
    assert_true(weft__json_u53(weft__json_at(value, 1), &deleted));
    return (struct patch){(size_t)pos, (size_t)deleted, weft__json_string(weft__json_at(value, 2))};
}

/* The patch as an operation; NULL when it changes nothing. */
static struct weft_text_op *op_of(const struct patch *patch)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    struct weft_arena arena;
    const struct weft_json *value;
    struct weft_text_op *op;
    if (patch->deleted == 0 && patch->inserted.len == 0)
        return NULL;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__json_begin_array(&w);
    if (patch->pos > 0)
        weft__json_put_u64(&w, patch->pos);
    if (patch->deleted > 0) {
        weft__json_begin_object(&w);
        weft__json_key(&w, "d");
        weft__json_put_u64(&w, patch->deleted);
        weft__json_end_object(&w);
    }
    if (patch->inserted.len > 0)
        weft__json_put_string(&w, patch->inserted);
    weft__json_end_array(&w);
    assert_ok(weft__json_parse(weft__bytes_slice(&out), &arena, NULL, NULL, &value));
    assert_ok(weft__text_parse(weft_alloc_default(), value, &op, NULL));
    weft__arena_done(&arena);
    weft__bytes_done(&out);
    return op;
}

static void assert_rope_text(struct weft_rope *rope, struct weft_slice want)
{
    assert_true(weft__rope_check(rope));
    assert_int_equal(weft__rope_bytes(rope), want.len);
    assert_true(weft__rope_matches(rope, 0, want));
}

static void replay_through_rope(const struct weft_json *root)
{
    struct weft_rope rope;
    weft__rope_init(&rope, weft_alloc_default());
    assert_ok(weft__rope_insert(&rope, 0, weft__json_string(weft__json_get(root, "startContent"))));
    WEFT_JSON_EACH (txn, weft__json_get(root, "txns")) {
        WEFT_JSON_EACH (value, weft__json_get(txn, "patches")) {
            struct patch patch = patch_of(value);
            assert_ok(weft__rope_delete(&rope, patch.pos, patch.deleted));
            assert_ok(weft__rope_insert(&rope, patch.pos, patch.inserted));
        }
        assert_true(weft__rope_check(&rope));
    }
    assert_rope_text(&rope, weft__json_string(weft__json_get(root, "endContent")));
    weft__rope_done(&rope);
}

/* Applies every patch as an operation, keeps the inverses, and applies those backwards. */
static void replay_and_undo(const struct weft_json *root)
{
    enum { MOST = 10000 };
    struct weft_slice start = weft__json_string(weft__json_get(root, "startContent"));
    struct weft_text_op **inverses = calloc(MOST, sizeof(struct weft_text_op *));
    size_t count = 0;
    struct weft_rope rope;
    assert_non_null(inverses);
    weft__rope_init(&rope, weft_alloc_default());
    assert_ok(weft__rope_insert(&rope, 0, start));
    WEFT_JSON_EACH (txn, weft__json_get(root, "txns")) {
        WEFT_JSON_EACH (value, weft__json_get(txn, "patches")) {
            struct patch patch = patch_of(value);
            struct weft_text_op *op = op_of(&patch);
            if (!op)
                continue;
            assert_true(count < MOST);
            assert_ok(weft__text_invert(weft_alloc_default(), op, &rope, &inverses[count], NULL));
            count++;
            assert_ok(weft__text_apply(&rope, op, NULL));
            weft__text_free(op);
        }
    }
    assert_true(count > 1000);
    assert_rope_text(&rope, weft__json_string(weft__json_get(root, "endContent")));
    while (count > 0) {
        assert_ok(weft__text_apply(&rope, inverses[--count], NULL));
        weft__text_free(inverses[count]);
    }
    assert_rope_text(&rope, start);
    weft__rope_done(&rope);
    free(inverses);
}

static void replay(const char *path)
{
    struct weft_arena arena;
    const struct weft_json *root;
    size_t len;
    char *text = test_file_load(path, &len);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice(text, len), &arena, NULL, NULL, &root));
    replay_through_rope(root);
    replay_and_undo(root);
    weft__arena_done(&arena);
    free(text);
}

static void recorded_session_ends_with_its_text(void **state)
{
    (void)state;
    replay("vectors/traces/sveltecomponent-head.json");
}

static void history_in_many_scripts_ends_with_its_text(void **state)
{
    (void)state;
    replay("vectors/traces/many-scripts.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_session_ends_with_its_text),
        cmocka_unit_test(history_in_many_scripts_ends_with_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
