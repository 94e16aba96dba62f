/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the stores share: a loop that runs posted tasks in the thread of the test, a
 * folder that goes away, and requests as functions that wait for their end.
 */
#ifndef WEFT_TESTS_UNIT_STORE_SUPPORT_H
#define WEFT_TESTS_UNIT_STORE_SUPPORT_H

#include "lib/test.h"

#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- A loop ---- */

struct test_loop {
    struct weft_exec exec;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct weft_task *first;
    struct weft_task **last;
};

static void test_loop_post(void *ctx, struct weft_task *task)
{
    struct test_loop *loop = ctx;
    pthread_mutex_lock(&loop->mutex);
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
    pthread_cond_signal(&loop->posted);
    pthread_mutex_unlock(&loop->mutex);
}

static void test_loop_init(struct test_loop *loop)
{
    memset(loop, 0, sizeof(*loop));
    loop->exec = (struct weft_exec){test_loop_post, loop};
    loop->last = &loop->first;
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->posted, NULL);
}

static void test_loop_done(struct test_loop *loop)
{
    assert_null(loop->first);
    pthread_mutex_destroy(&loop->mutex);
    pthread_cond_destroy(&loop->posted);
}

/* Runs one task; waits for it when |wait|. False when there is none. */
static bool test_loop_step(struct test_loop *loop, bool wait)
{
    pthread_mutex_lock(&loop->mutex);
    while (wait && !loop->first)
        pthread_cond_wait(&loop->posted, &loop->mutex);
    struct weft_task *task = loop->first;
    if (task) {
        loop->first = task->next;
        if (!loop->first)
            loop->last = &loop->first;
    }
    pthread_mutex_unlock(&loop->mutex);
    if (task)
        task->fn(task);
    return task != NULL;
}

/* ---- A folder ---- */

struct test_folder {
    char path[64];
    char data[96]; /* a name in it that does not exist yet */
};

static void test_folder_make(struct test_folder *folder)
{
    strcpy(folder->path, "/tmp/weft-store-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->data, sizeof(folder->data), "%s/data", folder->path);
}

/* Removes |path| and everything in it; its folders hold no folders but one level. */
static void test_folder_remove_tree(const char *path, int depth)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char name[512];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (unlink(name) && depth > 0)
            test_folder_remove_tree(name, depth - 1);
    }
    closedir(dir);
    rmdir(path);
}

static void test_folder_remove(struct test_folder *folder)
{
    test_folder_remove_tree(folder->path, 2);
}

/* ---- Requests ---- */

static const char TEST_EPOCH[] = "0123456789abcdef";

/* A request that knows when it is over. */
struct test_request {
    struct weft_store_request r;
    bool over;
};

static void test_request_done(struct weft_store_request *r)
{
    struct test_request *request = WEFT_CONTAINER_OF(r, struct test_request, r);
    assert_false(request->over);
    request->over = true;
}

static void test_request_init(struct test_request *request, const struct test_loop *loop,
                              enum weft_store_kind kind, const char *name)
{
    memset(request, 0, sizeof(*request));
    request->r.kind = kind;
    request->r.exec = &loop->exec;
    request->r.done = test_request_done;
    request->r.key.name = weft__slice_str(name);
}

static int test_request_wait(struct test_loop *loop, struct test_request *request)
{
    while (!request->over)
        test_loop_step(loop, true);
    return request->r.result;
}

/* A store with its loop, so that the functions below stay short. */
struct test_store {
    struct weft_store *store;
    struct test_loop loop;
    struct test_request last; /* of the functions below */
};

static int test_store_run(struct test_store *t)
{
    weft__store_submit(t->store, &t->last.r);
    return test_request_wait(&t->loop, &t->last);
}

WEFT_UNUSED static int test_store_open(struct test_store *t, const char *name, bool create,
                                       struct weft_store_state *ret_state)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_OPEN, name);
    t->last.r.u.open.create_type = create ? "text" : NULL;
    t->last.r.u.open.create_epoch = TEST_EPOCH;
    int err = test_store_run(t);
    if (!err && ret_state)
        *ret_state = t->last.r.state;
    return err;
}

/* Appends |record| as |count| operations behind |*state|, which moves on. */
WEFT_UNUSED static int test_store_append(struct test_store *t, const char *name,
                                         struct weft_store_state *state, uint64_t count,
                                         struct weft_slice record)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_APPEND, name);
    t->last.r.u.append.token = state->token;
    t->last.r.u.append.first = state->version;
    t->last.r.u.append.count = count;
    t->last.r.u.append.record = record;
    int err = test_store_run(t);
    if (!err) {
        state->token = t->last.r.u.append.ret_token;
        state->version += count;
    }
    return err;
}

