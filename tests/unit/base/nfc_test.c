/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation form C: each rule of the check, by examples, and Hangul by its arithmetic. */
#include "lib/test.h"

#include "base/nfc.h"
#include "base/utf8.h"

struct example {
    const char *text;
    bool is;
};

static void check(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (weft__nfc_is(weft__slice_str(examples[i].text)) != examples[i].is)
            fail_msg("example %zu (%s)", i, examples[i].text);
}

static void text_without_marks_is_normal(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", true},
        {"a", true},
        {"A name, v1/\xc3\xa9t\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87", true},
        {"\xef\xac\x81", true}, /* the ligature fi is only compatible with its letters */
    };
    check(examples, WEFT_ARRAY_LEN(examples));
}

static void what_composes_must_be_composed(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"\xc3\xa9", true},   /* e with acute */
        {"e\xcc\x81", false}, /* the same in two */
        {"A\xcc\xb8", true},  /* no such letter exists */
        {"<\xcc\xb8", false}, /* but not-less-than does */
        {"\xe2\x89\xae", true},
        {"\xce\xb1\xcd\x85", false}, /* alpha with iota below */
        {"\xe1\xbe\xb3", true},
        {"\xe3\x81\x8b\xe3\x82\x99", false}, /* ka with voicing mark */
        {"\xe3\x81\x8b\xe3\x82\x9b", true},  /* the spacing mark does not combine */
        {"\xf0\x91\x82\x99\xf0\x91\x82\xba", false},
        {"\xf0\x91\x82\x9a", true},
        {"\xe0\xad\x87\xe0\xac\xbe", false}, /* two starters that compose */
        {"\xe0\xad\x87"
         "a\xe0\xac\xbe",
         true},
    };
    check(examples, WEFT_ARRAY_LEN(examples));
}

static void singletons_and_exclusions_never_occur(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"\xe2\x84\xab", false},                              /* Angstrom sign */
        {"\xe2\x84\xa6", false},                              /* Ohm sign */
        {"\xcd\x84", false},                                  /* a mark that decomposes */
        {"\xe0\xa5\x98", false},                              /* excluded from composition */
        {"\xef\xac\xac", false},     {"\xef\xa4\x80", false}, /* compatibility ideograph */
        {"\xf0\x9d\x85\x9e", false},                          /* half note */
    };
    check(examples, WEFT_ARRAY_LEN(examples));
}

static void marks_are_in_the_order_of_their_classes(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"q\xcc\xa3\xcc\x87", true},                      /* below before above */
        {"q\xcc\x87\xcc\xa3", false}, {"\xcc\x81", true}, /* without a starter */
        {"\xcc\x81\xcc\x80", true},   {"\xcc\x88\xcc\x81", true},
        {"a\xcd\x8f\xcc\x81", true}, /* a joiner of class 0 stands between */
    };
    check(examples, WEFT_ARRAY_LEN(examples));
}

static void mark_composes_past_those_of_other_classes(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"\xc4\x85\xcc\x81", true}, /* a-ogonek has no form with acute */
        {"a\xcc\xa8\xcc\x81", false},
        {"a\xcc\x96\xcc\x81", false}, /* the acute is not blocked by one below */
        {"\xe1\xb9\xa9", true},       /* s with dots below and above */
        {"s\xcc\xa3\xcc\x87", false},
        {"\xe1\xb9\xa1\xcc\xa3", false}, /* the dot below belongs before the one above */
        {"\xc3\xa9\xcc\xa3", false},
        {"\xc3\xaa\xcc\xa3", false},
        {"\xc4\xa2\xcc\x86", true}, /* G-cedilla has no form with breve */
        {"\xc4\x9e\xcc\xa7", false},
        {"\xe1\xba\x9b\xcc\xa3", true},
    };
    check(examples, WEFT_ARRAY_LEN(examples));
}

/* The Unicode Standard, 3.12: L V and LV T compose, for all of them and nothing beside. */
static void hangul_follows_its_arithmetic(void **state)
{
    (void)state;
    for (uint32_t first = 0x10fe; first <= 0x1114; first++)
        for (uint32_t second = 0x115f; second <= 0x1177; second++) {
            uint8_t text[8];
            size_t len = weft__utf8_encode(first, text);
            len += weft__utf8_encode(second, text + len);
            bool composes =
                first >= 0x1100 && first <= 0x1112 && second >= 0x1161 && second <= 0x1175;
            assert_int_equal(weft__nfc_is(weft__slice(text, len)), !composes);
        }
    for (uint32_t syllable = 0xac00; syllable <= 0xd7a3; syllable++)
        for (uint32_t tail = 0x11a6; tail <= 0x11c3; tail++) {
            uint8_t text[8];
            size_t len = weft__utf8_encode(syllable, text);
            len += weft__utf8_encode(tail, text + len);
            bool composes = (syllable - 0xac00) % 28 == 0 && tail >= 0x11a8 && tail <= 0x11c2;
            if (weft__nfc_is(weft__slice(text, len)) == composes)
                fail_msg("U+%04X U+%04X", syllable, tail);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_marks_is_normal),
        cmocka_unit_test(what_composes_must_be_composed),
        cmocka_unit_test(singletons_and_exclusions_never_occur),
        cmocka_unit_test(marks_are_in_the_order_of_their_classes),
        cmocka_unit_test(mark_composes_past_those_of_other_classes),
        cmocka_unit_test(hangul_follows_its_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
