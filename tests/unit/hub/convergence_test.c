/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many replicas edit one document at random while connections are cut, submits are resent, appends
 * fail with or without having been carried out, and the hubs restart. In the end every replica, and
 * the server, hold the same content, and every operation was applied exactly once: each operation
 * inserts one letter that its author counts. So for every type of documents; and once more with
 * earlier versions restored in between, where nobody can count.
 */
#include "lib/hub_world.h"
#include "lib/test.h"
#include "ot/type.h"

enum { REPLICAS = 5, STEPS = 600, ROUNDS = 12, OP_TEXT = 16384 };

struct replica {
    struct test_world *world;
    struct test_peer *peer; /* NULL while cut */
    char client[16];
    char epoch[32];
    void *content;      /* with the operation in flight applied */
    void *inflight;     /* submitted, not acknowledged; transformed over what came since */
    char sent[OP_TEXT]; /* its JSON at |sent_version| */
    uint64_t sent_version;
    uint64_t version;
    uint64_t seq;
    unsigned inserted; /* letters inserted and acknowledged */
    bool open;
};

static const struct weft_ot_type *type; /* of the test that runs */

/* Whether an operation in flight goes before what came in between. */
static enum weft_ot_side own_side(void)
{
    return type->logged_first ? WEFT_OT_SIDE_RIGHT : WEFT_OT_SIDE_LEFT;
}

static enum weft_ot_side other_side(void)
{
    return type->logged_first ? WEFT_OT_SIDE_LEFT : WEFT_OT_SIDE_RIGHT;
}

static void *parse_op(const struct weft_json *json)
{
    void *op;
    assert_ok(type->op_parse(weft_alloc_default(), json, &op, NULL));
    return op;
}

static void say_open(struct replica *r)
{
    r->open = false;
    if (r->content)
        peer_say(r->peer,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"open\",\"method\":\"doc.open\",\"params\":{\"doc\":"
                 "\"d\",\"client\":\"%s\",\"epoch\":\"%s\",\"version\":%llu}}",
                 r->client, r->epoch, (unsigned long long)r->version);
    else
        peer_say(r->peer,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"open\",\"method\":\"doc.open\",\"params\":{\"doc\":"
                 "\"d\",\"client\":\"%s\",\"create\":true,\"type\":\"%s\"}}",
                 r->client, type->name);
}

static void say_submit(struct replica *r)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), OP_TEXT - 1);
    weft__json_writer_init(&w, &out);
    type->op_write(r->inflight, &w);
    assert_ok(weft__bytes_error(&out));
    memcpy(r->sent, out.ptr, out.len);
    r->sent[out.len] = '\0';
    weft__bytes_done(&out);
    r->sent_version = r->version;
    peer_say(r->peer,
             "{\"jsonrpc\":\"2.0\",\"id\":\"submit\",\"method\":\"doc.submit\",\"params\":{\"doc\":"
             "\"d\",\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%llu,\"version\":%llu,\"op\":%s}}",
             r->epoch, r->client, (unsigned long long)r->seq, (unsigned long long)r->version,
             r->sent);
}

/* Somebody else's operation, or those of many as one, from |from| to |version|: ours goes to the
 * side where the server puts it. */
static void apply_remote(struct replica *r, const struct weft_json *json, uint64_t from,
                         uint64_t version)
{
    void *remote = parse_op(json);
    assert_int_equal(from, r->version);
    assert_true(version > from);
    r->version = version;
    if (r->inflight) {
        void *ours;
        void *theirs;
        assert_ok(
            type->op_transform(weft_alloc_default(), r->inflight, remote, own_side(), &ours, NULL));
        assert_ok(type->op_transform(weft_alloc_default(), remote, r->inflight, other_side(),
                                     &theirs, NULL));
        type->op_free(r->inflight);
        type->op_free(remote);
        r->inflight = ours;
        remote = theirs;
    }
    assert_ok(type->doc_apply(r->content, remote, NULL));
    type->op_free(remote);
}

static void acknowledged(struct replica *r, uint64_t version)
{
    assert_non_null(r->inflight);
    assert_int_equal(version, r->version + 1);
    r->version = version;
    type->op_free(r->inflight);
    r->inflight = NULL;
    r->inserted++;
}

