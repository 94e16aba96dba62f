/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a server, by their headers. */
#include "bench_frames.h"

enum { FIN = 0x80, RSV1 = 4, SHORT_MAX = 125, LEN_16 = 126 };

void bench_frames_init(struct bench_frames *frames)
{
    *frames = (struct bench_frames){0};
    weft__bytes_init(&frames->message, weft_alloc_default(), BENCH_MESSAGE_MAX);
}

void bench_frames_done(struct bench_frames *frames)
{
    weft__bytes_done(&frames->message);
}

/* Counts the messages at the beginning of |data| that are whole, in one frame each and shorter than
 * 64 KiB, which is nearly all there is, and shows them. Returns the bytes they take. */
static size_t read_whole(const struct bench_frames *frames, const struct bench_frames_sink *sink,
                         const uint8_t *data, size_t len, uint32_t *messages)
{
    unsigned ignored = frames->allow_deflate ? 0x40 : 0;
    size_t at = 0;
    uint32_t count = 0;
    while (len - at >= 4) {
        unsigned first = data[at] & ~ignored;
        size_t payload = data[at + 1];
        size_t head = 2;
        if (first != (FIN | WEFT_WS_OPCODE_BINARY) && first != (FIN | WEFT_WS_OPCODE_TEXT))
            break;
        if (payload > SHORT_MAX) {
            if (payload != LEN_16)
                break;
            payload = (size_t)data[at + 2] << 8 | data[at + 3];
            head = 4;
            if (payload <= SHORT_MAX) /* not the shortest form: refused below */
                break;
        }
        if (payload > len - at - head)
            break;
        if (sink->message)
            sink->message(sink->ctx, first & 0xf, data[at] != first,
                          weft__slice(data + at + head, payload));
        at += head + payload;
        count++;
    }
    *messages += count;
    return at;
}

/* Whether the frame whose header is complete may come now. */
static int begin_frame(struct bench_frames *frames)
{
    const struct weft_ws_head *frame = &frames->frame;
    unsigned allowed = frames->allow_deflate ? RSV1 : 0;
    /* RFC 6455 §5.1: a server must not mask. */
    if (frame->masked || (frame->rsv & ~allowed))
        return WEFT_ERR_PROTOCOL;
    if (weft__ws_opcode_is_control(frame->opcode)) {
        /* RFC 6455 §5.5. */
        if (!frame->fin || frame->len > WEFT_WS_CONTROL_MAX || frame->rsv ||
            frame->opcode > WEFT_WS_OPCODE_PONG)
            return WEFT_ERR_PROTOCOL;
        frames->control_len = 0;
    } else if (frame->opcode == WEFT_WS_OPCODE_CONTINUATION) {
        if (!frames->opcode || frame->rsv)
            return WEFT_ERR_PROTOCOL;
    } else {
        if (frames->opcode || frame->opcode > WEFT_WS_OPCODE_BINARY)
            return WEFT_ERR_PROTOCOL;
        frames->opcode = frame->opcode;
        frames->compressed = (frame->rsv & RSV1) != 0;
        weft__bytes_clear(&frames->message);
    }
    frames->left = frame->len;
    frames->in_frame = true;
    frames->head_len = 0;
    return 0;
}

/* Takes bytes of the header. Returns how many; |in_frame| is set when it is complete. */
static ptrdiff_t read_head(struct bench_frames *frames, const uint8_t *data, size_t len)
{
    size_t used = 0;
    while (used < len) {
        size_t need = frames->head_len < 2 ? 2 : weft__ws_head_len(frames->head[1]);
        if (frames->head_len < need)
            frames->head[frames->head_len++] = data[used++];
        ptrdiff_t n = weft__ws_head_decode(frames->head, frames->head_len, &frames->frame);
        if (n < 0)
            return n;
        if (n > 0) {
            int err = begin_frame(frames);
            return err ? err : (ptrdiff_t)used;
        }
    }
    return (ptrdiff_t)used;
}

static void end_message(struct bench_frames *frames, const struct bench_frames_sink *sink,
                        struct weft_slice last, uint32_t *messages)
{
    if (sink->message) {
        bool whole = frames->message.len == 0;
        struct weft_slice data = whole ? last : weft__bytes_slice(&frames->message);
        sink->message(sink->ctx, frames->opcode, frames->compressed, data);
    }
    frames->opcode = 0;
    (*messages)++;
}

/* Takes |part|, the next piece of the frame's payload. */
static int read_payload(struct bench_frames *frames, const struct bench_frames_sink *sink,
                        struct weft_slice part, uint32_t *messages)
{
    bool control = weft__ws_opcode_is_control(frames->frame.opcode);
    bool last = part.len == frames->left;
    frames->left -= part.len;
    frames->in_frame = !last;
    if (control) {
        weft__mem_copy(frames->control + frames->control_len, part.ptr, part.len);
        frames->control_len = (uint8_t)(frames->control_len + part.len);
        if (last)
            sink->control(sink->ctx, frames->frame.opcode,
                          weft__slice(frames->control, frames->control_len));
        return 0;
    }
    bool ends = last && frames->frame.fin;
    /* A message that lies in one piece before us is not copied. */
    if (sink->message && (!ends || frames->message.len)) {
        weft__bytes_append_slice(&frames->message, part);
        int err = weft__bytes_error(&frames->message);
        if (err)
            return err;
    }
    if (ends)
        end_message(frames, sink, part, messages);
    return 0;
}

int bench_frames_read(struct bench_frames *frames, const struct bench_frames_sink *sink,
                      const uint8_t *data, size_t len, uint32_t *ret_messages)
{
    uint32_t messages = 0;
    size_t at = 0;
    while (at < len) {
        if (!frames->in_frame) {
            if (!frames->opcode && !frames->head_len)
                at += read_whole(frames, sink, data + at, len - at, &messages);
            ptrdiff_t n = read_head(frames, data + at, len - at);
            if (n < 0)
                return (int)n;
            at += (size_t)n;
            if (!frames->in_frame)
                break;
        }
        size_t part = (size_t)WEFT_MIN(frames->left, (uint64_t)(len - at));
        int err = read_payload(frames, sink, weft__slice(data + at, part), &messages);
        if (err)
            return err;
        at += part;
    }
    *ret_messages = messages;
    return 0;
}
