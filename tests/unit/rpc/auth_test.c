/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in: who may call, the greeting, refreshing, the end of an identity. */
#include "rpc_world.h"

#include "lib/fault_alloc.h"
#include "rpc/auth.h"

static struct world world;
static struct weft_rpc_authenticator authenticator;
static int identified, expired;

/* Tokens are "subject" or "subject:milliseconds"; "guests" lets those in who have none. */
static bool guests;
static int judge_error;

static int judge(void *ctx, struct weft_slice token, struct weft_rpc_grant *ret_grant)
{
    const struct weft_alloc *alloc = ctx;
    const uint8_t *colon = token.len ? memchr(token.ptr, ':', token.len) : NULL;
    struct weft_slice subject =
        weft__slice(token.ptr, colon ? (size_t)(colon - token.ptr) : token.len);
    if (judge_error)
        return judge_error;
    if (token.len == 0 && guests)
        subject = WEFT_SLICE_LIT("guest");
    ret_grant->expires_in_ms =
        colon ? strtoull((const char *)colon + 1, NULL, 10) : WEFT_RPC_AUTH_NEVER;
    if (subject.len == 0 || subject.ptr[0] == '!')
        return WEFT_ERR_DENIED;
    return weft__rpc_principal_new(alloc, WEFT_SLICE_LIT("acme"), subject, &ret_grant->principal);
}

static void on_identified(void *ctx)
{
    (void)ctx;
    identified++;
}

static void on_expired(void *ctx)
{
    (void)ctx;
    expired++;
}

static int setup(void **state)
{
    static struct weft_rpc_peer_events events;
    (void)state;
    int err = world_init(&world, weft_alloc_default(), true);
    identified = expired = judge_error = 0;
    guests = false;
    events = world_events;
    events.identified = on_identified;
    events.expired = on_expired;
    world.peer.events = &events;
    authenticator = (struct weft_rpc_authenticator){.judge = judge,
                                                    .ctx = (void *)(uintptr_t)weft_alloc_default()};
    weft__rpc_env_authenticate(&world.env, &authenticator);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

#define CALL(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define REFRESH(id, token)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                              \
    ",\"method\":\"$/auth.refresh\",\"params\":{\"token\":\"" token "\"}}"
#define HELLO(token)                                                                               \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"$/hello\",\"params\":{\"v\":[1,1]" token "}}"
#define REQUIRED(id)                                                                               \
    ERROR_TEXT(id, "-32016", "sign in first",                                                      \
               "\"code\":\"unauthenticated\",\"reason\":\"weft.auth.required\","                   \
               "\"retryable\":false,\"executed\":\"no\"")                                          \
    "\n"
#define REFUSED(id)                                                                                \
    ERROR_TEXT(id, "-32016", "this token is not accepted",                                         \
               "\"code\":\"unauthenticated\",\"reason\":\"weft.auth.refused\","                    \
               "\"retryable\":false,\"executed\":\"no\"")                                          \
    "\n"
#define GOT_DATA(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":[\"hello\",5]}\n"
#define AUTH(id, auth) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"auth\":{" auth "}}}\n"

static const char *sent_text(void)
{
    weft__bytes_append_byte(&world.sent, '\0');
    return (const char *)world.sent.ptr;
}

static const char *subject(void)
{
    return (const char *)weft__rpc_principal_subject(weft__rpc_peer_principal(&world.peer)).ptr;
}

static void nobody_calls_before_signing_in(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "get_data"), REQUIRED("1"));
    assert_exchange(&world, CALL("2", "rpc.discover"), REQUIRED("2"));
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\"}", "");
    assert_int_equal(world.runs, 0);
    assert_exchange(&world, HELLO(""), REQUIRED("0"));
    assert_false(world.peer.greeted);
    assert_exchange(
        &world, "[" CALL("3", "get_data") "," CALL("4", "test.hold") "]",
        "[" ERROR_TEXT(
            "3", "-32016", "sign in first",
            "\"code\":\"unauthenticated\",\"reason\":\"weft.auth.required\","
            "\"retryable\":false,\"executed\":\"no\"") "," ERROR_TEXT("4", "-32016",
                                                                      "sign in first",
                                                                      "\"code\":"
                                                                      "\"unauthenticated\","
                                                                      "\"reason\":\"weft.auth."
                                                                      "required\","
                                                                      "\"retryable\":false,"
                                                                      "\"executed\":\"no\"") "]\n");
    assert_int_equal(identified, 0);
}

