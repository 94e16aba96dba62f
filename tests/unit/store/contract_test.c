/* SPDX-License-Identifier: Apache-2.0 */
/* What port/store.h promises, asked of every store. Each test runs once a store. */
#include "unit/store/store_support.h"

struct world {
    bool memory;
    struct test_folder folder;
    struct test_store t;
    char *big; /* BIG bytes of noise */
};

enum { BIG = 1000 * 1000 + 7 };

static struct weft_slice text(const char *content)
{
    return weft__slice_str(content);
}

static void world_open(struct world *w)
{
    if (!w->memory) {
        const struct weft_sqlite_options options = {
            .alloc = weft_alloc_default(),
            .folder = w->folder.data,
        };
        test_store_begin_sqlite(&w->t, &options);
        return;
    }
    test_loop_init(&w->t.loop);
    assert_ok(weft__memory_store_open(weft_alloc_default(), &w->t.store));
}

static int set_up(void **state, bool memory)
{
    struct world *w = calloc(1, sizeof(*w));
    struct test_random rng;
    w->memory = memory;
    w->big = malloc(BIG);
    test_random_seed(&rng, 7);
    test_random_bytes(&rng, w->big, BIG);
    test_folder_make(&w->folder);
    world_open(w);
    *state = w;
    return 0;
}

static int set_up_memory(void **state)
{
    return set_up(state, true);
}

static int set_up_sqlite(void **state)
{
    return set_up(state, false);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    test_store_end(&w->t);
    test_folder_remove(&w->folder);
    free(w->big);
    free(w);
    return 0;
}

/* ---- Opening ---- */

static void missing_document_is_not_found_unless_it_may_be_created(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_err(test_store_open(&w->t, "a", false, NULL), WEFT_ERR_NOT_FOUND);
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_true(w->t.last.r.u.open.ret_created);
    assert_string_equal(s.type, "text");
    assert_string_equal(s.epoch, TEST_EPOCH);
    assert_int_equal(s.version, 0);
    assert_int_equal(s.oldest, 0);
    assert_int_equal(s.snapshot_version, 0);
    assert_ok(test_store_open(&w->t, "a", true, NULL));
    assert_false(w->t.last.r.u.open.ret_created);
    assert_ok(test_store_open(&w->t, "a", false, NULL));
}

static void documents_of_two_tenants_are_apart(void **state)
{
    struct world *w = *state;
    assert_ok(test_store_open(&w->t, "a", true, NULL));
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, "a");
    w->t.last.r.key.tenant = text("acme");
    assert_err(test_store_run(&w->t), WEFT_ERR_NOT_FOUND);
    /* Neither do the bytes of tenant and name run into one another. */
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, "ab");
    w->t.last.r.key.tenant = text("c");
    w->t.last.r.u.open.create_type = "text";
    w->t.last.r.u.open.create_epoch = TEST_EPOCH;
    assert_ok(test_store_run(&w->t));
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, "b");
    w->t.last.r.key.tenant = text("ca");
    assert_err(test_store_run(&w->t), WEFT_ERR_NOT_FOUND);
}

