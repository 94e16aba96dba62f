/* SPDX-License-Identifier: Apache-2.0 */
/* DEFLATE for messages: round trips, windows, histories, limits, broken input. zlib, called here
 * with the receiver's window and one byte of room at a time, is the strict judge of windows. */
#include "base/bytes.h"
#include "codec/deflate.h"

#include "base/mem.h"
#include "lib/test.h"

#define ZLIB_CONST
#include <zlib.h>

enum { SRC_MAX = 300 * 1024 };

/* ---- Messages ---- */

static size_t put_json(uint8_t *dst, size_t want, struct test_random *rng)
{
    static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank"};
    size_t len = 0;
    while (len < want) {
        char text[96];
        int n =
            snprintf(text, sizeof(text), "{\"id\":%u,\"user\":\"%s%u\",\"score\":%u.%u},",
                     (unsigned)test_random_below(rng, 100000), names[test_random_below(rng, 6)],
                     (unsigned)test_random_below(rng, 100), (unsigned)test_random_below(rng, 1000),
                     (unsigned)test_random_below(rng, 100));
        size_t part = (size_t)n < want - len ? (size_t)n : want - len;
        memcpy(dst + len, text, part);
        len += part;
    }
    return len;
}

/* One of several kinds of content. */
static void put_content(uint8_t *dst, size_t len, unsigned kind, struct test_random *rng)
{
    switch (kind) {
    case 0:
        (void)put_json(dst, len, rng);
        break;
    case 1:
        memset(dst, (int)test_random_below(rng, 256), len);
        break;
    case 2:
        test_random_bytes(rng, dst, len);
        break;
    case 3: /* far repetitions */
        test_random_bytes(rng, dst, len);
        for (size_t at = len / 2; at < len; at++)
            dst[at] = dst[at - len / 2];
        break;
    case 4: /* text, noise, text: some blocks are stored */
        (void)put_json(dst, len, rng);
        test_random_bytes(rng, dst + len / 3, len / 3);
        break;
    default: /* ends with what a flush ends with */
        test_random_bytes(rng, dst, len);
        for (size_t at = 0; at < len / 4; at++)
            dst[at] = 0;
        if (len >= 4)
            memcpy(dst + len - 4, "\x00\x00\xff\xff", 4);
        break;
    }
}

/* ---- The judge ---- */

static void judge_feed(z_stream *zs, struct weft_slice src, uint8_t *dst, size_t cap, size_t *len)
{
    int rc;
    zs->next_in = src.ptr;
    zs->avail_in = (uInt)src.len;
    do {
        assert_true(*len <= cap);
        uint8_t byte;
        zs->next_out = &byte;
        zs->avail_out = 1;
        rc = inflate(zs, Z_SYNC_FLUSH);
        assert_true(rc == Z_OK || rc == Z_BUF_ERROR);
        if (!zs->avail_out) {
            assert_true(*len < cap);
            dst[(*len)++] = byte;
        }
    } while (!zs->avail_out || (zs->avail_in && rc == Z_OK));
}

/* |wire| inflates to |want| in a window of |bits|, after |history|. */
static void assert_in_window(struct weft_slice wire, struct weft_slice history, unsigned bits,
                             struct weft_slice want)
{
    z_stream zs = {0};
    size_t len = 0;
    uint8_t *dst = malloc(want.len + 1);
    assert_int_equal(inflateInit2(&zs, -(int)bits), Z_OK);
    if (history.len)
        assert_int_equal(inflateSetDictionary(&zs, history.ptr, (uInt)history.len), Z_OK);
    judge_feed(&zs, wire, dst, want.len, &len);
    judge_feed(&zs, WEFT_SLICE_LIT("\x00\x00\xff\xff"), dst, want.len, &len);
    assert_bytes(dst, len, want.ptr, want.len);
    assert_int_equal(inflateEnd(&zs), Z_OK);
    free(dst);
}

/* ---- Round trips ---- */

