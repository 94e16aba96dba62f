/* SPDX-License-Identifier: Apache-2.0 */
/* The audit of one document: what is right passes, and each thing that is wrong is named. */
#include "hub/audit.h"

#include "hub/segment.h"
#include "lib/test.h"

#define EPOCH "0123456789abcdef"

/* A log of three rows, the second a segment, and a snapshot at |snapshot_version|. */
struct stored {
    const char *type;
    const char *ops[6];
    const char *content; /* of the snapshot */
    uint64_t snapshot_version;
    uint64_t seq; /* in the snapshot's table of clients */
};

static const struct stored TEXT = {
    "text",    {"[\"a\"]", "[1,\"b\"]", "[2,\"c\"]", "[{\"d\":1}]", "[2,\"d\"]", "[3,\"e\"]"},
    "\"bcd\"", 5,
    5,
};

static struct weft_slice str(const char *text)
{
    return weft__slice_str(text);
}

static struct weft_buf *make_row(const struct stored *stored, uint64_t first, bool segment)
{
    const struct weft_record_head head = {str(EPOCH), first, 1000 + first};
    struct weft_segment_writer writer;
    struct weft_bytes b;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    weft__segment_begin(&writer, weft_alloc_default(), head.epoch, first);
    if (!segment)
        weft__record_begin(&b, &head);
    for (uint64_t i = first; i < first + 2; i++) {
        const struct weft_record_op op = {
            .client = str("ada"),
            .seq = i + 1,
            .principal = str("a"),
            .base = i,
            .hash = weft__record_hash(str(stored->ops[i])),
            .op = str(stored->ops[i]),
        };
        if (segment)
            weft__segment_add(&writer, &op, head.time_ms);
        else
            weft__record_add(&b, &op);
    }
    assert_ok(segment ? weft__segment_finish(&writer, &b) : weft__record_finish(&b));
    weft__segment_done(&writer);
    struct weft_buf *row = weft__buf_new_copy(weft_alloc_default(), weft__bytes_slice(&b));
    weft__bytes_done(&b);
    return row;
}

static void make_snapshot(const struct stored *stored, struct weft_bytes *b)
{
    struct weft_client_table clients;
    const struct weft_snapshot snapshot = {
        .epoch = str(EPOCH),
        .type = str(stored->type),
        .content = str(stored->content),
        .version = stored->snapshot_version,
    };
    weft__client_table_init(&clients, weft_alloc_default(), (struct weft_hash_key){0});
    assert_ok(weft__client_table_put(&clients, str("ada"), stored->seq, stored->snapshot_version,
                                     weft__record_hash(str(stored->ops[4])), 1));
    assert_ok(weft__snapshot_write(b, &snapshot, &clients));
    weft__client_table_done(&clients);
}

/* Audits |stored| in |state|, without the row |missing| (0: all). The result, and what is wrong
 * with which version. */
static int audit(const struct weft_alloc *alloc, const struct stored *stored,
                 const struct weft_store_state *state, uint64_t missing, const char **ret_what,
                 uint64_t *ret_version)
{
    struct weft_audit a;
    struct weft_bytes snapshot;
    weft__bytes_init(&snapshot, weft_alloc_default(), SIZE_MAX);
    make_snapshot(stored, &snapshot);
    weft__audit_begin(&a, alloc, state);
    int err = weft__audit_snapshot(&a, stored->snapshot_version, weft__bytes_slice(&snapshot));
    for (uint64_t first = state->oldest; first < 6 && !err; first += 2) {
        if (missing && first == missing)
            continue;
        struct weft_store_record row = {
            .first = first, .count = 2, .content = make_row(stored, first, first == 2)};
        err = weft__audit_row(&a, &row);
        weft__buf_unref(row.content);
    }
    if (!err)
        err = weft__audit_end(&a);
    *ret_what = err ? a.what : "";
    *ret_version = a.version;
    weft__audit_done(&a);
    weft__bytes_done(&snapshot);
    return err;
}

