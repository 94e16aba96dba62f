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
    bool text = options->text || options->rpc || options->deflate;
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
    for (uint32_t slot = 0; images->offsets && slot < images->count; slot++) {
        images->offsets[slot] = images->frames.len;
        weft__bytes_clear(&payload);
        bench_payload_append(&payload, options, index, images->alike ? 0 : slot);
        append_frame(&images->frames, options, pool, weft__bytes_slice(&payload));
        if (options->check && !options->rpc)
            weft__bytes_append_slice(&images->plain, weft__bytes_slice(&payload));
    }
    if (images->offsets)
        images->offsets[images->count] = images->frames.len;
    images->payload_len = payload.len;
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
                   (images->count + 1u) * sizeof(*images->offsets));
    *images = (struct bench_images){0};
}

bool bench_images_match(const struct bench_images *images, uint32_t slot, struct weft_slice data)
{
    return weft__slice_eq(
        data, weft__slice(images->plain.ptr + slot * images->payload_len, images->payload_len));
}