/* Compresses into exactly the promised room. */
static size_t deflate_exactly(struct weft_deflate_pool *pool, unsigned bits,
                              struct weft_slice history, struct weft_slice src, uint8_t **ret_wire)
{
    uint8_t *room = malloc(src.len + WEFT_DEFLATE_SLACK);
    size_t len = weft__deflate(pool, bits, history, src, room);
    assert_true(len < src.len || !len);
    *ret_wire = room;
    return len;
}

static void each_window_is_respected_and_inflates_again(void **state)
{
    (void)state;
    struct test_random rng;
    struct test_alloc mem;
    test_random_init(&rng, "deflate windows");
    test_alloc_init(&mem);
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, &mem.alloc);
    uint8_t *src = malloc(SRC_MAX);
    static const size_t sizes[] = {1,   2,    5,    20,   255,  256,   257,   511,   512,
                                   513, 1024, 4096, 5000, 9000, 40000, 70000, 150000};
    size_t compressed = 0;
    for (unsigned bits = WEFT_DEFLATE_BITS_MIN; bits <= WEFT_DEFLATE_BITS_MAX; bits++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            unsigned kind = (unsigned)test_random_below(&rng, 6);
            put_content(src, sizes[i], kind, &rng);
            struct weft_slice content = weft__slice(src, sizes[i]);
            struct weft_slice none = {NULL, 0};
            uint8_t *wire;
            size_t len = deflate_exactly(&pool, bits, none, content, &wire);
            if (len) {
                struct weft_slice again;
                compressed++;
                assert_in_window(weft__slice(wire, len), none, bits, content);
                assert_ok(weft__inflate(&pool, none, weft__slice(wire, len), content.len, &again));
                assert_bytes(again.ptr, again.len, content.ptr, content.len);
                assert_err(
                    weft__inflate(&pool, none, weft__slice(wire, len), content.len - 1, &again),
                    WEFT_ERR_TOO_BIG);
            }
            free(wire);
        }
    }
    assert_true(compressed > 20);
    free(src);
    weft__deflate_pool_done(&pool);
    test_alloc_done(&mem);
}

static void a_sequence_with_context_refers_only_to_what_the_receiver_keeps(void **state)
{
    (void)state;
    struct test_random rng;
    struct test_alloc mem;
    test_random_init(&rng, "deflate contexts");
    test_alloc_init(&mem);
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, &mem.alloc);
    uint8_t *src = malloc(SRC_MAX);
    size_t alone = 0;
    size_t in_context = 0;
    for (unsigned bits = WEFT_DEFLATE_BITS_MIN; bits <= WEFT_DEFLATE_BITS_MAX; bits++) {
        struct weft_deflate_history said = {0};
        struct weft_deflate_history heard = {0};
        for (unsigned i = 0; i < 24; i++) {
            size_t want = test_random_one_in(&rng, 8) ? test_random_size(&rng, 1, 80000)
                                                      : test_random_size(&rng, 1, 2000);
            put_content(src, want, test_random_one_in(&rng, 4) ? 4 : 0, &rng);
            struct weft_slice content = weft__slice(src, want);
            uint8_t *wire;
            size_t len =
                deflate_exactly(&pool, bits, weft__deflate_history_slice(&said), content, &wire);
            if (len) {
                struct weft_slice again;
                struct weft_slice out = weft__slice(wire, len);
                assert_in_window(out, weft__deflate_history_slice(&heard), bits, content);
                assert_ok(weft__inflate(&pool, weft__deflate_history_slice(&heard), out,
                                        content.len, &again));
                assert_bytes(again.ptr, again.len, content.ptr, content.len);
                assert_ok(
                    weft__deflate_history_add(&said, &mem.alloc, WEFT_MIN(bits, 12u), content));
                assert_ok(weft__deflate_history_add(&heard, &mem.alloc, bits, content));
                assert_true(heard.cap <= 1u << bits && said.cap <= 4096);
                in_context += len;
            }
            free(wire);
            uint8_t *other;
            size_t len_alone = deflate_exactly(&pool, bits, weft__slice(NULL, 0), content, &other);
            if (len)
                alone += len_alone ? len_alone : content.len;
            free(other);
        }
        weft__deflate_history_done(&said, &mem.alloc);
        weft__deflate_history_done(&heard, &mem.alloc);
    }
    assert_true(in_context < alone);
    free(src);
    weft__deflate_pool_done(&pool);
    test_alloc_done(&mem);
}