static struct weft_store_state state_of(const struct stored *stored)
{
    struct weft_store_state state = {.epoch = EPOCH, .version = 6};
    snprintf(state.type, sizeof(state.type), "%s", stored->type);
    state.snapshot_version = stored->snapshot_version;
    return state;
}

static void expect(const struct stored *stored, uint64_t missing, uint64_t version,
                   const char *what)
{
    const struct weft_store_state state = state_of(stored);
    const char *got;
    uint64_t at;
    int err = audit(weft_alloc_default(), stored, &state, missing, &got, &at);
    assert_string_equal(got, what);
    assert_err(err, *what ? WEFT_ERR_CORRUPT : 0);
    assert_int_equal(at, version);
}

static void a_whole_document_passes(void **state)
{
    (void)state;
    static const struct stored json = {
        "json",
        {"[{\"i\":{}}]", "[\"b\",{\"i\":1}]", "[\"a\",{\"i\":2}]", "[\"c\",{\"i\":[]}]",
         "[\"b\",{\"r\":true}]", "[\"c\",0,{\"i\":3}]"},
        "{\"a\":2,\"c\":[]}",
        5,
        5,
    };
    struct stored unknown = TEXT;
    unknown.type = "of-tomorrow";
    expect(&TEXT, 0, 6, "");
    expect(&json, 0, 6, "");
    expect(&unknown, 0, 6, "");
}

static void what_is_wrong_is_named_with_its_version(void **state)
{
    (void)state;
    struct stored s = TEXT;
    s.content = "\"bcx\"";
    expect(&s, 0, 5, "the snapshot is not what the log leads to");
    s = TEXT;
    s.seq = 4;
    expect(&s, 0, 5, "the snapshot's table of clients is not what the log leads to");
    s = TEXT;
    s.content = "7";
    const char *what;
    uint64_t at;
    const struct weft_store_state plain = state_of(&TEXT);
    assert_true(audit(weft_alloc_default(), &s, &plain, 0, &what, &at) < 0);
    assert_string_equal(what, "the snapshot's content is not one of its type");
    s = TEXT;
    s.ops[3] = "[9,{\"d\":1}]";
    assert_true(audit(weft_alloc_default(), &s, &plain, 0, &what, &at) < 0);
    assert_string_equal(what, "the operation does not fit the document");
    assert_int_equal(at, 4);
    expect(&TEXT, 2, 2, "versions are missing");
    expect(&TEXT, 4, 4, "the log does not reach its version");
    struct weft_store_state other = plain;
    other.epoch[0] = 'f';
    assert_err(audit(weft_alloc_default(), &TEXT, &other, 0, &what, &at), WEFT_ERR_CORRUPT);
    assert_string_equal(what, "the snapshot is one of something else");
}

static void a_log_without_its_beginning_starts_at_the_snapshot(void **state)
{
    (void)state;
    struct weft_store_state cut = state_of(&TEXT);
    const char *what;
    uint64_t at;
    cut.oldest = 4;
    assert_ok(audit(weft_alloc_default(), &TEXT, &cut, 0, &what, &at));
    assert_int_equal(at, 6);
    struct stored s = TEXT;
    s.ops[5] = "[9,\"x\"]";
    assert_true(audit(weft_alloc_default(), &s, &cut, 0, &what, &at) < 0);
    assert_int_equal(at, 6);
}

static int audit_text(const struct weft_alloc *alloc, void *ctx)
{
    const struct weft_store_state state = state_of(&TEXT);
    const char *what;
    uint64_t at;
    (void)ctx;
    return audit(alloc, &TEXT, &state, 0, &what, &at);
}

static void out_of_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    test_each_alloc_failure(audit_text, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_document_passes),
        cmocka_unit_test(what_is_wrong_is_named_with_its_version),
        cmocka_unit_test(a_log_without_its_beginning_starts_at_the_snapshot),
        cmocka_unit_test(out_of_memory_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
