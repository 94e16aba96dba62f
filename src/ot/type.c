/* SPDX-License-Identifier: Apache-2.0 */
/* The list of document types. */
#include "ot/type.h"

static const struct weft_ot_type *const types[] = {
    &weft__ot_text,
    &weft__ot_json,
    &weft__ot_rich,
};

const struct weft_ot_type *weft__ot_type_find(struct weft_slice name)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(types); i++) {
        if (weft__slice_eq_str(name, types[i]->name))
            return types[i];
    }
    return NULL;
}