static void incompressible_messages_are_left_alone(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "deflate noise");
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, weft_alloc_default());
    uint8_t src[3000];
    for (size_t len = 0; len <= sizeof(src); len = len * 2 + 1) {
        uint8_t *wire;
        test_random_bytes(&rng, src, len);
        size_t out = deflate_exactly(&pool, 15, weft__slice(NULL, 0), weft__slice(src, len), &wire);
        assert_int_equal(out, 0);
        free(wire);
    }
    weft__deflate_pool_done(&pool);
}

/* ---- Inflating ---- */

static struct weft_deflate_pool default_pool(void)
{
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, weft_alloc_default());
    return pool;
}

static void assert_inflates(const char *hex, const char *want)
{
    size_t len;
    uint8_t *wire = test_hex_decode(hex, &len);
    struct weft_slice again;
    struct weft_deflate_pool pool = default_pool();
    assert_ok(weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, len), 64, &again));
    assert_bytes(again.ptr, again.len, want, strlen(want));
    free(wire);
    weft__deflate_pool_done(&pool);
}

/* RFC 7692 §7.2.3. */
static void examples_of_the_rfc_inflate(void **state)
{
    (void)state;
    assert_inflates("f248cdc9c90700", "Hello");               /* §7.2.3.1 */
    assert_inflates("000500faff48656c6c6f00", "Hello");       /* §7.2.3.3: a stored block */
    assert_inflates("f348cdc9c9070000", "Hello");             /* §7.2.3.4: BFINAL */
    assert_inflates("f248050000 00ffff cac9c90700", "Hello"); /* §7.2.3.5: two blocks */
    assert_inflates("00", "");                                /* §7.2.3.6: an empty message */
}

static void the_second_message_of_the_rfc_needs_the_first(void **state)
{
    (void)state;
    static const uint8_t second[] = {0xf2, 0x00, 0x11, 0x00, 0x00};
    struct weft_deflate_pool pool = default_pool();
    struct weft_slice wire = weft__slice(second, sizeof(second));
    struct weft_slice again;
    assert_ok(weft__inflate(&pool, WEFT_SLICE_LIT("Hello"), wire, 64, &again));
    assert_bytes(again.ptr, again.len, "Hello", 5);
    assert_err(weft__inflate(&pool, weft__slice(NULL, 0), wire, 64, &again), WEFT_ERR_PROTOCOL);
    weft__deflate_pool_done(&pool);
}

static void after_a_final_block_references_reach_back_beyond_it(void **state)
{
    (void)state;
    /* "Hello" in a final block, then a block with one reference of five bytes, five back. */
    static const uint8_t wire[] = {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07,
                                   0x00, 0x02, 0x13, 0x00, 0x00};
    struct weft_deflate_pool pool = default_pool();
    struct weft_slice again;
    int err =
        weft__inflate(&pool, WEFT_SLICE_LIT("before"), weft__slice(wire, sizeof(wire)), 64, &again);
    assert_ok(err);
    assert_int_equal(memcmp(again.ptr, "Hello", 5), 0);
    assert_true(again.len > 5);
    weft__deflate_pool_done(&pool);
}

