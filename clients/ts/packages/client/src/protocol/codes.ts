// SPDX-License-Identifier: Apache-2.0
/** Made by tools/check-codes.mjs from WEFT_STATUS_TABLE of include/weft/err.h. */

/** The canonical codes, with the JSON-RPC 2.0 number each has on the text wire. */
export const errorNumbers = {
  canceled: -32800,
  unknown: -32002,
  invalid_argument: -32602,
  deadline_exceeded: -32004,
  not_found: -32005,
  already_exists: -32006,
  permission_denied: -32007,
  resource_exhausted: -32008,
  failed_precondition: -32009,
  aborted: -32010,
  out_of_range: -32011,
  unimplemented: -32601,
  internal: -32603,
  unavailable: -32014,
  data_loss: -32015,
  unauthenticated: -32016,
} as const;
