/* SPDX-License-Identifier: Apache-2.0 */
/* Every public header of weft. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/alloc.h>
#include <weft/client.h>
#include <weft/err.h>
#include <weft/rpc.h>
#include <weft/server.h>
#include <weft/stream.h>
#include <weft/version.h>

#endif
