/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events as they are written. */
#include "codec/event_stream.h"

#include "lib/test.h"

static void expect(const char *name, uint64_t id, const char *json, const char *want)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__event_stream_write(&out, name, id, weft__slice_str(json));
    assert_ok(weft__bytes_error(&out));
    assert_bytes(out.ptr, out.len, want, strlen(want));
    weft__bytes_done(&out);
}

static void an_event_has_a_name_an_id_and_one_line_of_data(void **state)
{
    (void)state;
    expect("item", 1, "[1,2]", "event: item\nid: 1\ndata: [1,2]\n\n");
    expect("end", UINT64_MAX, "null", "event: end\nid: 18446744073709551615\ndata: null\n\n");
}

static void line_ends_between_tokens_become_spaces(void **state)
{
    (void)state;
    expect("item", 2, "{\r\n\"a\":\n\"\\n\"\r}",
           "event: item\nid: 2\ndata: {  \"a\": \"\\n\" }\n\n");
}

static int write_one(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_bytes out;
    (void)ctx;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    weft__event_stream_write(&out, "item", 1, WEFT_SLICE_LIT("[1]"));
    int err = weft__bytes_error(&out);
    weft__bytes_done(&out);
    return err;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    /* One is enough for the whole event. */
    assert_int_equal(test_each_alloc_failure(write_one, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_a_name_an_id_and_one_line_of_data),
        cmocka_unit_test(line_ends_between_tokens_become_spaces),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
