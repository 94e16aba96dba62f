/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of HTTP/1 requests: their content, their end, what is refused, and that a split never
 * changes any of it. RFC 9112 §6, §7.1. */
#include "codec/http1_body.h"

#include "lib/test.h"

enum { LIMIT = 100000, BODY_MAX = 40000 };

static struct test_random rng;

struct sample {
    struct weft_http1_head head;
    const char *content;
    size_t content_len;
    size_t used; /* bytes of the body */
    int want;    /* 0, or the error */
};

/* Reads |len| bytes, all there are for now. Returns 0, an error, or 1 when the body is done;
 * |ret_used| says how many bytes belonged to it. */
static int read_piece(struct weft_http1_body *body, const uint8_t *data, size_t len, char *content,
                      size_t *content_len, size_t *ret_used)
{
    size_t at = 0;
    while (at < len && !weft__http1_body_is_done(body)) {
        struct weft_slice run;
        ptrdiff_t n = weft__http1_body_read(body, data + at, len - at, &run);
        if (n < 0)
            return (int)n;
        assert_true(n > 0 && (size_t)n <= len - at);
        assert_true(run.len == 0 || (run.ptr >= data + at && run.ptr + run.len == data + at + n));
        weft__mem_copy(content + *content_len, run.ptr, run.len);
        *content_len += run.len;
        at += (size_t)n;
    }
    *ret_used += at;
    return weft__http1_body_is_done(body);
}

static void run(const struct test_piece *pieces, size_t count, void *ctx)
{
    const struct sample *sample = ctx;
    struct weft_http1_body body;
    static char content[BODY_MAX];
    size_t content_len = 0;
    size_t used = 0;
    assert_ok(weft__http1_body_init(&body, &sample->head, LIMIT));
    int got = weft__http1_body_is_done(&body);
    for (size_t i = 0; i < count && got == 0; i++)
        got = read_piece(&body, pieces[i].data, pieces[i].len, content, &content_len, &used);
    if (sample->want) {
        assert_int_equal(got, sample->want);
        return;
    }
    assert_int_equal(got, 1);
    assert_int_equal(used, sample->used);
    assert_bytes(content, content_len, sample->content, sample->content_len);
}

static void check_chunked(const char *text, const char *content, size_t behind)
{
    struct sample sample = {.head = {.content_length = -1, .chunked = true},
                            .content = content,
                            .content_len = strlen(content),
                            .used = strlen(text) - behind};
    test_each_split(text, strlen(text), &rng, 20, run, &sample);
}

static void check_refused(const char *text, int want)
{
    struct sample sample = {.head = {.content_length = -1, .chunked = true}, .want = want};
    test_each_split(text, strlen(text), &rng, 20, run, &sample);
}

static void a_body_with_a_length_ends_behind_so_many_bytes(void **state)
{
    (void)state;
    struct sample sample = {
        .head = {.content_length = 5}, .content = "hello", .content_len = 5, .used = 5};
    test_each_split("helloGET / HTTP/1.1", 19, &rng, 20, run, &sample);
}

static void a_request_without_length_or_coding_has_no_body(void **state)
{
    (void)state;
    struct sample sample = {.head = {.content_length = -1}, .content = "", .used = 0};
    test_each_split("GET", 3, &rng, 5, run, &sample);
    sample.head.content_length = 0;
    test_each_split("GET", 3, &rng, 5, run, &sample);
}

static void chunks_are_joined_and_their_framing_dropped(void **state)
{
    (void)state;
    check_chunked("0\r\n\r\n", "", 0);
    check_chunked("5\r\nhello\r\n0\r\n\r\n", "hello", 0);
    check_chunked("5\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n000\r\n\r\nGET /", "hello world", 5);
    check_chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0);
    check_chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0);
}