static uint64_t number(const struct weft_json *object, const char *key)
{
    uint64_t value;
    assert_true(weft__json_u53(weft__json_get(object, key), &value));
    return value;
}

static void take_open(struct replica *r, const struct weft_json *result)
{
    const struct weft_json *ops = weft__json_get(result, "ops");
    if (!ops) {
        struct weft_slice epoch = weft__json_string(weft__json_get(result, "epoch"));
        assert_null(r->content);
        snprintf(r->epoch, sizeof(r->epoch), "%.*s", (int)epoch.len, (const char *)epoch.ptr);
        assert_ok(type->doc_new(weft_alloc_default(), weft__json_get(result, "snapshot"),
                                &r->content, NULL));
        r->version = number(result, "version");
    }
    WEFT_JSON_EACH (op, ops) {
        if (weft__json_get(op, "seq"))
            acknowledged(r, number(op, "version"));
        else if (weft__json_get(op, "from"))
            apply_remote(r, weft__json_get(op, "op"), number(op, "from"), number(op, "version"));
        else
            apply_remote(r, weft__json_get(op, "op"), number(op, "version") - 1,
                         number(op, "version"));
    }
    assert_int_equal(r->version, number(result, "version"));
    r->open = true;
    if (r->inflight)
        say_submit(r);
}

static void take_error(struct replica *r, const struct weft_json *error)
{
    const struct weft_json *code = weft__json_get(weft__json_get(error, "data"), "code");
    /* A submit from before the document was closed finds it closed. */
    bool closed =
        weft__json_string_is(code, "failed_precondition") || weft__json_string_is(code, "aborted");
    if (!closed && !weft__json_string_is(code, "unavailable"))
        fail_msg("%.*s", (int)weft__json_raw(error).len, (const char *)weft__json_raw(error).ptr);
    if (r->open && !closed)
        say_submit(r);
}

static void take(struct replica *r, const char *text)
{
    struct weft_arena arena;
    const struct weft_json *message;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice_str(text), &arena, NULL, NULL, &message));
    const struct weft_json *params = weft__json_get(message, "params");
    const struct weft_json *error = weft__json_get(message, "error");
    const struct weft_json *result = weft__json_get(message, "result");
    const struct weft_json *id = weft__json_get(message, "id");
    if (weft__json_string_is(weft__json_get(message, "method"), "doc.op"))
        apply_remote(r, weft__json_get(params, "op"), number(params, "version") - 1,
                     number(params, "version"));
    else if (weft__json_string_is(id, "open") && result)
        take_open(r, result);
    else if (weft__json_string_is(weft__json_get(message, "method"), "doc.closed") ||
             weft__json_string_is(id, "open"))
        say_open(r);
    else if (weft__json_is(id, WEFT_JSON_NUMBER))
        ; /* of a restore, which may come too early or too late */
    else if (error)
        take_error(r, error);
    else if (r->open && r->inflight)
        acknowledged(r, number(result, "version"));
    weft__arena_done(&arena);
}

static bool hear_all(struct replica *replicas)
{
    bool heard = false;
    const char *text;
    for (unsigned i = 0; i < REPLICAS; i++) {
        while (replicas[i].peer && (text = peer_hear(replicas[i].peer))) {
            char *copy = strdup(text);
            take(&replicas[i], copy);
            free(copy);
            heard = true;
        }
    }
    return heard;
}

static char *text_of(void *doc)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    type->doc_write(doc, &w);
    weft__bytes_append_byte(&out, '\0');
    assert_ok(weft__bytes_error(&out));
    char *text = strdup((char *)out.ptr);
    weft__bytes_done(&out);
    return text;
}

static void write_text_edit(struct replica *r, struct test_random *rng, char *json)
{
    unsigned long long at = test_random_below(rng, type->doc_length(r->content) + 1);
    if (at)
        snprintf(json, OP_TEXT, "[%llu,\"%c\"]", at, r->client[0]);
    else
        snprintf(json, OP_TEXT, "[\"%c\"]", r->client[0]);
}

