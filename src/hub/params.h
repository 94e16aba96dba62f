/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the parameters of the built-in services from a parsed JSON object, with a sticky error:
 * the getters never fail one by one; the first thing that is wrong is kept and asked for once.
 *
 *   struct weft_params params;
 *   weft__params_init(&params, weft__rpc_call_params(call));
 *   struct weft_slice doc = weft__params_name(&params, "doc");
 *   uint64_t version = weft__params_u53(&params, "version", WEFT_PARAM_REQUIRED, 0);
 *   if (params.field) … answer invalid_argument: params.field, params.rule …
 *
 * Members nobody asks for are ignored, so that requests can grow. What is returned borrows the
 * parsed object.
 */
#ifndef WEFT_HUB_PARAMS_H
#define WEFT_HUB_PARAMS_H

#include "codec/json.h"

enum weft_param_need {
    WEFT_PARAM_OPTIONAL,
    WEFT_PARAM_REQUIRED,
};

enum { WEFT_NAME_MAX = 255 /* bytes of the name of a document, channel or queue */ };

struct weft_params {
    const struct weft_json *object;
    const char *field; /* the first member that is wrong; NULL while all is well */
    const char *rule;  /* what it breaks, for people */
};

/* |object| that is no object is a violation of its own. */
void weft__params_init(struct weft_params *params, const struct weft_json *object);

/* Notes that |field| breaks |rule|, unless something was noted before. Both static. */
void weft__params_refuse(struct weft_params *params, const char *field, const char *rule);

/* Whether the member is there and not null. */
bool weft__params_has(const struct weft_params *params, const char *field);

/* A required name: see weft__name_rule. */
struct weft_slice weft__params_name(struct weft_params *params, const char *field);

/* A string of |min| to |max| bytes; empty when optional and absent. */
struct weft_slice weft__params_string(struct weft_params *params, const char *field,
                                      enum weft_param_need need, size_t min, size_t max);

/* An integer from 0 to 2^53-1, also as a string of digits; |absent| when optional and absent. */
uint64_t weft__params_u53(struct weft_params *params, const char *field, enum weft_param_need need,
                          uint64_t absent);

/* A boolean; false when absent. */
bool weft__params_bool(struct weft_params *params, const char *field);

/* Any value; NULL when absent. */
const struct weft_json *weft__params_value(struct weft_params *params, const char *field,
                                           enum weft_param_need need);

/*
 * What is wrong with |name| as the name of a document, or NULL: 1–255 bytes of UTF-8 in
 * normalisation form C, no control characters, no empty segments between slashes, and no leading
 * "$", which is the server's. **Lifetime:** static.
 */
const char *weft__name_rule(struct weft_slice name);

#endif