static void requests_outside_their_ranges_are_usage_errors(void **state)
{
    struct world *w = *state;
    struct test_store *t = &w->t;
    struct weft_store_state s;
    char name[257];
    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    assert_err(test_store_open(t, "", true, NULL), WEFT_ERR_USAGE);
    assert_err(test_store_open(t, name, true, NULL), WEFT_ERR_USAGE);
    name[255] = '\0';
    assert_ok(test_store_open(t, name, true, &s));
    assert_err(test_store_append(t, name, &s, 0, text("x")), WEFT_ERR_USAGE);
    assert_err(test_store_append(t, name, &s, UINT64_MAX, text("x")), WEFT_ERR_USAGE);
    assert_err(test_store_append(t, name, &s, (uint64_t)INT64_MAX + 1, text("x")), WEFT_ERR_USAGE);
    assert_err(test_store_put(t, name, 0, text("x")), WEFT_ERR_USAGE);
    assert_err(test_store_put(t, name, 1, text("x")), WEFT_ERR_USAGE);
    const char *const epochs[] = {
        NULL, "", "0123456789abcde", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef0"};
    for (size_t i = 0; i < sizeof(epochs) / sizeof(*epochs); i++) {
        test_request_init(&t->last, &t->loop, WEFT_STORE_OPEN, "e");
        t->last.r.u.open.create_type = "text";
        t->last.r.u.open.create_epoch = epochs[i];
        assert_err(test_store_run(t), WEFT_ERR_USAGE);
    }
    const char *const types[] = {"", "0123456789abcdef"};
    for (size_t i = 0; i < 2; i++) {
        test_request_init(&t->last, &t->loop, WEFT_STORE_OPEN, "e");
        t->last.r.u.open.create_type = types[i];
        t->last.r.u.open.create_epoch = TEST_EPOCH;
        assert_err(test_store_run(t), WEFT_ERR_USAGE);
    }
    test_request_init(&t->last, &t->loop, WEFT_STORE_LIST, "");
    assert_err(test_store_run(t), WEFT_ERR_USAGE); /* limit 0 */
}

static void record_over_the_announced_limit_is_too_big(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    /* Nobody reads the bytes before the length was checked. */
    assert_err(
        test_store_append(&w->t, "a", &s, 1, weft__slice(w->big, w->t.store->max_record + 1)),
        WEFT_ERR_TOO_BIG);
    assert_int_equal(w->t.store->failed, 1);
}

/* ---- The log ---- */

static void appended_records_are_read_in_order(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("one")));
    assert_ok(test_store_append(&w->t, "a", &s, 3, text("")));
    assert_ok(test_store_append(&w->t, "a", &s, 2, weft__slice(w->big, BIG)));
    assert_int_equal(s.version, 6);
    assert_int_equal(w->t.store->records, 3);
    assert_int_equal(w->t.store->bytes, 3 + BIG);
    assert_ok(test_store_open(&w->t, "a", false, &s));
    assert_int_equal(s.version, 6);
    assert_ok(test_store_read(&w->t, "a", 0, 6, SIZE_MAX));
    assert_false(w->t.last.r.u.read.ret_more);
    const uint64_t firsts[] = {0, 1, 4};
    const struct weft_slice contents[] = {text("one"), text(""), weft__slice(w->big, BIG)};
    size_t i = 0;
    WEFT_LIST_EACH (node, &w->t.last.r.u.read.ret_records) {
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        assert_int_equal(record->first, firsts[i]);
        assert_bytes(weft__buf_data(record->content), record->content->len, contents[i].ptr,
                     contents[i].len);
        i++;
    }
    assert_int_equal(test_store_drop(&w->t), 3);
}

static void read_gives_every_record_that_touches_the_range(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 10; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 10, text("ten")));
    const struct {
        uint64_t from, to, first, count;
    } cases[] = {
        {0, 100, 0, 10}, {0, 10, 0, 1},    {0, 11, 0, 2},    {9, 10, 0, 1},
        {9, 11, 0, 2},   {10, 11, 10, 1},  {10, 20, 10, 1},  {15, 16, 10, 1},
        {5, 95, 0, 10},  {99, 100, 90, 1}, {0, 0, 0, 0},     {50, 50, 0, 0},
        {60, 50, 0, 0},  {100, 100, 0, 0}, {100, 200, 0, 0}, {95, UINT64_MAX, 90, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_ok(test_store_read(&w->t, "a", cases[i].from, cases[i].to, SIZE_MAX));
        struct weft_list *records = &w->t.last.r.u.read.ret_records;
        if (cases[i].count)
            assert_int_equal(
                WEFT_CONTAINER_OF(records->next, struct weft_store_record, node)->first,
                cases[i].first);
        assert_int_equal(test_store_drop(&w->t), cases[i].count);
    }
    assert_err(test_store_read(&w->t, "b", 0, 1, 1), WEFT_ERR_NOT_FOUND);
}

static void read_stops_at_its_bytes_but_gives_one_record(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 4; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 1, text("0123456789")));
    const struct {
        size_t max_bytes, count;
        bool more;
    } cases[] = {{0, 1, true},  {1, 1, true},   {19, 1, true},       {20, 2, true},
                 {39, 3, true}, {40, 4, false}, {SIZE_MAX, 4, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_ok(test_store_read(&w->t, "a", 0, 4, cases[i].max_bytes));
        assert_int_equal(w->t.last.r.u.read.ret_more, cases[i].more);
        assert_int_equal(test_store_drop(&w->t), cases[i].count);
    }
}

