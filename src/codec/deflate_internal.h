/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of codec/deflate.h share. Not for others. */
#ifndef WEFT_CODEC_DEFLATE_INTERNAL_H
#define WEFT_CODEC_DEFLATE_INTERNAL_H

#include "codec/deflate.h"

/* Frees what weft__inflate made. NULL is allowed. */
void weft__inflater_free(struct weft_inflater *inflater, const struct weft_alloc *alloc);

#endif
