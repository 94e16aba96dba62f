/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP answers, read back with the parser. */
#include "lib/test.h"
#include "server/http_answer.h"

struct fixture {
    struct weft_bytes out;
    struct weft_http1_head head;
};

static void write_head(struct fixture *f, const struct weft_http_answer *answer)
{
    size_t scanned = 0;
    weft__bytes_init(&f->out, weft_alloc_default(), SIZE_MAX);
    weft__http_answer_head(&f->out, answer);
    assert_ok(weft__bytes_error(&f->out));
    assert_int_equal(weft__http1_read_response(f->out.ptr, f->out.len, &scanned, &f->head),
                     (ptrdiff_t)f->out.len);
    assert_int_equal(f->head.status, answer->status);
}

/* |name| must be there exactly once. */
static const char *value(struct fixture *f, const char *name)
{
    static char text[1024];
    const struct weft_http1_header *header = weft__http1_find(&f->head, name);
    if (weft__http1_count(&f->head, name) != 1)
        fail_msg("%s is there %zu times", name, weft__http1_count(&f->head, name));
    snprintf(text, sizeof(text), "%.*s", (int)header->value.len, (const char *)header->value.ptr);
    return text;
}

static void every_answer_is_guarded_once(void **state)
{
    (void)state;
    static const int statuses[] = {200, 304, 400, 403, 404, 405, 426, 503};
    size_t count;
    const struct weft_http1_header *headers = weft__http_security_headers(&count);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct fixture f;
        const struct weft_http_answer answer = {.status = statuses[i], .type = "text/plain"};
        write_head(&f, &answer);
        for (size_t j = 0; j < count; j++) {
            char name[64];
            snprintf(name, sizeof(name), "%.*s", (int)headers[j].name.len,
                     (const char *)headers[j].name.ptr);
            value(&f, name);
        }
        assert_non_null(strstr(value(&f, "Content-Security-Policy"), "default-src 'none'"));
        weft__bytes_done(&f.out);
    }
}

static void the_page_gets_its_nonce_and_nothing_inline_else(void **state)
{
    (void)state;
    struct fixture f;
    const struct weft_http_answer answer = {
        .status = 200, .type = "text/html", .length = 7, .nonce = "AAAABBBBCCCCDDDDEEEEFF"};
    write_head(&f, &answer);
    const char *policy = value(&f, "Content-Security-Policy");
    assert_non_null(strstr(policy, "style-src 'self' 'nonce-AAAABBBBCCCCDDDDEEEEFF';"));
    assert_non_null(strstr(policy, "script-src 'self';"));
    assert_non_null(strstr(policy, "connect-src 'self';"));
    assert_null(strstr(policy, "unsafe"));
    assert_null(strchr(policy, '*'));
    assert_int_equal(f.head.content_length, 7);
    weft__bytes_done(&f.out);
}

static void nothing_is_kept_in_caches_unless_said(void **state)
{
    (void)state;
    struct fixture f;
    struct weft_http_answer answer = {.status = 200, .type = "text/plain"};
    write_head(&f, &answer);
    assert_string_equal(value(&f, "Cache-Control"), "no-store");
    weft__bytes_done(&f.out);
    answer.cache = "no-cache";
    answer.etag = "\"v1\"";
    write_head(&f, &answer);
    assert_string_equal(value(&f, "Cache-Control"), "no-cache");
    assert_string_equal(value(&f, "ETag"), "\"v1\"");
    weft__bytes_done(&f.out);
}

static void an_answer_without_body_has_no_length(void **state)
{
    (void)state;
    struct fixture f;
    const struct weft_http_answer answer = {.status = 304, .etag = "\"v1\"", .keep_alive = true};
    write_head(&f, &answer);
    assert_int_equal(f.head.content_length, -1);
    assert_int_equal(weft__http1_count(&f.head, "Content-Type"), 0);
    assert_true(f.head.keep_alive);
    weft__bytes_done(&f.out);
}

static void upgrade_required_names_what_is_required(void **state)
{
    (void)state;
    struct fixture f;
    struct weft_http_answer answer = {.status = 426, .type = "text/plain", .keep_alive = true};
    write_head(&f, &answer);
    assert_string_equal(value(&f, "Upgrade"), "websocket");
    assert_string_equal(value(&f, "Connection"), "upgrade, keep-alive");
    assert_string_equal(value(&f, "Sec-WebSocket-Version"), "13");
    weft__bytes_done(&f.out);
    answer.keep_alive = false;
    write_head(&f, &answer);
    assert_string_equal(value(&f, "Connection"), "upgrade, close");
    weft__bytes_done(&f.out);
}

static void methods_that_are_allowed_are_named(void **state)
{
    (void)state;
    struct fixture f;
    const struct weft_http_answer answer = {
        .status = 405, .type = "text/plain", .allow = "GET, HEAD"};
    write_head(&f, &answer);
    assert_string_equal(value(&f, "Allow"), "GET, HEAD");
    assert_string_equal(value(&f, "Connection"), "close");
    weft__bytes_done(&f.out);
}

static int write_with(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_bytes out;
    const struct weft_http_answer answer = {.status = 200, .type = "text/plain"};
    (void)ctx;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    weft__http_answer_head(&out, &answer);
    int err = weft__bytes_error(&out);
    weft__bytes_done(&out);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_each_alloc_failure(write_with, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_guarded_once),
        cmocka_unit_test(the_page_gets_its_nonce_and_nothing_inline_else),
        cmocka_unit_test(nothing_is_kept_in_caches_unless_said),
        cmocka_unit_test(an_answer_without_body_has_no_length),
        cmocka_unit_test(upgrade_required_names_what_is_required),
        cmocka_unit_test(methods_that_are_allowed_are_named),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
