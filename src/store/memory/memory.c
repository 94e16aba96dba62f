/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents in a hash map by tenant and name; each with the array of its records, in order, and its
 * newest snapshot. Only LIST walks the whole map.
 */
#include "store/memory/memory.h"

#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    KEY_MAX = 1 + 255 + 255, /* length of the tenant, tenant, name */
    RECORDS_FIRST = 8,       /* slots of the first array of records */
};

/* More than any message could carry, so that a test meets the limit of the hub and not this one. */
static const size_t RECORD_MAX = (size_t)1 << 30;

struct memory_record {
    uint64_t first;
    uint64_t count;
    struct weft_buf *content;
};

struct memory_doc {
    struct weft_map_node node; /* its key points into |key| */
    struct weft_buf *key;
    struct weft_slice tenant; /* of |key|, as the name is */
    struct weft_slice name;
    struct weft_store_state state;
    struct memory_record *records;
    size_t record_count;
    size_t record_cap;
    struct weft_buf *snapshot;
};

struct memory_store {
    struct weft_store base;
    const struct weft_alloc *alloc;
    pthread_mutex_t lock;
    struct weft_map docs;
};

static struct weft_slice make_key(const struct weft_store_key *key, uint8_t buf[KEY_MAX])
{
    buf[0] = (uint8_t)key->tenant.len;
    weft__mem_copy(buf + 1, key->tenant.ptr, key->tenant.len);
    weft__mem_copy(buf + 1 + key->tenant.len, key->name.ptr, key->name.len);
    return weft__slice(buf, 1 + key->tenant.len + key->name.len);
}

static struct memory_doc *doc_of(struct weft_map_node *node)
{
    return WEFT_CONTAINER_OF(node, struct memory_doc, node);
}

static struct memory_doc *find(struct memory_store *store, const struct weft_store_key *key)
{
    uint8_t buf[KEY_MAX];
    struct weft_map_node *node = weft__map_get(&store->docs, make_key(key, buf));
    return node ? doc_of(node) : NULL;
}

static void doc_free(struct memory_store *store, struct memory_doc *doc)
{
    for (size_t i = 0; i < doc->record_count; i++)
        weft__buf_unref(doc->records[i].content);
    weft__mem_free(store->alloc, doc->records, doc->record_cap * sizeof(*doc->records));
    weft__buf_unref(doc->snapshot);
    weft__buf_unref(doc->key);
    weft__mem_free(store->alloc, doc, sizeof(*doc));
}

static struct memory_doc *doc_add(struct memory_store *store, const struct weft_store_request *r)
{
    uint8_t buf[KEY_MAX];
    struct memory_doc *doc = weft__mem_zalloc(store->alloc, sizeof(*doc));
    if (!doc)
        return NULL;
    doc->key = weft__buf_new_copy(store->alloc, make_key(&r->key, buf));
    if (!doc->key || weft__map_add(&store->docs, &doc->node, weft__buf_slice(doc->key))) {
        doc_free(store, doc);
        return NULL;
    }
    doc->tenant = weft__slice(weft__buf_data(doc->key) + 1, r->key.tenant.len);
    doc->name = weft__slice(doc->tenant.ptr + doc->tenant.len, r->key.name.len);
    /* The sizes were checked with the request. */
    memcpy(doc->state.type, r->u.open.create_type, strlen(r->u.open.create_type) + 1);
    memcpy(doc->state.epoch, r->u.open.create_epoch, strlen(r->u.open.create_epoch) + 1);
    doc->state.token = weft__store_token(doc->state.epoch, 0);
    return doc;
}

static int do_open(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    bool create = !doc;
    if (create && !r->u.open.create_type)
        return WEFT_ERR_NOT_FOUND;
    if (create)
        doc = doc_add(store, r);
    if (!doc)
        return WEFT_ERR_NOMEM;
    r->u.open.ret_created = create;
    r->state = doc->state;
    return 0;
}

