/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite store and processes that die. A child appends to many documents and says through a
 * pipe what was acknowledged, and now and then seals the records of a document; it is killed at
 * some moment; the next one, and in the end the test,
 * opens the same folder. Nothing acknowledged may be missing, and the lock goes with the process.
 */
#include "unit/store/store_support.h"

#include <signal.h>
#include <sys/wait.h>

enum { DOCS = 16, ROUNDS = 25, RECORD_MAX = 2000, SEALED = 8, SEGMENT = 1000 };

struct ack {
    uint32_t doc;
    uint32_t version;
};

struct doc {
    struct child *child;
    struct weft_store_request request;
    char name[16];
    uint32_t number;
    uint8_t bytes[RECORD_MAX];
    struct weft_store_request seal;
    uint8_t segment[RECORD_MAX];
    bool sealing;
};

struct child {
    struct test_store t;
    struct weft_sqlite_options options;
    int pipe;
    struct doc docs[DOCS];
};

/* Record |first| of document |doc|; of |doc| + SEGMENT: the segment that begins there. */
static size_t record_of(uint32_t doc, uint64_t first, uint8_t *bytes)
{
    struct test_random rng;
    test_random_seed(&rng, (uint64_t)doc << 32 | first);
    size_t len = test_random_size(&rng, 1, RECORD_MAX);
    test_random_bytes(&rng, bytes, len);
    return len;
}

/* ---- The child ---- */

static void done(struct weft_store_request *r);

static void append_next(struct doc *doc, uint64_t version, uint64_t token)
{
    size_t len = record_of(doc->number, version, doc->bytes);
    doc->request.kind = WEFT_STORE_APPEND;
    doc->request.done = done;
    doc->request.u.append.token = token;
    doc->request.u.append.first = version;
    doc->request.u.append.count = 1;
    doc->request.u.append.record = weft__slice(doc->bytes, len);
    weft__store_submit(doc->child->t.store, &doc->request);
}

static void sealed(struct weft_store_request *r)
{
    struct doc *doc = WEFT_CONTAINER_OF(r, struct doc, seal);
    if (r->result)
        _exit(4);
    doc->sealing = false;
}

/* Seals the last records, while the next ones are appended. */
static void seal(struct doc *doc, uint64_t version)
{
    size_t len = record_of(doc->number + SEGMENT, version - SEALED, doc->segment);
    doc->sealing = true;
    doc->seal = (struct weft_store_request){
        .kind = WEFT_STORE_SEAL,
        .exec = doc->request.exec,
        .done = sealed,
        .key = doc->request.key,
        .u.seal = {.epoch = TEST_EPOCH,
                   .from = version - SEALED,
                   .to = version,
                   .segment = weft__slice(doc->segment, len)},
    };
    weft__store_submit(doc->child->t.store, &doc->seal);
}

static void done(struct weft_store_request *r)
{
    struct doc *doc = WEFT_CONTAINER_OF(r, struct doc, request);
    if (r->result)
        _exit(2);
    if (r->kind == WEFT_STORE_APPEND && r->state.version % SEALED == 0 && !doc->sealing)
        seal(doc, r->state.version);
    struct ack ack = {doc->number, (uint32_t)r->state.version};
    if (write(doc->child->pipe, &ack, sizeof(ack)) != sizeof(ack))
        _exit(0); /* The parent has gone on. */
    append_next(doc, r->state.version, r->state.token);
}

/* Never returns. */
static void child_main(struct child *child)
{
    test_loop_init(&child->t.loop);
    if (weft__sqlite_store_open(&child->options, &child->t.store, NULL, 0))
        _exit(3);
    for (uint32_t i = 0; i < DOCS; i++) {
        struct doc *doc = &child->docs[i];
        doc->child = child;
        doc->number = i;
        snprintf(doc->name, sizeof(doc->name), "doc-%u", i % 1000);
        doc->request = (struct weft_store_request){
            .kind = WEFT_STORE_OPEN,
            .exec = &child->t.loop.exec,
            .done = done,
            .key.name = weft__slice_str(doc->name),
            .u.open = {"text", TEST_EPOCH, false},
        };
        weft__store_submit(child->t.store, &doc->request);
    }
    for (;;)
        test_loop_step(&child->t.loop, true);
}

