/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether text is in Unicode normalisation form C (UAX #15), so that names which look the same are
 * the same bytes. **Thread:** any.
 */
#ifndef WEFT_BASE_NFC_H
#define WEFT_BASE_NFC_H

#include "base/slice.h"

/* True when |text|, valid UTF-8, is in form C as of the Unicode version named in nfc_tables.h.
 * Characters assigned later count as starters that compose with nothing. */
bool weft__nfc_is(struct weft_slice text);

#endif
