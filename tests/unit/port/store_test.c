/* SPDX-License-Identifier: Apache-2.0 */
/* What port/store.c does for every store. The checks of requests are tested through the stores
 * themselves in unit/store/contract_test.c. */
#include "lib/test.h"

#include "port/store.h"

static void tokens_follow_the_version(void **state)
{
    (void)state;
    assert_int_equal(weft__store_token("0000000000000000", 0), 0);
    assert_int_equal(weft__store_token("0000000000000000", 7), 7);
    assert_int_equal(weft__store_token("0123456789abcdef", 0), UINT64_C(0x0123456789abcdef));
    assert_int_equal(weft__store_token("ffffffffffffffff", 0), UINT64_MAX);
    assert_int_equal(weft__store_token("ffffffffffffffff", 1), 0);
}

static void what_was_handed_out_is_freed_whole(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    struct weft_store_record *record = mem.alloc.alloc(mem.alloc.ctx, sizeof(*record));
    struct weft_store_name *name = mem.alloc.alloc(mem.alloc.ctx, sizeof(*name));
    *record = (struct weft_store_record){
        .content = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("record")),
    };
    *name = (struct weft_store_name){
        .name = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("name")),
    };
    struct weft_buf *kept = weft__buf_ref(record->content);
    weft__store_record_free(&mem.alloc, record);
    weft__store_name_free(&mem.alloc, name);
    assert_bytes(weft__buf_data(kept), kept->len, "record", 6);
    weft__buf_unref(kept);
    weft__store_record_free(&mem.alloc, NULL);
    weft__store_name_free(&mem.alloc, NULL);
    test_alloc_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_follow_the_version),
        cmocka_unit_test(what_was_handed_out_is_freed_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
