/* SPDX-License-Identifier: Apache-2.0 */
/* Writing segments: operations are taken apart into columns, which are compressed at the end. */
#include "codec/zblock.h"
#include "hub/sealed.h"
#include "hub/segment_parts.h"
#include "hub/segment_shape.h"

void weft__segment_begin(struct weft_segment_writer *writer, const struct weft_alloc *alloc,
                         struct weft_slice epoch, uint64_t first)
{
    *writer = (struct weft_segment_writer){.alloc = alloc, .first = first};
    if (epoch.len == sizeof(writer->epoch))
        memcpy(writer->epoch, epoch.ptr, sizeof(writer->epoch));
    else
        writer->err = WEFT_ERR_USAGE;
    for (unsigned i = 0; i < WEFT_SEGMENT_COLUMNS; i++)
        weft__bytes_init(&writer->columns[i], alloc, WEFT_SEGMENT_BYTES_MAX);
    /* Who makes names collide slows down the sealing of a document it may write to, by little. */
    weft__map_init(&writer->authors, alloc, (struct weft_hash_key){0});
}

static void author_free(const struct weft_alloc *alloc, struct weft_segment_author *author)
{
    weft__mem_free(alloc, author, sizeof(*author) + 1 + author->client.len + author->principal.len);
}

void weft__segment_done(struct weft_segment_writer *writer)
{
    for (struct weft_segment_author *at = writer->first_author, *next; at; at = next) {
        next = at->next;
        author_free(writer->alloc, at);
    }
    weft__map_done(&writer->authors);
    for (unsigned i = 0; i < WEFT_SEGMENT_COLUMNS; i++)
        weft__bytes_done(&writer->columns[i]);
}

static struct weft_segment_author *author_add(struct weft_segment_writer *writer,
                                              const struct weft_record_op *op,
                                              struct weft_slice key)
{
    struct weft_segment_author *author = weft__mem_zalloc(writer->alloc, sizeof(*author) + key.len);
    if (!author)
        return NULL;
    memcpy(author->names, key.ptr, key.len);
    author->client = weft__slice(author->names + 1, op->client.len);
    author->principal = weft__slice(author->names + 1 + op->client.len, op->principal.len);
    author->number = writer->authors.count;
    if (weft__map_add(&writer->authors, &author->node, weft__slice(author->names, key.len))) {
        author_free(writer->alloc, author);
        return NULL;
    }
    if (writer->last_author)
        writer->last_author->next = author;
    else
        writer->first_author = author;
    writer->last_author = author;
    return author;
}

static struct weft_segment_author *author_of(struct weft_segment_writer *writer,
                                             const struct weft_record_op *op)
{
    struct weft_segment_author *author = writer->run;
    if (author && weft__slice_eq(author->client, op->client) &&
        weft__slice_eq(author->principal, op->principal))
        return author;
    uint8_t names[1 + 2 * WEFT_SEGMENT_NAME_MAX];
    names[0] = (uint8_t)op->client.len;
    weft__mem_copy(names + 1, op->client.ptr, op->client.len);
    weft__mem_copy(names + 1 + op->client.len, op->principal.ptr, op->principal.len);
    struct weft_slice key = weft__slice(names, 1 + op->client.len + op->principal.len);
    struct weft_map_node *node = weft__map_get(&writer->authors, key);
    return node ? WEFT_CONTAINER_OF(node, struct weft_segment_author, node)
                : author_add(writer, op, key);
}

static void put(struct weft_segment_writer *writer, enum weft_segment_column column, uint64_t value)
{
    weft__pb_append_varint(&writer->columns[column], value);
}

static void end_run(struct weft_segment_writer *writer)
{
    if (!writer->run)
        return;
    put(writer, WEFT_SEGMENT_RUNS, writer->run->number);
    put(writer, WEFT_SEGMENT_RUNS, writer->run_length);
}

static void add_shape(struct weft_segment_writer *writer, struct weft_segment_author *author,
                      struct weft_slice op)
{
    struct weft_shape shape = weft__shape_of(op);
    put(writer, WEFT_SEGMENT_SHAPE, shape.kind);
    if (shape.kind == WEFT_SHAPE_OTHER) {
        put(writer, WEFT_SEGMENT_LENGTH, op.len);
        weft__bytes_append_slice(&writer->columns[WEFT_SEGMENT_OTHER], op);
        return;
    }
    put(writer, WEFT_SEGMENT_PLACE, weft__segment_fold(shape.place - author->place));
    author->place = weft__shape_next_place(&shape);
    if (shape.kind & WEFT_SHAPE_DELETE)
        put(writer, WEFT_SEGMENT_DELETED, shape.deleted);
    if (shape.kind & WEFT_SHAPE_INSERT) {
        put(writer, WEFT_SEGMENT_LENGTH, shape.text.len);
        weft__bytes_append_slice(&writer->columns[WEFT_SEGMENT_TEXT], shape.text);
    }
}

