/* SPDX-License-Identifier: Apache-2.0 */
/* Rich text documents: chunks of insertions, composed with what is applied. */
#include "ot/rich_doc.h"
#include "base/utf8.h"
#include "ot/rich_build.h"

#include <stdatomic.h>

enum {
    CHUNK_BYTES = 4096, /* a chunk is closed when it holds so much */
    CHUNK_SMALL = 1024, /* what is smaller takes in the chunk behind it */
};

struct chunk {
    atomic_uint refs;
    struct weft_rich_op *op;
};

struct item {
    uint32_t units;
    struct chunk *chunk;
};

struct list {
    atomic_uint refs;
    size_t count;
    size_t cap;
    struct item items[];
};

struct weft_rich_doc {
    const struct weft_alloc *alloc;
    struct list *list; /* NULL: the empty document */
    uint64_t units;
    size_t bytes;
};

static int no_memory(struct weft_ot_error *error)
{
    return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static void chunk_drop(const struct weft_alloc *alloc, struct chunk *chunk)
{
    if (atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1)
        return;
    weft__rich_free(chunk->op);
    weft__mem_free(alloc, chunk, sizeof(*chunk));
}

static struct item item_share(struct item item)
{
    atomic_fetch_add_explicit(&item.chunk->refs, 1, memory_order_relaxed);
    return item;
}

static struct list *list_new(const struct weft_alloc *alloc, size_t cap)
{
    struct list *list = weft__mem_alloc(alloc, sizeof(*list) + cap * sizeof(struct item));
    if (!list)
        return NULL;
    atomic_init(&list->refs, 1);
    list->count = 0;
    list->cap = cap;
    return list;
}

static void list_drop(const struct weft_alloc *alloc, struct list *list)
{
    if (!list || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < list->count; i++)
        chunk_drop(alloc, list->items[i].chunk);
    weft__mem_free(alloc, list, sizeof(*list) + list->cap * sizeof(struct item));
}

/* Appends |item| to *|list|, which may be NULL; takes its reference in any case. */
static bool list_push(const struct weft_alloc *alloc, struct list **list, struct item item)
{
    struct list *old = *list;
    if (!old || old->count == old->cap) {
        struct list *more = list_new(alloc, old ? old->cap * 2 : 4);
        if (!more) {
            chunk_drop(alloc, item.chunk);
            return false;
        }
        if (old) {
            memcpy(more->items, old->items, old->count * sizeof(item));
            more->count = old->count;
            weft__mem_free(alloc, old, sizeof(*old) + old->cap * sizeof(item));
        }
        *list = more;
    }
    (*list)->items[(*list)->count++] = item;
    return true;
}

/* Appends one chunk of |count| parts. */
static int push_chunk(struct weft_rich_build *b, const struct weft_rich_part *parts, size_t count,
                      struct list **out, struct weft_ot_error *error)
{
    struct weft_rich_op *op;
    int err = weft__rich_build_pack(b, parts, count, &op, error);
    if (err)
        return err;
    struct chunk *chunk = weft__mem_alloc(b->alloc, sizeof(*chunk));
    if (!chunk) {
        weft__rich_free(op);
        return no_memory(error);
    }
    atomic_init(&chunk->refs, 1);
    chunk->op = op;
    return list_push(b->alloc, out, (struct item){op->inserted, chunk}) ? 0 : no_memory(error);
}

/* The first CHUNK_BYTES or so of |*part|, a text, which is left with the rest. */
static struct weft_rich_part cut_text(struct weft_rich_part *part)
{
    struct weft_rich_part piece = *part;
    uint32_t len = CHUNK_BYTES;
    while ((part->text[len] & 0xc0) == 0x80)
        len--;
    piece.len = len;
    piece.units =
        (uint32_t)(weft__utf8_count(part->text, len) + weft__utf8_count_astral(part->text, len));
    part->text += len;
    part->len -= len;
    part->units -= piece.units;
    return piece;
}

/* What part |at| adds to a chunk that begins with part |start|. */
static size_t held_more(const struct weft_rich_build *b, size_t start, size_t at)
{
    const struct weft_rich_part *part = &b->parts[at];
    if (at > start && weft__rich_joins(part - 1, part))
        return part->len;
    return part->len + part->attr_len + sizeof(*part);
}

/* True when a chunk that holds |held| bytes ends behind part |at|: |text| bytes make it full, but
 * attributes alone do not divide a run. */
static bool ends_behind(const struct weft_rich_build *b, size_t at, size_t held, size_t text)
{
    if (at + 1 == b->count || text >= CHUNK_BYTES)
        return true;
    return held >= CHUNK_BYTES && !weft__rich_joins(&b->parts[at], &b->parts[at + 1]);
}

/* Makes chunks of all that |b| has collected, and empties it. */
static int flush(struct weft_rich_build *b, struct list **out, struct weft_ot_error *error)
{
    size_t start = 0;
    size_t held = 0;
    size_t text = 0;
    int err = b->err ? weft__ot_fail(error, b->err, b->error.status, b->error.message) : 0;
    for (size_t i = 0; i < b->count && !err; i++) {
        struct weft_rich_part *part = &b->parts[i];
        while (!part->embed && part->len > 2 * CHUNK_BYTES && !err) {
            if (i > start)
                err = push_chunk(b, part - (i - start), i - start, out, error);
            start = i;
            held = text = 0;
            struct weft_rich_part piece = cut_text(part);
            if (!err)
                err = push_chunk(b, &piece, 1, out, error);
        }
        held += held_more(b, start, i);
        text += part->len;
        if (!err && ends_behind(b, i, held, text)) {
            err = push_chunk(b, b->parts + start, i + 1 - start, out, error);
            start = i + 1;
            held = text = 0;
        }
    }
    b->count = 0;
    return err;
}

static size_t held_by(const struct weft_rich_build *b)
{
    size_t held = 0;
    for (size_t i = 0; i < b->count && held < CHUNK_SMALL; i++)
        held += held_more(b, 0, i);
    return held;
}

int weft__rich_doc_new(const struct weft_alloc *alloc, struct weft_rich_op *content,
                       struct weft_rich_doc **ret_doc, struct weft_ot_error *error)
{
    struct weft_rich_doc *doc = weft__mem_zalloc(alloc, sizeof(*doc));
    int err = doc ? 0 : no_memory(error);
    if (doc) {
        doc->alloc = alloc;
        if (content)
            err = weft__rich_doc_apply(doc, content, error);
    }
    weft__rich_free(content);
    if (err)
        weft__rich_doc_free(doc);
    else
        *ret_doc = doc;
    return err;
}

void weft__rich_doc_free(struct weft_rich_doc *doc)
{
    if (!doc)
        return;
    list_drop(doc->alloc, doc->list);
    weft__mem_free(doc->alloc, doc, sizeof(*doc));
}

int weft__rich_doc_snapshot(const struct weft_rich_doc *doc, struct weft_rich_doc **ret_doc)
{
    struct weft_rich_doc *copy = weft__mem_alloc(doc->alloc, sizeof(*copy));
    if (!copy)
        return WEFT_ERR_NOMEM;
    *copy = *doc;
    if (copy->list)
        atomic_fetch_add_explicit(&copy->list->refs, 1, memory_order_relaxed);
    *ret_doc = copy;
    return 0;
}

/* Where an operation stands in a document, and the chunks made so far. */
struct edit {
    const struct weft_rich_doc *doc;
    size_t count; /* chunks of the document */
    size_t first; /* chunks before it stay as they are */
    size_t next;  /* those from |first| to here are replaced by |made| */
    struct list *made;
    struct weft_rich_cursor op;
    struct weft_rich_build build;
};

/* True when the whole next chunk is only passed over. */
static bool passes(const struct edit *e)
{
    if (!weft__rich_cursor_is(&e->op, WEFT_RICH_KIND_RETAIN) || e->next == e->count)
        return false;
    uint32_t units = e->doc->list->items[e->next].units;
    uint32_t left = weft__rich_cursor_left(&e->op);
    return !e->op.part->embed && !e->op.part->attr_len &&
           (left > units || (left == units && e->next + 1 < e->count));
}

static struct item pass(struct edit *e)
{
    struct item item = e->doc->list->items[e->next++];
    (void)weft__rich_cursor_take(&e->op, item.units, &e->build);
    return item;
}

/* Adds what the operation leaves of the next chunk; at the end of the operation, all of it. */
static void compose_chunk(struct edit *e)
{
    struct weft_rich_cursor c;
    weft__rich_cursor_init(&c, e->doc->list->items[e->next++].chunk->op);
    weft__rich_compose_into(&e->build, &c, &e->op, false);
    while (c.part != c.end && !e->build.err)
        weft__rich_build_add(&e->build, weft__rich_cursor_take(&c, UINT32_MAX, &e->build));
}

static int run(struct edit *e, struct weft_ot_error *error)
{
    int err = 0;
    while (passes(e))
        (void)pass(e);
    e->first = e->next;
    while (e->op.part != e->op.end && !err && !e->build.err) {
        if (passes(e) && held_by(&e->build) >= CHUNK_SMALL) {
            err = flush(&e->build, &e->made, error);
        } else if (passes(e) && e->build.count == 0) {
            if (!list_push(e->doc->alloc, &e->made, item_share(pass(e))))
                err = no_memory(error);
        } else if (e->next < e->count) {
            compose_chunk(e);
        } else {
            struct weft_rich_cursor none = {0};
            weft__rich_compose_into(&e->build, &none, &e->op, false);
        }
    }
    while (!err && !e->build.err && e->build.count && held_by(&e->build) < CHUNK_SMALL &&
           e->next < e->count)
        compose_chunk(e);
    return err ? err : flush(&e->build, &e->made, error);
}

/* Puts the chunks of |e| into the document's list. */
static int replace(struct weft_rich_doc *doc, struct edit *e)
{
    size_t made = e->made ? e->made->count : 0;
    size_t tail = e->count - e->next;
    size_t count = e->first + made + tail;
    struct list *list = doc->list;
    bool own = list && atomic_load_explicit(&list->refs, memory_order_acquire) == 1;
    if (own && count <= list->cap) {
        for (size_t i = e->first; i < e->next; i++)
            chunk_drop(doc->alloc, list->items[i].chunk);
        memmove(list->items + e->first + made, list->items + e->next, tail * sizeof(struct item));
    } else {
        struct list *copy = list_new(doc->alloc, count + count / 2 + 4);
        if (!copy)
            return WEFT_ERR_NOMEM;
        for (size_t i = 0; list && i < e->first; i++)
            copy->items[i] = item_share(list->items[i]);
        for (size_t i = 0; list && i < tail; i++)
            copy->items[e->first + made + i] = item_share(list->items[e->next + i]);
        list_drop(doc->alloc, list);
        doc->list = list = copy;
    }
    if (made)
        memcpy(list->items + e->first, e->made->items, made * sizeof(struct item));
    list->count = count;
    if (e->made)
        e->made->count = 0;
    return 0;
}

/* Counts the bytes of chunks in the range. */
static size_t bytes_of(const struct list *list, size_t from, size_t to)
{
    size_t bytes = 0;
    for (size_t i = from; i < to; i++)
        bytes += list->items[i].chunk->op->bytes;
    return bytes;
}

static int adopt(struct weft_rich_doc *doc, const struct weft_rich_op *op, struct edit *e,
                 uint64_t units_gone, struct weft_ot_error *error)
{
    size_t made = e->made ? e->made->count : 0;
    size_t bytes = doc->bytes;
    if (made)
        bytes += bytes_of(e->made, 0, made);
    if (doc->list)
        bytes -= bytes_of(doc->list, e->first, e->next);
    uint64_t units = doc->units - units_gone + op->inserted;
    if (bytes > WEFT_RICH_BYTES_MAX || units > WEFT_RICH_UNITS_MAX)
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "the document would be too large");
    if (replace(doc, e))
        return no_memory(error);
    doc->bytes = bytes;
    doc->units = units;
    return 0;
}

