// SPDX-License-Identifier: Apache-2.0
/**
 * The one error type of the client. A code is one of the sixteen canonical RPC codes; `reason` is
 * the stable detail to branch on.
 */
import { errorNumbers } from "./protocol/codes.js";

export { errorNumbers };

/** Name of a canonical error code, as it travels in `data.code`. */
export type WeftErrorCode = keyof typeof errorNumbers;

/** Whether the failed call took effect: only `"no"` may be retried without an idempotency key. */
export type Executed = "no" | "yes" | "unknown";

/** The optional parts of a {@link WeftError}. */
export interface WeftErrorDetails {
  /** Stable detail to branch on, for example `weft.doc.epoch_changed`. */
  readonly reason?: string;
  /** Whether the same call may succeed later; by default true for `unavailable` only. */
  readonly retryable?: boolean;
  /** Whether the call took effect; `"unknown"` by default. */
  readonly executed?: Executed;
  /** How long the server asks to wait before a retry, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The whole `data` member of the error answer, if there was one. */
  readonly data?: unknown;
  /** What caused this error locally. */
  readonly cause?: unknown;
}

/** Every failure that this library reports, local or answered by the peer. */
export class WeftError extends Error {
  /** Canonical code. */
  readonly code: WeftErrorCode;
  /** Stable detail to branch on; absent when there is nothing more to say than the code. */
  readonly reason: string | undefined;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Whether the call took effect. */
  readonly executed: Executed;
  /** How long the server asks to wait before a retry, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The whole `data` member of the error answer. */
  readonly data: unknown;

  /**
   * @param code canonical code
   * @param message one sentence for people
   * @param details the optional parts
   */
  constructor(code: WeftErrorCode, message: string, details: WeftErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "WeftError";
    this.code = code;
    this.reason = details.reason;
    this.retryable = details.retryable ?? code === "unavailable";
    this.executed = details.executed ?? "unknown";
    this.retryAfterMs = details.retryAfterMs;
    this.data = details.data;
  }

  /**
   * Makes a WeftError of anything that was thrown; a WeftError stays itself.
   * @param thrown what a `catch` received
   */
  static from(thrown: unknown): WeftError {
    if (thrown instanceof WeftError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new WeftError("internal", message, { cause: thrown });
  }
}

/**
 * Whether a value names a canonical code.
 * @param value anything
 */
export function isErrorCode(value: unknown): value is WeftErrorCode {
  return typeof value === "string" && Object.hasOwn(errorNumbers, value);
}

/**
 * The canonical code behind a JSON-RPC 2.0 error number; `unknown` for one outside the table.
 * @param number the `code` member of an error answer
 */
export function codeFromNumber(number: number): WeftErrorCode {
  if (number === -32700 || number === -32600) return "invalid_argument";
  for (const [name, value] of Object.entries(errorNumbers)) {
    if (value === number && isErrorCode(name)) return name;
  }
  return "unknown";
}
