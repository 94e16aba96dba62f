/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake: RFC 6455 §4.1 for the client, §4.2 for the server. */
#include "ws/handshake.h"

#include "codec/base64.h"

/* RFC 6455 §1.3: appended to the key before hashing. */
static const char handshake_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

int weft__ws_accept_value(const struct weft_crypto *crypto, struct weft_slice key,
                          char ret_accept[WEFT_WS_ACCEPT_LEN])
{
    uint8_t text[WEFT_WS_KEY_LEN + sizeof(handshake_guid) - 1];
    uint8_t digest[WEFT_SHA1_SIZE];
    if (key.len != WEFT_WS_KEY_LEN)
        return WEFT_ERR_USAGE;
    memcpy(text, key.ptr, WEFT_WS_KEY_LEN);
    memcpy(text + WEFT_WS_KEY_LEN, handshake_guid, sizeof(handshake_guid) - 1);
    int rc = crypto->sha1(crypto->ctx, text, sizeof(text), digest);
    if (rc != 0)
        return rc;
    (void)weft__base64_encode(WEFT_BASE64_STANDARD, digest, sizeof(digest), ret_accept);
    return 0;
}

bool weft__ws_upgrade_wanted(const struct weft_http1_head *head)
{
    return weft__http1_has_token(head, "upgrade", "websocket");
}

/* The value of the only header |name|; an empty slice when there is none or more than one. */
static struct weft_slice only_value(const struct weft_http1_head *head, const char *name)
{
    if (weft__http1_count(head, name) != 1)
        return weft__slice(NULL, 0);
    return weft__http1_find(head, name)->value;
}

/* RFC 6455 §4.1: a key is the base64 of 16 bytes. */
static bool key_valid(struct weft_slice key)
{
    uint8_t nonce[WEFT_BASE64_DECODED_MAX(WEFT_WS_KEY_LEN)];
    return key.len == WEFT_WS_KEY_LEN &&
           weft__base64_decode(WEFT_BASE64_STANDARD, key, nonce) == WEFT_WS_NONCE_LEN;
}

/* The entry of |list| that equals |s| byte for byte, or -1. */
static ptrdiff_t index_of(const struct weft_slice *list, size_t count, struct weft_slice s)
{
    for (size_t i = 0; i < count; i++) {
        if (weft__slice_eq(list[i], s))
            return (ptrdiff_t)i;
    }
    return -1;
}

/* Reads what the client offers and chooses the first that |protocols| has. False when the offer is
 * malformed: RFC 6455 §4.1 wants tokens, each only once. */
static bool choose_protocol(const struct weft_http1_head *head, const struct weft_slice *protocols,
                            size_t count, struct weft_slice *ret_protocol)
{
    struct weft_slice offered[WEFT_WS_PROTOCOLS_MAX];
    size_t offers = 0;
    struct weft_slice chosen = {NULL, 0};
    struct weft_http1_list at = {0};
    struct weft_slice offer;
    while (weft__http1_list_next(head, "sec-websocket-protocol", &at, &offer)) {
        if (offers == WEFT_WS_PROTOCOLS_MAX || !weft__http1_is_token(offer) ||
            index_of(offered, offers, offer) >= 0)
            return false;
        offered[offers++] = offer;
        ptrdiff_t i = chosen.len ? -1 : index_of(protocols, count, offer);
        if (i >= 0)
            chosen = protocols[i];
    }
    *ret_protocol = chosen;
    return true;
}

/* RFC 6455 §4.2.1, item by item. 0, or the status to refuse with. */
static int check_request(const struct weft_http1_head *head)
{
    if (!weft__slice_eq_str(head->method, "GET"))
        return 405;
    if (head->minor != 1 || head->host.len == 0)
        return 400;
    /* Bytes of a body would be taken for frames by one reader and not by another. */
    if (head->chunked || head->content_length > 0)
        return 400;
    if (!weft__ws_upgrade_wanted(head) || !weft__http1_has_token(head, "connection", "upgrade"))
        return 400;
    /* §4.4: an answer to another version names the version that is spoken here. */
    if (weft__http1_count(head, "sec-websocket-version") > 1)
        return 400;
    if (!weft__slice_eq_str(only_value(head, "sec-websocket-version"), "13"))
        return 426;
    if (!key_valid(only_value(head, "sec-websocket-key")))
        return 400;
    return weft__http1_count(head, "origin") > 1 ? 400 : 0;
}

