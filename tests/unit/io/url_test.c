/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket URLs. */
#include "lib/test.h"

#include "io/url.h"

static void check(const char *text, const char *host, unsigned port, const char *authority,
                  const char *target)
{
    struct weft_url url;
    assert_ok(weft__url_parse(text, &url));
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_string_equal(url.authority, authority);
    assert_string_equal(url.target, target);
}

static void parts_are_found_and_defaults_filled_in(void **state)
{
    (void)state;
    check("ws://localhost", "localhost", 80, "localhost", "/");
    check("ws://127.0.0.1:9001/", "127.0.0.1", 9001, "127.0.0.1:9001", "/");
    check("WS://Example.org:80/a/b?c=d&e", "Example.org", 80, "Example.org:80", "/a/b?c=d&e");
    check("ws://[::1]:8080/x", "::1", 8080, "[::1]:8080", "/x");
    check("ws://[::1]/x", "::1", 80, "[::1]", "/x");
    check("wss://example.org/x", "example.org", 443, "example.org", "/x");
}

static void query_without_a_path_belongs_to_the_root(void **state)
{
    (void)state;
    check("ws://h?case=1&agent=x", "h", 80, "h", "/?case=1&agent=x");
}

static void malformed_urls_are_usage_errors(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "http://h/",  "ws:/h",         "ws://",       "ws:///x",     "ws://:80/",
        "ws://h:/", "ws://h:x/",  "ws://h:70000/", "ws://u:p@h/", "ws://h/a b",  "ws://h/#frag",
        "ws://h#",  "ws://h\\x/", "ws://::1/",     "ws://[::1",   "ws://h/\x7f", "ws://h/\xc3\xa9",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weft_url url;
        assert_err(weft__url_parse(bad[i], &url), WEFT_ERR_USAGE);
    }
}

static void unix_sockets_have_a_path_and_maybe_a_target(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *socket;
        const char *target;
    } good[] = {
        {"ws+unix:/run/weft.sock", "/run/weft.sock", "/ws"},
        {"WS+UNIX:/run/weft.sock:/other?x=1", "/run/weft.sock", "/other?x=1"},
        {"ws+unix:relative", "relative", "/ws"},
    };
    struct weft_url url;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct weft_address address;
        assert_ok(weft__url_parse(good[i].text, &url));
        assert_string_equal(url.socket, good[i].socket);
        assert_string_equal(url.target, good[i].target);
        assert_string_equal(url.authority, "localhost");
        assert_false(url.secure);
        assert_int_equal(weft__url_resolve(&url, 1, &address), 1);
        assert_true(weft__address_is_unix(&address));
    }
    char text[200] = "ws+unix:/";
    memset(text + 9, 'x', WEFT_ADDRESS_PATH_SIZE);
    assert_err(weft__url_parse(text, &url), WEFT_ERR_USAGE);
    assert_err(weft__url_parse("ws+unix:", &url), WEFT_ERR_USAGE);
    assert_err(weft__url_parse("ws+unix::/ws", &url), WEFT_ERR_USAGE);
    assert_err(weft__url_parse("ws+unix:/s:/a b", &url), WEFT_ERR_USAGE);
}

static void too_long_a_target_is_a_usage_error(void **state)
{
    (void)state;
    static char text[WEFT_URL_TARGET_SIZE + 32] = "ws://h/";
    memset(text + 7, 'a', WEFT_URL_TARGET_SIZE);
    struct weft_url url;
    assert_err(weft__url_parse(text, &url), WEFT_ERR_USAGE);
    text[7 + WEFT_URL_TARGET_SIZE - 2] = '\0';
    assert_ok(weft__url_parse(text, &url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_and_defaults_filled_in),
        cmocka_unit_test(query_without_a_path_belongs_to_the_root),
        cmocka_unit_test(malformed_urls_are_usage_errors),
        cmocka_unit_test(unix_sockets_have_a_path_and_maybe_a_target),
        cmocka_unit_test(too_long_a_target_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
