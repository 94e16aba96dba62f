/* SPDX-License-Identifier: Apache-2.0 */
/* Items between threads and the loop. */
#include "peer/stream.h"

#include "base/assert.h"
#include "codec/json.h"
#include "peer/answer.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    /* What may wait to be sent, beside one item of any size. */
    OUT_BYTES_MAX = 256 * 1024,
    OUT_ITEMS_MAX = 1024,
};

struct item {
    struct weft_item item; /* what the application gets */
    const struct weft_alloc *alloc;
    struct item *next;
    char text[];
};

struct queue {
    struct item *first;
    struct item **last;
    size_t items;
    size_t bytes;
};

struct weft_stream {
    /* Constant after it was made. */
    struct weft_domain *domain;
    const struct weft_stream_carrier *carrier;
    bool sends;

    atomic_uint refs;  /* |users|, the carrier, and one while |task| is posted */
    atomic_uint users; /* the application's */
    struct weft_task task;

    /* The loop's thread. */
    void *owner; /* NULL: not yet, or not any more */

    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    struct queue in;
    struct queue out;        /* taken from by the loop's thread alone */
    uint64_t consumed_items; /* the carrier does not know of yet */
    uint64_t consumed_bytes;
    bool posted;
    bool no_more_in; /* no item will be pushed */
    bool sealed;     /* no item will be sent, by our own decision */
    bool over;       /* nor taken by the other side */
    bool lost;       /* there was no memory for an item: none behind it may be taken for it */
    bool given_up;
    bool discards; /* what comes is dropped */
    bool tells;    /* |ready| is called at the next pump whatever happened */
    bool refused;  /* a send was, for want of room */
    bool answered;
    struct weft_answer *answer;
    void (*ready)(struct weft_stream *stream, void *ctx);
    void *ready_ctx;
};

/* ---- items and queues ---- */

static struct item *item_new(const struct weft_alloc *alloc, struct weft_slice value)
{
    struct item *item = weft__mem_alloc(alloc, sizeof(*item) + value.len + 1);
    if (!item)
        return NULL;
    *item = (struct item){.item = {.value = item->text, .len = value.len}, .alloc = alloc};
    weft__mem_copy(item->text, value.ptr, value.len);
    item->text[value.len] = '\0';
    return item;
}

void weft_item_free(struct weft_item *public_item)
{
    if (!public_item)
        return;
    struct item *item = WEFT_CONTAINER_OF(public_item, struct item, item);
    weft__mem_free(item->alloc, item, sizeof(*item) + item->item.len + 1);
}

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.last = &queue->first};
}

static void queue_put(struct queue *queue, struct item *item)
{
    *queue->last = item;
    queue->last = &item->next;
    queue->items++;
    queue->bytes += item->item.len;
}

static struct item *queue_take(struct queue *queue)
{
    struct item *item = queue->first;
    if (!item)
        return NULL;
    queue->first = item->next;
    if (!queue->first)
        queue->last = &queue->first;
    item->next = NULL;
    queue->items--;
    queue->bytes -= item->item.len;
    return item;
}

static void queue_put_back(struct queue *queue, struct item *item)
{
    item->next = queue->first;
    queue->first = item;
    if (!item->next)
        queue->last = &item->next;
    queue->items++;
    queue->bytes += item->item.len;
}

static void queue_clear(struct queue *queue)
{
    struct item *item;
    while ((item = queue_take(queue)) != NULL)
        weft_item_free(&item->item);
}

/* ---- life ---- */

struct weft_stream *weft__stream_new(struct weft_domain *domain,
                                     const struct weft_stream_carrier *carrier, bool receives,
                                     bool sends)
{
    struct weft_stream *stream = weft__mem_zalloc(weft__domain_alloc(domain), sizeof(*stream));
    if (!stream)
        return NULL;
    stream->domain = weft__domain_ref(domain);
    stream->carrier = carrier;
    stream->sends = sends;
    stream->no_more_in = !receives;
    atomic_init(&stream->refs, 1);
    atomic_init(&stream->users, 1);
    pthread_mutex_init(&stream->mutex, NULL);
    pthread_cond_init(&stream->changed, NULL);
    queue_init(&stream->in);
    queue_init(&stream->out);
    return stream;
}

void weft__stream_hold(struct weft_stream *stream)
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
}

