/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the page (web/dist), embedded at build time by tools/embed-assets.mjs and sorted by
 * path. A build without a page has an empty table. **Lifetime:** static. **Thread:** any.
 */
#ifndef WEFT_SERVER_ASSETS_H
#define WEFT_SERVER_ASSETS_H

#include <stddef.h>

/* Codings that an asset may have besides being as it is, best first. */
enum { WEFT_ASSET_BROTLI, WEFT_ASSET_GZIP, WEFT_ASSET_PLAIN, WEFT_ASSET_FORMS };

struct weft_asset_form {
    const unsigned char *data; /* NULL: not in this form, because it would not be smaller */
    size_t len;
    const char *etag; /* strong, with its quotation marks; changes with the content and the form */
};

struct weft_asset {
    const char *path; /* as in a request target, for example "/index.html" */
    const char *type; /* the value of Content-Type */
    struct weft_asset_form forms[WEFT_ASSET_FORMS];
};

/* Has weft__web_assets_count entries (and a zeroed one when there is none). */
extern const struct weft_asset weft__web_assets[];
extern const size_t weft__web_assets_count;

#endif