void weft__segment_add(struct weft_segment_writer *writer, const struct weft_record_op *op,
                       uint64_t time_ms)
{
    if (writer->err)
        return;
    if (op->client.len > WEFT_SEGMENT_NAME_MAX || op->principal.len > WEFT_SEGMENT_NAME_MAX)
        writer->err = WEFT_ERR_USAGE;
    else if (writer->count == WEFT_SEGMENT_OPS_MAX ||
             op->op.len > WEFT_SEGMENT_BYTES_MAX - writer->bytes)
        writer->err = WEFT_ERR_TOO_BIG;
    if (writer->err)
        return;
    struct weft_segment_author *author = author_of(writer, op);
    if (!author) {
        writer->err = WEFT_ERR_NOMEM;
        return;
    }
    if (author != writer->run) {
        end_run(writer);
        writer->run = author;
        writer->run_length = 0;
    }
    writer->run_length++;
    writer->count++;
    put(writer, WEFT_SEGMENT_SEQ, weft__segment_fold(op->seq - author->seq - 1));
    put(writer, WEFT_SEGMENT_BASE,
        weft__segment_fold(writer->first + writer->count - 1 - op->base));
    put(writer, WEFT_SEGMENT_TIME, (time_ms - writer->time_ms) >> 8);
    weft__bytes_append_byte(&writer->columns[WEFT_SEGMENT_TIME_LOW],
                            (uint8_t)(time_ms - writer->time_ms));
    put(writer, WEFT_SEGMENT_FLAGS, op->flags);
    add_shape(writer, author, op->op);
    author->seq = op->seq;
    author->hash = op->hash;
    writer->time_ms = time_ms;
    writer->bytes += op->op.len;
}

static void write_authors(struct weft_segment_writer *writer)
{
    struct weft_bytes *b = &writer->columns[WEFT_SEGMENT_AUTHORS];
    for (struct weft_segment_author *at = writer->first_author; at; at = at->next) {
        weft__bytes_append_byte(b, (uint8_t)at->client.len);
        weft__bytes_append_slice(b, at->client);
        weft__bytes_append_byte(b, (uint8_t)at->principal.len);
        weft__bytes_append_slice(b, at->principal);
        for (unsigned i = 0; i < 8; i++)
            weft__bytes_append_byte(b, (uint8_t)(at->hash >> (8 * i)));
    }
}

/* One column, in the smaller of its two forms. */
static int write_column(struct weft_bytes *b, unsigned number, struct weft_slice content)
{
    struct weft_bytes deflated;
    int err = 0;
    if (content.len == 0)
        return 0;
    weft__bytes_init(&deflated, b->alloc, SIZE_MAX);
    if (content.len > WEFT_SEGMENT_SMALL)
        err = weft__zblock_deflate(&deflated, content);
    bool smaller = deflated.len && deflated.len < content.len;
    struct weft_slice bytes = smaller ? weft__bytes_slice(&deflated) : content;
    uint32_t kind = smaller ? WEFT_SEGMENT_COLUMN_DEFLATED : WEFT_SEGMENT_COLUMN_BYTES;
    if (!err) {
        size_t len = 2 + 1 + weft__pb_varint_size(bytes.len) + bytes.len +
                     (smaller ? 1 + weft__pb_varint_size(content.len) : 0);
        weft__pb_append_varint(b, (uint64_t)WEFT_SEGMENT_FIELD_COLUMN << 3 | WEFT_PB_BYTES);
        weft__pb_append_varint(b, len);
        weft__pb_write_varint(b, WEFT_SEGMENT_COLUMN_NUMBER, number);
        if (smaller)
            weft__pb_write_varint(b, WEFT_SEGMENT_COLUMN_BYTES, content.len);
        weft__pb_write_bytes(b, kind, bytes);
    }
    weft__bytes_done(&deflated);
    return err;
}

/* Everything in front of the columns. */
static void write_head(struct weft_segment_writer *writer, struct weft_bytes *b)
{
    end_run(writer);
    write_authors(writer);
    weft__sealed_begin(b, WEFT_SEGMENT_FORMAT);
    weft__pb_write_bytes(b, WEFT_SEGMENT_FIELD_EPOCH,
                         weft__slice(writer->epoch, sizeof(writer->epoch)));
    weft__pb_write_varint(b, WEFT_SEGMENT_FIELD_FIRST, writer->first);
    weft__pb_write_varint(b, WEFT_SEGMENT_FIELD_COUNT, writer->count);
}

int weft__segment_finish_step(struct weft_segment_writer *writer, struct weft_bytes *b)
{
    if (!writer->err && writer->count == 0)
        writer->err = WEFT_ERR_USAGE;
    if (writer->err)
        return writer->err;
    if (writer->column == 0)
        write_head(writer, b);
    struct weft_bytes *column = &writer->columns[++writer->column];
    writer->columns_bytes += column->len;
    writer->err = weft__bytes_error(column);
    if (!writer->err && writer->columns_bytes > WEFT_SEGMENT_BYTES_MAX)
        writer->err = WEFT_ERR_TOO_BIG;
    if (!writer->err)
        writer->err = write_column(b, writer->column, weft__bytes_slice(column));
    if (!writer->err && writer->column == WEFT_SEGMENT_COLUMNS - 1)
        writer->err = weft__sealed_finish(b);
    if (writer->err)
        return writer->err;
    return writer->column < WEFT_SEGMENT_COLUMNS - 1;
}

int weft__segment_finish(struct weft_segment_writer *writer, struct weft_bytes *b)
{
    int err;
    do
        err = weft__segment_finish_step(writer, b);
    while (err > 0);
    return err;
}
