/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hub sends to many is written once as text (JSON-RPC). For those on the binary wire it is
 * said once more there, whoever needs it first, and kept beside the text.
 */
#ifndef WEFT_SESSION_RECODE_H
#define WEFT_SESSION_RECODE_H

#include "ws/message.h"

/* Gives |message|, a notification of JSON-RPC, its form on the binary wire; without memory it stays
 * as it is. |ctx| is not used. **Thread:** any. */
void weft__session_recode(void *ctx, struct weft_ws_message *message);

#endif
