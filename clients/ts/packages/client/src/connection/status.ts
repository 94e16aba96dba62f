// SPDX-License-Identifier: Apache-2.0
/** What an application sees of the connection. */
import type { WeftError } from "../errors.js";
import { isObject } from "../protocol/frame.js";

/** What the server announced in its greeting. */
export interface SessionInfo {
  /** The session's name. */
  readonly session: string;
  /** Who we are to the server; absent where nobody signs in. */
  readonly subject?: string;
  /** Whether it went on where the last connection was cut: calls and streams did, too. */
  readonly resumed: boolean;
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

/** Reads the answer to a greeting; what is missing or wrong is made up for. */
export function readInfo(result: unknown, resumed: boolean): SessionInfo {
  const info = isObject(result) ? result : {};
  const limits = isObject(info["limits"]) ? info["limits"] : {};
  const { session, v, ping_ms: pingMs } = info;
  const sub = isObject(info["auth"]) ? info["auth"]["sub"] : undefined;
  return {
    ...(typeof sub === "string" && { subject: sub }),
    session: typeof session === "string" ? session : "",
    resumed,
    v: typeof v === "number" ? v : 1,
    pingMs: typeof pingMs === "number" && pingMs >= 1000 ? pingMs : 25_000,
    limits: Object.fromEntries(
      Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    ),
  };
}
