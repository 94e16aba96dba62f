/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of addresses. Everything is IPv6; IPv4 is its ::ffff:0:0/96. */
#include "server/networks.h"

#include "base/compiler.h"

#include <string.h>

enum { BITS = 128, V4_BITS = 96 /* before an IPv4 address */ };

static bool as_v6(const struct weft_address *address, uint8_t ret_bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    if (address->u.any.sa_family == AF_INET6) {
        memcpy(ret_bytes, &address->u.v6.sin6_addr, 16);
        return true;
    }
    memcpy(ret_bytes, mapped, sizeof(mapped));
    memcpy(ret_bytes + sizeof(mapped), &address->u.v4.sin_addr, 4);
    return address->u.any.sa_family == AF_INET;
}

/* Whether the first |bits| bits are the same. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return !rest || (a[bits / 8] >> (8 - rest)) == (b[bits / 8] >> (8 - rest));
}

/* One to three digits. */
static bool read_bits(const char *text, unsigned max, unsigned *ret_bits)
{
    size_t len = strlen(text);
    unsigned bits = 0;
    if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++)
        bits = bits * 10 + (unsigned)(text[i] - '0');
    *ret_bits = bits;
    return bits <= max;
}

static bool rest_is_zero(const struct weft_network *network)
{
    uint8_t masked[16] = {0};
    memcpy(masked, network->bytes, network->bits / 8);
    if (network->bits % 8)
        masked[network->bits / 8] =
            network->bytes[network->bits / 8] & (uint8_t)(0xff << (8 - network->bits % 8));
    return memcmp(masked, network->bytes, sizeof(masked)) == 0;
}

int weft__network_parse(const char *text, struct weft_network *ret_network)
{
    char host[WEFT_HOST_SIZE];
    struct weft_address address;
    struct weft_network network = {.bits = BITS};
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof(host))
        return WEFT_ERR_USAGE;
    memcpy(host, text, len);
    host[len] = '\0';
    if (weft__address_from_numeric(host, 0, &address) || !as_v6(&address, network.bytes))
        return WEFT_ERR_USAGE;
    unsigned before = address.u.any.sa_family == AF_INET ? V4_BITS : 0;
    if (slash) {
        if (!read_bits(slash + 1, BITS - before, &network.bits))
            return WEFT_ERR_USAGE;
        network.bits += before;
    }
    if (!rest_is_zero(&network))
        return WEFT_ERR_USAGE;
    *ret_network = network;
    return 0;
}

int weft__networks_parse(struct weft_arena *arena, const char *const *texts,
                         struct weft_networks *ret_networks, const char **ret_wrong)
{
    struct weft_networks networks = {0};
    size_t count = 0;
    while (texts && texts[count])
        count++;
    networks.list = weft__arena_alloc_array(arena, count + 1, sizeof(*networks.list));
    if (!networks.list)
        return WEFT_ERR_NOMEM;
    for (; networks.count < count; networks.count++) {
        if (weft__network_parse(texts[networks.count], &networks.list[networks.count])) {
            *ret_wrong = texts[networks.count];
            return WEFT_ERR_USAGE;
        }
    }
    *ret_networks = networks;
    return 0;
}

bool weft__networks_have(const struct weft_networks *networks, const struct weft_address *address)
{
    uint8_t bytes[16];
    if (!as_v6(address, bytes))
        return false;
    for (size_t i = 0; i < networks->count; i++)
        if (same_prefix(bytes, networks->list[i].bytes, networks->list[i].bits))
            return true;
    return false;
}
