/* SPDX-License-Identifier: Apache-2.0 */
/* Sec-WebSocket-Extensions: RFC 6455 §9.1, RFC 7692 §5, §7.1. */
#include "ws/extension.h"

#include "lib/test.h"

/* Parameters as one line: "on S C s=9 c=10", "off"; "!" for a refused header. */
static void show(char *text, size_t size, int rc, const struct weft_ws_deflate_params *params)
{
    if (rc != 0) {
        assert_err(rc, WEFT_ERR_HANDSHAKE);
        snprintf(text, size, "!");
        return;
    }
    if (!params->on) {
        assert_true(!params->server_no_takeover && !params->client_no_takeover &&
                    !params->server_bits && !params->client_bits);
        snprintf(text, size, "off");
        return;
    }
    char bits[40] = "";
    size_t len = 0;
    if (params->server_bits)
        len = (size_t)snprintf(bits, sizeof(bits), " s=%u", params->server_bits);
    if (params->client_bits)
        snprintf(bits + len, sizeof(bits) - len, " c=%u", params->client_bits);
    snprintf(text, size, "on%s%s%s", params->server_no_takeover ? " S" : "",
             params->client_no_takeover ? " C" : "", bits);
}

/* A head whose extension headers are |lines|, one value a line. The values are heap copies of
 * their exact lengths. */
static void make_head(struct weft_http1_head *head, const char *lines)
{
    *head = (struct weft_http1_head){0};
    while (lines) {
        const char *end = strchr(lines, '\n');
        size_t len = end ? (size_t)(end - lines) : strlen(lines);
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, lines, len);
        head->headers[head->header_count++] = (struct weft_http1_header){
            WEFT_SLICE_LIT("Sec-WebSocket-EXTENSIONS"), weft__slice(copy, len)};
        head->headers[head->header_count++] =
            (struct weft_http1_header){WEFT_SLICE_LIT("X-Other"), WEFT_SLICE_LIT(";;;")};
        lines = end ? end + 1 : NULL;
    }
}

static void free_head(struct weft_http1_head *head)
{
    for (size_t i = 0; i < head->header_count; i += 2)
        free((void *)(uintptr_t)head->headers[i].value.ptr);
}

static void check_offer(const char *lines, const char *want)
{
    struct weft_http1_head head;
    struct weft_ws_deflate_params offer = {0};
    char got[80];
    make_head(&head, lines);
    show(got, sizeof(got), weft__ws_extensions_offered(&head, &offer), &offer);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s instead of %s", lines, got, want);
    free_head(&head);
}

static void offers_are_read_with_all_their_parameters(void **state)
{
    (void)state;
    check_offer("permessage-deflate", "on");
    check_offer("PerMessage-Deflate", "on");
    check_offer("permessage-deflate; server_no_context_takeover", "on S");
    check_offer("permessage-deflate;client_no_context_takeover", "on C");
    check_offer("permessage-deflate; client_max_window_bits", "on c=255");
    check_offer("permessage-deflate; client_max_window_bits=8", "on c=8");
    check_offer("permessage-deflate; server_max_window_bits=15", "on s=15");
    check_offer("permessage-deflate ; server_max_window_bits = 10 ;\tclient_max_window_bits=9",
                "on s=10 c=9");
    check_offer("permessage-deflate; server_max_window_bits=\"12\"", "on s=12");
    check_offer("permessage-deflate; server_max_window_bits=\"\\1\\2\"", "on s=12");
    check_offer("permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
                "server_max_window_bits=9; client_max_window_bits",
                "on S C s=9 c=255");
}

/* RFC 7692 §7.1: a server MUST decline an offer with any of these. */
static void offers_that_break_a_rule_are_declined(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "foo",
        "foo=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=\"\\t\"",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=8a",
        "server_max_window_bits=100",
        "server_max_window_bits=999999999999999999999",
        "server_max_window_bits=-9",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=1.0",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=9; client_max_window_bits",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[160];
        snprintf(line, sizeof(line), "permessage-deflate; %s", bad[i]);
        check_offer(line, "off");
        /* The next offer counts, RFC 7692 §5.1. */
        snprintf(line, sizeof(line), "permessage-deflate; %s, permessage-deflate", bad[i]);
        check_offer(line, "on");
    }
}

static void the_first_valid_offer_of_all_headers_counts(void **state)
{
    (void)state;
    check_offer("permessage-deflate; server_max_window_bits=9, permessage-deflate", "on s=9");
    check_offer("x-other; a=b, permessage-deflate; server_max_window_bits=9", "on s=9");
    check_offer(
        "x-other; a=\"b\", permessage-deflate\npermessage-deflate; server_max_window_bits=9", "on");
    check_offer("permessage-deflate; foo\n\npermessage-deflate; server_max_window_bits=9",
                "on s=9");
    check_offer("x-webkit-deflate-frame", "off");
    check_offer(",, permessage-deflate ,, x,", "on");
    check_offer("", "off");
}

