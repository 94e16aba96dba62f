/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the store as a server does, and audits one document after the other (hub/audit.h). */
#include "doc_check.h"

#include "hub/audit.h"
#include "store/sqlite/inspect.h"
#include "store/sqlite/sqlite.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PAGE_BYTES = 4 * 1024 * 1024, PAGE_OPS = 65536, MESSAGE_SIZE = 512 };

struct check {
    struct weft_store *store;
    struct weft_exec exec;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct weft_task *task; /* the answer to the request under way */
    uint64_t documents;
    uint64_t operations;
    uint64_t records;
    uint64_t segments;
    uint64_t damaged; /* documents */
    bool wrong;       /* anything */
};

/* ---- Asking the store ---- */

static void post(void *ctx, struct weft_task *task)
{
    struct check *check = ctx;
    pthread_mutex_lock(&check->mutex);
    check->task = task;
    pthread_cond_signal(&check->posted);
    pthread_mutex_unlock(&check->mutex);
}

static void answered(struct weft_store_request *request)
{
    (void)request;
}

/* Carries |request| out. Returns its result. */
static int ask(struct check *check, struct weft_store_request *request)
{
    request->exec = &check->exec;
    request->done = answered;
    check->task = NULL;
    weft__store_submit(check->store, request);
    pthread_mutex_lock(&check->mutex);
    while (!check->task)
        pthread_cond_wait(&check->posted, &check->mutex);
    pthread_mutex_unlock(&check->mutex);
    check->task->fn(check->task);
    return request->result;
}

/* ---- One document ---- */

struct audited {
    struct check *check;
    const struct weft_store_key *key;
    struct weft_audit audit;
    bool damaged;
};

/* Prints |slice| as a JSON string: one line, whatever is in it. */
static void print_quoted(struct weft_slice slice)
{
    struct weft_bytes b;
    struct weft_json_writer w;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &b);
    weft__json_put_string(&w, slice);
    if (weft__bytes_error(&b))
        printf("(a name that is not UTF-8)");
    else
        printf("%.*s", (int)b.len, (const char *)b.ptr);
    weft__bytes_done(&b);
}

static void tell_damage(struct audited *a, uint64_t version, const char *what)
{
    print_quoted(a->key->name);
    if (a->key->tenant.len) {
        printf(" of tenant ");
        print_quoted(a->key->tenant);
    }
    printf(": version %llu: %s\n", (unsigned long long)version, what);
    a->damaged = true;
}

static void check_snapshot(struct audited *a, struct weft_buf **ret_content)
{
    struct weft_store_request get = {.kind = WEFT_STORE_GET_SNAPSHOT, .key = *a->key};
    uint64_t version = a->audit.state.snapshot_version;
    int err = ask(a->check, &get);
    if (err) {
        tell_damage(a, version, "the snapshot's rows are damaged");
        return;
    }
    *ret_content = get.u.get_snapshot.ret_content;
    if (weft__audit_snapshot(&a->audit, version, weft__buf_slice(*ret_content)))
        tell_damage(a, version, a->audit.what);
}

/* The rows behind |audit.version|: as many as one request gives, or with |single| one alone.
 * **Errors:** the store's, when it did not give them; with what follows it cannot be gone on. */
static int check_rows(struct audited *a, bool single)
{
    struct weft_list *node;
    struct weft_store_request read = {
        .kind = WEFT_STORE_READ,
        .key = *a->key,
        .u.read = {.from = a->audit.version,
                   .to = a->audit.state.version,
                   .max_bytes = single ? 1 : PAGE_BYTES,
                   .max_count = PAGE_OPS},
    };
    int err = ask(a->check, &read);
    if (err)
        return err;
    if (weft__list_empty(&read.u.read.ret_records))
        tell_damage(a, a->audit.version + 1, "the log does not reach its version");
    while ((node = weft__list_pop(&read.u.read.ret_records))) {
        struct weft_store_record *row = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        if (!a->damaged && weft__audit_row(&a->audit, row))
            tell_damage(a, a->audit.version, a->audit.what);
        weft__store_record_free(weft_alloc_default(), row);
    }
    return 0;
}

