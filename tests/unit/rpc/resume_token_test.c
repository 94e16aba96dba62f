/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compiler.h"
#include "io/crypto.h"
#include "lib/test.h"
#include "rpc/resume_token.h"

static struct weft_rpc_resume_key key;
static struct weft_rpc_resume session;
static const struct weft_rpc_wire wire, other_wire;

#define TOKEN_ROOM (WEFT_RPC_RESUME_TOKEN_LEN + 1)

static int set_up(void **state)
{
    (void)state;
    weft__rpc_resume_key_init(&key, weft__crypto_openssl());
    weft__rpc_resume_init(&session, &key, 3, 77, &wire, WEFT_SLICE_LIT("anna"));
    return 0;
}

/* ---- tokens ---- */

/* Made with Python's hmac: rs_ + base64url(pack('<IQQ', …) + hmac-sha256[:16]). */
static void tokens_are_the_identifiers_and_their_hmac(void **state)
{
    (void)state;
    static const struct {
        struct weft_rpc_resume_id id;
        const char *token;
    } known[] = {
        {{3, 0x0102030405060708, 5}, "rs_AwAAAAgHBgUEAwIBBQAAAAAAAACjzIIRY_k2pSfHWjsHoo4n"},
        {{0, 1, 1}, "rs_AAAAAAEAAAAAAAAAAQAAAAAAAAA5Qs3qSlM4dGugClRbzbiG"},
    };
    for (size_t i = 0; i < sizeof(key.bytes); ++i)
        key.bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(known); ++i) {
        char token[TOKEN_ROOM];
        struct weft_rpc_resume_id id;
        assert_ok(weft__rpc_resume_token_write(&key, &known[i].id, token));
        assert_string_equal(token, known[i].token);
        assert_ok(weft__rpc_resume_token_read(&key, weft__slice_str(token), &id));
        assert_int_equal(id.worker, known[i].id.worker);
        assert_int_equal(id.session, known[i].id.session);
        assert_int_equal(id.generation, known[i].id.generation);
    }
}

static void extreme_identifiers_come_back(void **state)
{
    (void)state;
    char token[TOKEN_ROOM];
    struct weft_rpc_resume_id id = {UINT32_MAX, UINT64_MAX, UINT64_MAX}, got;
    assert_ok(weft__rpc_resume_token_write(&key, &id, token));
    assert_ok(weft__rpc_resume_token_read(&key, weft__slice_str(token), &got));
    assert_int_equal(got.worker, id.worker);
    assert_int_equal(got.session, id.session);
    assert_int_equal(got.generation, id.generation);
}

/* |token| of |len| bytes is none of ours, and nothing is written. */
static void assert_unknown(const char *token, size_t len)
{
    struct weft_rpc_resume_id id = {1, 2, 3};
    /* Of exactly that size, so that a read behind it is seen. */
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, token, len);
    assert_err(weft__rpc_resume_token_read(&key, weft__slice(copy + 1, len), &id),
               WEFT_ERR_NOT_FOUND);
    assert_true(id.worker == 1 && id.session == 2 && id.generation == 3);
    free(copy);
}

static void every_other_text_is_unknown(void **state)
{
    (void)state;
    char token[TOKEN_ROOM], changed[TOKEN_ROOM + 1] = {0};
    assert_ok(weft__rpc_resume_issue(&session, token));
    for (size_t len = 0; len < WEFT_RPC_RESUME_TOKEN_LEN; ++len)
        assert_unknown(token, len);
    assert_unknown(token, TOKEN_ROOM);
    for (size_t i = 0; i < WEFT_RPC_RESUME_TOKEN_LEN; ++i) {
        memcpy(changed, token, TOKEN_ROOM);
        for (int byte = 0; byte < 256; ++byte) {
            changed[i] = (char)byte;
            if (changed[i] != token[i])
                assert_unknown(changed, WEFT_RPC_RESUME_TOKEN_LEN);
        }
    }
    memcpy(changed, token, TOKEN_ROOM);
    changed[WEFT_RPC_RESUME_TOKEN_LEN] = 'A';
    assert_unknown(changed, WEFT_RPC_RESUME_TOKEN_LEN + 1);
    assert_unknown("rs_", 3);
    struct weft_rpc_resume_id id;
    assert_err(weft__rpc_resume_token_read(&key, (struct weft_slice){NULL, 0}, &id),
               WEFT_ERR_NOT_FOUND);
}