/* RFC 6455 §9.1: what does not conform to the grammar fails the connection. */
static void headers_that_are_no_list_of_extensions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        ";",
        "=",
        "permessage-deflate;",
        "permessage-deflate; ;",
        "permessage-deflate; =1",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; server_max_window_bits=\"1\\",
        "permessage-deflate; server_max_window_bits=10 11",
        "permessage-deflate server_max_window_bits=10",
        "permessage-deflate foo",
        "perme@ssage",
        "permessage-deflate, x; a=\"b\"c",
        "permessage-deflate\n;",
        "x; a=b=c",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_offer(bad[i], "!");
}

/* ---- Answers ---- */

static struct weft_ws_deflate_params params_of(const char *line)
{
    struct weft_http1_head head;
    struct weft_ws_deflate_params params;
    make_head(&head, line);
    assert_ok(weft__ws_extensions_offered(&head, &params));
    free_head(&head);
    return params;
}

static void check_answered(const char *offered, const char *lines, const char *want)
{
    struct weft_http1_head head;
    struct weft_ws_deflate_params offer = params_of(offered);
    struct weft_ws_deflate_params answer = {0};
    char got[80];
    make_head(&head, lines);
    show(got, sizeof(got), weft__ws_extensions_answered(&head, &offer, &answer), &answer);
    if (strcmp(got, want) != 0)
        fail_msg("%s → %s: %s instead of %s", offered, lines, got, want);
    free_head(&head);
}

static void a_client_takes_only_answers_that_fit_its_offer(void **state)
{
    (void)state;
    static const char plain[] = "permessage-deflate";
    static const char bits[] = "permessage-deflate; client_max_window_bits";
    static const char ten[] = "permessage-deflate; client_max_window_bits=10";
    static const char server_ten[] = "permessage-deflate; server_max_window_bits=10";
    static const char no_context[] = "permessage-deflate; server_no_context_takeover";
    check_answered(plain, "", "off");
    check_answered(plain, plain, "on");
    check_answered(plain, no_context, "on S");
    check_answered(plain, "permessage-deflate; client_no_context_takeover", "on C");
    check_answered(plain, server_ten, "on s=10");
    check_answered(bits, ten, "on c=10");
    check_answered(bits, plain, "on");
    check_answered(ten, "permessage-deflate; client_max_window_bits=9", "on c=9");
    check_answered(server_ten, server_ten, "on s=10");
    check_answered(server_ten, "permessage-deflate; server_max_window_bits=8", "on s=8");
    check_answered(no_context, no_context, "on S");
    check_answered("", "", "off");
    /* RFC 7692 §7.1.2.2: only when it was offered, not more, and with a value. */
    check_answered(plain, ten, "!");
    check_answered(ten, "permessage-deflate; client_max_window_bits=11", "!");
    check_answered(bits, bits, "!");
    /* §7.1.1.1, §7.1.2.1: what was asked for must be there. */
    check_answered(no_context, plain, "!");
    check_answered(server_ten, plain, "!");
    check_answered(server_ten, "permessage-deflate; server_max_window_bits=11", "!");
    check_answered("", plain, "!");
    check_answered(plain, "x-other", "!");
    check_answered(plain, "permessage-deflate, permessage-deflate", "!");
    check_answered(plain, "permessage-deflate\npermessage-deflate", "!");
    check_answered(plain, "permessage-deflate; foo", "!");
    check_answered(plain, "permessage-deflate; server_max_window_bits=16", "!");
    check_answered(plain, "permessage-deflate;", "!");
}

static void check_written(const struct weft_ws_deflate_params *params, const char *want)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__ws_extensions_write(&out, params);
    assert_ok(weft__bytes_error(&out));
    assert_bytes(out.ptr, out.len, want, strlen(want));
    weft__bytes_done(&out);
}