static void read_stops_at_its_operations_but_gives_one_record(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 4; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 10, text("")));
    const struct {
        uint64_t max_count;
        size_t count;
        bool more;
    } cases[] = {{0, 4, false}, {1, 1, true}, {19, 1, true}, {20, 2, true}, {40, 4, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_READ, "a");
        w->t.last.r.u.read.to = 40;
        w->t.last.r.u.read.max_bytes = SIZE_MAX;
        w->t.last.r.u.read.max_count = cases[i].max_count;
        assert_ok(test_store_run(&w->t));
        assert_int_equal(w->t.last.r.u.read.ret_more, cases[i].more);
        assert_int_equal(test_store_drop(&w->t), cases[i].count);
    }
}

static void assert_record(struct world *w, uint64_t from, uint64_t first, uint64_t count,
                          struct weft_slice content)
{
    assert_ok(test_store_read(&w->t, "a", from, from + 1, SIZE_MAX));
    struct weft_list *records = &w->t.last.r.u.read.ret_records;
    struct weft_store_record *record =
        WEFT_CONTAINER_OF(records->next, struct weft_store_record, node);
    assert_int_equal(record->first, first);
    assert_int_equal(record->count, count);
    assert_bytes(weft__buf_data(record->content), record->content->len, content.ptr, content.len);
    assert_int_equal(test_store_drop(&w->t), 1);
}

static void a_seal_takes_the_place_of_its_records(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 10; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 10, text("record")));
    assert_ok(test_store_seal(&w->t, "a", 0, 40, text("first")));
    assert_int_equal(w->t.last.r.u.seal.ret_records, 4);
    assert_int_equal(w->t.last.r.u.seal.ret_bytes, 4 * strlen("record"));
    assert_int_equal(w->t.last.r.state.version, 100);
    assert_int_equal(w->t.last.r.state.token, s.token);
    assert_ok(test_store_seal(&w->t, "a", 60, 100, text("last")));
    assert_int_equal(w->t.store->seals, 2);
    assert_int_equal(w->t.store->sealed_from, 8 * strlen("record"));
    assert_int_equal(w->t.store->sealed_to, strlen("first") + strlen("last"));
    assert_record(w, 0, 0, 40, text("first"));
    assert_record(w, 39, 0, 40, text("first"));
    assert_record(w, 40, 40, 10, text("record"));
    assert_record(w, 99, 60, 40, text("last"));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("behind")));
    assert_ok(test_store_open(&w->t, "a", false, &s));
    assert_int_equal(s.version, 101);
    assert_ok(test_store_read(&w->t, "a", 0, 101, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 5);
    assert_ok(test_store_seal(&w->t, "a", 0, 101, text("all")));
    assert_record(w, 100, 0, 101, text("all"));
}

static void a_seal_that_does_not_fit_changes_nothing(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 3; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 10, text("record")));
    const struct {
        uint64_t from, to;
    } cases[] = {{0, 0},   {10, 5},  {0, 15},  {5, 20},         {0, 31},
                 {30, 40}, {25, 30}, {40, 50}, {0, UINT64_MAX}, {1, 10}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_err(test_store_seal(&w->t, "a", cases[i].from, cases[i].to, text("no")),
                   WEFT_ERR_USAGE);
    assert_err(test_store_seal(&w->t, "b", 0, 10, text("no")), WEFT_ERR_CONFLICT);
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_SEAL, "a");
    w->t.last.r.u.seal.epoch = "ffffffffffffffff";
    w->t.last.r.u.seal.to = 10;
    assert_err(test_store_run(&w->t), WEFT_ERR_CONFLICT);
    assert_ok(test_store_read(&w->t, "a", 0, 30, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 3);
    assert_int_equal(w->t.store->seals, 0);
}

