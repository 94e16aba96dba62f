/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol's header, before TLS and HTTP. It belongs to the time of the handshake, and a
 * connection that does not begin with one is ended without a word: whoever speaks to this port is
 * meant to know.
 */
#include "transport/core.h"

/* The header is read; |len| bytes of |rest| follow it. */
static void header_read(struct weft_transport *t, const struct weft_proxy_header *header,
                        uint8_t *rest, size_t len)
{
    t->proxy = false;
    if (t->callbacks->on_proxied)
        t->callbacks->on_proxied(t, header);
    if (t->state == WEFT_TRANSPORT_CLOSED || !len)
        return;
    if (t->secure)
        weft__transport_secure_input(t, rest, (ptrdiff_t)len);
    else
        weft__transport_received(t, rest, len);
}

static void refuse(struct weft_transport *t, int err)
{
    t->set->stats.protocol_errors++;
    t->set->stats.proxy_errors++;
    weft__transport_abort(t, err);
}

void weft__transport_proxy_input(struct weft_transport *t, uint8_t *data, ptrdiff_t n)
{
    struct weft_proxy_header header;
    if (n <= 0) {
        weft__transport_input_ended(t, (int)n);
        return;
    }
    /* Mostly it comes whole, and is read where it lies. */
    struct weft_bytes in = t->http.in;
    bool gathered = in.len > 0;
    weft__bytes_init(&t->http.in, t->set->options.alloc, WEFT_HTTP1_HEAD_MAX);
    in.limit = SIZE_MAX;
    if (gathered)
        weft__bytes_append(&in, data, (size_t)n);
    uint8_t *from = gathered ? in.ptr : data;
    size_t len = gathered ? in.len : (size_t)n;
    ptrdiff_t used = in.err ? in.err : weft__proxy_read(from, len, &header);
    if (used == 0 && !gathered)
        weft__bytes_append(&in, data, (size_t)n);
    if (used == 0 && in.err)
        used = in.err;
    if (used == 0) {
        t->http.in = in;
        return;
    }
    if (used < 0)
        refuse(t, (int)used);
    else
        header_read(t, &header, from + used, len - (size_t)used);
    weft__bytes_done(&in);
}

int weft__transport_proxy_source(const struct weft_proxy_header *header,
                                 struct weft_address *ret_address)
{
    struct weft_address address = {0};
    switch (header->family) {
    case WEFT_PROXY_FAMILY_IP4:
        address.u.v4.sin_family = AF_INET;
        memcpy(&address.u.v4.sin_addr, header->source, sizeof(address.u.v4.sin_addr));
        break;
    case WEFT_PROXY_FAMILY_IP6:
        address.u.v6.sin6_family = AF_INET6;
        memcpy(&address.u.v6.sin6_addr, header->source, sizeof(address.u.v6.sin6_addr));
        break;
    case WEFT_PROXY_FAMILY_UNIX:
    case WEFT_PROXY_FAMILY_NONE:
    default:
        return WEFT_ERR_NOT_FOUND;
    }
    weft__address_set_port(&address, header->source_port);
    *ret_address = address;
    return 0;
}
