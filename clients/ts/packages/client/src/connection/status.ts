// SPDX-License-Identifier: Apache-2.0
/** What an application sees of the connection. */
import type { WeftError } from "../errors.js";

/** What the server announced in its greeting. */
export interface SessionInfo {
  /** The session's name. */
  readonly session: string;
  /** Version of the protocol in use. */
  readonly v: number;
  /** Interval of the server's own pings, in milliseconds. */
  readonly pingMs: number;
  /** The server's limits by name, for example `message_bytes`. */
  readonly limits: Readonly<Record<string, number>>;
}

/** The state of the connection. */
export type ConnectionStatus =
  /** On the way; `tries` attempts have failed since the last connection. */
  | { readonly kind: "connecting"; readonly tries: number }
  /** Ready for calls. */
  | { readonly kind: "open"; readonly info: SessionInfo }
  /** Cut; the next attempt comes by itself, `retryInMs` milliseconds after this status. */
  | {
      readonly kind: "waiting";
      readonly retryInMs: number;
      readonly tries: number;
      readonly error: WeftError;
    }
  /** Ended for good: by `close()` (no error), or because the server refused this client. */
  | { readonly kind: "closed"; readonly error: WeftError | null };
