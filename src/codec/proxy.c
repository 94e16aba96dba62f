/* SPDX-License-Identifier: Apache-2.0 */
/* Reading PROXY protocol headers. Sections are those of HAProxy's specification. */
#include "codec/proxy.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

/* What is left of a text header. */
struct text {
    const uint8_t *at;
    const uint8_t *end;
};

/* ---- Version 1 (§2.1) ---- */

static bool take_literal(struct text *text, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(text->end - text->at) < len || memcmp(text->at, literal, len) != 0)
        return false;
    text->at += len;
    return true;
}

/* A decimal number without sign and leading zeros, at most |max|. */
static bool take_number(struct text *text, unsigned max, unsigned *ret_number)
{
    const uint8_t *begin = text->at;
    unsigned number = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        number = number * 10 + (unsigned)(*text->at++ - '0');
        if (number > max)
            return false;
    }
    size_t digits = (size_t)(text->at - begin);
    *ret_number = number;
    return digits == 1 || (digits > 1 && *begin != '0');
}

static bool take_v4(struct text *text, uint8_t address[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned byte;
        if ((i && !take_literal(text, ".")) || !take_number(text, 255, &byte))
            return false;
        address[i] = (uint8_t)byte;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hexadecimal digits. */
static bool take_group(struct text *text, uint8_t group[2])
{
    unsigned value = 0;
    int digits = 0;
    for (int digit; digits < 4 && text->at < text->end && (digit = hex_digit(*text->at)) >= 0;
         digits++, text->at++)
        value = value << 4 | (unsigned)digit;
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    return digits > 0;
}

/* Whether the next group is the first of an IPv4 address: digits up to a dot. */
static bool is_v4_tail(const struct text *text)
{
    const uint8_t *at = text->at;
    while (at < text->end && *at >= '0' && *at <= '9')
        at++;
    return at > text->at && at < text->end && *at == '.';
}

/* Groups and at most one "::", which stands for one zero group at least (RFC 4291 §2.2); the last
 * two groups may be an IPv4 address. */
static bool take_v6(struct text *text, uint8_t address[16])
{
    uint8_t bytes[16] = {0};
    size_t len = 0;
    size_t gap = SIZE_MAX; /* where "::" stands */
    if (take_literal(text, "::"))
        gap = 0;
    while (len < sizeof(bytes) && text->at < text->end && *text->at != ' ') {
        if (len <= 12 && is_v4_tail(text)) {
            if (!take_v4(text, bytes + len))
                return false;
            len += 4;
            break;
        }
        if (!take_group(text, bytes + len))
            return false;
        len += 2;
        if (text->at < text->end && *text->at == ' ')
            break;
        if (take_literal(text, "::")) {
            if (gap != SIZE_MAX)
                return false;
            gap = len;
        } else if (len < sizeof(bytes) &&
                   (!take_literal(text, ":") || text->at == text->end || *text->at == ' ')) {
            return false; /* no colon, or one at the end */
        }
    }
    if (gap == SIZE_MAX ? len != sizeof(bytes) : len > sizeof(bytes) - 2)
        return false;
    size_t zeros = sizeof(bytes) - len;
    gap = gap == SIZE_MAX ? len : gap;
    memset(address, 0, sizeof(bytes));
    memcpy(address, bytes, gap);
    memcpy(address + gap + zeros, bytes + gap, len - gap);
    return true;
}

static bool take_port(struct text *text, uint16_t *ret_port)
{
    unsigned port;
    if (!take_number(text, UINT16_MAX, &port))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool take_ends(struct text *text, bool is_v6, struct weft_proxy_header *header)
{
    bool ok = is_v6 ? take_v6(text, header->source) : take_v4(text, header->source);
    ok = ok && take_literal(text, " ");
    ok = ok && (is_v6 ? take_v6(text, header->destination) : take_v4(text, header->destination));
    ok = ok && take_literal(text, " ") && take_port(text, &header->source_port);
    ok = ok && take_literal(text, " ") && take_port(text, &header->destination_port);
    header->family = is_v6 ? WEFT_PROXY_FAMILY_IP6 : WEFT_PROXY_FAMILY_IP4;
    return ok && text->at == text->end;
}

/* The length of the line with its end, 0 when it is not complete. */
static ptrdiff_t find_line(const uint8_t *data, size_t len)
{
    static const char begin[] = "PROXY ";
    size_t max = WEFT_MIN(len, (size_t)WEFT_PROXY_V1_MAX);
    for (size_t i = 0; i < max; i++) {
        if (i < sizeof(begin) - 1 && data[i] != (uint8_t)begin[i])
            return WEFT_ERR_PROTOCOL;
        if (data[i] == '\r') {
            if (i + 1 == max)
                break;
            return data[i + 1] == '\n' ? (ptrdiff_t)i + 2 : WEFT_ERR_PROTOCOL;
        }
        if (data[i] < ' ' || data[i] > '~')
            return WEFT_ERR_PROTOCOL;
    }
    return len < WEFT_PROXY_V1_MAX ? 0 : WEFT_ERR_TOO_BIG;
}

static ptrdiff_t read_v1(const uint8_t *data, size_t len, struct weft_proxy_header *ret_header)
{
    ptrdiff_t used = find_line(data, len);
    if (used <= 0)
        return used;
    struct weft_proxy_header header = {.version = 1};
    struct text text = {data + strlen("PROXY "), data + used - 2};
    bool ok;
    if (take_literal(&text, "TCP4 "))
        ok = take_ends(&text, false, &header);
    else if (take_literal(&text, "TCP6 "))
        ok = take_ends(&text, true, &header);
    else /* Whatever follows UNKNOWN is to be ignored. */
        ok = take_literal(&text, "UNKNOWN") && (text.at == text.end || *text.at == ' ');
    if (!ok)
        return WEFT_ERR_PROTOCOL;
    *ret_header = header;
    return used;
}

/* ---- Version 2 (§2.2) ---- */

enum {
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_UNSPEC = 0x00,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_UNIX = 0x31,
    V2_TLV_HEAD = 3,
    V2_TLV_CRC32C = 0x03,
    V2_CRC_SIZE = 4,
};

static const uint8_t SIGNATURE[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                      '\n', 'Q',  'U',  'I',  'T', '\n'};

static unsigned get16(const uint8_t *data)
{
    return (unsigned)data[0] << 8 | data[1];
}

/* §2.2.3: over the whole header, with the checksum itself taken as zero. */
static bool crc_matches(const uint8_t *data, size_t len, size_t at)
{
    static const uint8_t zeros[V2_CRC_SIZE];
    uint32_t want = (uint32_t)get16(data + at) << 16 | get16(data + at + 2);
    uint32_t crc = weft__crc32c(0, data, at);
    crc = weft__crc32c(crc, zeros, sizeof(zeros));
    crc = weft__crc32c(crc, data + at + V2_CRC_SIZE, len - at - V2_CRC_SIZE);
    return crc == want;
}

/* Walks over the TLVs from |at| on. They end where the header ends. */
static bool check_tlvs(const uint8_t *data, size_t len, size_t at)
{
    bool summed = false;
    while (at < len) {
        if (len - at < V2_TLV_HEAD)
            return false;
        unsigned type = data[at];
        size_t size = get16(data + at + 1);
        at += V2_TLV_HEAD;
        if (size > len - at)
            return false;
        if (type == V2_TLV_CRC32C) {
            if (summed || size != V2_CRC_SIZE || !crc_matches(data, len, at))
                return false;
            summed = true;
        }
        at += size;
    }
    return true;
}

/* Reads the addresses. Returns how many bytes they take, or an error. */
static ptrdiff_t read_ends(const uint8_t *data, size_t len, unsigned kind,
                           struct weft_proxy_header *header)
{
    size_t size = 0;
    size_t wide = 0; /* bytes of one address */
    switch (kind) {
    case V2_UNSPEC:
        return 0;
    case V2_TCP4:
        header->family = WEFT_PROXY_FAMILY_IP4;
        wide = 4;
        size = 12;
        break;
    case V2_TCP6:
        header->family = WEFT_PROXY_FAMILY_IP6;
        wide = 16;
        size = 36;
        break;
    case V2_UNIX:
        header->family = WEFT_PROXY_FAMILY_UNIX;
        size = 216;
        break;
    default: /* Datagrams are not connections; other values must be rejected. */
        return WEFT_ERR_PROTOCOL;
    }
    if (len < size)
        return WEFT_ERR_PROTOCOL;
    if (wide) {
        memcpy(header->source, data, wide);
        memcpy(header->destination, data + wide, wide);
        header->source_port = (uint16_t)get16(data + 2 * wide);
        header->destination_port = (uint16_t)get16(data + 2 * wide + 2);
    }
    return (ptrdiff_t)size;
}

static ptrdiff_t read_v2(const uint8_t *data, size_t len, struct weft_proxy_header *ret_header)
{
    if (memcmp(data, SIGNATURE, WEFT_MIN(len, sizeof(SIGNATURE))) != 0)
        return WEFT_ERR_PROTOCOL;
    if (len > 12 && data[12] != V2_LOCAL && data[12] != V2_PROXY)
        return WEFT_ERR_PROTOCOL;
    if (len < WEFT_PROXY_V2_HEAD)
        return 0;
    size_t rest = get16(data + 14);
    if (rest > WEFT_PROXY_V2_MAX)
        return WEFT_ERR_TOO_BIG;
    size_t total = WEFT_PROXY_V2_HEAD + rest;
    if (len < total)
        return 0;
    struct weft_proxy_header header = {.version = 2};
    if (data[12] == V2_PROXY) {
        ptrdiff_t ends = read_ends(data + WEFT_PROXY_V2_HEAD, rest, data[13], &header);
        if (ends < 0)
            return ends;
        if (!check_tlvs(data, total, WEFT_PROXY_V2_HEAD + (size_t)ends))
            return WEFT_ERR_PROTOCOL;
    }
    *ret_header = header; /* LOCAL: what follows is discarded, family and all */
    return (ptrdiff_t)total;
}

ptrdiff_t weft__proxy_read(const uint8_t *data, size_t len, struct weft_proxy_header *ret_header)
{
    if (len == 0)
        return 0;
    if (data[0] == SIGNATURE[0])
        return read_v2(data, len, ret_header);
    return read_v1(data, len, ret_header);
}
