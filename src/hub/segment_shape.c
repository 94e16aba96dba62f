/* SPDX-License-Identifier: Apache-2.0 */
/* Recognising shapes: a strict reader of the one way in which each is written. */
#include "hub/segment_shape.h"

enum { DIGITS_MAX = 15 }; /* of a number: it fits a uint64_t and a JSON number */

struct scan {
    const uint8_t *at;
    const uint8_t *end;
};

static bool skip(struct scan *scan, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, text, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static bool at_digit(const struct scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

/* A number from 1 without leading zeroes. */
static bool take_number(struct scan *scan, uint64_t *ret_number)
{
    const uint8_t *start = scan->at;
    uint64_t number = 0;
    while (at_digit(scan) && scan->at - start < DIGITS_MAX)
        number = number * 10 + (uint64_t)(*scan->at++ - '0');
    *ret_number = number;
    return scan->at > start && *start != '0' && !at_digit(scan);
}

/* A text from quote to quote, not empty. Whether its escapes mean anything is of no interest. */
static bool take_text(struct scan *scan, struct weft_slice *ret_text)
{
    if (!skip(scan, "\""))
        return false;
    const uint8_t *start = scan->at;
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1;
    *ret_text = weft__slice(start, (size_t)(scan->at - start));
    return ret_text->len > 0 && skip(scan, "\"");
}

static bool take_deletion(struct scan *scan, uint64_t *ret_deleted)
{
    return skip(scan, "{\"d\":") && take_number(scan, ret_deleted) && skip(scan, "}");
}

static bool take_parts(struct scan *scan, struct weft_shape *shape)
{
    if (scan->at < scan->end && *scan->at == '"') {
        if (!take_text(scan, &shape->text))
            return false;
        shape->kind = WEFT_SHAPE_INSERT;
        if (!skip(scan, ","))
            return true;
        shape->kind |= WEFT_SHAPE_DELETE | WEFT_SHAPE_INSERT_FIRST;
        return take_deletion(scan, &shape->deleted);
    }
    if (!take_deletion(scan, &shape->deleted))
        return false;
    shape->kind = WEFT_SHAPE_DELETE;
    if (!skip(scan, ","))
        return true;
    shape->kind |= WEFT_SHAPE_INSERT;
    return take_text(scan, &shape->text);
}

struct weft_shape weft__shape_of(struct weft_slice op)
{
    const struct weft_shape other = {0};
    struct weft_shape shape = {0};
    if (op.len == 0)
        return other;
    struct scan scan = {op.ptr, op.ptr + op.len};
    if (!skip(&scan, "["))
        return other;
    if (at_digit(&scan) && (!take_number(&scan, &shape.place) || !skip(&scan, ",")))
        return other;
    if (!take_parts(&scan, &shape) || !skip(&scan, "]") || scan.at != scan.end)
        return other;
    return shape;
}

static void write_text(struct weft_bytes *b, struct weft_slice text)
{
    weft__bytes_append_byte(b, '"');
    weft__bytes_append_slice(b, text);
    weft__bytes_append_byte(b, '"');
}

void weft__shape_write(struct weft_bytes *b, const struct weft_shape *shape)
{
    bool both = (shape->kind & WEFT_SHAPE_INSERT) && (shape->kind & WEFT_SHAPE_DELETE);
    bool first = shape->kind & WEFT_SHAPE_INSERT_FIRST;
    weft__bytes_append_byte(b, '[');
    if (shape->place) {
        weft__bytes_append_u64(b, shape->place);
        weft__bytes_append_byte(b, ',');
    }
    if (both && first) {
        write_text(b, shape->text);
        weft__bytes_append_byte(b, ',');
    }
    if (shape->kind & WEFT_SHAPE_DELETE) {
        weft__bytes_append_str(b, "{\"d\":");
        weft__bytes_append_u64(b, shape->deleted);
        weft__bytes_append_byte(b, '}');
    }
    if (both && !first)
        weft__bytes_append_byte(b, ',');
    if ((shape->kind & WEFT_SHAPE_INSERT) && !first)
        write_text(b, shape->text);
    weft__bytes_append_byte(b, ']');
}

/* Characters of |text|: an escape of two bytes counts as one, a longer one as it happens to. */
static uint64_t characters(struct weft_slice text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += (text.ptr[i] & 0xc0) != 0x80;
        i += text.ptr[i] == '\\';
    }
    return count;
}

uint64_t weft__shape_next_place(const struct weft_shape *shape)
{
    return shape->place + (shape->kind & WEFT_SHAPE_INSERT ? characters(shape->text) : 0);
}
