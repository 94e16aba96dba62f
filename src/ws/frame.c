/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers, masks, and frames written behind other bytes (RFC 6455 §5.2, §5.3). */
#include "ws/frame.h"

#include "base/assert.h"

enum {
    BIT_FIN = 0x80,
    BIT_MASKED = 0x80,
    LEN_16 = 126, /* the 7-bit length that announces 2 more bytes */
    LEN_64 = 127, /* … that announces 8 */
};

const char *weft__ws_opcode_name(unsigned opcode)
{
    switch (opcode) {
    case WEFT_WS_OPCODE_CONTINUATION:
        return "continuation";
    case WEFT_WS_OPCODE_TEXT:
        return "text";
    case WEFT_WS_OPCODE_BINARY:
        return "binary";
    case WEFT_WS_OPCODE_CLOSE:
        return "close";
    case WEFT_WS_OPCODE_PING:
        return "ping";
    case WEFT_WS_OPCODE_PONG:
        return "pong";
    default:
        return "reserved";
    }
}

size_t weft__ws_head_len(uint8_t byte1)
{
    unsigned len7 = byte1 & 0x7fu;
    size_t extended = len7 == LEN_64 ? 8 : len7 == LEN_16 ? 2 : 0;
    return 2 + extended + (byte1 & BIT_MASKED ? 4 : 0);
}

static uint64_t load_be(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static void store_be(uint8_t *p, size_t bytes, uint64_t value)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        p[i] = (uint8_t)value;
}

ptrdiff_t weft__ws_head_decode(const uint8_t *data, size_t len, struct weft_ws_head *ret_head)
{
    if (len < 2 || len < weft__ws_head_len(data[1]))
        return 0;
    const uint8_t *p = data + 2;
    uint64_t payload = data[1] & 0x7fu;
    if (payload == LEN_16) {
        payload = load_be(p, 2);
        p += 2;
        /* RFC 6455 §5.2: the minimal number of bytes MUST be used to encode the length. */
        if (payload < LEN_16)
            return WEFT_ERR_PROTOCOL;
    } else if (payload == LEN_64) {
        payload = load_be(p, 8);
        p += 8;
        /* RFC 6455 §5.2: minimal, and the most significant bit MUST be 0. */
        if (payload <= UINT16_MAX || payload >> 63)
            return WEFT_ERR_PROTOCOL;
    }
    struct weft_ws_head head = {
        .len = payload,
        .opcode = data[0] & 0x0f,
        .rsv = data[0] >> 4 & 0x07,
        .fin = (data[0] & BIT_FIN) != 0,
        .masked = (data[1] & BIT_MASKED) != 0,
    };
    if (head.masked) {
        memcpy(head.mask, p, 4);
        p += 4;
    }
    *ret_head = head;
    return p - data;
}

/* Length bytes behind the first two for a payload of |len|: 0, 2 or 8. */
static size_t extended_len(uint64_t len)
{
    return len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
}

size_t weft__ws_head_encode(const struct weft_ws_head *head, uint8_t *ret_data)
{
    WEFT_ASSERT(!(head->len >> 63) && head->opcode <= 0x0f && head->rsv <= 0x07);
    size_t extended = extended_len(head->len);
    unsigned len7 = extended == 8 ? LEN_64 : extended == 2 ? LEN_16 : (unsigned)head->len;
    ret_data[0] = (uint8_t)((head->fin ? BIT_FIN : 0) | head->rsv << 4 | head->opcode);
    ret_data[1] = (uint8_t)((head->masked ? BIT_MASKED : 0) | len7);
    store_be(ret_data + 2, extended, head->len);
    if (head->masked)
        memcpy(ret_data + 2 + extended, head->mask, 4);
    return 2 + extended + (head->masked ? 4 : 0);
}

/* The key as it meets the payload byte at |offset|, repeated to eight bytes in memory order. */
static WEFT_ALWAYS_INLINE uint64_t key_at(const uint8_t key[4], uint64_t offset)
{
    uint32_t half;
    memcpy(&half, key, 4);
    if (offset & 3) {
        uint8_t bytes[4];
        for (unsigned i = 0; i < 4; i++)
            bytes[i] = key[(offset + i) & 3];
        memcpy(&half, bytes, 4);
    }
    return (uint64_t)half << 32 | half;
}

static WEFT_ALWAYS_INLINE void xor8(uint8_t *dst, const uint8_t *src, uint64_t key)
{
    uint64_t word;
    memcpy(&word, src, 8);
    word ^= key;
    memcpy(dst, &word, 8);
}

/* RFC 6455 §5.3: octet i of the payload XOR octet i modulo 4 of the key. |dst| is |src| or apart.
 */
static WEFT_ALWAYS_INLINE void mask_run(uint8_t *dst, const uint8_t *src, size_t len, uint64_t key)
{
    enum { VECTOR = sizeof(weft__u64x4), BLOCK = 4 * VECTOR };
    const weft__u64x4 keys = {key, key, key, key};
    size_t at = 0;
    for (; len - at >= BLOCK; at += BLOCK) {
        for (size_t i = 0; i < BLOCK; i += VECTOR)
            *(weft__u64x4 *)(dst + at + i) = *(const weft__u64x4 *)(src + at + i) ^ keys;
    }
    for (; len - at >= 8; at += 8)
        xor8(dst + at, src + at, key);
    if (len - at >= 4) {
        uint32_t word;
        memcpy(&word, src + at, 4);
        word ^= (uint32_t)key; /* both halves are the same */
        memcpy(dst + at, &word, 4);
        at += 4;
    }
    uint8_t bytes[8];
    memcpy(bytes, &key, 8);
    for (unsigned i = 0; at < len; at++, i++)
        dst[at] = src[at] ^ bytes[i];
}

