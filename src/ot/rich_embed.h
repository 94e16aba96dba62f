/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations inside embeds: of the kind "delta", a document within the document. Both the embed
 * and the operation on it are kept as the JSON {"delta":[…]}, which is read where two of them meet.
 */
#ifndef WEFT_OT_RICH_EMBED_H
#define WEFT_OT_RICH_EMBED_H

#include "ot/rich_build.h"

/* Writes {"delta":[parts of |inner|]}. */
void weft__rich_embed_write(const struct weft_rich_op *inner, struct weft_bytes *out);

/* Each replaces the text of |part| by what the function of its name makes of the two, in |b|'s
 * scratch; failures stick to |b|. */
void weft__rich_embed_compose(struct weft_rich_build *b, const struct weft_rich_part *first,
                              const struct weft_rich_part *second, struct weft_rich_part *part);
void weft__rich_embed_transform(struct weft_rich_build *b, const struct weft_rich_part *op,
                                const struct weft_rich_part *other, enum weft_ot_side side,
                                struct weft_rich_part *part);
void weft__rich_embed_invert(struct weft_rich_build *b, const struct weft_rich_part *op,
                             const struct weft_rich_part *base, struct weft_rich_part *part);

/* Makes |part| the operation that leads from embed |from| to |to|; nothing when they are the same,
 * else both are of the kind delta. */
void weft__rich_embed_diff(struct weft_rich_build *b, const struct weft_rich_part *from,
                           const struct weft_rich_part *to, struct weft_rich_part *part);

/* Makes |part|, which retains units or operates on an embed, the simplest that does the same. */
void weft__rich_embed_normalize(struct weft_rich_build *b, struct weft_rich_part *part);

bool weft__rich_embed_is_delta(const struct weft_rich_part *part);

#endif