static void greeting_with_a_token_signs_in(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, HELLO(",\"token\":\"ann:90000\"")));
    assert_non_null(strstr(sent_text(), "\"auth\":{\"sub\":\"ann\",\"expires_in_ms\":90000}}}\n"));
    weft__bytes_clear(&world.sent);
    assert_int_equal(identified, 1);
    assert_string_equal(subject(), "ann");
    assert_exchange(&world, CALL("1", "get_data"), GOT_DATA("1"));
}

static void refused_token_leaves_the_greeting_open_for_another_one(void **state)
{
    (void)state;
    assert_exchange(&world, HELLO(",\"token\":\"!no\""), REFUSED("0"));
    assert_exchange(&world, CALL("1", "get_data"), REQUIRED("1"));
    assert_ok(world_receive(&world, HELLO(",\"token\":\"ann\"")));
    assert_non_null(strstr(sent_text(), "\"auth\":{\"sub\":\"ann\"}}}\n"));
    assert_int_equal(world.env.counters.auth_refused, 1);
    assert_int_equal(world.env.counters.auth_accepted, 1);
}

static void plain_client_signs_in_by_refresh(void **state)
{
    (void)state;
    assert_exchange(&world, REFRESH("1", "ann"), AUTH("1", "\"sub\":\"ann\""));
    assert_exchange(&world, CALL("2", "get_data"), GOT_DATA("2"));
    assert_exchange(&world, CALL("3", "$/auth.refresh"),
                    ERROR_TEXT("3", "-32602", "token must be a string",
                               "\"code\":\"invalid_argument\",\"retryable\":false,"
                               "\"executed\":\"no\"") "\n");
}

static void those_without_a_token_may_be_let_in(void **state)
{
    struct weft_rpc_grant grant;
    (void)state;
    guests = true;
    assert_ok(weft__rpc_auth_judge(&world.env, weft__slice(NULL, 0), &grant));
    assert_ok(weft__rpc_peer_identify(&world.peer, grant.principal, WEFT_RPC_AUTH_NEVER));
    weft__rpc_principal_unref(grant.principal);
    assert_string_equal(subject(), "guest");
    assert_exchange(&world, CALL("1", "get_data"), GOT_DATA("1"));
}

static void end_is_announced_and_comes_unless_refreshed(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, HELLO(",\"token\":\"ann:180000\"")));
    weft__bytes_clear(&world.sent);
    world_advance_ms(&world, 119999);
    assert_sent(&world, "");
    world_advance_ms(&world, 1);
    assert_sent(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/auth.expiring\","
                        "\"params\":{\"in_ms\":60000}}\n");
    assert_int_equal(world.lane, WEFT_RPC_LANE_CONTROL);
    assert_exchange(&world, REFRESH("1", "ann:1000"),
                    AUTH("1", "\"sub\":\"ann\",\"expires_in_ms\":1000"));
    assert_int_equal(identified, 1);
    world_advance_ms(&world, 500);
    assert_sent(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/auth.expiring\","
                        "\"params\":{\"in_ms\":500}}\n");
    assert_int_equal(expired, 0);
    world_advance_ms(&world, 500);
    assert_int_equal(expired, 1);
    assert_exchange(&world, CALL("2", "get_data"),
                    ERROR_TEXT("2", "-32016", "the token has expired",
                               "\"code\":\"unauthenticated\",\"reason\":\"weft.auth.expired\","
                               "\"retryable\":false,\"executed\":\"no\"") "\n");
    assert_int_equal(world.env.counters.auth_expired, 1);
}

