/* SPDX-License-Identifier: Apache-2.0 */
/* Reading segments. Nothing of the input is believed: every column is read within its end, and all
 * of them must end together. */
#include "codec/zblock.h"
#include "hub/sealed.h"
#include "hub/segment_parts.h"
#include "hub/segment_shape.h"

void weft__segment_close(struct weft_segment_reader *reader)
{
    for (unsigned i = 0; i < WEFT_SEGMENT_COLUMNS; i++)
        weft__mem_free(reader->alloc, reader->inflated[i], reader->sizes[i]);
    weft__mem_free(reader->alloc, reader->authors, reader->author_count * sizeof(*reader->authors));
    weft__bytes_done(&reader->op);
}

/* ---- Opening ---- */

struct column {
    uint64_t number;
    uint64_t size;
    struct weft_slice bytes;
    bool deflated;
};

static int read_column_head(struct weft_slice input, struct column *ret_column)
{
    struct column column = {0};
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    weft__pb_reader_init(&fields, input);
    while (weft__pb_read(&fields, &field)) {
        bool bytes = field.type == WEFT_PB_BYTES;
        if (field.number == WEFT_SEGMENT_COLUMN_NUMBER && !bytes) {
            column.number = field.value;
        } else if (field.number == WEFT_SEGMENT_COLUMN_BYTES && !bytes) {
            column.size = field.value;
        } else if (field.number == WEFT_SEGMENT_COLUMN_BYTES ||
                   (field.number == WEFT_SEGMENT_COLUMN_DEFLATED && bytes)) {
            column.deflated = field.number == WEFT_SEGMENT_COLUMN_DEFLATED;
            column.bytes = field.bytes;
        }
    }
    *ret_column = column;
    return fields.err ? WEFT_ERR_CORRUPT : 0;
}

static int take_column(struct weft_segment_reader *reader, struct weft_slice input, size_t *total,
                       bool seen[WEFT_SEGMENT_COLUMNS])
{
    struct column column;
    int err = read_column_head(input, &column);
    if (err)
        return err;
    if (column.number == 0 || column.number >= WEFT_SEGMENT_COLUMNS)
        return 0; /* of a later version */
    struct weft_segment_cursor *cursor = &reader->columns[column.number];
    if (seen[column.number] || column.bytes.len == 0)
        return WEFT_ERR_CORRUPT;
    seen[column.number] = true;
    if (!column.deflated)
        column.size = column.bytes.len;
    if (column.size == 0 || column.size > WEFT_SEGMENT_BYTES_MAX - *total ||
        !weft__zblock_possible(column.bytes.len, (size_t)column.size))
        return WEFT_ERR_CORRUPT;
    *total += (size_t)column.size;
    cursor->at = column.bytes.ptr;
    if (column.deflated) {
        uint8_t *room = weft__mem_alloc(reader->alloc, (size_t)column.size);
        if (!room)
            return WEFT_ERR_NOMEM;
        reader->inflated[column.number] = room;
        reader->sizes[column.number] = (size_t)column.size;
        err = weft__zblock_inflate(reader->alloc, column.bytes, room, (size_t)column.size);
        cursor->at = room;
    }
    cursor->end = cursor->at + column.size;
    return err;
}

static int read_fields(struct weft_segment_reader *reader, struct weft_slice content,
                       struct weft_record_head *head)
{
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    bool seen[WEFT_SEGMENT_COLUMNS] = {false};
    size_t total = 0;
    int err = 0;
    for (unsigned i = 0; i < WEFT_SEGMENT_COLUMNS; i++)
        reader->columns[i] = (struct weft_segment_cursor){content.ptr, content.ptr};
    weft__pb_reader_init(&fields, content);
    while (!err && weft__pb_read(&fields, &field)) {
        bool bytes = field.type == WEFT_PB_BYTES;
        if (field.number == WEFT_SEGMENT_FIELD_EPOCH && bytes)
            head->epoch = field.bytes;
        else if (field.number == WEFT_SEGMENT_FIELD_FIRST && !bytes)
            head->first = field.value;
        else if (field.number == WEFT_SEGMENT_FIELD_COUNT && !bytes)
            reader->count = field.value;
        else if (field.number == WEFT_SEGMENT_FIELD_COLUMN && bytes)
            err = take_column(reader, field.bytes, &total, seen);
    }
    if (err)
        return err;
    bool fine = !fields.err && reader->count > 0 && reader->count <= WEFT_SEGMENT_OPS_MAX &&
                head->first <= UINT64_MAX - reader->count;
    reader->first = head->first;
    return fine ? 0 : WEFT_ERR_CORRUPT;
}

