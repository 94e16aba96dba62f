/* SPDX-License-Identifier: Apache-2.0 */
/* The methods `$/…` that a peer serves itself and that are no frames of their own. They are
 * handlers like any other. */
#include "rpc/peer_internal.h"

static const struct {
    struct weft_rpc_method method;
    bool is_notification;
} builtins[] = {
    {{.name = "$/hello", .handler = weft__rpc_serve_hello, .flags = WEFT_RPC_METHOD_RESERVED},
     false},
    {{.name = "$/auth.refresh",
      .handler = weft__rpc_serve_auth_refresh,
      .flags = WEFT_RPC_METHOD_RESERVED},
     false},
    {{.name = "$/auth.expiring",
      .handler = weft__rpc_serve_auth_expiring,
      .flags = WEFT_RPC_METHOD_RESERVED},
     true},
    {{.name = "$/goaway", .handler = weft__rpc_serve_goaway, .flags = WEFT_RPC_METHOD_RESERVED},
     true},
    {{.name = "rpc.discover",
      .handler = weft__rpc_serve_discover,
      .flags = WEFT_RPC_METHOD_RESERVED},
     false},
};

const struct weft_rpc_method *weft__rpc_builtin_find(struct weft_slice name, bool is_notification)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(builtins); ++i) {
        if (builtins[i].is_notification == is_notification &&
            weft__slice_eq_str(name, builtins[i].method.name))
            return &builtins[i].method;
    }
    return NULL;
}
