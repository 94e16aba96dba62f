/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text and back. */
#include "lib/test.h"

#include "io/address.h"

#include <arpa/inet.h>
#include <unistd.h>

static void check(const char *text, const char *want)
{
    struct weft_address address;
    char got[WEFT_ADDRESS_TEXT_SIZE];
    assert_ok(weft__address_parse(text, &address));
    weft__address_format(&address, got);
    assert_string_equal(got, want);
}

static void numeric_addresses_survive_a_round_trip(void **state)
{
    (void)state;
    check("127.0.0.1:8080", "127.0.0.1:8080");
    check("0.0.0.0:0", "0.0.0.0:0");
    check("255.255.255.255:65535", "255.255.255.255:65535");
    check("[::1]:8080", "[::1]:8080");
    check("[fe80:0:0:0:1:2:3:4]:1", "[fe80::1:2:3:4]:1");
}

static void localhost_and_the_empty_host_need_no_resolver(void **state)
{
    (void)state;
    check("localhost:8080", "127.0.0.1:8080");
    check(":8080", "[::]:8080");
}

static void ipv4_inside_ipv6_is_shown_as_ipv4(void **state)
{
    (void)state;
    check("[::ffff:10.1.2.3]:7", "10.1.2.3:7");
}

static void unix_sockets_are_paths(void **state)
{
    (void)state;
    struct weft_address address;
    char text[WEFT_ADDRESS_TEXT_SIZE];
    char longest[5 + WEFT_ADDRESS_PATH_SIZE] = "unix:";
    check("unix:/run/weft.sock", "unix:/run/weft.sock");
    check("unix:relative:8080", "unix:relative:8080");
    memset(longest + 5, 'x', WEFT_ADDRESS_PATH_SIZE - 1);
    check(longest, longest);
    assert_ok(weft__address_parse(longest, &address));
    assert_int_equal(weft__address_len(&address), sizeof(address.u.local));
    assert_true(weft__address_is_unix(&address));
    assert_true(weft__address_is_loopback(&address));
    assert_int_equal(weft__address_port(&address), 0);
    weft__address_format_host(&address, text);
    assert_string_equal(text, "unix");
    assert_err(weft__address_parse("unix:", &address), WEFT_ERR_USAGE);
    memset(longest + 5, 'x', WEFT_ADDRESS_PATH_SIZE);
    char too_long[sizeof(longest) + 1] = "";
    memcpy(too_long, longest, sizeof(longest));
    assert_err(weft__address_parse(too_long, &address), WEFT_ERR_USAGE);
}

static void malformed_addresses_are_usage_errors(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "8080",        "127.0.0.1",     "127.0.0.1:",     "127.0.0.1:65536",
        "1.2.3.4:+", "1.2.3.4: 80", "1.2.3.4:-1",    "1.2.3.4:000080", "1.2.3:80",
        "::1:8080",  "[::1]8080",   "[::1:8080",     "[]:80",          "]:80",
        "[1]:80",    "example:80",  "127.0.0.1:80x", "[::1]:80]:80",   "1.2.3.4.5:80",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weft_address address;
        assert_err(weft__address_parse(bad[i], &address), WEFT_ERR_USAGE);
    }
}

static void split_leaves_names_to_the_caller(void **state)
{
    (void)state;
    char host[WEFT_HOST_SIZE];
    uint16_t port;
    assert_ok(weft__address_split("example.org:443", host, &port));
    assert_string_equal(host, "example.org");
    assert_int_equal(port, 443);
    char longest[WEFT_HOST_SIZE + 8];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + WEFT_HOST_SIZE - 1, ":80", 4);
    assert_ok(weft__address_split(longest, host, &port));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + WEFT_HOST_SIZE, ":80", 4);
    assert_err(weft__address_split(longest, host, &port), WEFT_ERR_USAGE);
}

static void loopback_is_recognised_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true},  {"127.9.9.9:1", true},
        {"[::1]:1", true},      {"[::ffff:127.0.0.1]:1", true},
        {"128.0.0.1:1", false}, {"0.0.0.0:1", false},
        {"[::]:1", false},      {"[::ffff:10.0.0.1]:1", false},
        {"[::2]:1", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weft_address address;
        assert_ok(weft__address_parse(cases[i].text, &address));
        assert_int_equal(weft__address_is_loopback(&address), cases[i].loopback);
    }
}

static void port_can_be_replaced(void **state)
{
    (void)state;
    struct weft_address address;
    assert_ok(weft__address_from_numeric("::1", 80, &address));
    weft__address_set_port(&address, 8443);
    assert_int_equal(weft__address_port(&address), 8443);
}

static void resolver_finds_numeric_hosts_and_gives_them_the_port(void **state)
{
    (void)state;
    struct weft_address found[4];
    char text[WEFT_ADDRESS_TEXT_SIZE];
    assert_int_equal(weft__address_resolve("127.0.0.1", 99, 4, found), 1);
    weft__address_format(&found[0], text);
    assert_string_equal(text, "127.0.0.1:99");
    assert_true(weft__address_resolve("a name with spaces", 1, 4, found) < 0);
}

static void peer_of_something_else_than_a_socket_is_unknown(void **state)
{
    (void)state;
    struct weft_address address;
    assert_false(weft__address_of_peer(STDIN_FILENO, &address));
    struct weft_address none = {0};
    char text[WEFT_ADDRESS_TEXT_SIZE];
    weft__address_format_host(&none, text);
    assert_string_equal(text, "?");
    assert_int_equal(weft__address_port(&none), 0);
    assert_false(weft__address_is_loopback(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_addresses_survive_a_round_trip),
        cmocka_unit_test(localhost_and_the_empty_host_need_no_resolver),
        cmocka_unit_test(ipv4_inside_ipv6_is_shown_as_ipv4),
        cmocka_unit_test(unix_sockets_are_paths),
        cmocka_unit_test(malformed_addresses_are_usage_errors),
        cmocka_unit_test(split_leaves_names_to_the_caller),
        cmocka_unit_test(loopback_is_recognised_in_every_form),
        cmocka_unit_test(port_can_be_replaced),
        cmocka_unit_test(resolver_finds_numeric_hosts_and_gives_them_the_port),
        cmocka_unit_test(peer_of_something_else_than_a_socket_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