static void extensions_and_trailers_are_read_and_dropped(void **state)
{
    (void)state;
    check_chunked("2;a=b;c=\"d\"\r\nhi\r\n0;last\r\n\r\n", "hi", 0);
    check_chunked("2 \t;a\r\nhi\r\n0\r\n\r\n", "hi", 0);
    check_chunked("2\r\nhi\r\n0\r\nExpires: never\r\nX-Empty:\r\n\r\nrest", "hi", 4);
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\r\nhi",                     /* no size */
        "g\r\n",                      /* no digit */
        "-1\r\n",                     /* … */
        "0x2\r\nhi\r\n",              /* … */
        " 2\r\nhi\r\n",               /* white space before the size */
        "2 \r\nhi\r\n",               /* and behind it, without an extension */
        "2\nhi\n0\n\n",               /* bare LF */
        "2\rhi",                      /* bare CR */
        "2\r\nhi0\r\n\r\n",           /* no line end behind the content */
        "2\r\nhi\n0\r\n\r\n",         /* half of one */
        "2\r\nhello\r\n0\r\n\r\n",    /* more content than announced */
        "2;a\x01\r\nhi\r\n",          /* a control character */
        "2;a\nhi\r\n",                /* bare LF in an extension */
        "0\r\nno colon\r\n\r\n",      /* trailers that are none */
        "0\r\n folded: x\r\n\r\n",    /* … */
        "0\r\nname : x\r\n\r\n",      /* … */
        "0\r\n: x\r\n\r\n",           /* … */
        "0\r\nname: a\x7f\r\n\r\n",   /* … */
        "0\r\nname: a\nb: c\r\n\r\n", /* … */
        "0\r\n\rx",                   /* … */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_refused(bad[i], WEFT_ERR_HTTP);
}

static void more_than_the_limit_is_refused_when_it_is_announced(void **state)
{
    (void)state;
    struct weft_http1_body body;
    struct weft_http1_head head = {.content_length = LIMIT + 1};
    assert_err(weft__http1_body_init(&body, &head, LIMIT), WEFT_ERR_TOO_BIG);
    head.content_length = LIMIT;
    assert_ok(weft__http1_body_init(&body, &head, LIMIT));
    check_refused("186A1\r\n", WEFT_ERR_TOO_BIG);
    check_refused("fffffffffffffffff\r\n", WEFT_ERR_TOO_BIG);
    check_refused("00000000000000001\r\n", WEFT_ERR_TOO_BIG);
    /* 3 bytes, then one more than what is left. */
    check_refused("3\r\nabc\r\n1869E\r\n", WEFT_ERR_TOO_BIG);
}

static void endless_extensions_and_trailers_are_refused(void **state)
{
    (void)state;
    static char text[BODY_MAX];
    static const char *const starts[] = {"1;", "0\r\nname: ", "0\r\n"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t at = (size_t)snprintf(text, sizeof(text), "%s", starts[i]);
        memset(text + at, 'a', WEFT_HTTP1_BODY_EXTRA_MAX + 1);
        text[at + WEFT_HTTP1_BODY_EXTRA_MAX + 1] = '\0';
        struct sample sample = {.head = {.content_length = -1, .chunked = true},
                                .want = WEFT_ERR_TOO_BIG};
        struct test_piece whole = {(uint8_t *)text, strlen(text)};
        run(&whole, 1, &sample);
    }
    /* Also when they come with many chunks. */
    size_t at = 0;
    while (at + 200 < sizeof(text)) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "1;");
        memset(text + at, 'b', 100);
        at += 100;
        at += (size_t)snprintf(text + at, sizeof(text) - at, "\r\nx\r\n");
    }
    check_refused(text, WEFT_ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_with_a_length_ends_behind_so_many_bytes),
        cmocka_unit_test(a_request_without_length_or_coding_has_no_body),
        cmocka_unit_test(chunks_are_joined_and_their_framing_dropped),
        cmocka_unit_test(extensions_and_trailers_are_read_and_dropped),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(more_than_the_limit_is_refused_when_it_is_announced),
        cmocka_unit_test(endless_extensions_and_trailers_are_refused),
    };
    test_random_init(&rng, "http1_body");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