int weft__rich_doc_apply(struct weft_rich_doc *doc, const struct weft_rich_op *op,
                         struct weft_ot_error *error)
{
    struct edit e;
    uint64_t gone = 0;
    if (op->base > doc->units)
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                             "a count goes past the end of the document");
    if (op->count == 0)
        return 0;
    for (uint32_t i = 0; i < op->count; i++)
        gone += op->parts[i].kind == WEFT_RICH_KIND_DELETE ? op->parts[i].units : 0;
    e.doc = doc;
    e.count = doc->list ? doc->list->count : 0;
    e.first = e.next = 0;
    e.made = NULL;
    weft__rich_cursor_init(&e.op, op);
    weft__rich_build_init(&e.build, doc->alloc);
    int err = run(&e, error);
    if (!err)
        err = adopt(doc, op, &e, gone, error);
    list_drop(doc->alloc, e.made);
    weft__rich_build_done(&e.build);
    return err;
}

static size_t count_of(const struct weft_rich_doc *doc)
{
    return doc->list ? doc->list->count : 0;
}

/* The content of the chunks from |at| to before |end|. */
static int content_of(const struct weft_rich_doc *doc, size_t at, size_t end,
                      struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_build b;
    weft__rich_build_init(&b, doc->alloc);
    for (; at < end; at++) {
        const struct weft_rich_op *op = doc->list->items[at].chunk->op;
        for (uint32_t i = 0; i < op->count; i++)
            weft__rich_build_add(&b, op->parts[i]);
    }
    int err = weft__rich_build_content(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

int weft__rich_doc_content(const struct weft_rich_doc *doc, struct weft_rich_op **ret_op,
                           struct weft_ot_error *error)
{
    return content_of(doc, 0, count_of(doc), ret_op, error);
}

int weft__rich_doc_invert(const struct weft_alloc *alloc, const struct weft_rich_op *op,
                          const struct weft_rich_doc *doc, struct weft_rich_op **ret_op,
                          struct weft_ot_error *error)
{
    size_t start = 0;
    size_t end;
    uint32_t skip = 0;
    struct weft_rich_op *content;
    const struct weft_rich_part *first = op->count ? op->parts : NULL;
    if (op->base > doc->units)
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                             "a count goes past the end of the document");
    if (first && first->kind == WEFT_RICH_KIND_RETAIN && !first->embed && !first->attr_len) {
        while (start < count_of(doc) && doc->list->items[start].units <= first->units - skip)
            skip += doc->list->items[start++].units;
    }
    uint64_t reach = skip;
    for (end = start; reach < op->base; end++)
        reach += doc->list->items[end].units;
    int err = content_of(doc, start, end, &content, error);
    if (err)
        return err;
    err = weft__rich_invert(alloc, skip, op, content, ret_op, error);
    weft__rich_free(content);
    return err;
}

int weft__rich_doc_diff(const struct weft_alloc *alloc, const struct weft_rich_doc *from,
                        const struct weft_rich_doc *to, struct weft_rich_op **ret_op,
                        struct weft_ot_error *error)
{
    size_t start = 0;
    size_t from_end = count_of(from);
    size_t to_end = count_of(to);
    uint32_t skip = 0;
    struct weft_rich_op *old;
    struct weft_rich_op *new;
    while (start < from_end && start < to_end &&
           from->list->items[start].chunk == to->list->items[start].chunk)
        skip += from->list->items[start++].units;
    while (start < from_end && start < to_end &&
           from->list->items[from_end - 1].chunk == to->list->items[to_end - 1].chunk) {
        from_end--;
        to_end--;
    }
    int err = content_of(from, start, from_end, &old, error);
    if (err)
        return err;
    err = content_of(to, start, to_end, &new, error);
    if (!err) {
        err = weft__rich_diff(alloc, skip, old, new, ret_op, error);
        weft__rich_free(new);
    }
    weft__rich_free(old);
    return err;
}

/* A part may divide runs at both of its ends and move a border of chunks, and each new piece has
 * the attributes once more; so has each chunk of a long insertion. */
uint64_t weft__rich_doc_growth(const struct weft_rich_op *op)
{
    uint64_t growth = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_rich_part *part = &op->parts[i];
        uint64_t pieces = part->kind == WEFT_RICH_KIND_INSERT
                              ? (uint64_t)part->len / CHUNK_BYTES + 1
                              : part->units;
        growth += part->len + part->attr_len * pieces + 3 * (uint64_t)WEFT_RICH_ATTRIBUTE_BYTES_MAX;
    }
    return growth;
}

size_t weft__rich_doc_bytes(const struct weft_rich_doc *doc)
{
    return doc->bytes;
}

uint64_t weft__rich_doc_length(const struct weft_rich_doc *doc)
{
    return doc->units;
}