static pid_t start_child(const char *folder, int *ret_pipe)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static struct child child;
        close(ends[0]);
        child.pipe = ends[1];
        child.options.alloc = weft_alloc_default();
        child.options.folder = folder;
        child.options.checkpoint_pages = 50;
        child.options.restart_pages = 100;
        child_main(&child);
    }
    close(ends[1]);
    *ret_pipe = ends[0];
    return pid;
}

/* ---- The parent ---- */

static bool read_ack(int fd, struct ack *ret_ack)
{
    char *at = (char *)ret_ack;
    size_t have = 0;
    while (have < sizeof(*ret_ack)) {
        ssize_t len = read(fd, at + have, sizeof(*ret_ack) - have);
        if (len <= 0)
            return false;
        have += (size_t)len;
    }
    return true;
}

/* Gives the number of segments. */
static unsigned check_doc(struct test_store *t, uint32_t number, uint32_t acknowledged)
{
    uint8_t bytes[RECORD_MAX];
    char name[16];
    struct weft_store_state s = {0};
    uint64_t at = 0;
    unsigned segments = 0;
    snprintf(name, sizeof(name), "doc-%u", number % 1000);
    assert_ok(test_store_open(t, name, false, &s));
    assert_true(s.version >= acknowledged);
    assert_ok(test_store_read(t, name, 0, UINT64_MAX, SIZE_MAX));
    WEFT_LIST_EACH (node, &t->last.r.u.read.ret_records) {
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        bool segment = record->count == SEALED;
        size_t len = record_of(segment ? number + SEGMENT : number, at, bytes);
        assert_int_equal(record->first, at);
        assert_true(segment || record->count == 1);
        segments += segment;
        at += record->count;
        assert_bytes(weft__buf_data(record->content), record->content->len, bytes, len);
    }
    assert_int_equal(at, s.version);
    test_store_drop(t);
    return segments;
}

static void nothing_acknowledged_is_lost_by_kill_9(void **state)
{
    struct test_random rng;
    struct test_folder folder;
    uint32_t acknowledged[DOCS] = {0};
    uint64_t total = 0;
    (void)state;
    test_random_init(&rng, "kill -9");
    test_folder_make(&folder);
    for (int round = 0; round < ROUNDS; round++) {
        struct ack ack;
        int fd;
        pid_t pid = start_child(folder.data, &fd);
        uint64_t acks = test_random_below(&rng, 200) + DOCS;
        while (read_ack(fd, &ack)) {
            assert_true(ack.doc < DOCS && ack.version >= acknowledged[ack.doc]);
            acknowledged[ack.doc] = ack.version;
            total++;
            if (--acks == 0)
                kill(pid, SIGKILL); /* What it had said by then is read on. */
        }
        int status;
        close(fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    struct test_store t = {0};
    const struct weft_sqlite_options options = {
        .alloc = weft_alloc_default(),
        .folder = folder.data,
    };
    test_store_begin_sqlite(&t, &options);
    unsigned segments = 0;
    for (uint32_t i = 0; i < DOCS; i++)
        segments += check_doc(&t, i, acknowledged[i]);
    assert_true(segments > 0);
    test_store_end(&t);
    test_folder_remove(&folder);
    assert_true(total > ROUNDS * DOCS);
}

static void second_process_is_refused_and_told_who_has_the_folder(void **state)
{
    struct test_folder folder;
    struct weft_store *store;
    struct ack ack;
    char message[256];
    char process[32];
    int fd;
    int status;
    (void)state;
    test_folder_make(&folder);
    pid_t pid = start_child(folder.data, &fd);
    assert_true(read_ack(fd, &ack));
    const struct weft_sqlite_options options = {
        .alloc = weft_alloc_default(),
        .folder = folder.data,
    };
    snprintf(process, sizeof(process), "process %ld", (long)pid);
    assert_err(weft__sqlite_store_open(&options, &store, message, sizeof(message)), WEFT_ERR_BUSY);
    assert_non_null(strstr(message, process));
    assert_non_null(strstr(message, folder.data));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fd);
    assert_ok(weft__sqlite_store_open(&options, &store, message, sizeof(message)));
    weft__store_free(store);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_by_kill_9),
        cmocka_unit_test(second_process_is_refused_and_told_who_has_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
