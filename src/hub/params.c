/* SPDX-License-Identifier: Apache-2.0 */
/* Getters with a sticky error over a parsed object. */
#include "hub/params.h"

#include "base/nfc.h"
#include "base/utf8.h"

void weft__params_init(struct weft_params *params, const struct weft_json *object)
{
    *params = (struct weft_params){.object = object};
    if (!weft__json_is(object, WEFT_JSON_OBJECT))
        weft__params_refuse(params, "params", "must be an object");
}

void weft__params_refuse(struct weft_params *params, const char *field, const char *rule)
{
    if (params->field)
        return;
    params->field = field;
    params->rule = rule;
}

/* The member, NULL when it is absent or null. */
static const struct weft_json *member(const struct weft_params *params, const char *field)
{
    const struct weft_json *value = weft__json_get(params->object, field);
    return weft__json_is(value, WEFT_JSON_NULL) ? NULL : value;
}

bool weft__params_has(const struct weft_params *params, const char *field)
{
    return member(params, field) != NULL;
}

const struct weft_json *weft__params_value(struct weft_params *params, const char *field,
                                           enum weft_param_need need)
{
    const struct weft_json *value = member(params, field);
    if (!value && need == WEFT_PARAM_REQUIRED)
        weft__params_refuse(params, field, "is required");
    return value;
}

struct weft_slice weft__params_string(struct weft_params *params, const char *field,
                                      enum weft_param_need need, size_t min, size_t max)
{
    const struct weft_json *value = weft__params_value(params, field, need);
    struct weft_slice string = weft__json_string(value);
    if (!value)
        return string;
    if (!weft__json_is(value, WEFT_JSON_STRING))
        weft__params_refuse(params, field, "must be a string");
    else if (string.len < min)
        weft__params_refuse(params, field, "is too short");
    else if (string.len > max)
        weft__params_refuse(params, field, "is too long");
    return string;
}

struct weft_slice weft__params_name(struct weft_params *params, const char *field)
{
    const struct weft_json *value = weft__params_value(params, field, WEFT_PARAM_REQUIRED);
    struct weft_slice name = weft__json_string(value);
    const char *rule = value && !weft__json_is(value, WEFT_JSON_STRING) ? "must be a string"
                                                                        : weft__name_rule(name);
    if (rule)
        weft__params_refuse(params, field, rule);
    return name;
}

uint64_t weft__params_u53(struct weft_params *params, const char *field, enum weft_param_need need,
                          uint64_t absent)
{
    const struct weft_json *value = weft__params_value(params, field, need);
    uint64_t number = absent;
    if (value && !weft__json_u53(value, &number))
        weft__params_refuse(params, field, "must be an integer from 0 to 2^53-1");
    return number;
}

bool weft__params_bool(struct weft_params *params, const char *field)
{
    const struct weft_json *value = member(params, field);
    bool flag = false;
    if (value && !weft__json_bool(value, &flag))
        weft__params_refuse(params, field, "must be true or false");
    return flag;
}

/* C0, DEL and C1, the last of which are two bytes of UTF-8: c2 80 to c2 9f. */
static bool has_control(struct weft_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return true;
        if (name.ptr[i] == 0xc2 && i + 1 < name.len && name.ptr[i + 1] < 0xa0)
            return true;
    }
    return false;
}

static bool has_empty_segment(struct weft_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/' && (i == 0 || i + 1 == name.len || name.ptr[i + 1] == '/'))
            return true;
    return false;
}

const char *weft__name_rule(struct weft_slice name)
{
    if (name.len == 0)
        return "must not be empty";
    if (name.len > WEFT_NAME_MAX)
        return "is longer than 255 bytes";
    if (!weft__utf8_valid(name.ptr, name.len))
        return "is not valid UTF-8";
    if (has_control(name))
        return "contains a control character";
    if (name.ptr[0] == '$')
        return "begins with '$', which is reserved";
    if (has_empty_segment(name))
        return "has an empty segment";
    if (!weft__nfc_is(name))
        return "is not in Unicode normalisation form C";
    return NULL;
}