/* Every block the last, each referring to what others brought: "Hello" again and again. */
static void any_number_of_final_blocks_keep_their_references(void **state)
{
    (void)state;
    enum { TIMES = 20000 };
    static const uint8_t first[] = {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    static const uint8_t again_block[] = {0x03, 0x13, 0x00}; /* five bytes, five back */
    static const uint8_t empty[] = {0x03, 0x00};
    struct weft_deflate_pool pool = default_pool();
    struct weft_bytes wire;
    struct weft_slice out;
    weft__bytes_init(&wire, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append(&wire, first, sizeof(first));
    for (int i = 1; i < TIMES; i++) {
        weft__bytes_append(&wire, empty, sizeof(empty));
        weft__bytes_append(&wire, again_block, sizeof(again_block));
    }
    weft__bytes_append_byte(&wire, 0);
    assert_ok(weft__inflate(&pool, weft__slice(NULL, 0), weft__bytes_slice(&wire), 1 << 20, &out));
    assert_int_equal(out.len, 5 * TIMES);
    for (size_t i = 0; i < out.len; i += 5)
        assert_memory_equal(out.ptr + i, "Hello", 5);
    /* The history of the messages before stays in reach, too. */
    static const uint8_t back[] = {0x03, 0x00, 0x03, 0x13, 0x00, 0x00};
    assert_ok(
        weft__inflate(&pool, WEFT_SLICE_LIT("world"), weft__slice(back, sizeof(back)), 64, &out));
    assert_bytes(out.ptr, out.len, "world", 5);
    weft__bytes_done(&wire);
    weft__deflate_pool_done(&pool);
}

static void broken_input_is_an_error(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",                       /* not even an empty block */
        "07",                     /* block type 3 */
        "ffffffffffff",           /* the same, more of it */
        "f248cdc9c9",             /* ends inside a block */
        "000900f6ff48",           /* a stored block that ends early */
        "000500ffff48656c6c6f00", /* its length and the complement disagree */
        "f248cdc9c9070005",       /* bits of another block behind the last */
    };
    struct weft_deflate_pool pool = default_pool();
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        size_t len;
        uint8_t *wire = test_hex_decode(broken[i], &len);
        struct weft_slice again = {NULL, 12345};
        assert_err(weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, len), 64, &again),
                   WEFT_ERR_PROTOCOL);
        assert_int_equal(again.len, 12345);
        free(wire);
    }
    weft__deflate_pool_done(&pool);
}

static void each_truncation_is_an_error(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "deflate truncation");
    uint8_t src[2000];
    uint8_t *wire;
    struct weft_deflate_pool pool = default_pool();
    struct weft_slice again;
    (void)put_json(src, sizeof(src), &rng);
    size_t len =
        deflate_exactly(&pool, 15, weft__slice(NULL, 0), weft__slice(src, sizeof(src)), &wire);
    for (size_t cut = 0; cut < len; cut++) {
        int err =
            weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, cut), SRC_MAX, &again);
        /* The last byte may hold nothing but the marker's first bits. */
        assert_true(err == WEFT_ERR_PROTOCOL || (err == 0 && cut == len - 1));
    }
    free(wire);
    weft__deflate_pool_done(&pool);
}

static void a_bomb_is_refused_without_memory_for_it(void **state)
{
    (void)state;
    enum { BOMB = 16 << 20, LIMIT = 100000 };
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, &mem.alloc);
    uint8_t *zeroes = calloc(1, BOMB);
    uint8_t *wire;
    size_t len = deflate_exactly(&pool, 15, weft__slice(NULL, 0), weft__slice(zeroes, BOMB), &wire);
    assert_true(len > 0 && len < BOMB / 100);
    struct weft_slice again;
    size_t before = mem.live_bytes;
    mem.peak_bytes = before;
    assert_err(weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, len), LIMIT, &again),
               WEFT_ERR_TOO_BIG);
    assert_true(mem.peak_bytes - before < 3 * LIMIT + 64 * 1024);
    weft__deflate_pool_trim(&pool);
    assert_ok(weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, len), BOMB, &again));
    assert_int_equal(again.len, BOMB);
    weft__deflate_pool_trim(&pool);
    assert_true(mem.live_bytes < 1024 * 1024);
    free(wire);
    free(zeroes);
    weft__deflate_pool_done(&pool);
    test_alloc_done(&mem);
}