static bool take_bytes(struct weft_segment_cursor *cursor, uint64_t len,
                       struct weft_slice *ret_bytes)
{
    if (len > (size_t)(cursor->end - cursor->at))
        return false;
    *ret_bytes = weft__slice(cursor->at, (size_t)len);
    cursor->at += len;
    return true;
}

static bool take_name(struct weft_segment_cursor *cursor, struct weft_slice *ret_name)
{
    struct weft_slice len;
    return take_bytes(cursor, 1, &len) && take_bytes(cursor, len.ptr[0], ret_name);
}

static bool take_author(struct weft_segment_cursor *cursor, struct weft_segment_author *ret_author)
{
    struct weft_slice hash;
    *ret_author = (struct weft_segment_author){0};
    if (!take_name(cursor, &ret_author->client) || !take_name(cursor, &ret_author->principal) ||
        !take_bytes(cursor, 8, &hash))
        return false;
    for (unsigned i = 0; i < 8; i++)
        ret_author->hash |= (uint64_t)hash.ptr[i] << (8 * i);
    return true;
}

static int read_authors(struct weft_segment_reader *reader)
{
    struct weft_segment_cursor *column = &reader->columns[WEFT_SEGMENT_AUTHORS];
    struct weft_segment_cursor cursor = *column;
    struct weft_segment_author author;
    size_t count = 0;
    while (cursor.at < cursor.end) {
        if (!take_author(&cursor, &author) || ++count > reader->count)
            return WEFT_ERR_CORRUPT;
    }
    if (count == 0)
        return WEFT_ERR_CORRUPT;
    reader->authors = weft__mem_alloc_array(reader->alloc, count, sizeof(author));
    if (!reader->authors)
        return WEFT_ERR_NOMEM;
    reader->author_count = count;
    for (size_t i = 0; i < count; i++)
        if (!take_author(column, &reader->authors[i]))
            return WEFT_ERR_CORRUPT;
    return 0;
}