WEFT_UNUSED static int test_store_put(struct test_store *t, const char *name, uint64_t version,
                                      struct weft_slice content)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_PUT_SNAPSHOT, name);
    t->last.r.u.put_snapshot.version = version;
    t->last.r.u.put_snapshot.content = content;
    return test_store_run(t);
}

/* Replaces the records (from, to]. */
WEFT_UNUSED static int test_store_seal(struct test_store *t, const char *name, uint64_t from,
                                       uint64_t to, struct weft_slice segment)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_SEAL, name);
    t->last.r.u.seal.epoch = TEST_EPOCH;
    t->last.r.u.seal.from = from;
    t->last.r.u.seal.to = to;
    t->last.r.u.seal.segment = segment;
    return test_store_run(t);
}

/* The caller has a reference in |*ret_content|. */
WEFT_UNUSED static int test_store_get(struct test_store *t, const char *name, uint64_t *ret_version,
                                      struct weft_buf **ret_content)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_GET_SNAPSHOT, name);
    int err = test_store_run(t);
    if (!err) {
        *ret_version = t->last.r.u.get_snapshot.ret_version;
        *ret_content = t->last.r.u.get_snapshot.ret_content;
    }
    return err;
}

/* The records are in |t->last|; to be given to test_store_drop. */
WEFT_UNUSED static int test_store_read(struct test_store *t, const char *name, uint64_t from,
                                       uint64_t to, size_t max_bytes)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_READ, name);
    t->last.r.u.read.from = from;
    t->last.r.u.read.to = to;
    t->last.r.u.read.max_bytes = max_bytes;
    return test_store_run(t);
}

WEFT_UNUSED static size_t test_records_drop(struct weft_list *records,
                                            const struct weft_alloc *alloc)
{
    struct weft_list *node;
    size_t count = 0;
    for (; (node = weft__list_pop(records)); count++)
        weft__store_record_free(alloc, WEFT_CONTAINER_OF(node, struct weft_store_record, node));
    return count;
}

/* Frees the records that were read and gives their number. */
WEFT_UNUSED static size_t test_store_drop(struct test_store *t)
{
    return test_records_drop(&t->last.r.u.read.ret_records, weft_alloc_default());
}

WEFT_UNUSED static int test_store_purge(struct test_store *t, const char *name)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_PURGE, name);
    return test_store_run(t);
}

/* Names with |prefix| behind |after|, joined by blanks, into |ret_names|. */
WEFT_UNUSED static int test_store_list(struct test_store *t, const char *prefix, const char *after,
                                       size_t limit, char *ret_names, size_t size, bool *ret_more)
{
    test_request_init(&t->last, &t->loop, WEFT_STORE_LIST, prefix);
    t->last.r.u.list.after = weft__slice_str(after);
    t->last.r.u.list.limit = limit;
    int err = test_store_run(t);
    if (err)
        return err;
    struct weft_list *node;
    ret_names[0] = '\0';
    while ((node = weft__list_pop(&t->last.r.u.list.ret_names))) {
        struct weft_store_name *name = WEFT_CONTAINER_OF(node, struct weft_store_name, node);
        size_t len = strlen(ret_names);
        snprintf(ret_names + len, size - len, "%s%.*s", len ? " " : "", (int)name->name->len,
                 (const char *)weft__buf_data(name->name));
        weft__store_name_free(weft_alloc_default(), name);
    }
    *ret_more = t->last.r.u.list.ret_more;
    return 0;
}

/* ---- A log that remembers ---- */

struct test_log {
    struct weft_log log;
    pthread_mutex_t mutex;
    char text[8192];
};

WEFT_UNUSED static void test_log_write(void *ctx, enum weft_log_level level, const char *line)
{
    struct test_log *log = ctx;
    (void)level;
    pthread_mutex_lock(&log->mutex);
    size_t len = strlen(log->text);
    snprintf(log->text + len, sizeof(log->text) - len, "%s\n", line);
    pthread_mutex_unlock(&log->mutex);
}

WEFT_UNUSED static void test_log_init(struct test_log *log)
{
    memset(log, 0, sizeof(*log));
    pthread_mutex_init(&log->mutex, NULL);
    log->log = (struct weft_log){.write = test_log_write, .ctx = log, .level = WEFT_LOG_DEBUG};
}

/* ---- Opening ---- */

WEFT_UNUSED static void test_store_begin_sqlite(struct test_store *t,
                                                const struct weft_sqlite_options *options)
{
    char message[256];
    test_loop_init(&t->loop);
    int err = weft__sqlite_store_open(options, &t->store, message, sizeof(message));
    if (err)
        print_error("%s\n", message);
    assert_ok(err);
}

WEFT_UNUSED static void test_store_end(struct test_store *t)
{
    weft__store_free(t->store);
    t->store = NULL;
    test_loop_done(&t->loop);
}

#endif
