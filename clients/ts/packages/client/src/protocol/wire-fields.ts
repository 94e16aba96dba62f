// SPDX-License-Identifier: Apache-2.0
/** Numbers of proto/weft/v1/wire.proto. `const` objects, so that a reader sees names and a machine numbers. */

/** Fields of Frame before its body. */
export const Field = { id: 1, flags: 2, seq: 3, ack: 4, payload: 5 } as const;

/** Fields of Frame that are a body; others up to `last` are bodies of later versions. */
export const BodyField = {
  call: 6,
  result: 7,
  error: 8,
  item: 9,
  end: 10,
  cancel: 11,
  credit: 12,
  pong: 15,
  ping: 21,
  last: 31,
} as const;

/** The bits of Frame.flags. */
export const Flag = { notify: 1, last: 2, compressed: 4, json: 8 } as const;

/** Fields of Call. */
export const CallField = { method: 2, timeoutMs: 3, idem: 4, traceparent: 5, order: 6 } as const;

/** Fields of Error. */
export const ErrorField = {
  code: 1,
  message: 2,
  reason: 3,
  retryable: 4,
  retryAfterMs: 5,
  executed: 6,
  violations: 7,
  details: 8,
  number: 9,
} as const;

/** Fields of Violation. */
export const ViolationField = { field: 1, rule: 2 } as const;

/** Fields of Credit. */
export const CreditField = { itemsTotal: 1, bytesTotal: 2 } as const;

/** Executed, by number; the first stands for all that is not known. */
export const executedNames = ["unknown", "no", "yes", "unknown"] as const;