static bool take_number(struct weft_segment_cursor *cursor, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

/* Finds where each author ends, and that the runs cover the segment. */
static int read_runs(struct weft_segment_reader *reader)
{
    struct weft_segment_cursor cursor = reader->columns[WEFT_SEGMENT_RUNS];
    uint64_t at = 0;
    uint64_t number;
    uint64_t length;
    while (cursor.at < cursor.end) {
        if (!take_number(&cursor, &number) || !take_number(&cursor, &length) ||
            number >= reader->author_count || length == 0 || length > reader->count - at)
            return WEFT_ERR_CORRUPT;
        at += length;
        reader->authors[number].last = at;
    }
    return at == reader->count ? 0 : WEFT_ERR_CORRUPT;
}

int weft__segment_open(struct weft_segment_reader *reader, const struct weft_alloc *alloc,
                       struct weft_slice input, struct weft_record_head *ret_head)
{
    struct weft_slice content;
    struct weft_record_head head = {0};
    int err = weft__sealed_open(input, WEFT_SEGMENT_FORMAT, &content);
    if (err)
        return err;
    if (!weft__segment_is(input))
        return WEFT_ERR_CORRUPT;
    *reader = (struct weft_segment_reader){.alloc = alloc};
    weft__bytes_init(&reader->op, alloc, WEFT_SEGMENT_BYTES_MAX);
    err = read_fields(reader, content, &head);
    if (!err)
        err = read_authors(reader);
    if (!err)
        err = read_runs(reader);
    if (err)
        weft__segment_close(reader);
    else
        *ret_head = head;
    return err;
}

/* ---- Operations ---- */

static bool take(struct weft_segment_reader *reader, enum weft_segment_column column,
                 uint64_t *ret_number)
{
    return take_number(&reader->columns[column], ret_number);
}

static bool take_shape(struct weft_segment_reader *reader, struct weft_segment_author *author,
                       struct weft_shape *shape)
{
    uint64_t place;
    uint64_t length;
    if (!take(reader, WEFT_SEGMENT_PLACE, &place))
        return false;
    shape->place = author->place + weft__segment_unfold(place);
    if ((shape->kind & WEFT_SHAPE_DELETE) &&
        (!take(reader, WEFT_SEGMENT_DELETED, &shape->deleted) || shape->deleted == 0))
        return false;
    if ((shape->kind & WEFT_SHAPE_INSERT) &&
        (!take(reader, WEFT_SEGMENT_LENGTH, &length) || length == 0 ||
         !take_bytes(&reader->columns[WEFT_SEGMENT_TEXT], length, &shape->text)))
        return false;
    author->place = weft__shape_next_place(shape);
    return true;
}

static int take_op(struct weft_segment_reader *reader, struct weft_segment_author *author,
                   struct weft_slice *ret_op)
{
    struct weft_shape shape = {0};
    uint64_t kind;
    uint64_t length;
    if (!take(reader, WEFT_SEGMENT_SHAPE, &kind) || !weft__shape_known(kind))
        return WEFT_ERR_CORRUPT;
    shape.kind = (unsigned)kind;
    if (kind == WEFT_SHAPE_OTHER)
        return take(reader, WEFT_SEGMENT_LENGTH, &length) &&
                       take_bytes(&reader->columns[WEFT_SEGMENT_OTHER], length, ret_op)
                   ? 0
                   : WEFT_ERR_CORRUPT;
    if (!take_shape(reader, author, &shape))
        return WEFT_ERR_CORRUPT;
    weft__bytes_clear(&reader->op);
    weft__shape_write(&reader->op, &shape);
    *ret_op = weft__bytes_slice(&reader->op);
    int err = weft__bytes_error(&reader->op);
    return err == WEFT_ERR_TOO_BIG ? WEFT_ERR_CORRUPT : err;
}

/* Whose operation is the next one. The runs were checked. */
static struct weft_segment_author *next_author(struct weft_segment_reader *reader)
{
    uint64_t number = 0;
    if (reader->run_left == 0) {
        if (!take(reader, WEFT_SEGMENT_RUNS, &number) ||
            !take(reader, WEFT_SEGMENT_RUNS, &reader->run_left))
            return NULL;
        reader->run = &reader->authors[number];
    }
    reader->run_left--;
    return reader->run;
}

static int at_end(const struct weft_segment_reader *reader)
{
    for (unsigned i = 1; i < WEFT_SEGMENT_COLUMNS; i++)
        if (reader->columns[i].at != reader->columns[i].end)
            return WEFT_ERR_CORRUPT;
    return 0;
}

int weft__segment_next(struct weft_segment_reader *reader, struct weft_record_op *ret_op,
                       uint64_t *ret_time_ms)
{
    struct weft_record_op op = {0};
    uint64_t seq;
    uint64_t base;
    uint64_t time;
    struct weft_slice low;
    if (reader->given == reader->count)
        return at_end(reader);
    struct weft_segment_author *author = next_author(reader);
    if (!author || !take(reader, WEFT_SEGMENT_SEQ, &seq) ||
        !take(reader, WEFT_SEGMENT_BASE, &base) || !take(reader, WEFT_SEGMENT_TIME, &time) ||
        !take_bytes(&reader->columns[WEFT_SEGMENT_TIME_LOW], 1, &low) ||
        !take(reader, WEFT_SEGMENT_FLAGS, &op.flags))
        return WEFT_ERR_CORRUPT;
    int err = take_op(reader, author, &op.op);
    if (err)
        return err;
    reader->given++;
    op.client = author->client;
    op.principal = author->principal;
    op.seq = author->seq = author->seq + 1 + weft__segment_unfold(seq);
    op.base = reader->first + reader->given - 1 - weft__segment_unfold(base);
    op.hash = reader->given == author->last ? author->hash : 0;
    reader->time_ms += time << 8 | low.ptr[0];
    *ret_time_ms = reader->time_ms;
    *ret_op = op;
    return 1;
}