static void who_greets_late_is_told_of_an_end_that_is_near(void **state)
{
    (void)state;
    assert_exchange(&world, REFRESH("1", "ann:1000"),
                    AUTH("1", "\"sub\":\"ann\",\"expires_in_ms\":1000"));
    world_advance_ms(&world, 700);
    assert_sent(&world, "");
    assert_ok(world_receive(&world, HELLO("")));
    assert_non_null(strstr(sent_text(), "}}}\n{\"jsonrpc\":\"2.0\",\"method\":\"$/auth.expiring\","
                                        "\"params\":{\"in_ms\":300}}\n"));
}

static void connection_stays_with_its_principal(void **state)
{
    (void)state;
    assert_exchange(&world, REFRESH("1", "ann"), AUTH("1", "\"sub\":\"ann\""));
    const struct weft_rpc_principal *before = weft__rpc_peer_principal(&world.peer);
    assert_exchange(&world, REFRESH("2", "bob"),
                    ERROR_TEXT("2", "-32007", "this connection belongs to somebody else",
                               "\"code\":\"permission_denied\",\"reason\":\"weft.auth.principal\","
                               "\"retryable\":false,\"executed\":\"no\"") "\n");
    assert_exchange(&world, REFRESH("3", "!x"), REFUSED("3"));
    assert_exchange(&world, CALL("4", "get_data"), GOT_DATA("4"));
    assert_exchange(&world, REFRESH("5", "ann"), AUTH("5", "\"sub\":\"ann\""));
    assert_ptr_equal(weft__rpc_peer_principal(&world.peer), before);
}

static void who_guesses_tokens_is_sent_away(void **state)
{
    (void)state;
    for (int i = 1; i < WEFT_RPC_AUTH_REFUSED_MAX; i++)
        assert_exchange(&world, REFRESH("1", "!x"), REFUSED("1"));
    assert_err(world_receive(&world, REFRESH("1", "!x")), WEFT_ERR_PROTOCOL);
    assert_string_equal(world.peer.violation, "too many tokens refused");
}

/* A key puts calls behind one another, and a call that waited runs outside of any message. */
static void tokens_are_judged_at_once_whatever_their_ordering_key(void **state)
{
    static const char token[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"$/auth.refresh\","
                                "\"meta\":{\"order\":\"k\"},\"params\":{\"token\":\"!x\"}}";
    (void)state;
    assert_ok(world_receive(&world, HELLO(",\"token\":\"ann\"")));
    weft__bytes_clear(&world.sent);
    assert_exchange(&world,
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\","
                    "\"meta\":{\"order\":\"k\"}}",
                    "");
    for (int i = 1; i < WEFT_RPC_AUTH_REFUSED_MAX; i++)
        assert_exchange(&world, token, REFUSED("2"));
    assert_err(world_receive(&world, token), WEFT_ERR_PROTOCOL);
    assert_string_equal(world.peer.violation, "too many tokens refused");
}

static void judge_that_cannot_tell_is_no_refusal(void **state)
{
    (void)state;
    judge_error = WEFT_ERR_UNAVAILABLE;
    for (int i = 0; i < 2 * WEFT_RPC_AUTH_REFUSED_MAX; i++)
        assert_exchange(&world, REFRESH("1", "ann"),
                        ERROR_TEXT("1", "-32014", "tokens cannot be checked now",
                                   "\"code\":\"unavailable\",\"reason\":\"weft.auth.unavailable\","
                                   "\"retryable\":true,\"executed\":\"no\"") "\n");
}

static void token_that_is_too_long_is_refused_unseen(void **state)
{
    static char text[WEFT_RPC_AUTH_TOKEN_MAX + 1];
    struct weft_rpc_grant grant;
    (void)state;
    memset(text, 'a', sizeof(text));
    judge_error = WEFT_ERR_UNAVAILABLE;
    assert_err(weft__rpc_auth_judge(&world.env, weft__slice(text, sizeof(text)), &grant),
               WEFT_ERR_DENIED);
}

static void without_an_authenticator_tokens_mean_nothing(void **state)
{
    (void)state;
    world.env.authenticator = NULL;
    assert_exchange(&world, REFRESH("1", "ann"),
                    ERROR_TEXT("1", "-32601", "Method not found",
                               "\"code\":\"unimplemented\",\"retryable\":false,"
                               "\"executed\":\"no\"") "\n");
    assert_ok(world_receive(&world, HELLO(",\"token\":\"ann\"")));
    assert_null(strstr(sent_text(), "\"auth\""));
    assert_string_equal(subject(), "anonymous");
}

static int sign_in_and_stay(const struct weft_alloc *alloc, void *ctx)
{
    static const char *const story[] = {REFRESH("1", "ann:1000"), HELLO(""),
                                        REFRESH("2", "ann:1000"), REFRESH("3", "bob"),
                                        HELLO(",\"token\":\"ann\"")};
    (void)ctx;
    struct weft_rpc_authenticator own = {.judge = judge, .ctx = (void *)(uintptr_t)alloc};
    int err = world_init(&world, alloc, true);
    weft__rpc_env_authenticate(&world.env, &own);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(story) && !err; ++i) {
        err = world_receive(&world, story[i]);
        if (strstr(sent_text(), "weft.memory") || strstr(sent_text(), "weft.auth.unavailable"))
            err = WEFT_ERR_NOMEM;
        weft__bytes_clear(&world.sent);
    }
    if (!err) {
        world_advance_ms(&world, 600);
        world_advance_ms(&world, 600);
        err = world.failed;
    }
    world_done(&world);
    return err;
}

