/* SPDX-License-Identifier: Apache-2.0 */
/* Close codes: which of them may be on the wire, and which one tells of an error (RFC 6455 §7.4).
 */
#include "ws/conn.h"

bool weft__ws_close_code_valid(unsigned code)
{
    /* RFC 6455 §7.4.1: 1004, 1005, 1006 and 1015 MUST NOT be set in a close frame; 1012 to 1014
     * were registered later. §7.4.2: the rest below 3000 is undefined, 3000 to 4999 are free to
     * use. */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

unsigned weft__ws_close_code_from_err(int err)
{
    switch (err) {
    case WEFT_ERR_UTF8:
        return WEFT_WS_CLOSE_INVALID_DATA;
    case WEFT_ERR_TOO_BIG:
        return WEFT_WS_CLOSE_TOO_BIG;
    case WEFT_ERR_UNSUPPORTED:
        return WEFT_WS_CLOSE_UNSUPPORTED;
    case WEFT_ERR_LIMIT:
    case WEFT_ERR_DENIED:
        return WEFT_WS_CLOSE_POLICY;
    default:
        break;
    }
    return err <= -200 && err > -300 ? WEFT_WS_CLOSE_PROTOCOL : WEFT_WS_CLOSE_INTERNAL;
}
