/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as text, and what is in them. */
#include "lib/test.h"

#include "server/networks.h"

static bool has(const char *network, const char *host)
{
    struct weft_network one;
    struct weft_networks networks = {.list = &one, .count = 1};
    struct weft_address address;
    assert_ok(weft__network_parse(network, &one));
    assert_ok(weft__address_from_numeric(host, 80, &address));
    return weft__networks_have(&networks, &address);
}

static void prefixes_hold_what_begins_like_them(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.0.1"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("192.0.2.64/26", "192.0.2.127"));
    assert_false(has("192.0.2.64/26", "192.0.2.128"));
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("0.0.0.0/0", "203.0.113.9"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_true(has("::1", "::1"));
}

static void ipv4_inside_ipv6_is_ipv4(void **state)
{
    (void)state;
    assert_true(has("127.0.0.0/8", "::ffff:127.0.0.1"));
    assert_true(has("::ffff:127.0.0.0/104", "127.0.0.1"));
}

static void unix_sockets_are_in_no_network(void **state)
{
    (void)state;
    struct weft_network one;
    struct weft_networks networks = {.list = &one, .count = 1};
    struct weft_address address;
    assert_ok(weft__network_parse("::/0", &one));
    assert_ok(weft__address_from_path("/tmp/x", &address));
    assert_false(weft__networks_have(&networks, &address));
}

static void malformed_networks_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/08",
                                      "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/8 ", "::/129",
                                      "10/8",       "example.org", "[::1]",       "2001:db8::1/32"};
    struct weft_network network;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (weft__network_parse(bad[i], &network) != WEFT_ERR_USAGE)
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_hold_what_begins_like_them),
        cmocka_unit_test(ipv4_inside_ipv6_is_ipv4),
        cmocka_unit_test(unix_sockets_are_in_no_network),
        cmocka_unit_test(malformed_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