/* Room for one more record. */
static bool reserve_record(struct memory_store *store, struct memory_doc *doc)
{
    if (doc->record_count < doc->record_cap)
        return true;
    size_t cap = doc->record_cap ? doc->record_cap * 2 : RECORDS_FIRST;
    struct memory_record *records = weft__mem_realloc(
        store->alloc, doc->records, doc->record_cap * sizeof(*records), cap * sizeof(*records));
    if (!records)
        return false;
    doc->records = records;
    doc->record_cap = cap;
    return true;
}

static int do_append(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    if (!doc || r->u.append.token != doc->state.token)
        return WEFT_ERR_CONFLICT;
    if (r->u.append.first != doc->state.version)
        return WEFT_ERR_USAGE;
    struct weft_buf *content = weft__buf_new_copy(store->alloc, r->u.append.record);
    if (!content || !reserve_record(store, doc)) {
        weft__buf_unref(content);
        return WEFT_ERR_NOMEM;
    }
    doc->records[doc->record_count++] =
        (struct memory_record){r->u.append.first, r->u.append.count, content};
    doc->state.version += r->u.append.count;
    doc->state.token = weft__store_token(doc->state.epoch, doc->state.version);
    r->u.append.ret_token = doc->state.token;
    r->state = doc->state;
    atomic_fetch_add_explicit(&store->base.commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->base.records, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->base.bytes, content->len, memory_order_relaxed);
    return 0;
}

static void drop_records(struct memory_store *store, struct weft_list *records)
{
    struct weft_list *node;
    while ((node = weft__list_pop(records)))
        weft__store_record_free(store->alloc,
                                WEFT_CONTAINER_OF(node, struct weft_store_record, node));
}

static bool give_record(struct memory_store *store, struct weft_list *records,
                        const struct memory_record *record)
{
    struct weft_store_record *given = weft__mem_zalloc(store->alloc, sizeof(*given));
    if (!given)
        return false;
    given->first = record->first;
    given->count = record->count;
    given->content = weft__buf_ref(record->content);
    weft__list_push(records, &given->node);
    return true;
}

