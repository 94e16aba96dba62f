/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opening handshake. With --deflate permessage-deflate is offered without context takeover in
 * either direction (RFC 7692 §7.1.1): our frames are made once and mean the same wherever they
 * stand, and what comes can be inflated by itself.
 */
#include "bench_handshake.h"

#include "io/crypto.h"

#include <stdio.h>

static const char EXTENSIONS[] = "Sec-WebSocket-Extensions";
static const char OFFER[] =
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

int bench_handshake_write(struct bench_conn *conn)
{
    const struct bench_options *options = conn->worker->options;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    struct weft_ws_request request = options->request;
    struct weft_http1_header headers[BENCH_HEADERS_MAX + 1];
    uint8_t nonce[WEFT_WS_NONCE_LEN];
    if (options->deflate) {
        for (size_t i = 0; i < request.extra_count; i++)
            headers[i] = request.extra[i];
        headers[request.extra_count++] =
            (struct weft_http1_header){weft__slice_str(EXTENSIONS), weft__slice_str(OFFER)};
        request.extra = headers;
    }
    crypto->random(crypto->ctx, nonce, sizeof(nonce));
    weft__bytes_clear(&conn->request);
    return weft__ws_request_write(&conn->request, &request, nonce, conn->key);
}

/* The next parameter of the extension |value| from |*at| on, without what stands behind '='. */
static bool next_parameter(struct weft_slice value, size_t *at, struct weft_slice *ret_name)
{
    while (*at < value.len && (value.ptr[*at] == ';' || value.ptr[*at] == ' '))
        (*at)++;
    size_t begin = *at;
    while (*at < value.len && value.ptr[*at] != ';')
        (*at)++;
    size_t end = begin;
    while (end < *at && value.ptr[end] != '=' && value.ptr[end] != ' ')
        end++;
    *ret_name = weft__slice(value.ptr + begin, end - begin);
    return begin < value.len;
}

/*
 * Takes the answer to the offer out of |head|: a server that keeps its context although it was
 * asked not to can be measured nevertheless, which ws/extension.h would not have. False when the
 * server did not accept it, or accepted something else.
 */
static bool take_extension(struct bench_conn *conn, struct weft_http1_head *head)
{
    size_t i = 0;
    while (i < head->header_count &&
           !weft__http1_equal_nocase(head->headers[i].name, weft__slice_str(EXTENSIONS)))
        i++;
    if (i == head->header_count)
        return false;
    struct weft_slice value = head->headers[i].value;
    struct weft_slice name;
    size_t at = 0;
    if (!next_parameter(value, &at, &name) || !weft__slice_eq_str(name, "permessage-deflate"))
        return false;
    conn->takeover = true;
    while (next_parameter(value, &at, &name))
        if (weft__slice_eq_str(name, "server_no_context_takeover"))
            conn->takeover = false;
    conn->frames.allow_deflate = true;
    head->headers[i] = head->headers[--head->header_count];
    return true;
}

bool bench_handshake_check(struct bench_conn *conn, char *ret_text, size_t size)
{
    const struct bench_options *options = conn->worker->options;
    struct weft_http1_head *head = &conn->worker->head;
    struct weft_slice protocol;
    struct weft_ws_deflate_params none;
    if (head->status != 101) {
        (void)snprintf(ret_text, size, "refused with status %d", head->status);
        return false;
    }
    if (options->deflate && !take_extension(conn, head)) {
        (void)snprintf(ret_text, size, "the server does not compress");
        return false;
    }
    int err = weft__ws_response_check(head, &options->request, conn->key, weft__crypto_openssl(),
                                      &protocol, &none);
    if (err)
        (void)snprintf(ret_text, size, "the answer to the handshake is not valid");
    return !err;
}
