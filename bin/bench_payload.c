/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that are sent: their content, and the frames around it. */
#include "base/mem.h"
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const uint8_t bench_mask[4] = {0x5a, 0xc3, 0x69, 0x96};

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
 * 2016): the payload is the same in each run, and different for each |index| and slot. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t seed_of(uint32_t index, uint32_t slot)
{
    return UINT64_C(0x9E3779B97F4A7C15) * (((uint64_t)index << 32 | slot) + 1);
}

/* Letters and digits, which are text and binary as well; hardly to be compressed. */
static void fill_plain(uint8_t *data, size_t len, uint64_t seed)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)letters[next_random(&seed) >> 58];
}

/*
 * JSON as applications send it, cut off at |len| bytes: repeated keys, numbers and identifiers that
 * differ. 1 KiB of it is about 424 bytes after zlib at level 6.
 */
static void fill_json(uint8_t *data, size_t len, uint64_t seed)
{
    static const char *const words[] = {"update", "insert", "remove", "select",
                                        "online", "hidden", "active", "locked"};
    size_t at = 0;
    while (at < len) {
        char item[160];
        uint64_t r = next_random(&seed);
        uint64_t s = next_random(&seed);
        int n = snprintf(
            item, sizeof(item),
            "{\"id\":%" PRIu64 ",\"type\":\"%s\",\"user\":\"u%07" PRIx64 "\",\"x\":%" PRIu64
            ".%04" PRIu64 ",\"y\":%" PRIu64 ",\"tag\":\"%016" PRIx64 "\",\"state\":\"%s\"},",
            r % 1000000, words[s & 7], (s >> 8) & 0xfffffff, (r >> 32) % 2000, (r >> 48) % 10000,
            (s >> 24) % 100000, next_random(&seed), words[(s >> 3) & 7]);
        size_t part = WEFT_MIN((size_t)n, len - at);
        memcpy(data + at, item, part);
        at += part;
    }
}

/* Appends the call of slot |slot|. */
static void append_call(struct weft_bytes *out, const struct bench_options *options, uint32_t slot,
                        uint64_t seed)
{
    weft__bytes_append_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    weft__bytes_append_u64(out, (uint64_t)BENCH_CALL_FIRST + slot);
    weft__bytes_append_str(out, ",\"method\":\"");
    weft__bytes_append_str(out, options->method);
    weft__bytes_append_str(out, "\",\"params\":");
    if (options->params) {
        weft__bytes_append_str(out, options->params);
    } else {
        weft__bytes_append_str(out, "[\"");
        uint8_t *text = weft__bytes_extend(out, options->size);
        if (text)
            fill_plain(text, options->size, seed);
        weft__bytes_append_str(out, "\"]");
    }
    weft__bytes_append_byte(out, '}');
}

static void append_payload(struct weft_bytes *out, const struct bench_options *options,
                           uint32_t index, uint32_t slot)
{
    uint64_t seed = seed_of(index, slot);
    if (options->rpc) {
        append_call(out, options, slot, seed);
        return;
    }
    uint8_t *data = weft__bytes_extend(out, options->size);
    if (data && options->deflate)
        fill_json(data, options->size, seed);
    else if (data)
        fill_plain(data, options->size, seed);
}

bool bench_images_own(const struct bench_options *options)
{
    /* All copies of a broadcast are the same, and calls are told apart by their numbers. */
    return options->check && !options->rpc && options->scenario != BENCH_BROADCAST;
}

/* Appends the frame around |payload|: compressed when that was asked for and makes it shorter. No
 * message refers to an earlier one, which every receiver accepts. */
static void append_frame(struct weft_bytes *out, const struct bench_options *options,
                         struct weft_deflate_pool *pool, struct weft_slice payload)
{
    bool text = options->text || options->rpc || options->deflate;
    struct weft_ws_head head = {
        .opcode = text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY, .fin = true, .masked = true};
    memcpy(head.mask, bench_mask, sizeof(bench_mask));
    if (!weft__bytes_reserve(out, WEFT_WS_HEAD_MAX + payload.len + WEFT_DEFLATE_SLACK))
        return;
    uint8_t *room = out->ptr + out->len + WEFT_WS_HEAD_MAX;
    size_t packed = 0;
    if (options->deflate)
        packed =
            weft__deflate(pool, WEFT_DEFLATE_BITS_MAX, (struct weft_slice){NULL, 0}, payload, room);
    if (!packed)
        weft__mem_copy(room, payload.ptr, payload.len);
    head.rsv = packed ? 4 : 0; /* RSV1, RFC 7692 §6 */
    head.len = packed ? packed : payload.len;
    size_t head_len = weft__ws_head_encode(&head, out->ptr + out->len);
    uint8_t *content = out->ptr + out->len + head_len;
    memmove(content, room, head.len);
    weft__ws_mask(content, head.len, bench_mask, 0);
    out->len += head_len + head.len;
}