static void append_with_an_old_token_is_a_conflict(void **state)
{
    struct world *w = *state;
    struct weft_store_state mine, theirs;
    assert_ok(test_store_open(&w->t, "a", true, &mine));
    assert_ok(test_store_open(&w->t, "a", false, &theirs));
    assert_int_equal(mine.token, theirs.token);
    assert_ok(test_store_append(&w->t, "a", &mine, 1, text("mine")));
    assert_err(test_store_append(&w->t, "a", &theirs, 1, text("theirs")), WEFT_ERR_CONFLICT);
    assert_ok(test_store_append(&w->t, "a", &mine, 1, text("mine again")));
    struct weft_store_state gap = mine;
    gap.version++;
    assert_err(test_store_append(&w->t, "a", &gap, 1, text("gap")), WEFT_ERR_USAGE);
    assert_err(test_store_append(&w->t, "b", &mine, 1, text("none")), WEFT_ERR_CONFLICT);
    assert_ok(test_store_read(&w->t, "a", 0, 9, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 2);
}

static void token_of_a_purged_document_is_never_good_again(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("x")));
    assert_ok(test_store_purge(&w->t, "a"));
    assert_err(test_store_purge(&w->t, "a"), WEFT_ERR_NOT_FOUND);
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, "a");
    w->t.last.r.u.open.create_type = "text";
    w->t.last.r.u.open.create_epoch = "fedcba9876543210";
    assert_ok(test_store_run(&w->t));
    assert_true(w->t.last.r.u.open.ret_created);
    assert_int_equal(w->t.last.r.state.version, 0);
    assert_err(test_store_append(&w->t, "a", &s, 1, text("x")), WEFT_ERR_CONFLICT);
    assert_ok(test_store_read(&w->t, "a", 0, 9, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 0);
}

/* ---- Snapshots ---- */

static void newest_snapshot_replaces_older_ones(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    struct weft_buf *content = NULL;
    uint64_t version = 0;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 9, text("x")));
    assert_err(test_store_get(&w->t, "a", &version, &content), WEFT_ERR_NOT_FOUND);
    const struct {
        uint64_t version;
        size_t len;
        uint64_t newest;
        size_t newest_len;
    } cases[] = {{3, 10, 3, 10},       {5, BIG, 5, BIG},         {4, 20, 5, BIG}, /* too late */
                 {5, 65536, 5, 65536}, /* again */ {6, 0, 6, 0}, {9, 65537, 9, 65537}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_ok(test_store_put(&w->t, "a", cases[i].version, weft__slice(w->big, cases[i].len)));
        assert_ok(test_store_get(&w->t, "a", &version, &content));
        assert_int_equal(version, cases[i].newest);
        assert_bytes(weft__buf_data(content), content->len, w->big, cases[i].newest_len);
        weft__buf_unref(content);
        assert_ok(test_store_open(&w->t, "a", false, &s));
        assert_int_equal(s.snapshot_version, cases[i].newest);
    }
    assert_err(test_store_put(&w->t, "a", 10, text("future")), WEFT_ERR_USAGE);
    assert_err(test_store_put(&w->t, "b", 1, text("none")), WEFT_ERR_NOT_FOUND);
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("the token is the same")));
    assert_ok(test_store_purge(&w->t, "a"));
    assert_err(test_store_get(&w->t, "a", &version, &content), WEFT_ERR_NOT_FOUND);
}

/* ---- Names ---- */

static void names_are_listed_by_prefix_in_byte_order_and_pages(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"b",   "a/2", "a/10", "a", "a/\xc3\xa4",
                                        "a/1", "A",   "ab",   "c"};
    char list[256];
    bool more;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_ok(test_store_open(&w->t, names[i], true, NULL));
    assert_ok(test_store_list(&w->t, "", "", 100, list, sizeof(list), &more));
    assert_string_equal(list, "A a a/1 a/10 a/2 a/\xc3\xa4 ab b c");
    assert_false(more);
    assert_ok(test_store_list(&w->t, "a/", "", 100, list, sizeof(list), &more));
    assert_string_equal(list, "a/1 a/10 a/2 a/\xc3\xa4");
    assert_ok(test_store_list(&w->t, "a/", "", 4, list, sizeof(list), &more));
    assert_false(more);
    assert_ok(test_store_list(&w->t, "a/", "", 2, list, sizeof(list), &more));
    assert_string_equal(list, "a/1 a/10");
    assert_true(more);
    assert_ok(test_store_list(&w->t, "a/", "a/10", 2, list, sizeof(list), &more));
    assert_string_equal(list, "a/2 a/\xc3\xa4");
    assert_false(more);
    assert_ok(test_store_list(&w->t, "z", "", 2, list, sizeof(list), &more));
    assert_string_equal(list, "");
    assert_false(more);
}