int weft__ws_upgrade_check(const struct weft_http1_head *head, const struct weft_slice *protocols,
                           size_t count, struct weft_ws_upgrade *ret_upgrade, int *ret_status)
{
    struct weft_slice protocol = {NULL, 0};
    struct weft_ws_deflate_params offer = {0};
    int status = check_request(head);
    if (status == 0 && !choose_protocol(head, protocols, count, &protocol))
        status = 400;
    /* RFC 6455 §9.1: a malformed list of extensions fails the connection. */
    if (status == 0 && weft__ws_extensions_offered(head, &offer) != 0)
        status = 400;
    if (status != 0) {
        *ret_status = status;
        return WEFT_ERR_HANDSHAKE;
    }
    *ret_upgrade = (struct weft_ws_upgrade){
        .key = only_value(head, "sec-websocket-key"),
        .host = head->host,
        .origin = only_value(head, "origin"),
        .has_origin = weft__http1_find(head, "origin") != NULL,
        .protocol = protocol,
        .offer = offer,
    };
    return 0;
}

static void write_headers(struct weft_bytes *out, const struct weft_http1_header *headers,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        weft__http1_write_header(out, headers[i].name, headers[i].value);
}

int weft__ws_upgrade_accept(struct weft_bytes *out, const struct weft_ws_upgrade *upgrade,
                            const struct weft_crypto *crypto,
                            const struct weft_ws_deflate_params *deflate,
                            const struct weft_http1_header *extra, size_t count)
{
    char accept[WEFT_WS_ACCEPT_LEN];
    int rc = weft__ws_accept_value(crypto, upgrade->key, accept);
    if (rc != 0)
        return rc;
    /* RFC 6455 §4.2.2, item 5. */
    weft__http1_write_status(out, 101);
    weft__http1_write_header_str(out, "Upgrade", "websocket");
    weft__http1_write_header_str(out, "Connection", "Upgrade");
    weft__http1_write_header(out, WEFT_SLICE_LIT("Sec-WebSocket-Accept"),
                             weft__slice(accept, sizeof(accept)));
    if (upgrade->protocol.len)
        weft__http1_write_header(out, WEFT_SLICE_LIT("Sec-WebSocket-Protocol"), upgrade->protocol);
    if (deflate)
        weft__ws_extensions_write(out, deflate);
    write_headers(out, extra, count);
    weft__http1_write_end(out);
    return weft__bytes_error(out);
}

int weft__ws_upgrade_refuse(struct weft_bytes *out, int status, const char *text,
                            const struct weft_http1_header *extra, size_t count)
{
    if (!text)
        text = weft__http1_reason(status);
    weft__http1_write_status(out, status);
    weft__http1_write_header_str(out, "Content-Type", "text/plain; charset=utf-8");
    weft__http1_write_header_u64(out, "Content-Length", strlen(text) + 1);
    if (status == 405)
        weft__http1_write_header_str(out, "Allow", "GET"); /* RFC 9110 §15.5.6 */
    if (status == 401)
        weft__http1_write_header_str(out, "WWW-Authenticate", "Bearer"); /* RFC 9110 §15.5.2 */
    if (status == 426) {
        /* RFC 9110 §15.5.22 wants Upgrade, and Connection has to name it (§7.8). */
        weft__http1_write_header_str(out, "Sec-WebSocket-Version", "13");
        weft__http1_write_header_str(out, "Upgrade", "websocket");
        weft__http1_write_header_str(out, "Connection", "upgrade, close");
    } else {
        weft__http1_write_header_str(out, "Connection", "close");
    }
    write_headers(out, extra, count);
    weft__http1_write_end(out);
    weft__bytes_append_str(out, text);
    weft__bytes_append_byte(out, '\n');
    return weft__bytes_error(out);
}