int bench_images_init(struct bench_images *images, const struct bench_options *options,
                      struct weft_deflate_pool *pool, uint32_t index)
{
    const struct weft_alloc *alloc = weft_alloc_default();
    struct weft_bytes payload;
    *images = (struct bench_images){.count = options->depth};
    weft__bytes_init(&images->frames, alloc, SIZE_MAX);
    weft__bytes_init(&images->plain, alloc, SIZE_MAX);
    weft__bytes_init(&payload, alloc, SIZE_MAX);
    images->alike = !options->rpc && !bench_images_own(options);
    images->offsets = weft__mem_alloc_array(alloc, images->count + 1u, sizeof(*images->offsets));
    if (!images->offsets)
        return WEFT_ERR_NOMEM;
    for (uint32_t slot = 0; slot < images->count; slot++) {
        images->offsets[slot] = images->frames.len;
        weft__bytes_clear(&payload);
        append_payload(&payload, options, index, images->alike ? 0 : slot);
        append_frame(&images->frames, options, pool, weft__bytes_slice(&payload));
        if (options->check && !options->rpc)
            weft__bytes_append_slice(&images->plain, weft__bytes_slice(&payload));
    }
    images->offsets[images->count] = images->frames.len;
    images->payload_len = payload.len;
    int err = weft__bytes_error(&payload);
    weft__bytes_done(&payload);
    if (!err)
        err = weft__bytes_error(&images->frames);
    return err ? err : weft__bytes_error(&images->plain);
}

void bench_images_done(struct bench_images *images)
{
    weft__bytes_done(&images->frames);
    weft__bytes_done(&images->plain);
    weft__mem_free(weft_alloc_default(), images->offsets,
                   (images->count + 1u) * sizeof(*images->offsets));
    *images = (struct bench_images){0};
}

bool bench_images_match(const struct bench_images *images, uint32_t slot, struct weft_slice data)
{
    return weft__slice_eq(
        data, weft__slice(images->plain.ptr + slot * images->payload_len, images->payload_len));
}

/* ---- Answers to calls ---- */

/* The end of the string that begins behind the quote at |at|: the place of its last quote. */
static size_t skip_string(struct weft_slice json, size_t at)
{
    while (at < json.len && json.ptr[at] != '"')
        at += json.ptr[at] == '\\' ? 2 : 1;
    return at;
}

static bool key_is(struct weft_slice json, size_t from, size_t to, const char *key)
{
    return to <= json.len && weft__slice_eq_str(weft__slice(json.ptr + from, to - from), key);
}

static void read_number(struct weft_slice json, size_t at, struct bench_answer *answer)
{
    answer->id = 0;
    while (at < json.len && (json.ptr[at] == ' ' || json.ptr[at] == ':'))
        at++;
    for (; at < json.len && json.ptr[at] >= '0' && json.ptr[at] <= '9'; at++) {
        answer->id = answer->id * 10 + (uint64_t)(json.ptr[at] - '0');
        answer->has_id = true;
    }
}

bool bench_answer_read(struct weft_slice json, struct bench_answer *ret_answer)
{
    unsigned depth = 0;
    bool outcome = false;
    bool key = false; /* a string here is a key */
    *ret_answer = (struct bench_answer){0};
    for (size_t at = 0; at < json.len && !(outcome && ret_answer->has_id); at++) {
        uint8_t c = json.ptr[at];
        if (c == '{' || c == '[') {
            depth++;
            key = depth == 1;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            key = depth == 1;
        } else if (c == '"') {
            size_t end = skip_string(json, at + 1);
            if (key && key_is(json, at + 1, end, "id"))
                read_number(json, end + 1, ret_answer);
            ret_answer->is_error |= key && key_is(json, at + 1, end, "error");
            outcome |= key && (ret_answer->is_error || key_is(json, at + 1, end, "result"));
            key = false;
            at = end;
        }
    }
    return outcome && ret_answer->has_id;
}