static void write_rich_edit(struct replica *r, struct test_random *rng, char *json)
{
    static const char *const attributes[] = {"", ",\"attributes\":{\"b\":1}",
                                             ",\"attributes\":{\"b\":2,\"c\":true}"};
    const char *with = attributes[test_random_below(rng, WEFT_ARRAY_LEN(attributes))];
    unsigned long long at = test_random_below(rng, type->doc_length(r->content) + 1);
    char skip[64] = "";
    if (at)
        snprintf(skip, sizeof(skip), "{\"retain\":%llu%s},", at, with);
    if (test_random_one_in(rng, 4))
        snprintf(json, OP_TEXT, "[%s{\"insert\":{\"who\":\"%c\"}%s}]", skip, r->client[0], with);
    else
        snprintf(json, OP_TEXT, "[%s{\"insert\":\"%c\"%s}]", skip, r->client[0], with);
}

/* A list of letters in "list", and a text of them. */
static void write_json_edit(struct replica *r, struct test_random *rng, char *json)
{
    char *text = text_of(r->content);
    const char *list = strstr(text, "\"list\":[");
    const char *end = list ? strchr(list, ']') : NULL;
    size_t letters = 0;
    if (!list || !end)
        fail_msg("%s", text);
    for (const char *p = list; p && p < end; p++)
        letters += *p >= 'A' && *p <= 'Z';
    unsigned long long at = test_random_below(rng, letters + 1);
    unsigned kind = (unsigned)test_random_below(rng, letters > 1 ? 4 : 2);
    if (kind == 0)
        snprintf(json, OP_TEXT, "[\"text\",{\"es\":[\"%c\"]}]", r->client[0]);
    else if (kind == 1)
        snprintf(json, OP_TEXT, "[\"list\",%llu,{\"i\":\"%c\"}]", at, r->client[0]);
    else if (kind == 2)
        snprintf(json, OP_TEXT, "[[\"list\",%llu,{\"i\":\"%c\"}],[\"n\",{\"ena\":1}]]", at,
                 r->client[0]);
    else /* and moves what is there */
        snprintf(json, OP_TEXT,
                 "[[\"list\",[0,{\"d\":0}],[%llu,{\"p\":0}]],[\"text\",{\"es\":[\"%c\"]}]]",
                 1 + at % (letters - 1), r->client[0]);
    free(text);
}

/* Inserts one letter of the author's own at random. */
static void edit(struct replica *r, struct test_random *rng)
{
    char json[OP_TEXT];
    struct weft_arena arena;
    const struct weft_json *value;
    if (type == &weft__ot_rich)
        write_rich_edit(r, rng, json);
    else if (type == &weft__ot_json)
        write_json_edit(r, rng, json);
    else
        write_text_edit(r, rng, json);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice_str(json), &arena, NULL, NULL, &value));
    r->inflight = parse_op(value);
    weft__arena_done(&arena);
    assert_ok(type->doc_apply(r->content, r->inflight, NULL));
    r->seq++;
    say_submit(r);
}

static void cut(struct replica *r)
{
    peer_disconnect(r->peer);
    r->peer = NULL;
    r->open = false;
}

static void connect(struct replica *r, struct test_random *rng)
{
    r->peer = world_connect(r->world, (unsigned)test_random_below(rng, 2));
    say_open(r);
}

static void restart(struct test_world *world, struct replica *replicas)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        if (replicas[i].peer)
            cut(&replicas[i]);
    world_restart(world);
}

/* Goes back to a version that |r| knows. */
static void restore(struct replica *r, struct test_random *rng)
{
    static unsigned id = 100;
    peer_say(r->peer,
             "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"doc.restore\",\"params\":{"
             "\"doc\":\"d\",\"version\":%llu}}",
             ++id, (unsigned long long)test_random_below(rng, r->version + 1));
}

static void step(struct test_world *world, struct replica *replicas, struct test_random *rng,
                 bool restores)
{
    struct replica *r = &replicas[test_random_below(rng, REPLICAS)];
    if (test_random_one_in(rng, 60))
        world_fail_append(world, 1, test_random_one_in(rng, 2) ? WEFT_ERR_STORE : WEFT_ERR_CONFLICT,
                          test_random_one_in(rng, 2));
    if (test_random_one_in(rng, 100))
        world_fail_seal(world, WEFT_ERR_STORE, test_random_one_in(rng, 2));
    if (test_random_one_in(rng, 150))
        restart(world, replicas);
    if (!r->peer)
        connect(r, rng);
    else if (test_random_one_in(rng, 12))
        cut(r);
    else if (restores && r->open && test_random_one_in(rng, 20))
        restore(r, rng);
    else if (r->open && !r->inflight)
        edit(r, rng);
    /* One that reads slowly falls behind, and catches up. */
    if (r->peer && test_random_one_in(rng, 5))
        peer_set_unsent(r->peer, test_random_one_in(rng, 2) ? 2 * WEFT_HUB_MAX_UNSENT : 0);
    /* A connection must be able to go before its answers came. */
    if (test_random_one_in(rng, 3))
        hear_all(replicas);
}