static void listed_names_come_with_their_state(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 5, text("x")));
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_LIST, "");
    w->t.last.r.u.list.limit = 1;
    assert_ok(test_store_run(&w->t));
    struct weft_list *node = weft__list_pop(&w->t.last.r.u.list.ret_names);
    struct weft_store_name *name = WEFT_CONTAINER_OF(node, struct weft_store_name, node);
    assert_int_equal(name->state.version, 5);
    assert_int_equal(name->state.token, s.token);
    assert_string_equal(name->state.type, "text");
    weft__store_name_free(weft_alloc_default(), name);
}

/* ---- Order ---- */

/* Everything about one document is submitted before anything is waited for. */
static void requests_of_one_document_keep_their_order(void **state)
{
    struct world *w = *state;
    struct test_loop *loop = &w->t.loop;
    enum { OPEN, FIRST, SECOND, READ, THIRD, PUT, GET, LOOK, PURGE, GONE, AGAIN, COUNT };
    static const enum weft_store_kind kinds[COUNT] = {
        WEFT_STORE_OPEN,   WEFT_STORE_APPEND,       WEFT_STORE_APPEND,       WEFT_STORE_READ,
        WEFT_STORE_APPEND, WEFT_STORE_PUT_SNAPSHOT, WEFT_STORE_GET_SNAPSHOT, WEFT_STORE_OPEN,
        WEFT_STORE_PURGE,  WEFT_STORE_READ,         WEFT_STORE_OPEN,
    };
    struct test_request r[COUNT];
    uint64_t token = weft__store_token(TEST_EPOCH, 0);
    for (int i = 0; i < COUNT; i++)
        test_request_init(&r[i], loop, kinds[i], "a");
    r[OPEN].r.u.open.create_type = r[AGAIN].r.u.open.create_type = "text";
    r[OPEN].r.u.open.create_epoch = r[AGAIN].r.u.open.create_epoch = TEST_EPOCH;
    const int appends[] = {FIRST, SECOND, THIRD};
    for (uint64_t i = 0; i < 3; i++) {
        r[appends[i]].r.u.append.token = token + i;
        r[appends[i]].r.u.append.first = i;
        r[appends[i]].r.u.append.count = 1;
        r[appends[i]].r.u.append.record = text("record");
    }
    r[READ].r.u.read.to = r[GONE].r.u.read.to = 9;
    r[READ].r.u.read.max_bytes = SIZE_MAX;
    r[PUT].r.u.put_snapshot.version = 3;
    r[PUT].r.u.put_snapshot.content = weft__slice(w->big, BIG);
    for (int i = 0; i < COUNT; i++)
        weft__store_submit(w->t.store, &r[i].r);
    for (int i = 0; i < COUNT; i++)
        test_request_wait(loop, &r[i]);
    for (int i = 0; i < COUNT; i++)
        assert_err(r[i].r.result, i == GONE ? WEFT_ERR_NOT_FOUND : 0);
    assert_true(r[OPEN].r.u.open.ret_created);
    assert_int_equal(test_records_drop(&r[READ].r.u.read.ret_records, weft_alloc_default()), 2);
    assert_int_equal(r[GET].r.u.get_snapshot.ret_version, 3);
    assert_int_equal(r[GET].r.u.get_snapshot.ret_content->len, BIG);
    weft__buf_unref(r[GET].r.u.get_snapshot.ret_content);
    assert_int_equal(r[LOOK].r.state.version, 3);
    assert_int_equal(r[LOOK].r.state.snapshot_version, 3);
    assert_true(r[AGAIN].r.u.open.ret_created);
}

static void inline_done(struct weft_store_request *r)
{
    test_request_done(r);
}

static void done_never_runs_inside_submit(void **state)
{
    struct world *w = *state;
    for (int valid = 0; valid < 2; valid++) {
        test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, valid ? "a" : "");
        w->t.last.r.done = inline_done;
        weft__store_submit(w->t.store, &w->t.last.r);
        assert_false(w->t.last.over);
        test_request_wait(&w->t.loop, &w->t.last);
    }
}

