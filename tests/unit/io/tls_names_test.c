/* SPDX-License-Identifier: Apache-2.0 */
/* Names of certificates (RFC 6125 §6.4). */
#include "io/tls_names.h"
#include "lib/test.h"

static enum weft_tls_fit fit(const char *pattern, const char *host)
{
    return weft__tls_name_fit(weft__slice_str(pattern), weft__slice_str(host));
}

static void equal_names_fit_whatever_their_case(void **state)
{
    (void)state;
    assert_int_equal(fit("a.example", "a.example"), WEFT_TLS_FIT_EXACT);
    assert_int_equal(fit("A.Example", "a.eXAMPLE"), WEFT_TLS_FIT_EXACT);
    assert_int_equal(fit("a.example", "a.example."), WEFT_TLS_FIT_EXACT);
    assert_int_equal(fit("localhost", "localhost"), WEFT_TLS_FIT_EXACT);
    assert_int_equal(fit("xn--bcher-kva.example", "xn--bcher-kva.example"), WEFT_TLS_FIT_EXACT);
}

static void wildcard_stands_for_one_whole_first_label(void **state)
{
    (void)state;
    assert_int_equal(fit("*.example.org", "a.example.org"), WEFT_TLS_FIT_WILDCARD);
    assert_int_equal(fit("*.EXAMPLE.org", "b.example.ORG."), WEFT_TLS_FIT_WILDCARD);
    assert_int_equal(fit("*.example.org", "example.org"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("*.example.org", ".example.org"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("*.example.org", "a.b.example.org"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("*.example.org", "*.example.org"), WEFT_TLS_FIT_NONE);
}

static void other_wildcards_fit_nothing(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "*",       "*.",      "*.org",          "w*.example.org", "*w.example.org",
        "a.*.org", "*.*.org", "**.example.org", "*.example..org", "*.example.org."};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        assert_int_equal(fit(patterns[i], "w.example.org"), WEFT_TLS_FIT_NONE);
        assert_int_equal(fit(patterns[i], "example.org"), WEFT_TLS_FIT_NONE);
    }
}

static void different_and_malformed_names_do_not_fit(void **state)
{
    (void)state;
    assert_int_equal(fit("a.example", "b.example"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("a.example", "a.example.org"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("a.example", "aa.example"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("", ""), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("a..b", "a..b"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("a b", "a b"), WEFT_TLS_FIT_NONE);
    assert_int_equal(fit("a.example", "a.example.."), WEFT_TLS_FIT_NONE);
    char longest[256];
    memset(longest, 'a', sizeof(longest));
    struct weft_slice name = weft__slice(longest, 254);
    assert_int_equal(weft__tls_name_fit(name, name), WEFT_TLS_FIT_NONE);
    name.len = 253;
    assert_int_equal(weft__tls_name_fit(name, name), WEFT_TLS_FIT_EXACT);
}

static void name_with_a_zero_byte_inside_is_nobodys(void **state)
{
    (void)state;
    static const char evil[] = "bank.example\0.evil.example";
    struct weft_slice pattern = weft__slice(evil, sizeof(evil) - 1);
    assert_int_equal(weft__tls_name_fit(pattern, WEFT_SLICE_LIT("bank.example")),
                     WEFT_TLS_FIT_NONE);
    assert_int_equal(weft__tls_name_fit(pattern, pattern), WEFT_TLS_FIT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_names_fit_whatever_their_case),
        cmocka_unit_test(wildcard_stands_for_one_whole_first_label),
        cmocka_unit_test(other_wildcards_fit_nothing),
        cmocka_unit_test(different_and_malformed_names_do_not_fit),
        cmocka_unit_test(name_with_a_zero_byte_inside_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
