/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed logs: whoever asks hears the same as from an unsealed one, whatever happens to sealing. */
#include "base/bytes.h"
#include "lib/hub_world.h"
#include "lib/test.h"

enum { OPS = 300, EDITS_MAX = 4000, CLIENTS = 3, SEAL_OPS = 16 };

/* A session of several clients with one document, and everything they heard. */
struct session {
    struct test_world *world;
    struct test_peer *peers[CLIENTS];
    struct test_random rng;
    struct weft_bytes heard;
    char epoch[32];
    unsigned seqs[CLIENTS];
    size_t lengths[EDITS_MAX + 1]; /* of the document at each version */
    unsigned version;
};

static void hear(struct session *s, struct test_peer *peer)
{
    const char *message;
    while ((message = peer_hear(peer))) {
        weft__bytes_append_str(&s->heard, message);
        weft__bytes_append_byte(&s->heard, '\n');
    }
}

static void hear_all(struct session *s)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        hear(s, s->peers[i]);
}

static void connect_all(struct session *s)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        s->peers[i] = world_connect(s->world, i % 2);
        peer_say(s->peers[i],
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
                 "\"type\":\"text\",\"create\":true,\"client\":\"c%u\"}}",
                 i);
        const char *answer = peer_hear(s->peers[i]);
        json_text(answer, "epoch", s->epoch, sizeof(s->epoch));
        weft__bytes_append_str(&s->heard, answer);
    }
    hear_all(s);
}

static void disconnect_all(struct session *s)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        peer_disconnect(s->peers[i]);
    world_run(s->world);
}

static void submit(struct session *s, unsigned client, unsigned seq, unsigned base, const char *op)
{
    peer_say(s->peers[client],
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"doc.submit\",\"params\":{\"doc\":\"d\","
             "\"epoch\":\"%s\",\"client\":\"c%u\",\"seq\":%u,\"version\":%u,\"op\":%s}}",
             s->epoch, client, seq, base, op);
    world_run(s->world);
    hear_all(s);
}

/* One operation: mostly insertions, some at an old version; deletions at the newest. */
static void edit(struct session *s)
{
    char op[64];
    unsigned client = (unsigned)test_random_below(&s->rng, CLIENTS);
    unsigned base = s->version;
    size_t length = s->lengths[base];
    if (length > 3 && test_random_one_in(&s->rng, 4)) {
        size_t place = test_random_size(&s->rng, 1, length - 2);
        snprintf(op, sizeof(op), "[%zu,{\"d\":1}]", place);
        length--;
    } else {
        if (test_random_one_in(&s->rng, 3))
            base = (unsigned)test_random_below(&s->rng, s->version + 1);
        size_t place = test_random_size(&s->rng, 0, s->lengths[base]);
        char letter = (char)('a' + test_random_below(&s->rng, 26));
        if (place)
            snprintf(op, sizeof(op), "[%zu,\"%c\\n\"]", place, letter);
        else
            snprintf(op, sizeof(op), "[\"%c\\n\"]", letter);
        length += 2;
    }
    submit(s, client, ++s->seqs[client], base, op);
    s->lengths[++s->version] = length;
    world_pass(s->world, test_random_below(&s->rng, 400));
}

static void ask_about_the_past(struct session *s)
{
    struct test_peer *peer = s->peers[0];
    for (unsigned v = 0; v <= s->version; v += 7) {
        peer_say(peer,
                 "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"doc.fetch\",\"params\":{\"doc\":"
                 "\"d\",\"version\":%u}}",
                 v);
        hear(s, peer);
        peer_say(peer,
                 "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"doc.history\",\"params\":{\"doc\":"
                 "\"d\",\"from\":%u,\"limit\":%u}}",
                 v, v % 50 + 1);
        hear(s, peer);
    }
    for (unsigned v = 0; v <= s->version; v += 31) {
        struct test_peer *late = world_connect(s->world, 1);
        peer_say(late,
                 "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
                 "\"client\":\"late\",\"epoch\":\"%s\",\"version\":%u}}",
                 s->epoch, v);
        hear(s, late);
        peer_disconnect(late);
    }
}

static void session_begin(struct session *s, struct test_world *world, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->world = world;
    test_random_seed(&s->rng, seed);
    weft__bytes_init(&s->heard, weft_alloc_default(), SIZE_MAX);
    connect_all(s);
}

static void session_end(struct session *s)
{
    weft__bytes_done(&s->heard);
    world_free(s->world);
}

/* Edits with restarts between, questions, resends of each client's last operation. */
static void play(struct session *s)
{
    for (unsigned i = 0; i < OPS; i++) {
        edit(s);
        if (i % 100 == 60) {
            disconnect_all(s);
            world_restart(s->world);
            connect_all(s);
            ask_about_the_past(s);
        }
    }
    ask_about_the_past(s);
    for (unsigned client = 0; client < CLIENTS; client++) {
        submit(s, client, s->seqs[client], s->version, "[\"another\"]");
        submit(s, client, s->seqs[client] - 1, s->version, "[\"another\"]");
    }
}

