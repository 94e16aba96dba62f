/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the two tables in weft/err.h. */
#include <weft/err.h>

#include "base/compiler.h"

#include <string.h>

const char *weft_err_name(int err)
{
    if (err >= 0)
        return "OK";
    switch (err) {
#define NAME(name, number, text)                                                                   \
    case number:                                                                                   \
        return #name;
        WEFT_ERR_TABLE(NAME)
#undef NAME
    default:
        return "?";
    }
}

const char *weft_err_message(int err)
{
    if (err >= 0)
        return "success";
    switch (err) {
#define TEXT(name, number, text)                                                                   \
    case number:                                                                                   \
        return text;
        WEFT_ERR_TABLE(TEXT)
#undef TEXT
    default:
        return "unknown error";
    }
}

const char *weft_status_name(int status)
{
    switch (status) {
    case WEFT_STATUS_OK:
        return "ok";
#define NAME(name, number, text, rpc)                                                              \
    case number:                                                                                   \
        return text;
        WEFT_STATUS_TABLE(NAME)
#undef NAME
    default:
        return "unknown";
    }
}

int weft_status_jsonrpc(int status)
{
    switch (status) {
#define NUMBER(name, number, text, rpc)                                                            \
    case number:                                                                                   \
        return rpc;
        WEFT_STATUS_TABLE(NUMBER)
#undef NUMBER
    default:
        return -32002;
    }
}

int weft_status_from_name(const char *name, unsigned long len)
{
#define MATCH(name_, number, text, rpc)                                                            \
    if (len == sizeof(text) - 1 && memcmp(name, text, len) == 0)                                   \
        return number;
    WEFT_STATUS_TABLE(MATCH)
#undef MATCH
    return WEFT_STATUS_UNKNOWN;
}

int weft_status_from_err(int err)
{
    switch (err) {
    case WEFT_OK:
        return WEFT_STATUS_OK;
    case WEFT_ERR_USAGE:
    case WEFT_ERR_JSON:
    case WEFT_ERR_UTF8:
    case WEFT_ERR_OP:
    case WEFT_ERR_UNSUPPORTED:
        return WEFT_STATUS_INVALID_ARGUMENT;
    case WEFT_ERR_STATE:
        return WEFT_STATUS_FAILED_PRECONDITION;
    case WEFT_ERR_TOO_BIG:
    case WEFT_ERR_LIMIT:
    case WEFT_ERR_NOMEM:
        return WEFT_STATUS_RESOURCE_EXHAUSTED;
    case WEFT_ERR_DENIED:
        return WEFT_STATUS_PERMISSION_DENIED;
    case WEFT_ERR_NOT_FOUND:
        return WEFT_STATUS_NOT_FOUND;
    case WEFT_ERR_EXISTS:
        return WEFT_STATUS_ALREADY_EXISTS;
    case WEFT_ERR_CONFLICT:
    case WEFT_ERR_ABORTED:
        return WEFT_STATUS_ABORTED;
    case WEFT_ERR_CANCELED:
        return WEFT_STATUS_CANCELED;
    case WEFT_ERR_TIMEOUT:
        return WEFT_STATUS_DEADLINE_EXCEEDED;
    case WEFT_ERR_UNAVAILABLE:
    case WEFT_ERR_CLOSED:
    case WEFT_ERR_BUSY:
    case WEFT_ERR_STORE:
    case WEFT_ERR_TLS:
        return WEFT_STATUS_UNAVAILABLE;
    case WEFT_ERR_CORRUPT:
        return WEFT_STATUS_DATA_LOSS;
    default:
        return WEFT_STATUS_INTERNAL;
    }
}
