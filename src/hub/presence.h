/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a participant shows of itself in a document: selections in the type's own units, a name, a
 * colour and a status. It is never stored. Members of a state that are not known are dropped.
 *
 *   {"selections":[{"anchor":3,"head":7}],"name":"Ada","color":"#c2410c","status":"active"}
 */
#ifndef WEFT_HUB_PRESENCE_H
#define WEFT_HUB_PRESENCE_H

#include "codec/json.h"
#include "hub/params.h"
#include "ot/type.h"

enum {
    WEFT_PRESENCE_SELECTIONS = 16, /* of one participant */
    WEFT_PRESENCE_NAME = 128,      /* bytes */
    WEFT_PRESENCE_COLOR = 32,
    WEFT_PRESENCE_STATUS = 32,
};

struct weft_presence {
    uint8_t selection_count;
    uint8_t name_len;
    uint8_t color_len;
    uint8_t status_len;
    struct {
        uint64_t anchor;
        uint64_t head;
    } selections[WEFT_PRESENCE_SELECTIONS];
    uint8_t name[WEFT_PRESENCE_NAME];
    uint8_t color[WEFT_PRESENCE_COLOR];
    uint8_t status[WEFT_PRESENCE_STATUS];
};

/* Reads a state; what is wrong is noted in |params| under "state". */
void weft__presence_read(struct weft_params *params, const struct weft_json *state,
                         struct weft_presence *ret_presence);

/* Writes it as a JSON object. */
void weft__presence_write(struct weft_json_writer *w, const struct weft_presence *presence);

/* Moves the selections over |op|. |own|: the participant made it, so a caret at its insertion ends
 * up behind it; otherwise it stays before. */
void weft__presence_transform(struct weft_presence *presence, const struct weft_ot_type *type,
                              const void *op, bool own);

#endif