static void a_sealed_document_answers_as_an_unsealed_one(void **state)
{
    (void)state;
    struct test_random rng;
    struct session plain;
    struct session sealed;
    test_random_init(&rng, "sealed and unsealed");
    uint64_t seed = test_random_u64(&rng);
    session_begin(&plain, world_new(2), seed);
    play(&plain);
    session_begin(&sealed, world_new_sealing(2, SEAL_OPS), seed);
    play(&sealed);
    assert_int_equal(world_store(plain.world)->seals, 0);
    assert_in_range(world_store(sealed.world)->seals, OPS / SEAL_OPS - 2, OPS);
    assert_true(world_store(sealed.world)->sealed_to < world_store(sealed.world)->sealed_from);
    assert_int_equal(plain.version, OPS);
    assert_bytes(sealed.heard.ptr, sealed.heard.len, plain.heard.ptr, plain.heard.len);
    session_end(&plain);
    session_end(&sealed);
}

/* A seal that ended badly, carried out or not, then a restart without any snapshot of what is
 * sealed. */
static void a_seal_that_fails_is_tried_again_and_loses_nothing(void **state)
{
    (void)state;
    for (int executed = 0; executed < 2; executed++) {
        struct session plain;
        struct session sealed;
        session_begin(&plain, world_new(2), 5);
        session_begin(&sealed, world_new_sealing(2, SEAL_OPS), 5);
        for (unsigned i = 0; i < 4 * SEAL_OPS; i++) {
            if (i % SEAL_OPS == 10)
                world_fail_seal(sealed.world, WEFT_ERR_STORE, executed);
            edit(&plain);
            edit(&sealed);
        }
        for (unsigned i = 0; i < 2 * SEAL_OPS + 1; i++) {
            edit(&plain);
            edit(&sealed);
        }
        assert_true(world_store(sealed.world)->seals > 0);
        disconnect_all(&plain);
        disconnect_all(&sealed);
        world_restart(plain.world);
        world_restart(sealed.world);
        connect_all(&plain);
        connect_all(&sealed);
        ask_about_the_past(&plain);
        ask_about_the_past(&sealed);
        assert_bytes(sealed.heard.ptr, sealed.heard.len, plain.heard.ptr, plain.heard.len);
        session_end(&plain);
        session_end(&sealed);
    }
}

static void a_long_log_of_an_older_weft_is_sealed_when_it_is_opened(void **state)
{
    (void)state;
    struct session s;
    session_begin(&s, world_new(2), 9);
    for (unsigned i = 0; i < 100; i++)
        edit(&s);
    assert_int_equal(world_store(s.world)->seals, 0);
    disconnect_all(&s);
    world_seal_from_now(s.world, SEAL_OPS);
    world_restart(s.world);
    connect_all(&s);
    assert_in_range(world_store(s.world)->seals, 5, 8);
    session_end(&s);
}

/* Whoever deletes waits until nothing of the document is at the store: not a seal either. */
static void a_delete_waits_for_a_seal(void **state)
{
    (void)state;
    struct session s;
    session_begin(&s, world_new_sealing(2, SEAL_OPS), 11);
    world_store_hold_reads(s.world);
    for (unsigned i = 0; i < SEAL_OPS; i++)
        edit(&s);
    struct test_peer *bob = world_connect(s.world, 1);
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"doc.delete\",\"params\":{\"doc\":"
                  "\"d\"}}");
    assert_null(peer_hear(bob));
    world_store_release(s.world);
    assert_non_null(strstr(peer_hear(bob), "\"id\":9,\"result\":{\"doc\":\"d\""));
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"doc.open\",\"params\":{\"doc\":"
                  "\"d\",\"create\":true}}");
    assert_int_equal(json_number(peer_hear(bob), "version"), 0);
    session_end(&s);
}

/* Each allocation of a seal fails once. The log is what it was, and the next seal does it. */
static void out_of_memory_ends_a_seal_and_nothing_else(void **state)
{
    (void)state;
    struct session plain;
    struct session sealed;
    session_begin(&plain, world_new(2), 13);
    session_begin(&sealed, world_new_sealing(2, 4), 13);
    size_t n = 1;
    for (bool failed = true; failed && sealed.version < EDITS_MAX - 4; n++) {
        world_store_hold_reads(sealed.world);
        uint64_t seals = world_store(sealed.world)->seals;
        for (unsigned i = 0; i < 4; i++) {
            edit(&plain);
            edit(&sealed);
        }
        (void)world_fail_alloc(sealed.world, n);
        world_store_release(sealed.world);
        world_run(sealed.world);
        failed = world_fail_alloc(sealed.world, 0) > 0;
        if (!failed)
            assert_true(world_store(sealed.world)->seals > seals);
    }
    assert_true(n > 30 && sealed.version < EDITS_MAX - 4);
    ask_about_the_past(&plain);
    ask_about_the_past(&sealed);
    assert_bytes(sealed.heard.ptr, sealed.heard.len, plain.heard.ptr, plain.heard.len);
    session_end(&plain);
    session_end(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_document_answers_as_an_unsealed_one),
        cmocka_unit_test(a_seal_that_fails_is_tried_again_and_loses_nothing),
        cmocka_unit_test(a_long_log_of_an_older_weft_is_sealed_when_it_is_opened),
        cmocka_unit_test(a_delete_waits_for_a_seal),
        cmocka_unit_test(out_of_memory_ends_a_seal_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