static void a_server_answers_what_was_asked_for_and_its_own_wish(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        bool takeover;
        const char *answer;
    } rows[] = {
        {"", false, ""},
        {"permessage-deflate; foo", false, ""},
        {"permessage-deflate", false, "; server_no_context_takeover; client_no_context_takeover"},
        {"permessage-deflate", true, ""},
        {"permessage-deflate; server_no_context_takeover", true, "; server_no_context_takeover"},
        {"permessage-deflate; client_no_context_takeover", true, "; client_no_context_takeover"},
        {"permessage-deflate; client_max_window_bits", true, ""},
        {"permessage-deflate; server_max_window_bits=9; client_max_window_bits=10", true,
         "; server_max_window_bits=9"},
        {"permessage-deflate; server_max_window_bits=15", false,
         "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weft_ws_deflate_params offer = params_of(rows[i].offer);
        struct weft_ws_deflate_params answer = weft__ws_deflate_answer(&offer, rows[i].takeover);
        char want[200] = "";
        assert_int_equal(answer.on, offer.on);
        if (offer.on)
            snprintf(want, sizeof(want), "Sec-WebSocket-Extensions: permessage-deflate%s\r\n",
                     rows[i].answer);
        check_written(&answer, want);
        /* The client that offered it takes it. */
        char *line = strdup(offer.on ? want + strlen("Sec-WebSocket-Extensions: ") : "");
        line[strcspn(line, "\r")] = '\0';
        struct weft_http1_head head;
        struct weft_ws_deflate_params taken;
        make_head(&head, line);
        assert_ok(weft__ws_extensions_answered(&head, &offer, &taken));
        assert_memory_equal(&taken, &answer, sizeof(taken));
        free_head(&head);
        free(line);
    }
}

static void an_offer_with_every_parameter_is_written(void **state)
{
    (void)state;
    const struct weft_ws_deflate_params offer = {.on = true,
                                                 .server_no_takeover = true,
                                                 .client_no_takeover = true,
                                                 .server_bits = 11,
                                                 .client_bits = WEFT_WS_DEFLATE_BITS_ANY};
    check_written(&offer, "Sec-WebSocket-Extensions: permessage-deflate; "
                          "server_no_context_takeover; client_no_context_takeover; "
                          "server_max_window_bits=11; client_max_window_bits\r\n");
}

static void both_ends_understand_the_same(void **state)
{
    (void)state;
    const struct weft_ws_deflate_params answer = {
        .on = true, .server_no_takeover = true, .server_bits = 10, .client_bits = 12};
    struct weft_ws_deflate server = weft__ws_deflate_agreed(&answer, true, true);
    struct weft_ws_deflate client = weft__ws_deflate_agreed(&answer, false, true);
    assert_true(server.on && client.on);
    assert_true(!server.out_takeover && server.in_takeover);
    assert_true(client.out_takeover && !client.in_takeover);
    assert_true(server.out_bits == 10 && server.in_bits == 12);
    assert_true(client.out_bits == 12 && client.in_bits == 10);
    /* A client may do without a context that it is free to use. */
    client = weft__ws_deflate_agreed(&answer, false, false);
    assert_false(client.out_takeover);
    const struct weft_ws_deflate_params plain = {.on = true};
    server = weft__ws_deflate_agreed(&plain, true, true);
    assert_true(server.out_takeover && server.in_takeover);
    assert_true(server.out_bits == 15 && server.in_bits == 15);
    server = weft__ws_deflate_agreed(&(struct weft_ws_deflate_params){0}, true, true);
    assert_false(server.on);
}

static void random_headers_are_read_to_their_end_and_no_further(void **state)
{
    (void)state;
    static const char *const parts[] = {"permessage-deflate",
                                        "client_max_window_bits",
                                        "server_no_context_takeover",
                                        ";",
                                        ",",
                                        "=",
                                        "\"",
                                        "\\",
                                        " ",
                                        "9",
                                        "15",
                                        "x"};
    struct test_random rng;
    test_random_init(&rng, "extension headers");
    unsigned valid = 0;
    for (unsigned i = 0; i < 30000; i++) {
        char line[400] = "";
        for (size_t n = test_random_size(&rng, 0, 8); n > 0; n--)
            strcat(line, parts[test_random_below(&rng, sizeof(parts) / sizeof(parts[0]))]);
        struct weft_http1_head head;
        struct weft_ws_deflate_params offer = {0};
        make_head(&head, line);
        int rc = weft__ws_extensions_offered(&head, &offer);
        assert_true(rc == 0 || rc == WEFT_ERR_HANDSHAKE);
        valid += rc == 0;
        free_head(&head);
    }
    assert_true(valid > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_read_with_all_their_parameters),
        cmocka_unit_test(offers_that_break_a_rule_are_declined),
        cmocka_unit_test(the_first_valid_offer_of_all_headers_counts),
        cmocka_unit_test(headers_that_are_no_list_of_extensions_are_refused),
        cmocka_unit_test(a_client_takes_only_answers_that_fit_its_offer),
        cmocka_unit_test(a_server_answers_what_was_asked_for_and_its_own_wish),
        cmocka_unit_test(an_offer_with_every_parameter_is_written),
        cmocka_unit_test(both_ends_understand_the_same),
        cmocka_unit_test(random_headers_are_read_to_their_end_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