static void check_log(struct audited *a)
{
    bool before = a->damaged; /* by its snapshot: the log is looked at nevertheless */
    a->damaged = false;
    while (!a->damaged && a->audit.version < a->audit.state.version) {
        /* Of many rows the store does not say which is damaged. */
        if (check_rows(a, false) && check_rows(a, true))
            tell_damage(a, a->audit.version + 1, "a row of the log is damaged or missing");
    }
    if (!a->damaged && weft__audit_end(&a->audit))
        tell_damage(a, a->audit.version, a->audit.what);
    a->damaged = a->damaged || before;
}

static void check_document(void *ctx, const struct weft_store_key *key)
{
    struct check *check = ctx;
    struct audited a = {.check = check, .key = key};
    struct weft_store_request open = {.kind = WEFT_STORE_OPEN, .key = *key};
    struct weft_buf *snapshot = NULL;
    check->documents++;
    if (ask(check, &open)) {
        tell_damage(&a, 0, "its row in the table of documents is damaged, or its log is cut off");
        check->damaged++;
        return;
    }
    weft__audit_begin(&a.audit, weft_alloc_default(), &open.state);
    if (!a.audit.type)
        fprintf(stderr, "weft doc: documents of type '%s' are only read, not applied\n",
                open.state.type);
    if (open.state.snapshot_version)
        check_snapshot(&a, &snapshot);
    check_log(&a);
    check->operations += a.audit.version - open.state.oldest;
    check->records += a.audit.records - a.audit.segments;
    check->segments += a.audit.segments;
    check->damaged += a.damaged;
    weft__audit_done(&a.audit);
    weft__buf_unref(snapshot);
}

static void file_damage(void *ctx, const char *what)
{
    struct check *check = ctx;
    printf("the database: %s\n", what);
    check->wrong = true;
}

/* ---- The folder ---- */

static void check_folder(struct check *check, const char *folder)
{
    const struct weft_sqlite_inspector inspector = {check_document, file_damage, check};
    int err = weft__sqlite_inspect(folder, &inspector);
    if (err) {
        printf("the database: the list of documents cannot be read to its end: %s\n",
               weft_err_message(err));
        check->wrong = true;
    }
    check->wrong = check->wrong || check->damaged;
    printf("%llu documents, %llu operations in %llu records and %llu segments: ",
           (unsigned long long)check->documents, (unsigned long long)check->operations,
           (unsigned long long)check->records, (unsigned long long)check->segments);
    if (check->damaged)
        printf("%llu documents damaged\n", (unsigned long long)check->damaged);
    else
        printf("%s\n", check->wrong ? "the database is damaged" : "all is well");
}

int doc_check(const struct args *args, const char *folder)
{
    char message[MESSAGE_SIZE];
    char path[4096];
    struct stat st;
    struct check check = {.exec = {post, &check}};
    const struct weft_sqlite_options options = {.alloc = weft_alloc_default(), .folder = folder};
    /* The store would make it. */
    int len = snprintf(path, sizeof(path), "%s/weft.db", folder);
    if (len < 0 || (size_t)len >= sizeof(path) || stat(path, &st) != 0) {
        fprintf(stderr, "weft %s: there are no documents in '%s'\n", args->command->name, folder);
        return 1;
    }
    if (weft__sqlite_store_open(&options, &check.store, message, sizeof(message))) {
        fprintf(stderr, "weft %s: %s\n", args->command->name, message);
        return 1;
    }
    pthread_mutex_init(&check.mutex, NULL);
    pthread_cond_init(&check.posted, NULL);
    check_folder(&check, folder);
    weft__store_free(check.store);
    pthread_cond_destroy(&check.posted);
    pthread_mutex_destroy(&check.mutex);
    return fflush(stdout) || check.wrong ? 1 : 0;
}