#if WEFT_HAS_AVX2_TARGET
/* The same compiled for 32-byte vectors. */
WEFT_TARGET_AVX2 static void mask_run_wide(uint8_t *dst, const uint8_t *src, size_t len,
                                           uint64_t key)
{
    mask_run(dst, src, len, key);
}
#endif

static WEFT_ALWAYS_INLINE void mask_bytes(uint8_t *dst, const uint8_t *src, size_t len,
                                          const uint8_t key[4], uint64_t offset)
{
    uint64_t word = key_at(key, offset);
#if WEFT_HAS_AVX2_TARGET
    /* Below this the vectors do not pay for the call. */
    enum { WIDE_MIN = 256 };
    if (len >= WIDE_MIN && weft__cpu_has_avx2()) {
        mask_run_wide(dst, src, len, word);
        return;
    }
#endif
    mask_run(dst, src, len, word);
}

void weft__ws_mask(uint8_t *data, size_t len, const uint8_t key[4], uint64_t offset)
{
    mask_bytes(data, data, len, key, offset);
}

void weft__ws_mask_copy(uint8_t *ret_dst, const uint8_t *src, size_t len, const uint8_t key[4],
                        uint64_t offset)
{
    mask_bytes(ret_dst, src, len, key, offset);
}

/* Header bytes of a frame with |len| bytes of payload. */
static size_t room_for(uint64_t len, bool masked)
{
    return 2 + extended_len(len) + (masked ? 4 : 0);
}

static struct weft_ws_head make_head(uint64_t len, unsigned opcode, bool fin, const uint8_t *mask)
{
    WEFT_ASSERT((opcode & ~(unsigned)WEFT_WS_COMPRESSED) <= 0x0f);
    struct weft_ws_head head = {
        .len = len,
        .opcode = opcode & 0x0f,
        .rsv = opcode & WEFT_WS_COMPRESSED ? WEFT_WS_RSV1 : 0,
        .fin = fin,
        .masked = mask != NULL,
    };
    if (mask)
        memcpy(head.mask, mask, 4);
    return head;
}

void weft__ws_frame_append(struct weft_bytes *out, unsigned opcode, bool fin,
                           struct weft_slice payload, const uint8_t *mask)
{
    /* Most frames of a server: two bytes before a short payload. */
    if (WEFT_LIKELY(!mask && payload.len < LEN_16 && opcode <= 0x0f)) {
        uint8_t *frame = weft__bytes_extend(out, 2 + payload.len);
        if (!frame)
            return;
        frame[0] = (uint8_t)((fin ? BIT_FIN : 0) | opcode);
        frame[1] = (uint8_t)payload.len;
        weft__mem_copy(frame + 2, payload.ptr, payload.len);
        return;
    }
    struct weft_ws_head head = make_head(payload.len, opcode, fin, mask);
    size_t room = room_for(payload.len, mask != NULL);
    size_t total;
    if (WEFT_ADD_OVERFLOW(room, payload.len, &total)) {
        if (!out->err)
            out->err = WEFT_ERR_TOO_BIG;
        return;
    }
    uint8_t *p = weft__bytes_extend(out, total);
    if (!p)
        return;
    (void)weft__ws_head_encode(&head, p);
    if (mask)
        weft__ws_mask_copy(p + room, payload.ptr, payload.len, mask, 0);
    else
        weft__mem_copy(p + room, payload.ptr, payload.len);
}

size_t weft__ws_frame_begin(struct weft_bytes *out, size_t expect, bool masked)
{
    size_t at = out->len;
    (void)weft__bytes_extend(out, room_for(expect, masked));
    return at;
}

void weft__ws_frame_finish(struct weft_bytes *out, size_t at, size_t expect, unsigned opcode,
                           bool fin, const uint8_t *mask)
{
    if (out->err)
        return;
    size_t left = room_for(expect, mask != NULL);
    WEFT_ASSERT(out->len >= at && out->len - at >= left);
    size_t len = out->len - at - left;
    size_t room = room_for(len, mask != NULL);
    if (room > left && !weft__bytes_extend(out, room - left))
        return;
    uint8_t *frame = out->ptr + at;
    if (room != left)
        memmove(frame + room, frame + left, len);
    out->len = at + room + len;
    struct weft_ws_head head = make_head(len, opcode, fin, mask);
    (void)weft__ws_head_encode(&head, frame);
    if (mask)
        weft__ws_mask(frame + room, len, mask, 0);
}

struct weft_slice weft__ws_frame_seal(uint8_t *payload, size_t len, unsigned opcode, bool fin)
{
    struct weft_ws_head head = make_head(len, opcode, fin, NULL);
    size_t room = room_for(len, false);
    (void)weft__ws_head_encode(&head, payload - room);
    return (struct weft_slice){payload - room, room + len};
}
