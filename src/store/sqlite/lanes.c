/* SPDX-License-Identifier: Apache-2.0 */
/* The order of requests: who may be under way at the same time in a lane. */
#include "store/sqlite/store.h"

#define APPEND (1u << WEFT_SQLITE_CLASS_APPEND)
#define READ (1u << WEFT_SQLITE_CLASS_READ)
#define LOOK (1u << WEFT_SQLITE_CLASS_LOOK)
#define PUT (1u << WEFT_SQLITE_CLASS_PUT)
#define SEAL (1u << WEFT_SQLITE_CLASS_SEAL)
#define ALONE (1u << WEFT_SQLITE_CLASS_ALONE)

/* What each class has to wait for. Appends among themselves keep their order on the writer, reads
 * on the reader. */
static const unsigned WAITS_FOR[WEFT_SQLITE_CLASS_COUNT] = {
    [WEFT_SQLITE_CLASS_APPEND] = READ | LOOK | ALONE,
    [WEFT_SQLITE_CLASS_READ] = APPEND | ALONE,
    [WEFT_SQLITE_CLASS_LOOK] = APPEND | PUT | ALONE,
    [WEFT_SQLITE_CLASS_PUT] = LOOK | ALONE,
    [WEFT_SQLITE_CLASS_SEAL] = ALONE,
    [WEFT_SQLITE_CLASS_ALONE] = APPEND | READ | LOOK | PUT | SEAL | ALONE,
    [WEFT_SQLITE_CLASS_FREE] = 0,
};

static enum weft_sqlite_class class_of(const struct weft_store_request *request)
{
    switch (request->kind) {
    case WEFT_STORE_OPEN:
        return request->u.open.create_type ? WEFT_SQLITE_CLASS_ALONE : WEFT_SQLITE_CLASS_LOOK;
    case WEFT_STORE_APPEND:
        return WEFT_SQLITE_CLASS_APPEND;
    case WEFT_STORE_READ:
        return WEFT_SQLITE_CLASS_READ;
    case WEFT_STORE_SEAL:
        return WEFT_SQLITE_CLASS_SEAL;
    case WEFT_STORE_PUT_SNAPSHOT:
        return WEFT_SQLITE_CLASS_PUT;
    case WEFT_STORE_GET_SNAPSHOT:
        return WEFT_SQLITE_CLASS_LOOK;
    case WEFT_STORE_PURGE:
        return WEFT_SQLITE_CLASS_ALONE;
    case WEFT_STORE_LIST:
        break;
    }
    return WEFT_SQLITE_CLASS_FREE;
}

void weft__sqlite_lanes_init(struct weft_sqlite_store *store)
{
    for (size_t i = 0; i < WEFT_SQLITE_LANES; i++)
        weft__list_init(&store->lanes[i].waiting);
    weft__list_init(&store->write_queue);
    weft__list_init(&store->read_queue);
    weft__list_init(&store->puts);
}

static struct weft_sqlite_lane *lane_of(struct weft_sqlite_store *store,
                                        const struct weft_store_key *key)
{
    uint64_t tenant = weft__hash(&store->hash_key, key->tenant);
    uint64_t name = weft__hash(&store->hash_key, key->name);
    return &store->lanes[(tenant * 31 + name) % WEFT_SQLITE_LANES];
}

static bool may_run(const struct weft_sqlite_lane *lane, enum weft_sqlite_class class)
{
    for (int other = 0; other < WEFT_SQLITE_CLASS_COUNT; other++)
        if (lane->running[other] && (WAITS_FOR[class] >> other & 1))
            return false;
    return true;
}

/* Gives |request| to the thread that begins with it. A document that may have to be created is
 * looked for by the reader first: in most cases it exists. */
static void hand_over(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    switch (request->kind) {
    case WEFT_STORE_APPEND:
    case WEFT_STORE_SEAL:
    case WEFT_STORE_PUT_SNAPSHOT:
    case WEFT_STORE_PURGE:
        weft__list_push(&store->write_queue, &request->node);
        pthread_cond_signal(&store->writer_wake);
        break;
    default:
        weft__list_push(&store->read_queue, &request->node);
        pthread_cond_signal(&store->reader_wake);
    }
}

static void deliver(struct weft_task *task)
{
    struct weft_store_request *request = WEFT_CONTAINER_OF(task, struct weft_store_request, task);
    request->done(request);
}

void weft__sqlite_lanes_post(struct weft_store_request *request, int err)
{
    request->result = err;
    weft__task_init(&request->task, deliver);
    weft__exec_post(request->exec, &request->task);
}

void weft__sqlite_lanes_submit(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    enum weft_sqlite_class class = class_of(request);
    struct weft_sqlite_lane *lane =
        class == WEFT_SQLITE_CLASS_FREE ? NULL : lane_of(store, &request->key);
    request->owner = lane;
    pthread_mutex_lock(&store->mutex);
    store->unfinished++;
    if (lane && (!weft__list_empty(&lane->waiting) || !may_run(lane, class))) {
        weft__list_push(&lane->waiting, &request->node);
    } else {
        if (lane)
            lane->running[class]++;
        hand_over(store, request);
    }
    pthread_mutex_unlock(&store->mutex);
}

void weft__sqlite_lanes_to_writer(struct weft_sqlite_store *store,
                                  struct weft_store_request *request)
{
    pthread_mutex_lock(&store->mutex);
    weft__list_push(&store->write_queue, &request->node);
    pthread_cond_signal(&store->writer_wake);
    pthread_mutex_unlock(&store->mutex);
}

/* Ends one request of |class| in |lane|, and begins what waited for it, in order. */
static void leave(struct weft_sqlite_store *store, struct weft_sqlite_lane *lane,
                  enum weft_sqlite_class class)
{
    lane->running[class]--;
    while (!weft__list_empty(&lane->waiting)) {
        struct weft_store_request *next =
            WEFT_CONTAINER_OF(lane->waiting.next, struct weft_store_request, node);
        enum weft_sqlite_class next_class = class_of(next);
        if (!may_run(lane, next_class))
            break;
        weft__list_remove(&next->node);
        lane->running[next_class]++;
        hand_over(store, next);
    }
}

void weft__sqlite_lanes_end(struct weft_sqlite_store *store, const struct weft_sqlite_end *ends,
                            size_t count)
{
    enum { STEP = 64 };
    struct weft_sqlite_lane *lanes[STEP];
    enum weft_sqlite_class classes[STEP];
    for (size_t from = 0; from < count; from += STEP) {
        size_t some = WEFT_MIN((size_t)STEP, count - from);
        for (size_t i = 0; i < some; i++) {
            struct weft_store_request *request = ends[from + i].request;
            lanes[i] = request->owner;
            classes[i] = class_of(request);
            weft__sqlite_lanes_post(request, ends[from + i].result); /* It may be gone now. */
        }
        pthread_mutex_lock(&store->mutex);
        for (size_t i = 0; i < some; i++)
            if (lanes[i])
                leave(store, lanes[i], classes[i]);
        store->unfinished -= some;
        if (store->stopping && store->unfinished == 0) {
            pthread_cond_broadcast(&store->writer_wake);
            pthread_cond_broadcast(&store->reader_wake);
        }
        pthread_mutex_unlock(&store->mutex);
    }
}