static void finish(struct test_world *world, struct replica *replicas, struct test_random *rng,
                   bool restores)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        if (!replicas[i].peer)
            connect(&replicas[i], rng);
    for (unsigned i = 0; i < REPLICAS; i++)
        peer_set_unsent(replicas[i].peer, 0);
    while (hear_all(replicas))
        ;
    char *want = text_of(replicas[0].content);
    peer_say(replicas[0].peer,
             "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"doc.fetch\",\"params\":{\"doc\":\"d\"}}");
    assert_non_null(strstr(peer_hear(replicas[0].peer), want));
    for (unsigned i = 0; i < REPLICAS; i++) {
        struct replica *r = &replicas[i];
        char *got = text_of(r->content);
        unsigned letters = 0;
        assert_true(r->open && !r->inflight);
        assert_string_equal(got, want);
        for (const char *p = got; *p; p++)
            letters += *p == r->client[0];
        if (!restores)
            assert_int_equal(letters, r->inserted);
        assert_int_equal(r->inserted, r->seq);
        free(got);
        type->doc_free(r->content);
    }
    free(want);
    world_free(world);
}

/* What a JSON document holds before anybody edits it: everything is inserted into it. */
static void prepare(struct test_world *world)
{
    char epoch[32];
    struct test_peer *peer = world_connect(world, 0);
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
             "\"client\":\"first\",\"type\":\"json\",\"create\":true}}");
    json_text(peer_hear(peer), "epoch", epoch, sizeof(epoch));
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"doc.submit\",\"params\":{\"doc\":\"d\","
             "\"epoch\":\"%s\",\"client\":\"first\",\"seq\":1,\"version\":0,"
             "\"op\":[{\"i\":{\"list\":[],\"n\":0,\"text\":\"\"}}]}}",
             epoch);
    assert_int_equal(json_number(peer_hear(peer), "version"), 1);
    peer_disconnect(peer);
}

static void converge(const struct weft_ot_type *which, bool restores)
{
    struct test_random rng;
    type = which;
    test_random_init(&rng, "convergence");
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct replica replicas[REPLICAS] = {{0}};
        /* Now and then, the log is packed all the time, as it is after thousands of operations. */
        struct test_world *world =
            test_random_one_in(&rng, 2) ? world_new(2) : world_new_sealing(2, 20);
        if (type == &weft__ot_json)
            prepare(world);
        for (unsigned i = 0; i < REPLICAS; i++) {
            replicas[i].world = world;
            snprintf(replicas[i].client, sizeof(replicas[i].client), "%c-client", 'A' + (int)i);
        }
        for (unsigned i = 0; i < STEPS; i++)
            step(world, replicas, &rng, restores);
        finish(world, replicas, &rng, restores);
    }
}

static void texts_converge_through_cuts_failures_and_restarts(void **state)
{
    (void)state;
    converge(&weft__ot_text, false);
}

static void rich_texts_converge_through_cuts_failures_and_restarts(void **state)
{
    (void)state;
    converge(&weft__ot_rich, false);
}

static void json_converges_through_cuts_failures_and_restarts(void **state)
{
    (void)state;
    converge(&weft__ot_json, false);
}

static void replicas_converge_while_versions_are_restored(void **state)
{
    (void)state;
    converge(&weft__ot_text, true);
    converge(&weft__ot_rich, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_converge_through_cuts_failures_and_restarts),
        cmocka_unit_test(rich_texts_converge_through_cuts_failures_and_restarts),
        cmocka_unit_test(json_converges_through_cuts_failures_and_restarts),
        cmocka_unit_test(replicas_converge_while_versions_are_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