void weft__stream_let_go(struct weft_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct weft_domain *domain = stream->domain;
    WEFT_ASSERT(!stream->owner);
    queue_clear(&stream->in);
    queue_clear(&stream->out);
    weft_answer_free(stream->answer);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    weft__mem_free(weft__domain_alloc(domain), stream, sizeof(*stream));
    weft__domain_unref(domain);
}

struct weft_stream *weft_stream_ref(struct weft_stream *stream)
{
    if (stream) {
        atomic_fetch_add_explicit(&stream->users, 1, memory_order_relaxed);
        weft__stream_hold(stream);
    }
    return stream;
}

void weft_stream_unref(struct weft_stream *stream)
{
    if (!stream)
        return;
    if (atomic_fetch_sub_explicit(&stream->users, 1, memory_order_acq_rel) == 1) {
        weft_stream_on_ready(stream, NULL, NULL);
        weft_stream_cancel(stream);
    }
    weft__stream_let_go(stream);
}

/* ---- telling the application ---- */

/* Whoever calls it has a reference. */
static void tell_ready(struct weft_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    void (*fn)(struct weft_stream *, void *) = stream->ready;
    void *ctx = stream->ready_ctx;
    pthread_mutex_unlock(&stream->mutex);
    if (fn)
        fn(stream, ctx);
}

/* ---- the loop's side ---- */

static void run_pump(struct weft_task *task)
{
    struct weft_stream *stream = WEFT_CONTAINER_OF(task, struct weft_stream, task);
    pthread_mutex_lock(&stream->mutex);
    bool tells = stream->tells;
    stream->tells = false;
    stream->posted = false;
    pthread_mutex_unlock(&stream->mutex);
    weft__stream_pump(stream);
    if (tells)
        tell_ready(stream);
    weft__stream_let_go(stream);
}

/* Has the loop pump soon. The mutex is held. */
static void post_pump(struct weft_stream *stream)
{
    if (stream->posted)
        return;
    stream->posted = true;
    weft__task_init(&stream->task, run_pump);
    weft__stream_hold(stream);
    if (weft__domain_post(stream->domain, &stream->task))
        return;
    /* The loop has ended: so has everything that it carried. */
    (void)atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel);
    stream->over = true;
    pthread_cond_broadcast(&stream->changed);
}

void weft__stream_attach(struct weft_stream *stream, void *owner)
{
    WEFT_ASSERT(!stream->owner);
    stream->owner = owner;
}

void weft__stream_detach(struct weft_stream *stream)
{
    weft__stream_hold(stream);
    stream->owner = NULL;
    pthread_mutex_lock(&stream->mutex);
    bool first = !stream->over;
    stream->over = true;
    stream->no_more_in = true;
    queue_clear(&stream->out);
    if (!stream->carrier->is_caller)
        queue_clear(&stream->in);
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
    if (first)
        tell_ready(stream);
    weft__stream_let_go(stream);
}

void weft__stream_push(struct weft_stream *stream, struct weft_slice value)
{
    weft__stream_hold(stream);
    struct item *item = item_new(weft__domain_alloc(stream->domain), value);
    pthread_mutex_lock(&stream->mutex);
    bool ignored = stream->over || stream->lost; /* what still comes is nobody's */
    bool discards = stream->discards;
    bool first = stream->in.items == 0;
    stream->lost = stream->lost || !item;
    if (item && !discards && !ignored) {
        queue_put(&stream->in, item);
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->mutex);
    if (ignored) {
        weft_item_free(item ? &item->item : NULL);
    } else if (!item) {
        stream->carrier->no_memory(stream->owner);
    } else if (discards) {
        weft_item_free(&item->item);
        stream->carrier->consumed(stream->owner, 1, value.len);
    } else if (first) {
        tell_ready(stream);
    }
    weft__stream_let_go(stream);
}

void weft__stream_ended(struct weft_stream *stream)
{
    weft__stream_hold(stream);
    pthread_mutex_lock(&stream->mutex);
    stream->no_more_in = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
    tell_ready(stream);
    weft__stream_let_go(stream);
}

/* Sends while there is credit. Returns whether there is room that somebody waits for. What is being
 * sent is out of the queue: sending may end the call, which drops what is in it. */
static bool send_waiting(struct weft_stream *stream)
{
    bool room = false;
    while (stream->owner) {
        pthread_mutex_lock(&stream->mutex);
        struct item *item = queue_take(&stream->out);
        pthread_mutex_unlock(&stream->mutex);
        if (!item)
            break;
        int err =
            stream->carrier->send(stream->owner, weft__slice(item->item.value, item->item.len));
        pthread_mutex_lock(&stream->mutex);
        bool again = err == WEFT_ERR_LIMIT && !stream->over;
        if (again) {
            queue_put_back(&stream->out, item);
        } else {
            room |= stream->refused;
            stream->refused = false;
            pthread_cond_broadcast(&stream->changed);
        }
        pthread_mutex_unlock(&stream->mutex);
        if (again)
            break;
        weft_item_free(&item->item);
    }
    return room;
}