static void tokens_of_another_process_are_unknown(void **state)
{
    (void)state;
    char token[TOKEN_ROOM];
    assert_ok(weft__rpc_resume_issue(&session, token));
    weft__rpc_resume_key_init(&key, weft__crypto_openssl());
    assert_unknown(token, WEFT_RPC_RESUME_TOKEN_LEN);
}

/* ---- which are valid ---- */

static void issue(char token[TOKEN_ROOM])
{
    assert_ok(weft__rpc_resume_issue(&session, token));
    assert_int_equal(strlen(token), WEFT_RPC_RESUME_TOKEN_LEN);
}

static enum weft_rpc_resume_result present_as(const char *token, const struct weft_rpc_wire *as,
                                              const char *principal)
{
    struct weft_rpc_resume_id id;
    assert_ok(weft__rpc_resume_token_read(&key, weft__slice_str(token), &id));
    assert_int_equal(id.worker, 3);
    assert_int_equal(id.session, 77);
    return weft__rpc_resume_judge(&session, &id, as, weft__slice_str(principal));
}

#define assert_judged(token, want)                                                                 \
    assert_string_equal(weft__rpc_resume_result_name(present_as((token), &wire, "anna")), (want))

static void each_welcome_brings_another_token(void **state)
{
    (void)state;
    char a[TOKEN_ROOM], b[TOKEN_ROOM];
    issue(a);
    issue(b);
    assert_string_not_equal(a, b);
}

static void the_old_token_is_valid_until_the_new_one_is_known_to_have_arrived(void **state)
{
    (void)state;
    char a[TOKEN_ROOM], b[TOKEN_ROOM], c[TOKEN_ROOM];
    issue(a);
    assert_judged(a, "ok");
    issue(b);
    /* The welcome with b may have been lost, or not. */
    assert_judged(a, "ok");
    issue(c);
    assert_judged(a, "ok");
    weft__rpc_resume_proved(&session);
    weft__rpc_resume_proved(&session);
    assert_judged(a, "fenced");
    assert_judged(b, "fenced");
    assert_judged(c, "ok");
}

static void presenting_the_new_token_ends_the_old_one(void **state)
{
    (void)state;
    char a[TOKEN_ROOM], b[TOKEN_ROOM];
    issue(a);
    issue(b);
    assert_judged(b, "ok");
    assert_judged(a, "fenced");
    assert_judged(b, "ok");
}

static void greetings_under_way_at_once_do_not_lose_the_session(void **state)
{
    (void)state;
    char a[TOKEN_ROOM], early[TOKEN_ROOM], late[TOKEN_ROOM];
    issue(a);
    weft__rpc_resume_proved(&session);
    /* The client gave up a connection whose greeting arrives after that of the next one. */
    assert_judged(a, "ok");
    issue(early);
    assert_judged(a, "ok");
    issue(late);
    /* It has seen the welcome of the one that was fenced just then. */
    assert_judged(early, "ok");
    assert_judged(a, "fenced");
}

static void another_wire_or_principal_does_not_get_the_session(void **state)
{
    (void)state;
    char a[TOKEN_ROOM], b[TOKEN_ROOM];
    issue(a);
    issue(b);
    assert_int_equal(present_as(b, &other_wire, "anna"), WEFT_RPC_RESUME_WIRE);
    assert_int_equal(present_as(b, &wire, "otto"), WEFT_RPC_RESUME_PRINCIPAL);
    assert_int_equal(present_as(b, &wire, ""), WEFT_RPC_RESUME_PRINCIPAL);
    assert_int_equal(present_as(b, &wire, "anna2"), WEFT_RPC_RESUME_PRINCIPAL);
    assert_int_equal(present_as(b, &other_wire, "otto"), WEFT_RPC_RESUME_PRINCIPAL);
    /* None of that proved anything. */
    assert_judged(a, "ok");
    weft__rpc_resume_proved(&session);
    /* A thief is not even told that the session goes on. */
    assert_int_equal(present_as(a, &wire, "otto"), WEFT_RPC_RESUME_PRINCIPAL);
    assert_judged(a, "fenced");
}