/* ---- Histories, failing allocations ---- */

static void a_history_is_the_last_bytes_said(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "deflate history");
    enum { ALL = 20000, BITS = 10, WINDOW = 1 << BITS };
    uint8_t *all = malloc(ALL);
    struct weft_deflate_history history = {0};
    size_t len = 0;
    test_random_bytes(&rng, all, ALL);
    while (len < ALL) {
        size_t more = test_random_size(&rng, 0, test_random_one_in(&rng, 9) ? 3000 : 200);
        if (more > ALL - len)
            more = ALL - len;
        assert_ok(weft__deflate_history_add(&history, weft_alloc_default(), BITS,
                                            weft__slice(all + len, more)));
        len += more;
        size_t want = len < WINDOW ? len : WINDOW;
        assert_bytes(history.ptr, history.len, all + len - want, want);
    }
    weft__deflate_history_done(&history, weft_alloc_default());
    free(all);
}

static int use_everything(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    uint8_t src[6000];
    uint8_t wire[sizeof(src) + WEFT_DEFLATE_SLACK];
    struct weft_deflate_pool pool;
    struct weft_deflate_history history = {0};
    struct weft_slice again;
    memset(src, 'a', sizeof(src));
    struct weft_slice content = weft__slice(src, sizeof(src));
    weft__deflate_pool_init(&pool, alloc);
    int err = weft__deflate_history_add(&history, alloc, 12, content);
    size_t len = 0;
    if (!err) {
        len = weft__deflate(&pool, 15, weft__deflate_history_slice(&history), content, wire);
        err = len ? 0 : WEFT_ERR_NOMEM;
    }
    if (!err)
        err = weft__inflate(&pool, weft__deflate_history_slice(&history), weft__slice(wire, len),
                            sizeof(src), &again);
    if (!err)
        assert_bytes(again.ptr, again.len, src, sizeof(src));
    weft__deflate_history_done(&history, alloc);
    weft__deflate_pool_done(&pool);
    return err;
}

static void each_failing_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(use_everything, NULL) >= 4);
}

static void random_input_never_exceeds_the_limit(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "deflate random input");
    struct weft_deflate_pool pool = default_pool();
    uint8_t src[800];
    (void)put_json(src, sizeof(src), &rng);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t *wire;
        size_t len =
            deflate_exactly(&pool, 15, weft__slice(NULL, 0), weft__slice(src, sizeof(src)), &wire);
        for (unsigned hits = 0; hits <= i % 4; hits++)
            wire[test_random_below(&rng, len)] ^= (uint8_t)(1u << test_random_below(&rng, 8));
        struct weft_slice again;
        int err = weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(wire, len), 1000, &again);
        assert_true(err == WEFT_ERR_PROTOCOL || err == WEFT_ERR_TOO_BIG ||
                    (err == 0 && again.len <= 1000));
        free(wire);
    }
    weft__deflate_pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_window_is_respected_and_inflates_again),
        cmocka_unit_test(a_sequence_with_context_refers_only_to_what_the_receiver_keeps),
        cmocka_unit_test(incompressible_messages_are_left_alone),
        cmocka_unit_test(examples_of_the_rfc_inflate),
        cmocka_unit_test(the_second_message_of_the_rfc_needs_the_first),
        cmocka_unit_test(after_a_final_block_references_reach_back_beyond_it),
        cmocka_unit_test(any_number_of_final_blocks_keep_their_references),
        cmocka_unit_test(broken_input_is_an_error),
        cmocka_unit_test(each_truncation_is_an_error),
        cmocka_unit_test(a_bomb_is_refused_without_memory_for_it),
        cmocka_unit_test(a_history_is_the_last_bytes_said),
        cmocka_unit_test(each_failing_allocation_is_survived),
        cmocka_unit_test(random_input_never_exceeds_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
