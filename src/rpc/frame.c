/* SPDX-License-Identifier: Apache-2.0 */
/* The defaults of an error answer, the same on every wire. */
#include "rpc/frame.h"

/* A status that says "refused" is given before anything was done. */
static bool status_is_refusal(int status)
{
    switch (status) {
    case WEFT_STATUS_INVALID_ARGUMENT:
    case WEFT_STATUS_NOT_FOUND:
    case WEFT_STATUS_ALREADY_EXISTS:
    case WEFT_STATUS_PERMISSION_DENIED:
    case WEFT_STATUS_RESOURCE_EXHAUSTED:
    case WEFT_STATUS_FAILED_PRECONDITION:
    case WEFT_STATUS_OUT_OF_RANGE:
    case WEFT_STATUS_UNIMPLEMENTED:
    case WEFT_STATUS_UNAUTHENTICATED:
        return true;
    default:
        return false;
    }
}

int weft__rpc_failure_number(const struct weft_rpc_failure *failure)
{
    return failure->number ? failure->number : weft_status_jsonrpc(failure->status);
}

enum weft_rpc_executed weft__rpc_failure_executed(const struct weft_rpc_failure *failure)
{
    if (failure->executed != WEFT_RPC_EXECUTED_AUTO)
        return failure->executed;
    return status_is_refusal(failure->status) ? WEFT_RPC_EXECUTED_NO : WEFT_RPC_EXECUTED_UNKNOWN;
}

bool weft__rpc_failure_retryable(const struct weft_rpc_failure *failure)
{
    return failure->retryable || failure->status == WEFT_STATUS_UNAVAILABLE ||
           failure->status == WEFT_STATUS_RESOURCE_EXHAUSTED;
}
