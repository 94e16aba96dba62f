/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that are sent, made before the run. */
#include "base/mem.h"
#include "bench.h"

const uint8_t bench_mask[4] = {0x5a, 0xc3, 0x69, 0x96};

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
    bool text = options->rpc ? !options->wire->binary : options->text || options->deflate;
    struct weft_ws_head head = {
        .opcode = text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY, .fin = true, .masked = true};
    memcpy(head.mask, bench_mask, sizeof(bench_mask));
    size_t at = out->len;
    uint8_t *frame = weft__bytes_extend(out, WEFT_WS_HEAD_MAX + payload.len + WEFT_DEFLATE_SLACK);
    if (!frame)
        return;
    uint8_t *room = frame + WEFT_WS_HEAD_MAX;
    size_t packed = 0;
    if (options->deflate)
        packed =
            weft__deflate(pool, WEFT_DEFLATE_BITS_MAX, (struct weft_slice){NULL, 0}, payload, room);
    if (!packed)
        weft__mem_copy(room, payload.ptr, payload.len);
    head.rsv = packed ? 4 : 0; /* RSV1, RFC 7692 §6 */
    head.len = packed ? packed : payload.len;
    size_t head_len = weft__ws_head_encode(&head, frame);
    memmove(frame + head_len, room, head.len);
    weft__ws_mask(frame + head_len, head.len, bench_mask, 0);
    out->len = at + head_len + head.len;
}

void bench_frame_append(struct weft_bytes *out, bool text, struct weft_slice payload)
{
    struct weft_ws_head head = {.opcode = text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY,
                                .len = payload.len,
                                .fin = true,
                                .masked = true};
    memcpy(head.mask, bench_mask, sizeof(bench_mask));
    if (!weft__bytes_reserve(out, WEFT_WS_HEAD_MAX + payload.len))
        return;
    uint8_t *frame = out->ptr + out->len;
    size_t head_len = weft__ws_head_encode(&head, frame);
    weft__ws_mask_copy(frame + head_len, payload.ptr, payload.len, bench_mask, 0);
    out->len += head_len + payload.len;
}

/* The credit of a stream stands behind its call: it is given at once. */
static void append_credit(struct bench_images *images, const struct bench_options *options,
                          uint32_t number, struct weft_bytes *room)
{
    weft__bytes_clear(room);
    options->wire->credit(room, number, options->window, BENCH_WINDOW_BYTES);
    bench_frame_append(&images->frames, !options->wire->binary, weft__bytes_slice(room));
}

/* The payloads, or parameters, that --check compares with. */
static void append_plain(struct bench_images *images, const struct bench_options *options,
                         uint32_t index)
{
    for (uint32_t slot = 0; slot < images->count; slot++) {
        if (options->rpc)
            bench_payload_append_params(&images->plain, options, slot);
        else
            bench_payload_append(&images->plain, options, index, slot);
        if (slot == 0)
            images->plain_len = images->plain.len;
    }
}

int bench_images_init(struct bench_images *images, const struct bench_options *options,
                      struct weft_deflate_pool *pool, uint32_t index)
{
    const struct weft_alloc *alloc = weft_alloc_default();
    struct weft_bytes payload;
    *images =
        (struct bench_images){.count = options->depth, .turns = options->rpc ? BENCH_TURNS : 1};
    uint32_t frames = images->count * images->turns;
    weft__bytes_init(&images->frames, alloc, SIZE_MAX);
    weft__bytes_init(&images->plain, alloc, SIZE_MAX);
    weft__bytes_init(&payload, alloc, SIZE_MAX);
    images->alike = !options->rpc && !bench_images_own(options);
    images->offsets = weft__mem_alloc_array(alloc, frames + 1u, sizeof(*images->offsets));
    for (uint32_t i = 0; images->offsets && i < frames; i++) {
        images->offsets[i] = images->frames.len;
        weft__bytes_clear(&payload);
        bench_payload_append(&payload, options, index, images->alike ? 0 : i);
        images->payload_len = payload.len;
        append_frame(&images->frames, options, pool, weft__bytes_slice(&payload));
        if (options->stream)
            append_credit(images, options, i, &payload);
    }
    if (images->offsets)
        images->offsets[frames] = images->frames.len;
    if (options->check)
        append_plain(images, options, index);
    int err = images->offsets ? weft__bytes_error(&payload) : WEFT_ERR_NOMEM;
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
                   (images->count * images->turns + 1u) * sizeof(*images->offsets));
    *images = (struct bench_images){0};
}

bool bench_images_match(const struct bench_images *images, uint32_t slot, struct weft_slice data)
{
    return weft__slice_eq(
        data, weft__slice(images->plain.ptr + slot * images->plain_len, images->plain_len));
}