static void free_finishes_what_was_submitted(void **state)
{
    struct world *w = *state;
    enum { COUNT = 100 };
    static struct test_request r[COUNT];
    static char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "d%d", i);
        test_request_init(&r[i], &w->t.loop, WEFT_STORE_OPEN, names[i]);
        r[i].r.u.open.create_type = "text";
        r[i].r.u.open.create_epoch = TEST_EPOCH;
        weft__store_submit(w->t.store, &r[i].r);
    }
    weft__store_free(w->t.store);
    for (int i = 0; i < COUNT; i++)
        assert_ok(test_request_wait(&w->t.loop, &r[i]));
    test_loop_done(&w->t.loop);
    world_open(w);
}

/* ---- Against a model ---- */

enum { MODEL_DOCS = 24, MODEL_RECORDS = 64, MODEL_THREADS = 3, MODEL_STEPS = 250 };

struct model_doc {
    char name[32];
    bool exists;
    struct weft_store_state state;
    uint64_t counts[MODEL_RECORDS]; /* of the records */
    uint32_t seeds[MODEL_RECORDS];  /* of their bytes */
    size_t records;
    size_t snapshot_len;
};

struct worker {
    struct world *w;
    struct test_store t; /* its own loop, the store of all */
    struct test_random rng;
    unsigned number;
    struct model_doc docs[MODEL_DOCS];
};

static size_t fill(uint32_t seed, uint8_t *bytes)
{
    struct test_random rng;
    test_random_seed(&rng, seed);
    size_t len = test_random_size(&rng, 0, 3000);
    test_random_bytes(&rng, bytes, len);
    return len;
}

static void model_append(struct worker *k, struct model_doc *doc)
{
    uint8_t bytes[3000];
    uint32_t seed = (uint32_t)test_random_u64(&k->rng);
    size_t len = fill(seed, bytes);
    uint64_t count = 1 + test_random_below(&k->rng, 5);
    if (!doc->exists || doc->records == MODEL_RECORDS)
        return;
    assert_ok(test_store_append(&k->t, doc->name, &doc->state, count, weft__slice(bytes, len)));
    doc->counts[doc->records] = count;
    doc->seeds[doc->records++] = seed;
}

static void model_read(struct worker *k, struct model_doc *doc)
{
    uint64_t from = test_random_below(&k->rng, doc->state.version + 2);
    int err = test_store_read(&k->t, doc->name, from, UINT64_MAX, SIZE_MAX);
    assert_err(err, doc->exists ? 0 : WEFT_ERR_NOT_FOUND);
    if (err)
        return;
    uint64_t first = 0;
    struct weft_list *records = &k->t.last.r.u.read.ret_records;
    for (size_t i = 0; i < doc->records; first += doc->counts[i++]) {
        uint8_t bytes[3000];
        if (first + doc->counts[i] <= from)
            continue;
        size_t len = fill(doc->seeds[i], bytes);
        struct weft_list *node = weft__list_pop(records);
        assert_non_null(node);
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        assert_int_equal(record->first, first);
        assert_int_equal(record->count, doc->counts[i]);
        assert_bytes(weft__buf_data(record->content), record->content->len, bytes, len);
        weft__store_record_free(weft_alloc_default(), record);
    }
    assert_true(weft__list_empty(records));
}

/* Replaces some records by one. */
static void model_seal(struct worker *k, struct model_doc *doc)
{
    uint8_t bytes[3000];
    if (doc->records == 0)
        return;
    size_t begin = test_random_size(&k->rng, 0, doc->records - 1);
    size_t end = test_random_size(&k->rng, begin + 1, doc->records);
    uint64_t from = 0;
    for (size_t i = 0; i < begin; i++)
        from += doc->counts[i];
    uint64_t to = from;
    for (size_t i = begin; i < end; i++)
        to += doc->counts[i];
    uint32_t seed = (uint32_t)test_random_u64(&k->rng);
    size_t len = fill(seed, bytes);
    test_request_init(&k->t.last, &k->t.loop, WEFT_STORE_SEAL, doc->name);
    k->t.last.r.u.seal.epoch = doc->state.epoch;
    k->t.last.r.u.seal.from = from;
    k->t.last.r.u.seal.to = to;
    k->t.last.r.u.seal.segment = weft__slice(bytes, len);
    assert_ok(test_store_run(&k->t));
    assert_int_equal(k->t.last.r.u.seal.ret_records, end - begin);
    doc->counts[begin] = to - from;
    doc->seeds[begin] = seed;
    for (size_t i = end; i < doc->records; i++) {
        doc->counts[begin + 1 + i - end] = doc->counts[i];
        doc->seeds[begin + 1 + i - end] = doc->seeds[i];
    }
    doc->records -= end - begin - 1;
}

