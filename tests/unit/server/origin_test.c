/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and origins: ours, and those of pages that have no business here. */
#include "lib/test.h"
#include "server/origin.h"

static const char *const names[] = {"weft.example", NULL};
static const char *const origins[] = {"https://app.example", "http://other.example:8081", NULL};
static const struct weft_origin_policy policy = {.hosts = names, .origins = origins};
static const struct weft_origin_policy bare = {.hosts = NULL, .origins = NULL};

static bool host(const struct weft_origin_policy *p, const char *text)
{
    return weft__origin_host_allowed(p, weft__slice_str(text));
}

static bool origin(const struct weft_origin_policy *p, const char *from, const char *to)
{
    return weft__origin_allowed(p, weft__slice_str(from), weft__slice_str(to));
}

static void addresses_localhost_and_configured_names_are_served(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost", "LOCALHOST:8080", "localhost.:80",
                                       "127.0.0.1", "127.0.0.1:8080", "10.1.2.3:1",
                                       "[::1]",     "[::1]:65535",    "a.localhost:1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(host(&bare, good[i]));
    assert_true(host(&policy, "weft.example"));
    assert_true(host(&policy, "Weft.Example:443"));
    assert_false(host(&bare, "weft.example"));
}

static void other_names_and_malformed_hosts_are_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "evil.example",
        "weft.example.evil",
        "evil-weft.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "localhost/",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:80:80",
        "127.0.0.1.evil.example",
        "127.0.0.1.",
        "[::1",
        "::1",
        "[localhost]",
        "[::1]x",
        "[::1]:",
        ".localhost",
        ":80",
        "local host",
        "localhost\t",
        "0x7f.1",
        "notlocalhost",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (host(&policy, bad[i]))
            fail_msg("'%s' was served", bad[i]);
}

static void an_origin_equal_to_the_host_may_connect(void **state)
{
    (void)state;
    assert_true(origin(&bare, "http://localhost:8080", "localhost:8080"));
    assert_true(origin(&bare, "http://LOCALHOST:8080", "localhost:8080"));
    assert_true(origin(&bare, "https://weft.example", "weft.example"));
    assert_true(origin(&bare, "https://weft.example", "weft.example:443"));
    assert_true(origin(&bare, "http://weft.example:80", "weft.example:80"));
    assert_true(origin(&bare, "http://[::1]:8080", "[::1]:8080"));
}

static void configured_origins_may_connect(void **state)
{
    (void)state;
    assert_true(origin(&policy, "https://app.example", "weft.example"));
    assert_true(origin(&policy, "http://other.example:8081", "127.0.0.1:8080"));
    assert_false(origin(&bare, "https://app.example", "weft.example"));
}

static void strangers_may_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "null",
        "",
        "http://",
        "http://evil.example",
        "https://app.example.evil",
        "https://app.example:444",
        "http://app.example",
        "http://localhost:8081",
        "https://localhost:8080.evil.example",
        "http://localhost:8080/",
        "http://localhost:8080@evil.example",
        "ws://localhost:8080",
        "file://localhost:8080",
        "localhost:8080",
        "http://127.0.0.1:8080",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (origin(&policy, bad[i], "localhost:8080"))
            fail_msg("'%s' may connect", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_localhost_and_configured_names_are_served),
        cmocka_unit_test(other_names_and_malformed_hosts_are_not),
        cmocka_unit_test(an_origin_equal_to_the_host_may_connect),
        cmocka_unit_test(configured_origins_may_connect),
        cmocka_unit_test(strangers_may_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
