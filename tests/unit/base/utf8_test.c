/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8, against the plain definition: text is valid when each character decodes to a scalar value
 * and is the shortest encoding of it. Every sequence of up to three bytes is tried, and of four all
 * whose later bytes lie at the edges of a range.
 */
#include "lib/test.h"

#include "base/utf8.h"

/* The length of the character at |p|, whose value goes to |*ret_point|; 0 when there is none. */
static size_t slow_decode(const uint8_t *p, size_t len, uint32_t *ret_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need;
    uint32_t point;
    if (p[0] < 0x80)
        need = 1, point = p[0];
    else if ((p[0] & 0xe0) == 0xc0)
        need = 2, point = p[0] & 0x1f;
    else if ((p[0] & 0xf0) == 0xe0)
        need = 3, point = p[0] & 0x0f;
    else if ((p[0] & 0xf8) == 0xf0)
        need = 4, point = p[0] & 0x07;
    else
        return 0;
    if (len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (p[i] & 0x3f);
    }
    if (point < smallest[need] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return need;
}

static bool slow_valid(const uint8_t *p, size_t len)
{
    uint32_t point;
    for (size_t at = 0; at < len;) {
        size_t step = slow_decode(p + at, len - at, &point);
        if (!step)
            return false;
        at += step;
    }
    return true;
}

/* Whether any valid text begins with the |len| ≤ 4 bytes at |p|: an own way of saying so. */
static bool slow_possible(const uint8_t *p, size_t len)
{
    static const uint8_t tails[] = {0x80, 0x90, 0xa0, 0xbf, 0x8f, 0x9f};
    if (slow_valid(p, len))
        return true;
    uint8_t longer[7];
    memcpy(longer, p, len);
    for (size_t more = 1; more <= 3; more++)
        for (size_t first = 0; first < sizeof(tails); first++) {
            memset(longer + len, 0x80, more);
            longer[len] = tails[first];
            if (slow_valid(longer, len + more))
                return true;
        }
    return false;
}

/* |len| bytes: valid or not, refused at the first byte that spoils it, in one piece and in bytes.
 */
static void check(const uint8_t *p, size_t len)
{
    bool valid = slow_valid(p, len);
    if (weft__utf8_valid(p, len) != valid)
        fail_msg("%02x %02x %02x %02x (%zu) should be %s", p[0], len > 1 ? p[1] : 0,
                 len > 2 ? p[2] : 0, len > 3 ? p[3] : 0, len, valid ? "valid" : "invalid");
    struct weft_utf8 state = {0};
    bool alive = true;
    for (size_t i = 0; i < len && alive; i++)
        alive = weft__utf8_feed(&state, p + i, 1);
    assert_int_equal(alive && weft__utf8_complete(&state), valid);
}

static void every_sequence_of_up_to_three_bytes_is_judged_as_defined(void **state)
{
    uint8_t p[3];
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        p[0] = (uint8_t)a;
        check(p, 1);
        for (unsigned b = 0; b < 256; b++) {
            p[1] = (uint8_t)b;
            check(p, 2);
            for (unsigned c = 0; c < 256; c++) {
                p[2] = (uint8_t)c;
                if (weft__utf8_valid(p, 3) != slow_valid(p, 3))
                    check(p, 3);
            }
        }
    }
}

static void four_bytes_at_every_edge_are_judged_as_defined(void **state)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f,
                                    0xa0, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                    0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
    uint8_t p[4];
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (size_t c = 0; c < sizeof(edges); c++)
                for (size_t d = 0; d < sizeof(edges); d++) {
                    p[0] = (uint8_t)a;
                    p[1] = (uint8_t)b;
                    p[2] = edges[c];
                    p[3] = edges[d];
                    check(p, 4);
                }
}

/* RFC 6455 §8.1 allows to fail at once; the user sees it earlier. */
static void spoiled_text_is_refused_at_the_first_possible_byte(void **state)
{
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xff};
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (size_t b = 0; b < sizeof(edges); b++)
            for (size_t c = 0; c < sizeof(edges); c++) {
                const uint8_t p[] = {(uint8_t)a, edges[b], edges[c], 0xbf};
                struct weft_utf8 s = {0};
                for (size_t i = 0; i < 4; i++) {
                    bool fed = weft__utf8_feed(&s, p + i, 1);
                    assert_int_equal(fed, slow_possible(p, i + 1));
                    if (!fed)
                        break;
                }
            }
}

static void every_character_is_encoded_and_decoded(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t p[4];
        uint32_t again = 0;
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size_t len = weft__utf8_encode(point, p);
        if (slow_decode(p, len, &again) != len || again != point || weft__utf8_decode(p) != point ||
            weft__utf8_lead_len(p[0]) != len || !weft__utf8_valid(p, len))
            fail_msg("U+%04X", point);
    }
}

/* ---- Random text ---- */

struct text {
    uint8_t bytes[4096];
    size_t len;
    size_t offsets[4097]; /* of each character, and of the end */
    size_t count;
    size_t astral;
};