static void model_snapshot(struct worker *k, struct model_doc *doc)
{
    size_t len = test_random_size(&k->rng, 0, 300000);
    if (doc->state.version == 0)
        return;
    assert_ok(test_store_put(&k->t, doc->name, doc->state.version, weft__slice(k->w->big, len)));
    doc->snapshot_len = len;
    doc->state.snapshot_version = doc->state.version;
}

static void model_get(struct worker *k, struct model_doc *doc)
{
    struct weft_buf *content = NULL;
    uint64_t version = 0;
    int err = test_store_get(&k->t, doc->name, &version, &content);
    bool has = doc->exists && doc->state.snapshot_version;
    assert_err(err, has ? 0 : WEFT_ERR_NOT_FOUND);
    if (err)
        return;
    assert_int_equal(version, doc->state.snapshot_version);
    assert_bytes(weft__buf_data(content), content->len, k->w->big, doc->snapshot_len);
    weft__buf_unref(content);
}

static void model_open(struct worker *k, struct model_doc *doc)
{
    struct weft_store_state s;
    assert_ok(test_store_open(&k->t, doc->name, true, &s));
    assert_int_equal(k->t.last.r.u.open.ret_created, !doc->exists);
    if (!doc->exists)
        doc->state = s;
    doc->exists = true;
    assert_int_equal(s.version, doc->state.version);
    assert_int_equal(s.token, doc->state.token);
    assert_int_equal(s.snapshot_version, doc->state.snapshot_version);
}

static void model_purge(struct worker *k, struct model_doc *doc)
{
    assert_err(test_store_purge(&k->t, doc->name), doc->exists ? 0 : WEFT_ERR_NOT_FOUND);
    char name[32];
    strcpy(name, doc->name);
    memset(doc, 0, sizeof(*doc));
    strcpy(doc->name, name);
}

static void *worker_main(void *arg)
{
    struct worker *k = arg;
    test_loop_init(&k->t.loop);
    k->t.store = k->w->t.store;
    for (int i = 0; i < MODEL_DOCS; i++)
        snprintf(k->docs[i].name, sizeof(k->docs[i].name), "%u-%d", k->number, i);
    for (int step = 0; step < MODEL_STEPS; step++) {
        struct model_doc *doc = &k->docs[test_random_below(&k->rng, MODEL_DOCS)];
        uint64_t what = test_random_below(&k->rng, 21);
        if (what == 20)
            model_seal(k, doc);
        else if (what < 10)
            model_append(k, doc);
        else if (what < 13)
            model_read(k, doc);
        else if (what < 14)
            model_snapshot(k, doc);
        else if (what < 15)
            model_get(k, doc);
        else if (what < 19)
            model_open(k, doc);
        else
            model_purge(k, doc);
    }
    test_loop_done(&k->t.loop);
    return NULL;
}

/* Three threads on documents of their own, against a simple model of each; then, with a durable
 * store, everything again after closing and opening. */
static void random_requests_agree_with_a_model(void **state)
{
    struct world *w = *state;
    struct test_random rng;
    struct worker *workers = calloc(MODEL_THREADS, sizeof(*workers));
    pthread_t threads[MODEL_THREADS];
    test_random_init(&rng, "store model");
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        workers[i].w = w;
        workers[i].number = i;
        test_random_seed(&workers[i].rng, test_random_u64(&rng));
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
    }
    for (int i = 0; i < MODEL_THREADS; i++)
        pthread_join(threads[i], NULL);
    if (!w->memory) {
        test_store_end(&w->t);
        world_open(w);
    }
    for (int i = 0; i < MODEL_THREADS; i++) {
        struct worker *k = &workers[i];
        test_loop_init(&k->t.loop);
        k->t.store = w->t.store;
        for (int d = 0; d < MODEL_DOCS; d++) {
            if (k->docs[d].exists)
                model_open(k, &k->docs[d]);
            model_get(k, &k->docs[d]);
            model_read(k, &k->docs[d]);
        }
        test_loop_done(&k->t.loop);
    }
    free(workers);
}

