/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications for many receivers, from one wire to the other. */
#include "session/recode.h"

#include "rpc/binary.h"
#include "rpc/frame.h"

/* The limits for what peers send are not for our own text, which may pass them: an operation grows
 * when it is transformed. */
static const struct weft_json_options own_text = {
    .max_values = UINT32_MAX, .allow_duplicate_keys = true, .text_is_utf8 = true};

static struct weft_ws_message *encode(const struct weft_alloc *alloc,
                                      const struct weft_json *notification)
{
    const struct weft_rpc_wire *wire = &weft__rpc_wire_binary;
    struct weft_slice params = weft__json_raw(weft__json_get(notification, "params"));
    const struct weft_rpc_head head = {
        .kind = WEFT_RPC_KIND_NOTIFY,
        .method = weft__json_string(weft__json_get(notification, "method")),
        .has_payload = params.len > 0,
    };
    struct weft_bytes out;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    wire->begin(&out, &head);
    weft__bytes_append_slice(&out, params);
    struct weft_slice encoded = wire->end(&out, &head);
    struct weft_ws_message *message =
        weft__bytes_error(&out) ? NULL
                                : weft__ws_message_new(alloc, WEFT_WS_OPCODE_BINARY, encoded);
    weft__bytes_done(&out);
    return message;
}

void weft__session_recode(void *ctx, struct weft_ws_message *message)
{
    const struct weft_json *notification;
    struct weft_arena arena;
    (void)ctx;
    weft__arena_init(&arena, message->alloc, SIZE_MAX);
    int err =
        weft__json_parse(weft__ws_message_payload(message), &arena, &own_text, NULL, &notification);
    struct weft_ws_message *recoded = err ? NULL : encode(message->alloc, notification);
    if (recoded)
        weft__ws_message_set_recoded(message, recoded);
    weft__arena_done(&arena);
}
