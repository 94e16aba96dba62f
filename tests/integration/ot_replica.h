/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replica of a text document for the tests of operational transforms: an array of code points
 * that follows a real server. It edits first and submits at the version it knows, however old;
 * operations that others committed before its own are transformed past it as they come in.
 *
 *   edit ─► submit at |seen| ─► doc.op … doc.op ─► answer: its version ─► doc.op …
 */
#ifndef WEFT_TESTS_INTEGRATION_OT_REPLICA_H
#define WEFT_TESTS_INTEGRATION_OT_REPLICA_H

#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"
#include "unit/ot/model.h"

struct replica {
    struct test_doc doc;
    struct model text;
    uint64_t seen; /* version of |text|, own operations included */
};

/* Opens |name| and takes its present text. */
static inline void replica_open(struct replica *r, const char *url, const char *name,
                                const char *client)
{
    char params[128];
    *r = (struct replica){0};
    test_doc_open(&r->doc, url, name, client);
    snprintf(params, sizeof(params), "{\"doc\":\"%s\"}", name);
    const struct weft_json *result = test_ws_result(r->doc.ws, "doc.fetch", params);
    assert_true(weft__json_u53(weft__json_get(result, "version"), &r->seen));
    assert_int_equal(r->seen, r->doc.version);
    model_decode(&r->text, weft__json_string(weft__json_get(result, "snapshot")));
}

static inline void replica_close(struct replica *r)
{
    test_ws_close(r->doc.ws);
    model_done(&r->text);
}

static inline struct weft_text_op *replica_transform(const struct weft_text_op *op,
                                                     const struct weft_text_op *other,
                                                     enum weft_ot_side side)
{
    struct weft_text_op *result;
    assert_ok(weft__text_transform(weft_alloc_default(), op, other, side, &result, NULL));
    return result;
}

/* Takes the next doc.op, which must be version |seen| + 1. |*pending|, if there is one, is this
 * replica's operation that the server places behind it. */
static inline void replica_take(struct replica *r, struct weft_text_op **pending)
{
    const struct weft_json *params = test_doc_wait(&r->doc, "doc.op", 5000);
    struct weft_text_op *op;
    uint64_t version = 0;
    assert_non_null(params);
    assert_true(weft__json_u53(weft__json_get(params, "version"), &version));
    assert_int_equal(version, r->seen + 1);
    assert_ok(weft__text_parse(weft_alloc_default(), weft__json_get(params, "op"), &op, NULL));
    if (pending) {
        struct weft_text_op *seen = replica_transform(op, *pending, WEFT_OT_SIDE_RIGHT);
        struct weft_text_op *rebased = replica_transform(*pending, op, WEFT_OT_SIDE_LEFT);
        weft__text_free(*pending);
        *pending = rebased;
        weft__text_free(op);
        op = seen;
    }
    model_apply(&r->text, op);
    weft__text_free(op);
    r->seen = version;
}

/* Edits with |json|, made against |text| at |seen|, and settles it with the server. */
static inline void replica_edit(struct replica *r, const char *json)
{
    struct weft_text_op *pending = op_of(json);
    model_apply(&r->text, pending);
    r->doc.version = r->seen;
    uint64_t version = test_doc_submit(&r->doc, json);
    while (r->seen + 1 < version)
        replica_take(r, &pending);
    assert_int_equal(version, r->seen + 1);
    r->seen = version;
    weft__text_free(pending);
}

/* Takes everything up to |version|. */
static inline void replica_follow(struct replica *r, uint64_t version)
{
    while (r->seen < version)
        replica_take(r, NULL);
}

/* Asserts that the server's text and the replica's are |want|, and all at one version. */
static inline void assert_replica_is(struct replica *r, const char *want)
{
    struct weft_bytes text = model_utf8(&r->text);
    assert_bytes(text.ptr, text.len, want, strlen(want));
    assert_string_equal(test_doc_text(&r->doc), want);
    weft__bytes_done(&text);
}

/* The data.code with which the server refuses |json| at |version|; nothing has changed then. */
static inline const char *replica_refused(struct replica *r, const char *json)
{
    char params[512];
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%llu,\"version\":%llu,"
             "\"op\":%s}",
             r->doc.name, r->doc.epoch, r->doc.client, (unsigned long long)r->doc.seq + 1,
             (unsigned long long)r->seen, json);
    return test_ws_error(r->doc.ws, "doc.submit", params);
}

enum { REPLICAS = 4 };

/* |rounds| of random edits by several people who know more or less of what the others did; |make|
 * gives an operation for a text, to be freed. Everybody must end with the server's text. */
static inline void
replicas_converge(const char *url, const char *name, unsigned rounds, struct test_random *rng,
                  struct weft_text_op *(*make)(struct test_random *rng, const struct model *m))
{
    struct replica replicas[REPLICAS];
    uint64_t head = 0;
    for (unsigned i = 0; i < REPLICAS; i++) {
        char client[16];
        snprintf(client, sizeof(client), "client-%u", i);
        replica_open(&replicas[i], url, name, client);
    }
    for (unsigned round = 0; round < rounds; round++) {
        struct replica *r = &replicas[test_random_below(rng, REPLICAS)];
        if (test_random_one_in(rng, 3))
            replica_follow(r, r->seen + test_random_size(rng, 0, (size_t)(head - r->seen)));
        struct weft_text_op *op = make(rng, &r->text);
        struct weft_bytes json = op_json(op);
        replica_edit(r, (const char *)json.ptr);
        head = r->seen;
        weft__bytes_done(&json);
        weft__text_free(op);
    }
    for (unsigned i = 0; i < REPLICAS; i++) {
        struct replica fresh;
        replica_follow(&replicas[i], head);
        replica_open(&fresh, url, name, "fresh");
        assert_int_equal(fresh.seen, head);
        assert_true(model_eq(&fresh.text, &replicas[i].text));
        replica_close(&fresh);
        replica_close(&replicas[i]);
    }
}

#endif