/* ---- Memory ---- */

struct failure_world {
    struct world *w;
};

/* A life of a document, ending at the first error. */
static int one_life(struct test_store *t, const struct weft_alloc *alloc)
{
    struct weft_store_state s;
    struct weft_buf *content = NULL;
    uint64_t version = 0;
    int err = test_store_open(t, "a", true, &s);
    if (!err)
        err = test_store_append(t, "a", &s, 2, text("record"));
    if (!err)
        err = test_store_put(t, "a", 2, text("snapshot"));
    if (!err)
        err = test_store_get(t, "a", &version, &content);
    if (!err)
        weft__buf_unref(content);
    if (!err)
        err = test_store_read(t, "a", 0, 2, SIZE_MAX);
    if (!err)
        test_records_drop(&t->last.r.u.read.ret_records, alloc);
    if (err)
        return err;
    test_request_init(&t->last, &t->loop, WEFT_STORE_LIST, "");
    t->last.r.u.list.limit = 9;
    err = test_store_run(t);
    struct weft_list *node;
    while (!err && (node = weft__list_pop(&t->last.r.u.list.ret_names)))
        weft__store_name_free(alloc, WEFT_CONTAINER_OF(node, struct weft_store_name, node));
    return err;
}

static int life_without_memory(const struct weft_alloc *alloc, void *ctx)
{
    struct world *w = ctx;
    struct test_store t = {0};
    int err;
    if (w->memory) {
        err = weft__memory_store_open(alloc, &t.store);
    } else {
        const struct weft_sqlite_options options = {
            .alloc = alloc, .folder = w->folder.data, .unsafe_no_sync = true};
        err = weft__sqlite_store_open(&options, &t.store, NULL, 0);
    }
    if (err)
        return err;
    test_loop_init(&t.loop);
    err = one_life(&t, alloc);
    if (!w->memory) {
        int purged = test_store_purge(&t, "a"); /* for the next round */
        assert_true(purged == 0 || purged == WEFT_ERR_NOT_FOUND);
    }
    test_store_end(&t);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    struct world *w = *state;
    test_store_end(&w->t);
    assert_true(test_each_alloc_failure(life_without_memory, w) > 5);
    world_open(w);
}

#define ONCE_A_STORE(test)                                                                         \
    {#test " (memory)", test, set_up_memory, tear_down, NULL},                                     \
    {                                                                                              \
#test " (sqlite)", test, set_up_sqlite, tear_down, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONCE_A_STORE(missing_document_is_not_found_unless_it_may_be_created),
        ONCE_A_STORE(documents_of_two_tenants_are_apart),
        ONCE_A_STORE(requests_outside_their_ranges_are_usage_errors),
        ONCE_A_STORE(record_over_the_announced_limit_is_too_big),
        ONCE_A_STORE(appended_records_are_read_in_order),
        ONCE_A_STORE(read_gives_every_record_that_touches_the_range),
        ONCE_A_STORE(read_stops_at_its_bytes_but_gives_one_record),
        ONCE_A_STORE(read_stops_at_its_operations_but_gives_one_record),
        ONCE_A_STORE(a_seal_takes_the_place_of_its_records),
        ONCE_A_STORE(a_seal_that_does_not_fit_changes_nothing),
        ONCE_A_STORE(append_with_an_old_token_is_a_conflict),
        ONCE_A_STORE(token_of_a_purged_document_is_never_good_again),
        ONCE_A_STORE(newest_snapshot_replaces_older_ones),
        ONCE_A_STORE(names_are_listed_by_prefix_in_byte_order_and_pages),
        ONCE_A_STORE(listed_names_come_with_their_state),
        ONCE_A_STORE(requests_of_one_document_keep_their_order),
        ONCE_A_STORE(done_never_runs_inside_submit),
        ONCE_A_STORE(free_finishes_what_was_submitted),
        ONCE_A_STORE(random_requests_agree_with_a_model),
        ONCE_A_STORE(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
