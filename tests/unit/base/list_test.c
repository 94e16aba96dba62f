/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive list, against an array. */
#include "lib/test.h"

#include "base/list.h"

enum { ITEMS = 20 };

struct item {
    struct weft_list node;
    int number;
};

/* A list and what must be in it. */
struct model {
    struct weft_list head;
    int numbers[ITEMS];
    size_t count;
};

static struct item *item_of(struct weft_list *node)
{
    return WEFT_CONTAINER_OF(node, struct item, node);
}

static void check(struct model *m)
{
    size_t i = 0;
    WEFT_LIST_EACH (node, &m->head) {
        assert_true(i < m->count);
        assert_int_equal(item_of(node)->number, m->numbers[i++]);
        assert_ptr_equal(node->next->prev, node);
        assert_ptr_equal(node->prev->next, node);
    }
    assert_int_equal(i, m->count);
    assert_int_equal(weft__list_empty(&m->head), m->count == 0);
}

static void model_insert(struct model *m, size_t at, int number)
{
    memmove(m->numbers + at + 1, m->numbers + at, (m->count - at) * sizeof(int));
    m->numbers[at] = number;
    m->count++;
}

static void model_remove(struct model *m, int number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->numbers[i] != number)
            continue;
        m->count--;
        memmove(m->numbers + i, m->numbers + i + 1, (m->count - i) * sizeof(int));
        return;
    }
}

static void lists_agree_with_arrays(void **state)
{
    struct test_random rng;
    struct item items[ITEMS];
    struct model lists[2] = {0};
    int where[ITEMS]; /* the list an item is in, or -1 */
    (void)state;
    test_random_init(&rng, "list");
    for (int i = 0; i < 2; i++)
        weft__list_init(&lists[i].head);
    for (int i = 0; i < ITEMS; i++) {
        weft__list_init(&items[i].node);
        items[i].number = i;
        where[i] = -1;
    }
    for (int step = 0; step < 20000; step++) {
        int number = (int)test_random_below(&rng, ITEMS);
        int side = (int)test_random_below(&rng, 2);
        struct model *m = &lists[side];
        if (test_random_one_in(&rng, 30)) {
            struct model *from = &lists[!side];
            weft__list_splice(&m->head, &from->head);
            for (size_t i = 0; i < from->count; i++) {
                where[from->numbers[i]] = side;
                m->numbers[m->count++] = from->numbers[i];
            }
            from->count = 0;
        } else if (test_random_one_in(&rng, 5)) {
            struct weft_list *node = weft__list_pop(&m->head);
            assert_int_equal(node != NULL, m->count > 0);
            if (node) {
                assert_int_equal(item_of(node)->number, m->numbers[0]);
                assert_true(weft__list_empty(node));
                where[m->numbers[0]] = -1;
                model_remove(m, m->numbers[0]);
            }
        } else if (where[number] >= 0) {
            model_remove(&lists[where[number]], number);
            weft__list_remove(&items[number].node);
            weft__list_remove(&items[number].node); /* harmless */
            where[number] = -1;
        } else if (test_random_one_in(&rng, 2)) {
            weft__list_push(&m->head, &items[number].node);
            model_insert(m, m->count, number);
            where[number] = side;
        } else {
            weft__list_push_front(&m->head, &items[number].node);
            model_insert(m, 0, number);
            where[number] = side;
        }
        check(&lists[0]);
        check(&lists[1]);
    }
}

static void safe_walk_allows_removal(void **state)
{
    struct item items[6];
    struct model m = {0};
    (void)state;
    weft__list_init(&m.head);
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        weft__list_push(&m.head, &items[i].node);
    }
    WEFT_LIST_EACH_SAFE (node, &m.head) {
        if (item_of(node)->number % 2)
            weft__list_remove(node);
        else
            m.numbers[m.count++] = item_of(node)->number;
    }
    assert_int_equal(m.count, 3);
    check(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_agree_with_arrays),
        cmocka_unit_test(safe_walk_allows_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
