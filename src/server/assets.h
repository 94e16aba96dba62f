/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the page (web/dist), embedded at build time by tools/embed-assets.mjs and sorted by
 * path. A build without a page has an empty table. **Lifetime:** static. **Thread:** any.
 */
#ifndef WEFT_SERVER_ASSETS_H
#define WEFT_SERVER_ASSETS_H

#include <stddef.h>

struct weft_asset {
    const char *path; /* as in a request target, for example "/index.html" */
    const char *type; /* the value of Content-Type */
    const unsigned char *data;
    size_t len;
    const char *etag; /* strong, with its quotation marks; changes with the content */
};

/* Has weft__web_assets_count entries (and a zeroed one when there is none). */
extern const struct weft_asset weft__web_assets[];
extern const size_t weft__web_assets_count;

#endif