/* Index of the first record that holds a version > |from|. */
static size_t record_after(const struct memory_doc *doc, uint64_t from)
{
    size_t low = 0;
    size_t high = doc->record_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (doc->records[mid].first + doc->records[mid].count > from)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static int do_read(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    struct weft_list *records = &r->u.read.ret_records;
    size_t bytes = 0;
    uint64_t ops = 0;
    weft__list_init(records);
    r->u.read.ret_more = false;
    if (!doc)
        return WEFT_ERR_NOT_FOUND;
    for (size_t i = record_after(doc, r->u.read.from); i < doc->record_count; i++) {
        const struct memory_record *record = &doc->records[i];
        if (record->first >= r->u.read.to)
            break;
        bool many = r->u.read.max_count && ops + record->count > r->u.read.max_count;
        if (ops && (many || bytes + record->content->len > r->u.read.max_bytes)) {
            r->u.read.ret_more = true;
            break;
        }
        bytes += record->content->len;
        ops += record->count;
        if (!give_record(store, records, record)) {
            drop_records(store, records);
            return WEFT_ERR_NOMEM;
        }
    }
    r->state = doc->state;
    return 0;
}

/* The records (from, to], if they cover it exactly: |*ret_from| is the first, |*ret_count| their
 * number. */
static bool find_covering(const struct memory_doc *doc, const struct weft_store_request *r,
                          size_t *ret_from, size_t *ret_count)
{
    size_t from = record_after(doc, r->u.seal.from);
    size_t end = from;
    while (end < doc->record_count && doc->records[end].first < r->u.seal.to)
        end++;
    *ret_from = from;
    *ret_count = end - from;
    return end > from && doc->records[from].first == r->u.seal.from &&
           doc->records[end - 1].first + doc->records[end - 1].count == r->u.seal.to;
}

static int do_seal(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    size_t from;
    size_t count;
    if (!doc || strcmp(r->u.seal.epoch, doc->state.epoch) != 0)
        return WEFT_ERR_CONFLICT;
    if (!find_covering(doc, r, &from, &count))
        return WEFT_ERR_USAGE;
    struct weft_buf *content = weft__buf_new_copy(store->alloc, r->u.seal.segment);
    if (!content)
        return WEFT_ERR_NOMEM;
    r->u.seal.ret_records = count;
    r->u.seal.ret_bytes = 0;
    for (size_t i = from; i < from + count; i++) {
        r->u.seal.ret_bytes += doc->records[i].content->len;
        weft__buf_unref(doc->records[i].content);
    }
    doc->records[from] =
        (struct memory_record){r->u.seal.from, r->u.seal.to - r->u.seal.from, content};
    memmove(&doc->records[from + 1], &doc->records[from + count],
            (doc->record_count - from - count) * sizeof(*doc->records));
    doc->record_count -= count - 1;
    weft__store_count_seal(&store->base, r);
    r->state = doc->state;
    return 0;
}

static int do_put_snapshot(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    if (!doc)
        return WEFT_ERR_NOT_FOUND;
    if (r->u.put_snapshot.version > doc->state.version)
        return WEFT_ERR_USAGE;
    if (r->u.put_snapshot.version >= doc->state.snapshot_version) {
        struct weft_buf *content = weft__buf_new_copy(store->alloc, r->u.put_snapshot.content);
        if (!content)
            return WEFT_ERR_NOMEM;
        weft__buf_unref(doc->snapshot);
        doc->snapshot = content;
        doc->state.snapshot_version = r->u.put_snapshot.version;
    }
    r->state = doc->state;
    return 0;
}

static int do_get_snapshot(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    if (!doc || !doc->snapshot)
        return WEFT_ERR_NOT_FOUND;
    r->u.get_snapshot.ret_version = doc->state.snapshot_version;
    r->u.get_snapshot.ret_content = weft__buf_ref(doc->snapshot);
    r->state = doc->state;
    return 0;
}

static int slice_compare(struct weft_slice a, struct weft_slice b)
{
    size_t len = WEFT_MIN(a.len, b.len);
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int doc_compare(const void *a, const void *b)
{
    const struct memory_doc *const *left = a;
    const struct memory_doc *const *right = b;
    return slice_compare((*left)->name, (*right)->name);
}

static bool is_listed(const struct memory_doc *doc, const struct weft_store_request *r)
{
    struct weft_slice prefix = r->key.name;
    return weft__slice_eq(doc->tenant, r->key.tenant) && doc->name.len >= prefix.len &&
           weft__slice_eq(weft__slice(doc->name.ptr, prefix.len), prefix) &&
           slice_compare(doc->name, r->u.list.after) > 0;
}

static bool give_name(struct memory_store *store, struct weft_list *names,
                      const struct memory_doc *doc)
{
    struct weft_store_name *given = weft__mem_zalloc(store->alloc, sizeof(*given));
    if (!given)
        return false;
    given->name = weft__buf_new_copy(store->alloc, doc->name);
    if (!given->name) {
        weft__store_name_free(store->alloc, given);
        return false;
    }
    given->state = doc->state;
    weft__list_push(names, &given->node);
    return true;
}

static int do_list(struct memory_store *store, struct weft_store_request *r)
{
    struct weft_list *names = &r->u.list.ret_names;
    struct weft_list *node;
    size_t size = (store->docs.count + 1) * sizeof(struct memory_doc *);
    size_t count = 0;
    int err = 0;
    weft__list_init(names);
    r->u.list.ret_more = false;
    struct memory_doc **found = weft__mem_alloc(store->alloc, size);
    if (!found)
        return WEFT_ERR_NOMEM;
    for (struct weft_map_node *at = weft__map_first(&store->docs); at;
         at = weft__map_next(&store->docs, at))
        if (is_listed(doc_of(at), r))
            found[count++] = doc_of(at);
    qsort(found, count, sizeof(struct memory_doc *), doc_compare);
    for (size_t i = 0; i < WEFT_MIN(count, r->u.list.limit) && !err; i++)
        err = give_name(store, names, found[i]) ? 0 : WEFT_ERR_NOMEM;
    r->u.list.ret_more = !err && count > r->u.list.limit;
    while (err && (node = weft__list_pop(names)))
        weft__store_name_free(store->alloc, WEFT_CONTAINER_OF(node, struct weft_store_name, node));
    weft__mem_free(store->alloc, found, size);
    return err;
}

static int do_purge(struct memory_store *store, struct weft_store_request *r)
{
    struct memory_doc *doc = find(store, &r->key);
    if (!doc)
        return WEFT_ERR_NOT_FOUND;
    weft__map_remove(&store->docs, &doc->node);
    doc_free(store, doc);
    return 0;
}

static int carry_out(struct memory_store *store, struct weft_store_request *r)
{
    int err = weft__store_request_check(&store->base, r);
    if (err)
        return err;
    switch (r->kind) {
    case WEFT_STORE_OPEN:
        return do_open(store, r);
    case WEFT_STORE_APPEND:
        return do_append(store, r);
    case WEFT_STORE_READ:
        return do_read(store, r);
    case WEFT_STORE_SEAL:
        return do_seal(store, r);
    case WEFT_STORE_PUT_SNAPSHOT:
        return do_put_snapshot(store, r);
    case WEFT_STORE_GET_SNAPSHOT:
        return do_get_snapshot(store, r);
    case WEFT_STORE_LIST:
        return do_list(store, r);
    case WEFT_STORE_PURGE:
        return do_purge(store, r);
    }
    return WEFT_ERR_USAGE;
}

static void deliver(struct weft_task *task)
{
    struct weft_store_request *r = WEFT_CONTAINER_OF(task, struct weft_store_request, task);
    r->done(r);
}

static void memory_submit(struct weft_store *base, struct weft_store_request *r)
{
    struct memory_store *store = WEFT_CONTAINER_OF(base, struct memory_store, base);
    pthread_mutex_lock(&store->lock);
    r->result = carry_out(store, r);
    pthread_mutex_unlock(&store->lock);
    if (r->kind == WEFT_STORE_APPEND && r->result)
        atomic_fetch_add_explicit(&store->base.failed, 1, memory_order_relaxed);
    weft__task_init(&r->task, deliver);
    weft__exec_post(r->exec, &r->task);
}

static void memory_free(struct weft_store *base)
{
    struct memory_store *store = WEFT_CONTAINER_OF(base, struct memory_store, base);
    for (struct weft_map_node *at = weft__map_first(&store->docs), *next; at; at = next) {
        next = weft__map_next(&store->docs, at);
        doc_free(store, doc_of(at));
    }
    weft__map_done(&store->docs);
    pthread_mutex_destroy(&store->lock);
    weft__mem_free(store->alloc, store, sizeof(*store));
}

int weft__memory_store_open(const struct weft_alloc *alloc, struct weft_store **ret_store)
{
    static const struct weft_store_ops ops = {memory_submit, memory_free};
    struct memory_store *store = weft__mem_zalloc(alloc, sizeof(*store));
    if (!store)
        return WEFT_ERR_NOMEM;
    store->base.ops = &ops;
    store->base.name = "memory";
    store->base.durability = "none";
    store->base.max_record = RECORD_MAX;
    store->alloc = alloc;
    /* Whoever could construct collisions of names could as well fill the memory. */
    weft__map_init(&store->docs, alloc, (struct weft_hash_key){0});
    if (pthread_mutex_init(&store->lock, NULL)) {
        weft__mem_free(alloc, store, sizeof(*store));
        return WEFT_ERR_NOMEM;
    }
    *ret_store = &store->base;
    return 0;
}
