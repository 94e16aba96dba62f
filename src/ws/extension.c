/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header's grammar, RFC 6455 §9.1, read from left to right:
 *
 *   extension *("," extension)     extension = token *(";" param)     param = token ["=" value]
 *
 * A value is a token, or a quoted string that holds one. White space may stand between all of them,
 * and elements may be empty (RFC 2616 §2.1, #rule).
 */
#include "ws/extension.h"

#include "codec/deflate.h"

#define NAME "permessage-deflate"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* One extension while it is read. */
struct element {
    struct weft_ws_deflate_params params;
    bool deflate; /* its name */
    bool valid;   /* every parameter is known, right, and there once */
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* Takes |byte| and the white space behind it, if it comes next. */
static bool take(struct cursor *c, char byte)
{
    if (c->at == c->end || *c->at != (uint8_t)byte)
        return false;
    c->at++;
    skip_space(c);
    return true;
}

static bool take_token(struct cursor *c, struct weft_slice *ret_token)
{
    const uint8_t *from = c->at;
    while (c->at < c->end && weft__http1_is_token(weft__slice(c->at, 1)))
        c->at++;
    *ret_token = weft__slice(from, (size_t)(c->at - from));
    skip_space(c);
    return ret_token->len > 0;
}

/* A parameter's value. Those of permessage-deflate are short, so of a quoted string only the first
 * bytes are kept; the rest is read for the grammar. */
struct value {
    uint8_t text[8];
    size_t len;
};

static bool keep(struct value *value, uint8_t byte)
{
    if (value->len < sizeof(value->text))
        value->text[value->len] = byte;
    value->len++;
    /* RFC 6455 §9.1: the value after unescaping MUST conform to the token rule. */
    return weft__http1_is_token(weft__slice(&byte, 1));
}

static bool take_value(struct cursor *c, struct value *ret_value)
{
    struct value value = {.len = 0};
    if (c->at == c->end || *c->at != '"') {
        struct weft_slice token;
        if (!take_token(c, &token))
            return false;
        for (size_t i = 0; i < token.len; i++)
            (void)keep(&value, token.ptr[i]);
        *ret_value = value;
        return true;
    }
    c->at++;
    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\' && ++c->at == c->end)
            return false;
        if (!keep(&value, *c->at++))
            return false;
    }
    *ret_value = value;
    return take(c, '"') && value.len > 0;
}

/* RFC 7692 §7.1.2: a decimal integer without leading zeroes, 8 to 15. 0 for anything else. */
static uint8_t window_bits(const struct value *value)
{
    unsigned bits = 0;
    if (value->len == 0 || value->len > 2 || value->text[0] == '0')
        return 0;
    for (size_t i = 0; i < value->len; i++) {
        if (value->text[i] < '0' || value->text[i] > '9')
            return 0;
        bits = bits * 10 + (value->text[i] - (unsigned)'0');
    }
    return bits >= WEFT_DEFLATE_BITS_MIN && bits <= WEFT_DEFLATE_BITS_MAX ? (uint8_t)bits : 0;
}

static bool take_flag(bool *flag, const struct value *value)
{
    bool right = !*flag && !value;
    *flag = true;
    return right;
}

static bool take_bits(uint8_t *bits, const struct value *value, bool may_lack)
{
    bool first = *bits == 0;
    *bits = value ? window_bits(value) : may_lack ? WEFT_WS_DEFLATE_BITS_ANY : 0;
    return first && *bits;
}

/* RFC 7692 §7.1: whether |name| with |value| (NULL: none) is a parameter, there for the first time.
 */
static bool take_param(struct weft_ws_deflate_params *params, struct weft_slice name,
                       const struct value *value)
{
    if (weft__http1_equal_nocase(name, WEFT_SLICE_LIT("server_no_context_takeover")))
        return take_flag(&params->server_no_takeover, value);
    if (weft__http1_equal_nocase(name, WEFT_SLICE_LIT("client_no_context_takeover")))
        return take_flag(&params->client_no_takeover, value);
    if (weft__http1_equal_nocase(name, WEFT_SLICE_LIT("server_max_window_bits")))
        return take_bits(&params->server_bits, value, false);
    if (weft__http1_equal_nocase(name, WEFT_SLICE_LIT("client_max_window_bits")))
        return take_bits(&params->client_bits, value, true);
    return false;
}

/* Reads one extension with its parameters. False when it is not one. */
static bool take_element(struct cursor *c, struct element *ret_element)
{
    struct weft_slice name;
    if (!take_token(c, &name))
        return false;
    struct element element = {.valid = true};
    element.deflate = weft__http1_equal_nocase(name, WEFT_SLICE_LIT(NAME));
    element.params.on = element.deflate;
    while (take(c, ';')) {
        struct value value;
        if (!take_token(c, &name))
            return false;
        bool has_value = take(c, '=');
        if (has_value && !take_value(c, &value))
            return false;
        if (element.deflate && !take_param(&element.params, name, has_value ? &value : NULL))
            element.valid = false;
    }
    *ret_element = element;
    return true;
}

/* Walks the elements of all headers of the name. |at_header| and |c| begin zeroed. 1: an element;
 * 0: the end; negative: malformed. */
static int next_element(const struct weft_http1_head *head, size_t *at_header, struct cursor *c,
                        struct element *ret_element)
{
    for (;;) {
        while (c->at < c->end && take(c, ',')) {}
        if (c->at < c->end) {
            if (!take_element(c, ret_element) || (c->at < c->end && *c->at != ','))
                return WEFT_ERR_HANDSHAKE;
            return 1;
        }
        if (*at_header == head->header_count)
            return 0;
        const struct weft_http1_header *header = &head->headers[(*at_header)++];
        if (!weft__http1_equal_nocase(header->name, WEFT_SLICE_LIT("sec-websocket-extensions")))
            continue;
        *c = (struct cursor){header->value.ptr, header->value.ptr + header->value.len};
        skip_space(c);
    }
}

int weft__ws_extensions_offered(const struct weft_http1_head *head,
                                struct weft_ws_deflate_params *ret_offer)
{
    struct weft_ws_deflate_params chosen = {0};
    struct cursor c = {0};
    size_t at_header = 0;
    struct element element;
    int rc;
    while ((rc = next_element(head, &at_header, &c, &element)) > 0) {
        /* RFC 7692 §5.1: offers come in order of preference; all valid ones suit us. */
        if (element.deflate && element.valid && !chosen.on)
            chosen = element.params;
    }
    if (rc == 0)
        *ret_offer = chosen;
    return rc;
}

struct weft_ws_deflate_params weft__ws_deflate_answer(const struct weft_ws_deflate_params *offer,
                                                      bool takeover)
{
    if (!offer->on)
        return (struct weft_ws_deflate_params){0};
    return (struct weft_ws_deflate_params){
        .on = true,
        /* RFC 7692 §7.1.1.1: what is asked for must be in the answer. */
        .server_no_takeover = offer->server_no_takeover || !takeover,
        /* §7.1.1.2: a server may say so whatever was offered. */
        .client_no_takeover = offer->client_no_takeover || !takeover,
        /* §7.1.2.1: the same or smaller. */
        .server_bits = offer->server_bits,
        /* §7.1.2.2: its absence leaves the client's window as large as there is. */
        .client_bits = 0,
    };
}

/* RFC 7692 §7.1.1.1, §7.1.2.1, §7.1.2.2: what an answer must have, and may have, for |offer|. */
static bool answer_fits(const struct weft_ws_deflate_params *answer,
                        const struct weft_ws_deflate_params *offer)
{
    if (!offer->on || (offer->server_no_takeover && !answer->server_no_takeover))
        return false;
    if (offer->server_bits && (!answer->server_bits || answer->server_bits > offer->server_bits))
        return false;
    if (answer->client_bits == WEFT_WS_DEFLATE_BITS_ANY)
        return false;
    return !answer->client_bits ||
           (offer->client_bits && answer->client_bits <= offer->client_bits);
}

int weft__ws_extensions_answered(const struct weft_http1_head *head,
                                 const struct weft_ws_deflate_params *offer,
                                 struct weft_ws_deflate_params *ret_answer)
{
    struct weft_ws_deflate_params answer = {0};
    struct cursor c = {0};
    size_t at_header = 0;
    struct element element;
    int rc;
    while ((rc = next_element(head, &at_header, &c, &element)) > 0) {
        /* RFC 6455 §4.1: an extension that was not asked for fails the connection; RFC 7692 §5.1:
         * so does the same one twice. */
        if (!element.deflate || !element.valid || answer.on || !answer_fits(&element.params, offer))
            return WEFT_ERR_HANDSHAKE;
        answer = element.params;
    }
    if (rc == 0)
        *ret_answer = answer;
    return rc;
}

static void write_bits(struct weft_bytes *out, const char *name, uint8_t bits)
{
    if (!bits)
        return;
    weft__bytes_append_str(out, name);
    if (bits == WEFT_WS_DEFLATE_BITS_ANY)
        return;
    weft__bytes_append_byte(out, '=');
    weft__bytes_append_u64(out, bits);
}

void weft__ws_extensions_write(struct weft_bytes *out, const struct weft_ws_deflate_params *params)
{
    if (!params->on)
        return;
    weft__bytes_append_str(out, "Sec-WebSocket-Extensions: " NAME);
    if (params->server_no_takeover)
        weft__bytes_append_str(out, "; server_no_context_takeover");
    if (params->client_no_takeover)
        weft__bytes_append_str(out, "; client_no_context_takeover");
    write_bits(out, "; server_max_window_bits", params->server_bits);
    write_bits(out, "; client_max_window_bits", params->client_bits);
    weft__bytes_append_str(out, "\r\n");
}

struct weft_ws_deflate weft__ws_deflate_agreed(const struct weft_ws_deflate_params *answer,
                                               bool is_server, bool takeover)
{
    if (!answer->on)
        return (struct weft_ws_deflate){0};
    uint8_t server_bits = answer->server_bits ? answer->server_bits : WEFT_DEFLATE_BITS_MAX;
    uint8_t client_bits = answer->client_bits ? answer->client_bits : WEFT_DEFLATE_BITS_MAX;
    return (struct weft_ws_deflate){
        .on = true,
        .out_takeover =
            takeover && !(is_server ? answer->server_no_takeover : answer->client_no_takeover),
        .in_takeover = !(is_server ? answer->client_no_takeover : answer->server_no_takeover),
        .out_bits = is_server ? server_bits : client_bits,
        .in_bits = is_server ? client_bits : server_bits,
    };
}
