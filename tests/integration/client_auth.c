/* SPDX-License-Identifier: Apache-2.0 */
/* The C client signs in, renews its token in time, and comes back with another one. */
#include "lib/in_process.h"
#include "lib/test.h"

#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>

static struct test_in_process *world;
static struct weft_client *client;
static _Atomic(const char *) renewal; /* what token_wanted answers with; NULL: nothing */
static _Atomic(struct weft_client *) current;
static atomic_int wanted, refused, reconnecting, connected, lost;

/* Tokens are "subject" or "subject:milliseconds"; "!" is refused. */
static int authenticate(void *ctx, const char *token, struct weft_identity *ret_identity)
{
    (void)ctx;
    if (!token || token[0] == '!')
        return WEFT_ERR_DENIED;
    const char *colon = strchr(token, ':');
    memcpy(ret_identity->subject, token, colon ? (size_t)(colon - token) : strlen(token));
    ret_identity->expires_in_ms = colon ? strtoull(colon + 1, NULL, 10) : 0;
    return 0;
}

static void serve_who(struct weft_call *call, void *ctx)
{
    char text[300];
    (void)ctx;
    snprintf(text, sizeof(text), "\"%s\"", weft_call_subject(call));
    assert_ok(weft_call_finish(call, text));
}

static int setup(void **state)
{
    static const struct weft_method who = {.name = "test.who", .handler = serve_who};
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.authenticate = authenticate;
    options.methods = &who;
    options.method_count = 1;
    renewal = NULL;
    wanted = refused = reconnecting = connected = lost = 0;
    world = test_in_process_start(&options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    weft_client_close(client);
    client = NULL;
    test_in_process_free(world);
    return 0;
}

static void on_wanted(void *ctx, uint32_t in_ms)
{
    (void)ctx;
    atomic_fetch_add(in_ms ? &wanted : &refused, 1);
    if (renewal)
        assert_ok(weft_client_set_token(current, renewal));
}

static void on_status(void *ctx, int status, unsigned code, const char *reason)
{
    (void)ctx;
    (void)reason;
    if (status == WEFT_CLIENT_RECONNECTING) {
        assert_int_equal(code, 4002);
        atomic_fetch_add(&reconnecting, 1);
    } else {
        atomic_fetch_add(status == WEFT_CLIENT_CONNECTED ? &connected : &lost, 1);
    }
}

static int try_connect(const char *token, char *message, size_t size)
{
    struct weft_client_options options;
    weft_client_options_init(&options);
    options.loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options.url = world->url;
    options.token = token;
    options.token_wanted = on_wanted;
    options.status = on_status;
    options.reconnect = 1;
    options.reconnect_min_ms = 1;
    options.reconnect_max_ms = 20;
    return weft_client_connect(&options, &client, message, size);
}

static void sign_in(const char *token)
{
    char message[256];
    if (try_connect(token, message, sizeof(message)))
        fail_msg("%s", message);
    current = client;
}

static void expect_who(const char *want)
{
    struct weft_answer *answer;
    assert_ok(weft_client_call_wait(client, "test.who", NULL, 0, &answer));
    if (answer->status)
        fail_msg("%d %s", answer->status, answer->message);
    assert_string_equal(answer->result, want);
    weft_answer_free(answer);
}

static void wait_for(atomic_int *value, int least)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 2000 && atomic_load(value) < least; i++)
        nanosleep(&pause, NULL);
    assert_true(atomic_load(value) >= least);
}

static void greeting_carries_the_token(void **state)
{
    (void)state;
    sign_in("ann");
    expect_who("\"ann\"");
}

static void refused_token_says_so(void **state)
{
    char message[256];
    (void)state;
    assert_err(try_connect("!", message, sizeof(message)), WEFT_ERR_DENIED);
    assert_non_null(strstr(message, "this token is not accepted"));
    assert_err(try_connect(NULL, message, sizeof(message)), WEFT_ERR_DENIED);
    assert_non_null(strstr(message, "sign in first"));
}

static void unfit_tokens_are_refused_here(void **state)
{
    static char text[8194];
    char message[256];
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    assert_err(try_connect(text, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_err(try_connect("\xff", message, sizeof(message)), WEFT_ERR_UTF8);
    sign_in("ann");
    assert_err(weft_client_set_token(client, text), WEFT_ERR_USAGE);
    assert_err(weft_client_set_token(client, "\xff"), WEFT_ERR_UTF8);
    expect_who("\"ann\"");
}

static void token_is_renewed_before_it_ends(void **state)
{
    (void)state;
    sign_in("ann:3000");
    renewal = "ann:3000";
    wait_for(&wanted, 2);
    renewal = NULL;
    assert_ok(weft_client_set_token(client, "ann"));
    expect_who("\"ann\"");
    assert_int_equal(atomic_load(&reconnecting), 0);
    assert_int_equal(atomic_load(&refused), 0);
}

static void client_without_a_new_token_comes_back_when_it_has_one(void **state)
{
    (void)state;
    sign_in("ann:300");
    wait_for(&reconnecting, 1); /* "ann:300" would do again, so: */
    assert_ok(weft_client_set_token(client, "!"));
    wait_for(&refused, 2); /* it goes on trying */
    assert_ok(weft_client_set_token(client, "ann"));
    wait_for(&connected, 1);
    expect_who("\"ann\"");
    assert_int_equal(atomic_load(&lost), 0); /* its session is the same */
}

static void token_of_somebody_else_is_refused(void **state)
{
    (void)state;
    sign_in("ann");
    assert_ok(weft_client_set_token(client, "bob"));
    wait_for(&refused, 1);
    expect_who("\"ann\"");
    assert_ok(weft_client_set_token(client, "ann"));
    expect_who("\"ann\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(greeting_carries_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_token_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(unfit_tokens_are_refused_here, setup, teardown),
        cmocka_unit_test_setup_teardown(token_is_renewed_before_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(client_without_a_new_token_comes_back_when_it_has_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(token_of_somebody_else_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
