/* SPDX-License-Identifier: Apache-2.0 */
/* The content of messages: what is sent, and what an answer to a call says. */
#include "base/mem.h"
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

static void append_filled(struct weft_bytes *out, size_t len, uint64_t seed,
                          void (*fill)(uint8_t *data, size_t len, uint64_t seed))
{
    if (!weft__bytes_reserve(out, len))
        return;
    fill(out->ptr + out->len, len, seed);
    out->len += len;
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
        append_filled(out, options->size, seed, fill_plain);
        weft__bytes_append_str(out, "\"]");
    }
    weft__bytes_append_byte(out, '}');
}

void bench_payload_append(struct weft_bytes *out, const struct bench_options *options,
                          uint32_t index, uint32_t slot)
{
    uint64_t seed = seed_of(index, slot);
    if (options->rpc) {
        append_call(out, options, slot, seed);
        return;
    }
    append_filled(out, options->size, seed, options->deflate ? fill_json : fill_plain);
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