static void grant_taken(struct weft_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    uint64_t items = stream->consumed_items;
    uint64_t bytes = stream->consumed_bytes;
    stream->consumed_items = 0;
    stream->consumed_bytes = 0;
    pthread_mutex_unlock(&stream->mutex);
    if (stream->owner && items)
        stream->carrier->consumed(stream->owner, items, bytes);
}

void weft__stream_pump(struct weft_stream *stream)
{
    weft__stream_hold(stream);
    grant_taken(stream);
    bool room = send_waiting(stream);
    pthread_mutex_lock(&stream->mutex);
    bool drained = stream->sealed && stream->out.items == 0;
    bool given_up = stream->given_up;
    pthread_mutex_unlock(&stream->mutex);
    if (stream->owner && drained)
        stream->carrier->drained(stream->owner);
    if (stream->owner && given_up)
        stream->carrier->give_up(stream->owner);
    if (room)
        tell_ready(stream);
    weft__stream_let_go(stream);
}

void weft__stream_seal(struct weft_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    stream->sealed = !stream->over;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

bool weft__stream_is_drained(struct weft_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    bool drained = stream->out.items == 0;
    pthread_mutex_unlock(&stream->mutex);
    return drained;
}

void weft__stream_answered(struct weft_stream *stream, const struct weft_rpc_answer *from)
{
    const struct weft_answer *answer = weft__answer_new(weft__domain_alloc(stream->domain), from);
    pthread_mutex_lock(&stream->mutex);
    stream->answer = weft__answer_keep(answer);
    stream->answered = true;
    pthread_mutex_unlock(&stream->mutex);
    weft__answer_drop(answer);
    weft__stream_detach(stream);
}

/* ---- sending ---- */

static int check_json(const struct weft_alloc *alloc, struct weft_slice value)
{
    struct weft_arena arena;
    const struct weft_json *parsed;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    int err = weft__json_parse(value, &arena, NULL, NULL, &parsed);
    weft__arena_done(&arena);
    return !err || err == WEFT_ERR_NOMEM ? err : WEFT_ERR_JSON;
}

/* Why nothing can be sent, or 0. The mutex is held. */
static int sending_error(const struct weft_stream *stream)
{
    if (stream->sealed || !stream->sends)
        return WEFT_ERR_STATE;
    return stream->over || stream->given_up ? WEFT_ERR_CLOSED : 0;
}

static bool has_room(const struct weft_stream *stream, size_t len)
{
    const struct queue *out = &stream->out;
    return out->items == 0 || (out->items < OUT_ITEMS_MAX && out->bytes < OUT_BYTES_MAX &&
                               len <= OUT_BYTES_MAX - out->bytes);
}

/* On the loop, with nothing in front of it: sent without a copy. **Errors:** WEFT_ERR_AGAIN. */
static int send_past(struct weft_stream *stream, struct weft_slice value)
{
    pthread_mutex_lock(&stream->mutex);
    int err = sending_error(stream);
    bool empty = stream->out.items == 0;
    pthread_mutex_unlock(&stream->mutex);
    if (err || !empty || !stream->owner)
        return err ? err : WEFT_ERR_AGAIN;
    err = stream->carrier->send(stream->owner, value);
    if (err == WEFT_ERR_LIMIT)
        return WEFT_ERR_AGAIN;
    return err ? WEFT_ERR_CLOSED : 0;
}

static int enqueue(struct weft_stream *stream, struct item *item, bool waits)
{
    pthread_mutex_lock(&stream->mutex);
    int err = sending_error(stream);
    while (!err && !has_room(stream, item->item.len)) {
        stream->refused = true;
        if (!waits) {
            err = WEFT_ERR_AGAIN;
            break;
        }
        pthread_cond_wait(&stream->changed, &stream->mutex);
        err = sending_error(stream);
    }
    if (!err) {
        queue_put(&stream->out, item);
        post_pump(stream);
    }
    pthread_mutex_unlock(&stream->mutex);
    return err;
}

static int send(struct weft_stream *stream, const char *value, bool waits)
{
    const struct weft_alloc *alloc = weft__domain_alloc(stream->domain);
    struct weft_slice text = weft__slice_str(value);
    int err = check_json(alloc, text);
    if (err)
        return err;
    if (!weft__domain_takes(stream->domain, text.len))
        return WEFT_ERR_TOO_BIG;
    if (weft__domain_here(stream->domain)) {
        err = send_past(stream, text);
        if (err != WEFT_ERR_AGAIN)
            return err;
    }
    struct item *item = item_new(alloc, text);
    if (!item)
        return WEFT_ERR_NOMEM;
    err = enqueue(stream, item, waits);
    if (err)
        weft_item_free(&item->item);
    return err;
}

int weft_stream_send(struct weft_stream *stream, const char *value)
{
    return send(stream, value, false);
}

int weft_stream_send_wait(struct weft_stream *stream, const char *value)
{
    return weft__domain_anywhere() ? WEFT_ERR_STATE : send(stream, value, true);
}

void weft_stream_end(struct weft_stream *stream)
{
    if (!stream->carrier->is_caller)
        return;
    weft__stream_seal(stream);
    if (weft__domain_here(stream->domain)) {
        weft__stream_pump(stream);
        return;
    }
    pthread_mutex_lock(&stream->mutex);
    if (!stream->over)
        post_pump(stream);
    pthread_mutex_unlock(&stream->mutex);
}

void weft_stream_cancel(struct weft_stream *stream)
{
    if (!stream->carrier->is_caller)
        return;
    pthread_mutex_lock(&stream->mutex);
    queue_clear(&stream->in);
    stream->discards = true;
    if (!stream->over && !stream->given_up) {
        stream->given_up = true;
        post_pump(stream);
    }
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

/* ---- receiving ---- */

static int receive(struct weft_stream *stream, bool waits, struct weft_item **ret_item)
{
    int err = 0;
    *ret_item = NULL;
    pthread_mutex_lock(&stream->mutex);
    while (waits && !stream->in.items && !stream->no_more_in && !stream->over &&
           !stream->given_up && !(stream->sealed && !stream->carrier->is_caller))
        pthread_cond_wait(&stream->changed, &stream->mutex);
    struct item *item = queue_take(&stream->in);
    if (item) {
        *ret_item = &item->item;
        stream->consumed_items++;
        stream->consumed_bytes += item->item.len;
        if (!stream->no_more_in)
            post_pump(stream);
    } else if (!stream->carrier->is_caller && (stream->over || stream->sealed)) {
        err = WEFT_ERR_CLOSED;
    } else if (!stream->no_more_in && !stream->over && !stream->given_up) {
        err = WEFT_ERR_AGAIN;
    }
    pthread_mutex_unlock(&stream->mutex);
    return err;
}

int weft_stream_receive(struct weft_stream *stream, struct weft_item **ret_item)
{
    return receive(stream, false, ret_item);
}

int weft_stream_receive_wait(struct weft_stream *stream, struct weft_item **ret_item)
{
    return weft__domain_anywhere() ? WEFT_ERR_STATE : receive(stream, true, ret_item);
}

void weft_stream_on_ready(struct weft_stream *stream,
                          void (*fn)(struct weft_stream *stream, void *ctx), void *ctx)
{
    pthread_mutex_lock(&stream->mutex);
    stream->ready = fn;
    stream->ready_ctx = ctx;
    if (fn) {
        stream->tells = true;
        post_pump(stream);
    }
    pthread_mutex_unlock(&stream->mutex);
}

/* ---- the answer to a caller ---- */

const struct weft_answer *weft_stream_answer(struct weft_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    const struct weft_answer *answer = stream->answer;
    pthread_mutex_unlock(&stream->mutex);
    return answer;
}

int weft_stream_answer_wait(struct weft_stream *stream, const struct weft_answer **ret_answer)
{
    if (!stream->carrier->is_caller || weft__domain_anywhere())
        return WEFT_ERR_STATE;
    struct weft_item *item;
    pthread_mutex_lock(&stream->mutex);
    stream->discards = true;
    pthread_mutex_unlock(&stream->mutex);
    while (!receive(stream, false, &item) && item)
        weft_item_free(item);
    pthread_mutex_lock(&stream->mutex);
    while (!stream->answered)
        pthread_cond_wait(&stream->changed, &stream->mutex);
    *ret_answer = stream->answer;
    pthread_mutex_unlock(&stream->mutex);
    return *ret_answer ? 0 : WEFT_ERR_NOMEM;
}