static uint32_t random_point(struct test_random *rng)
{
    static const uint32_t ranges[][2] = {
        {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, 0x10ffff}, {0, 0x7f}};
    size_t r = test_random_below(rng, 5);
    return ranges[r][0] + (uint32_t)test_random_below(rng, ranges[r][1] - ranges[r][0] + 1);
}

static void make_text(struct text *t, struct test_random *rng)
{
    size_t want = test_random_size(rng, 0, test_random_one_in(rng, 2) ? 40 : 4000);
    uint64_t ascii = test_random_below(rng, 100);
    t->len = t->count = t->astral = 0;
    while (t->len + 4 <= want) {
        uint32_t point = test_random_below(rng, 100) < ascii
                             ? (uint32_t)test_random_below(rng, 0x80)
                             : random_point(rng);
        t->offsets[t->count++] = t->len;
        t->astral += point > 0xffff;
        t->len += weft__utf8_encode(point, t->bytes + t->len);
    }
    t->offsets[t->count] = t->len;
}

static void characters_are_counted_and_found(void **state)
{
    struct test_random rng;
    static struct text t;
    (void)state;
    test_random_init(&rng, "utf8 count");
    for (int round = 0; round < 500; round++) {
        make_text(&t, &rng);
        uint8_t *exact = malloc(t.len ? t.len : 1);
        memcpy(exact, t.bytes, t.len);
        assert_true(weft__utf8_valid(exact, t.len));
        assert_int_equal(weft__utf8_count(exact, t.len), t.count);
        assert_int_equal(weft__utf8_count_astral(exact, t.len), t.astral);
        for (size_t i = 0; i <= t.count; i += 1 + t.count / 50)
            assert_int_equal(weft__utf8_offset(exact, t.len, i), t.offsets[i]);
        assert_int_equal(weft__utf8_offset(exact, t.len, t.count), t.len);
        assert_int_equal(weft__utf8_offset(exact, t.len, t.count + 1), t.len);
        assert_int_equal(weft__utf8_offset(exact, t.len, SIZE_MAX), t.len);
        free(exact);
    }
}

struct expected {
    bool valid;
};

static void feed_pieces(const struct test_piece *pieces, size_t count, void *ctx)
{
    const struct expected *expected = ctx;
    struct weft_utf8 s = {0};
    bool alive = true;
    for (size_t i = 0; i < count && alive; i++)
        alive = weft__utf8_feed(&s, pieces[i].data, pieces[i].len);
    assert_int_equal(alive && weft__utf8_complete(&s), expected->valid);
}

static void splits_make_no_difference(void **state)
{
    struct test_random rng;
    static struct text t;
    (void)state;
    test_random_init(&rng, "utf8 splits");
    for (int round = 0; round < 150; round++) {
        make_text(&t, &rng);
        if (t.len && test_random_one_in(&rng, 2))
            t.bytes[test_random_below(&rng, t.len)] = (uint8_t)test_random_u64(&rng);
        if (t.len && test_random_one_in(&rng, 4))
            t.len--;
        struct expected expected = {slow_valid(t.bytes, t.len)};
        test_each_split(t.bytes, t.len, &rng, 10, feed_pieces, &expected);
    }
}

/* ---- Published cases ---- */

/* The bytes of one case: after "valid:" as they are, after "valid hex:" as digits up to a colon. */
static uint8_t *case_bytes(char *content, bool hex, size_t *ret_len)
{
    if (!hex) {
        *ret_len = strlen(content);
        return (uint8_t *)strdup(content);
    }
    char *end = strchr(content, ':');
    if (end)
        *end = '\0';
    return test_hex_decode(content, ret_len);
}

static void published_cases_are_judged_as_they_say(void **state)
{
    char *file = test_file_load("vectors/utf8/utf8tests.txt", NULL);
    size_t valid_count = 0;
    size_t invalid_count = 0;
    (void)state;
    char *rest = NULL;
    for (char *line = strtok_r(file, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *kind = strchr(line, ':');
        if (line[0] == '#' || !kind)
            continue;
        kind += 1 + strspn(kind + 1, " ");
        char *content = strchr(kind, ':') + 1;
        bool valid = strncmp(kind, "valid", 5) == 0;
        size_t len;
        uint8_t *bytes = case_bytes(content, strncmp(content - 4, "hex:", 4) == 0, &len);
        if (weft__utf8_valid(bytes, len) != valid)
            fail_msg("%s", line);
        free(bytes);
        valid_count += valid;
        invalid_count += !valid;
    }
    free(file);
    assert_int_equal(valid_count, 77);
    assert_int_equal(invalid_count, 145);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_as_defined),
        cmocka_unit_test(four_bytes_at_every_edge_are_judged_as_defined),
        cmocka_unit_test(spoiled_text_is_refused_at_the_first_possible_byte),
        cmocka_unit_test(every_character_is_encoded_and_decoded),
        cmocka_unit_test(characters_are_counted_and_found),
        cmocka_unit_test(splits_make_no_difference),
        cmocka_unit_test(published_cases_are_judged_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
