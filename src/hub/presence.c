/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and transforming of presence. */
#include "hub/presence.h"

static void read_selection(struct weft_params *params, const struct weft_json *value,
                           struct weft_presence *presence)
{
    uint64_t anchor;
    uint64_t head;
    if (!weft__json_u53(weft__json_get(value, "anchor"), &anchor) ||
        !weft__json_u53(weft__json_get(value, "head"), &head)) {
        weft__params_refuse(params, "state.selections", "needs anchor and head, both positions");
        return;
    }
    presence->selections[presence->selection_count].anchor = anchor;
    presence->selections[presence->selection_count].head = head;
    presence->selection_count++;
}

static uint8_t read_text(struct weft_params *params, const struct weft_json *state,
                         const char *member, const char *field, uint8_t *ret_text, size_t max)
{
    const struct weft_json *value = weft__json_get(state, member);
    struct weft_slice text = weft__json_string(value);
    if (!value || weft__json_is(value, WEFT_JSON_NULL))
        return 0;
    if (!weft__json_is(value, WEFT_JSON_STRING) || text.len > max) {
        weft__params_refuse(params, field, "must be a short string");
        return 0;
    }
    weft__mem_copy(ret_text, text.ptr, text.len);
    return (uint8_t)text.len;
}

void weft__presence_read(struct weft_params *params, const struct weft_json *state,
                         struct weft_presence *ret_presence)
{
    struct weft_presence presence = {0};
    const struct weft_json *selections = weft__json_get(state, "selections");
    if (!weft__json_is(state, WEFT_JSON_OBJECT))
        weft__params_refuse(params, "state", "must be an object or null");
    if (selections && !weft__json_is(selections, WEFT_JSON_ARRAY))
        weft__params_refuse(params, "state.selections", "must be an array");
    else if (weft__json_count(selections) > WEFT_PRESENCE_SELECTIONS)
        weft__params_refuse(params, "state.selections", "has more than 16 elements");
    else
        WEFT_JSON_EACH (value, selections)
            read_selection(params, value, &presence);
    presence.name_len =
        read_text(params, state, "name", "state.name", presence.name, sizeof(presence.name));
    presence.color_len =
        read_text(params, state, "color", "state.color", presence.color, sizeof(presence.color));
    presence.status_len = read_text(params, state, "status", "state.status", presence.status,
                                    sizeof(presence.status));
    *ret_presence = presence;
}

static void write_text(struct weft_json_writer *w, const char *key, const uint8_t *text, size_t len)
{
    if (!len)
        return;
    weft__json_key(w, key);
    weft__json_put_string(w, weft__slice(text, len));
}

void weft__presence_write(struct weft_json_writer *w, const struct weft_presence *presence)
{
    weft__json_begin_object(w);
    weft__json_key(w, "selections");
    weft__json_begin_array(w);
    for (unsigned i = 0; i < presence->selection_count; i++) {
        weft__json_begin_object(w);
        weft__json_key(w, "anchor");
        weft__json_put_u64(w, presence->selections[i].anchor);
        weft__json_key(w, "head");
        weft__json_put_u64(w, presence->selections[i].head);
        weft__json_end_object(w);
    }
    weft__json_end_array(w);
    write_text(w, "name", presence->name, presence->name_len);
    write_text(w, "color", presence->color, presence->color_len);
    write_text(w, "status", presence->status, presence->status_len);
    weft__json_end_object(w);
}

void weft__presence_transform(struct weft_presence *presence, const struct weft_ot_type *type,
                              const void *op, bool own)
{
    enum weft_ot_side side = own ? WEFT_OT_SIDE_RIGHT : WEFT_OT_SIDE_LEFT;
    for (unsigned i = 0; i < presence->selection_count; i++) {
        uint64_t anchor = presence->selections[i].anchor;
        uint64_t head = presence->selections[i].head;
        presence->selections[i].anchor = type->op_position(op, anchor, side);
        presence->selections[i].head = type->op_position(op, head, side);
    }
}