static void out_of_memory_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(sign_in_and_stay, NULL) > 5);
}

static void names_are_checked(void **state)
{
    static const char long_name[WEFT_RPC_SUBJECT_MAX + 1] = "";
    struct weft_rpc_principal *one, *other;
    const struct weft_alloc *alloc = weft_alloc_default();
    (void)state;
    assert_err(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT(""), WEFT_SLICE_LIT(""), &one),
               WEFT_ERR_USAGE);
    assert_err(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT(""), WEFT_SLICE_LIT("a\nb"), &one),
               WEFT_ERR_USAGE);
    assert_err(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT(""),
                                       weft__slice(long_name, sizeof(long_name)), &one),
               WEFT_ERR_USAGE);
    assert_err(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT("\xff"), WEFT_SLICE_LIT("a"), &one),
               WEFT_ERR_UTF8);
    assert_ok(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT("a"), WEFT_SLICE_LIT("bc"), &one));
    assert_ok(weft__rpc_principal_new(alloc, WEFT_SLICE_LIT("ab"), WEFT_SLICE_LIT("c"), &other));
    assert_false(weft__rpc_principal_equal(one, other));
    assert_false(weft__rpc_principal_equal(one, NULL));
    assert_true(weft__rpc_principal_equal(NULL, NULL));
    weft__rpc_principal_unref(one);
    weft__rpc_principal_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_calls_before_signing_in, setup, teardown),
        cmocka_unit_test_setup_teardown(greeting_with_a_token_signs_in, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_token_leaves_the_greeting_open_for_another_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(plain_client_signs_in_by_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(those_without_a_token_may_be_let_in, setup, teardown),
        cmocka_unit_test_setup_teardown(end_is_announced_and_comes_unless_refreshed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_greets_late_is_told_of_an_end_that_is_near, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(connection_stays_with_its_principal, setup, teardown),
        cmocka_unit_test_setup_teardown(who_guesses_tokens_is_sent_away, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_are_judged_at_once_whatever_their_ordering_key,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(judge_that_cannot_tell_is_no_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(token_that_is_too_long_is_refused_unseen, setup, teardown),
        cmocka_unit_test_setup_teardown(without_an_authenticator_tokens_mean_nothing, setup,
                                        teardown),
        cmocka_unit_test(out_of_memory_is_told_and_nothing_leaks),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