static void sessions_without_principal_resume_without_one(void **state)
{
    (void)state;
    char a[TOKEN_ROOM];
    weft__rpc_resume_init(&session, &key, 3, 77, &wire, (struct weft_slice){NULL, 0});
    issue(a);
    assert_int_equal(present_as(a, &wire, ""), WEFT_RPC_RESUME_OK);
    assert_int_equal(present_as(a, &wire, "anna"), WEFT_RPC_RESUME_PRINCIPAL);
}

static void the_token_of_a_session_that_is_over_is_expired(void **state)
{
    (void)state;
    char a[TOKEN_ROOM];
    struct weft_rpc_resume_id id;
    issue(a);
    assert_ok(weft__rpc_resume_token_read(&key, weft__slice_str(a), &id));
    assert_int_equal(weft__rpc_resume_judge(NULL, &id, &wire, WEFT_SLICE_LIT("anna")),
                     WEFT_RPC_RESUME_EXPIRED);
}

static void results_have_the_names_of_the_protocol(void **state)
{
    (void)state;
    static const char *const names[] = {"ok",       "unknown", "expired",  "fenced",
                                        "overflow", "wire",    "principal"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); ++i)
        assert_string_equal(weft__rpc_resume_result_name((enum weft_rpc_resume_result)i), names[i]);
}

/* ---- digests that fail ---- */

struct failing {
    int left; /* digests until one fails */
};

static int sha256_or_fail(void *ctx, const void *data, size_t len, uint8_t ret[WEFT_SHA256_SIZE])
{
    struct failing *failing = ctx;
    if (failing->left-- == 0)
        return WEFT_ERR_NOMEM;
    const struct weft_crypto *real = weft__crypto_openssl();
    return real->sha256(real->ctx, data, len, ret);
}

static void a_failing_digest_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    struct failing failing = {0};
    struct weft_crypto crypto = *weft__crypto_openssl();
    crypto.sha256 = sha256_or_fail;
    crypto.ctx = &failing;
    char a[TOKEN_ROOM], b[TOKEN_ROOM] = "unchanged", c[TOKEN_ROOM];
    issue(a);
    key.crypto = &crypto;
    for (int i = 0; i < 2; ++i) {
        struct weft_rpc_resume_id id;
        failing.left = i;
        assert_err(weft__rpc_resume_issue(&session, b), WEFT_ERR_NOMEM);
        assert_string_equal(b, "unchanged");
        failing.left = i;
        assert_err(weft__rpc_resume_token_read(&key, weft__slice_str(a), &id), WEFT_ERR_NOMEM);
    }
    key.crypto = weft__crypto_openssl();
    weft__rpc_resume_proved(&session);
    assert_judged(a, "ok");
    issue(c);
    assert_judged(c, "ok");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_are_the_identifiers_and_their_hmac),
        TEST(extreme_identifiers_come_back),
        TEST(every_other_text_is_unknown),
        TEST(tokens_of_another_process_are_unknown),
        TEST(each_welcome_brings_another_token),
        TEST(the_old_token_is_valid_until_the_new_one_is_known_to_have_arrived),
        TEST(presenting_the_new_token_ends_the_old_one),
        TEST(greetings_under_way_at_once_do_not_lose_the_session),
        TEST(another_wire_or_principal_does_not_get_the_session),
        TEST(sessions_without_principal_resume_without_one),
        TEST(the_token_of_a_session_that_is_over_is_expired),
        TEST(results_have_the_names_of_the_protocol),
        TEST(a_failing_digest_leaves_the_session_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