/* Writes the list of subprotocols; each a token and there only once (RFC 6455 §4.1, item 10). */
static void write_protocols(struct weft_bytes *out, const struct weft_slice *protocols,
                            size_t count)
{
    if (count == 0)
        return;
    weft__bytes_append_str(out, "Sec-WebSocket-Protocol: ");
    for (size_t i = 0; i < count; i++) {
        if (!weft__http1_is_token(protocols[i]) || index_of(protocols, i, protocols[i]) >= 0) {
            if (!out->err)
                out->err = WEFT_ERR_USAGE;
            return;
        }
        weft__bytes_append_str(out, i ? ", " : "");
        weft__bytes_append_slice(out, protocols[i]);
    }
    weft__bytes_append_str(out, "\r\n");
}

int weft__ws_request_write(struct weft_bytes *out, const struct weft_ws_request *request,
                           const uint8_t nonce[WEFT_WS_NONCE_LEN],
                           char ret_key[WEFT_WS_KEY_LEN + 1])
{
    if (!weft__http1_is_host(request->host) || request->protocol_count > WEFT_WS_PROTOCOLS_MAX)
        return WEFT_ERR_USAGE;
    char key[WEFT_WS_KEY_LEN + 1] = {0};
    (void)weft__base64_encode(WEFT_BASE64_STANDARD, nonce, WEFT_WS_NONCE_LEN, key);
    weft__http1_write_request(out, WEFT_SLICE_LIT("GET"), request->target);
    weft__http1_write_header(out, WEFT_SLICE_LIT("Host"), request->host);
    weft__http1_write_header_str(out, "Upgrade", "websocket");
    weft__http1_write_header_str(out, "Connection", "Upgrade");
    weft__http1_write_header_str(out, "Sec-WebSocket-Key", key);
    weft__http1_write_header_str(out, "Sec-WebSocket-Version", "13");
    if (request->origin.len)
        weft__http1_write_header(out, WEFT_SLICE_LIT("Origin"), request->origin);
    write_protocols(out, request->protocols, request->protocol_count);
    weft__ws_extensions_write(out, &request->deflate);
    write_headers(out, request->extra, request->extra_count);
    weft__http1_write_end(out);
    int rc = weft__bytes_error(out);
    if (rc == 0)
        memcpy(ret_key, key, sizeof(key));
    return rc;
}

/* RFC 6455 §4.1, what the server's answer must have. */
static bool check_response(const struct weft_http1_head *head, struct weft_slice accept)
{
    if (head->status != 101 || head->minor != 1)
        return false;
    if (!weft__http1_equal_nocase(only_value(head, "upgrade"), WEFT_SLICE_LIT("websocket")))
        return false;
    if (!weft__http1_has_token(head, "connection", "upgrade"))
        return false;
    return weft__slice_eq(only_value(head, "sec-websocket-accept"), accept);
}

int weft__ws_response_check(const struct weft_http1_head *head,
                            const struct weft_ws_request *request, const char key[WEFT_WS_KEY_LEN],
                            const struct weft_crypto *crypto, struct weft_slice *ret_protocol,
                            struct weft_ws_deflate_params *ret_deflate)
{
    char accept[WEFT_WS_ACCEPT_LEN];
    int rc = weft__ws_accept_value(crypto, weft__slice(key, WEFT_WS_KEY_LEN), accept);
    if (rc != 0)
        return rc;
    if (!check_response(head, weft__slice(accept, sizeof(accept))))
        return WEFT_ERR_HANDSHAKE;
    struct weft_ws_deflate_params deflate;
    rc = weft__ws_extensions_answered(head, &request->deflate, &deflate);
    if (rc != 0)
        return rc;
    struct weft_slice protocol = {NULL, 0};
    if (weft__http1_find(head, "sec-websocket-protocol")) {
        /* RFC 6455 §4.1: a subprotocol that was not asked for fails the connection. */
        ptrdiff_t i = index_of(request->protocols, request->protocol_count,
                               only_value(head, "sec-websocket-protocol"));
        if (i < 0)
            return WEFT_ERR_HANDSHAKE;
        protocol = request->protocols[i];
    }
    *ret_protocol = protocol;
    *ret_deflate = deflate;
    return 0;
}
