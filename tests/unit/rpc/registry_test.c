/* SPDX-License-Identifier: Apache-2.0 */
/* The table of methods: names, aliases, lookup. */
#include "lib/test.h"

#include "rpc/registry.h"

static struct weft_rpc_registry registry;

static int set_up(void **state)
{
    (void)state;
    weft__rpc_registry_init(&registry, weft_alloc_default(), (struct weft_hash_key){1, 2});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__rpc_registry_done(&registry);
    return 0;
}

static void serve(struct weft_rpc_call *call, void *ctx)
{
    (void)call;
    (void)ctx;
}

static int add(const char *name, unsigned flags)
{
    return weft__rpc_registry_add(
        &registry, &(struct weft_rpc_method){.name = name, .handler = serve, .flags = flags});
}

static void methods_are_found_by_name_and_alias(void **state)
{
    (void)state;
    assert_ok(add("weft.v1.Docs/Open", 0));
    assert_ok(add("weft.v1.Docs/Close", WEFT_RPC_METHOD_GREETED));
    assert_ok(weft__rpc_registry_alias(&registry, "doc.close", "weft.v1.Docs/Close"));
    const struct weft_rpc_method *close =
        weft__rpc_registry_find(&registry, WEFT_SLICE_LIT("doc.close"));
    assert_non_null(close);
    assert_string_equal(close->name, "weft.v1.Docs/Close");
    assert_int_equal(close->index, 1);
    assert_int_equal(close->flags, WEFT_RPC_METHOD_GREETED);
    assert_int_equal(registry.count, 2);
    assert_null(weft__rpc_registry_find(&registry, WEFT_SLICE_LIT("doc.clos")));
    assert_null(weft__rpc_registry_find(&registry, WEFT_SLICE_LIT("Doc.close")));
    assert_null(weft__rpc_registry_find(&registry, (struct weft_slice){NULL, 0}));
}

static void names_are_given_once(void **state)
{
    (void)state;
    assert_ok(add("a", 0));
    assert_err(add("a", 0), WEFT_ERR_EXISTS);
    assert_err(weft__rpc_registry_alias(&registry, "a", "a"), WEFT_ERR_EXISTS);
    assert_err(weft__rpc_registry_alias(&registry, "b", "c"), WEFT_ERR_NOT_FOUND);
    assert_int_equal(registry.count, 1);
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    char longest[WEFT_RPC_METHOD_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_err(add(longest, 0), WEFT_ERR_USAGE);
    assert_ok(add(longest + 1, 0));
    static const char *const names[] = {"", "1a", ".a", "a b", "a\n", "a\xc3\xa9", "$a", "/a"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); ++i)
        assert_err(add(names[i], 0), WEFT_ERR_USAGE);
    struct weft_rpc_method none = {.name = "a"};
    assert_err(weft__rpc_registry_add(&registry, &none), WEFT_ERR_USAGE);
}

static void reserved_names_need_the_flag(void **state)
{
    (void)state;
    assert_err(add("$/x", 0), WEFT_ERR_USAGE);
    assert_err(add("rpc.x", 0), WEFT_ERR_USAGE);
    assert_ok(add("rpc", 0));
    assert_ok(add("rpcs.x", 0));
    assert_ok(add("$/x", WEFT_RPC_METHOD_RESERVED));
    assert_ok(add("rpc.x", WEFT_RPC_METHOD_RESERVED));
    assert_err(add("x", WEFT_RPC_METHOD_RESERVED), WEFT_ERR_USAGE);
}

static int fill(const struct weft_alloc *alloc, void *ctx)
{
    static char names[100][8];
    struct weft_rpc_registry many;
    int err = 0;
    (void)ctx;
    weft__rpc_registry_init(&many, alloc, (struct weft_hash_key){1, 2});
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names) && !err; ++i) {
        snprintf(names[i], sizeof(names[i]), "m%zu", i);
        struct weft_rpc_method method = {.name = names[i], .handler = serve};
        err = weft__rpc_registry_add(&many, &method);
        assert_true(err || weft__rpc_registry_find(&many, weft__slice_str(names[i])));
    }
    weft__rpc_registry_done(&many);
    return err;
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(fill, NULL) > 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(methods_are_found_by_name_and_alias),
        TEST(names_are_given_once),
        TEST(bad_names_are_refused),
        TEST(reserved_names_need_the_flag),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
