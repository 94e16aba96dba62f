/* SPDX-License-Identifier: Apache-2.0 */
/* The hash map, against flags in an array. */
#include "lib/test.h"

#include "base/map.h"

enum { ITEMS = 3000 };

struct item {
    struct weft_map_node node;
    char key[16];
    bool in;
    unsigned seen;
};

static struct weft_slice key_of(struct item *item)
{
    return weft__slice_str(item->key);
}

static void make_items(struct item *items)
{
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (struct item){0};
        snprintf(items[i].key, sizeof(items[i].key), "%d", i); /* The first key is empty. */
        if (i == 0)
            items[i].key[0] = '\0';
    }
}

static struct item *item_of(struct weft_map_node *node)
{
    return WEFT_CONTAINER_OF(node, struct item, node);
}

static void walk(struct weft_map *map, struct item *items, size_t count)
{
    size_t found = 0;
    for (int i = 0; i < ITEMS; i++)
        items[i].seen = 0;
    for (struct weft_map_node *n = weft__map_first(map); n; n = weft__map_next(map, n), found++)
        item_of(n)->seen++;
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(items[i].seen, items[i].in);
    assert_int_equal(found, count);
    assert_int_equal(map->count, count);
}

static void map_agrees_with_flags(void **state)
{
    struct test_alloc mem;
    struct test_random rng;
    struct weft_map map;
    static struct item items[ITEMS];
    size_t count = 0;
    (void)state;
    test_random_init(&rng, "map");
    test_alloc_init(&mem);
    make_items(items);
    weft__map_init(&map, &mem.alloc, (struct weft_hash_key){1, 2});
    assert_int_equal(mem.calls, 0);
    assert_null(weft__map_first(&map));
    assert_null(weft__map_get(&map, WEFT_SLICE_LIT("x")));
    for (int step = 0; step < 30000; step++) {
        struct item *item = &items[test_random_below(&rng, step % 10000 < 5000 ? ITEMS : 10)];
        struct weft_map_node *found = weft__map_get(&map, key_of(item));
        assert_ptr_equal(found, item->in ? &item->node : NULL);
        if (item->in && test_random_one_in(&rng, 2)) {
            weft__map_remove(&map, &item->node);
            item->in = false;
            count--;
        } else if (item->in) {
            struct weft_map_node second;
            assert_err(weft__map_add(&map, &second, key_of(item)), WEFT_ERR_EXISTS);
        } else {
            assert_ok(weft__map_add(&map, &item->node, key_of(item)));
            item->in = true;
            count++;
        }
        if (step % 1000 == 0)
            walk(&map, items, count);
    }
    walk(&map, items, count);
    assert_true(map.bucket_count >= count);
    weft__map_done(&map);
    test_alloc_done(&mem);
}

/* Removing each node once its successor is known empties the map. */
static void walk_may_remove_what_it_has_passed(void **state)
{
    struct weft_map map;
    static struct item items[ITEMS];
    size_t removed = 0;
    (void)state;
    make_items(items);
    weft__map_init(&map, weft_alloc_default(), (struct weft_hash_key){3, 4});
    for (int i = 0; i < ITEMS; i++)
        assert_ok(weft__map_add(&map, &items[i].node, key_of(&items[i])));
    for (struct weft_map_node *n = weft__map_first(&map), *next; n; n = next, removed++) {
        next = weft__map_next(&map, n);
        weft__map_remove(&map, n);
        memset(item_of(n), 0xee, sizeof(struct item)); /* as if freed */
    }
    assert_int_equal(removed, ITEMS);
    assert_null(weft__map_first(&map));
    weft__map_done(&map);
}

static void keys_may_hold_any_bytes(void **state)
{
    struct weft_map map;
    struct weft_map_node nodes[4];
    const struct weft_slice keys[] = {weft__slice("a\0b", 3), weft__slice("a\0c", 3),
                                      weft__slice("a", 1), weft__slice("a\0", 2)};
    (void)state;
    weft__map_init(&map, weft_alloc_default(), (struct weft_hash_key){5, 6});
    for (int i = 0; i < 4; i++)
        assert_ok(weft__map_add(&map, &nodes[i], keys[i]));
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(weft__map_get(&map, keys[i]), &nodes[i]);
    weft__map_done(&map);
}

/* Without memory for more buckets the map goes on with those it has. */
static void growth_may_fail_once_there_are_buckets(void **state)
{
    struct test_alloc mem;
    struct weft_map map;
    static struct item items[ITEMS];
    (void)state;
    test_alloc_init(&mem);
    make_items(items);
    weft__map_init(&map, &mem.alloc, (struct weft_hash_key){7, 8});
    mem.fail_at = 1;
    assert_err(weft__map_add(&map, &items[0].node, key_of(&items[0])), WEFT_ERR_NOMEM);
    assert_int_equal(map.count, 0);
    assert_null(weft__map_get(&map, key_of(&items[0])));
    assert_ok(weft__map_add(&map, &items[0].node, key_of(&items[0])));
    mem.fail_at = mem.calls + 1;
    mem.fail_after = true;
    for (int i = 1; i < ITEMS; i++)
        assert_ok(weft__map_add(&map, &items[i].node, key_of(&items[i])));
    for (int i = 0; i < ITEMS; i++)
        assert_ptr_equal(weft__map_get(&map, key_of(&items[i])), &items[i].node);
    weft__map_done(&map);
    weft__map_done(&map);
    test_alloc_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_agrees_with_flags),
        cmocka_unit_test(walk_may_remove_what_it_has_passed),
        cmocka_unit_test(keys_may_hold_any_bytes),
        cmocka_unit_test(growth_may_fail_once_there_are_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
