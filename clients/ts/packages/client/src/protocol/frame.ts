// SPDX-License-Identifier: Apache-2.0
/**
 * Frames: what the two wires have in common (docs/protocol/rpc.md, docs/protocol/binary.md).
 *
 *     WebSocket message ─▶ wire.decode ─▶ Incoming …      Outgoing ─▶ wire.encode ─▶ WebSocket message
 *
 * Streams, acknowledgements and pings are notifications `$/…` here, whatever their form on the wire.
 */
import { WeftError } from "../errors.js";

/** What a transport carries: a text message or a binary one. */
export type Message = string | Uint8Array<ArrayBuffer>;

/** The id of a call: a number is the client's, `$s1`, `$s2`, … are the server's. */
export type CallId = string | number;

/** What a call says about itself beside its parameters. */
export interface CallMeta {
  /** The time that is left, in milliseconds. */
  readonly timeout_ms?: number;
  /** Its idempotency key. */
  readonly idem?: string;
  /** The W3C trace context. */
  readonly traceparent?: string;
  /** Its ordering key. */
  readonly order?: string;
}

/** A call or (without id) a notification that arrived. */
export interface IncomingRequest {
  readonly kind: "request";
  readonly id: CallId | undefined;
  readonly method: string;
  readonly params: unknown;
  /** As it came, unchecked on the text wire. */
  readonly meta: CallMeta | undefined;
  /** Its number in the session, when it has one. */
  readonly seq: number | undefined;
  /** Bytes of it, or of the message it came in. */
  readonly bytes: number;
}

/** An answer that arrived. */
export interface IncomingAnswer {
  readonly kind: "answer";
  readonly id: unknown;
  readonly outcome: { readonly result: unknown } | { readonly error: WeftError };
  /** Its number in the session, when it has one. */
  readonly seq: number | undefined;
  /** Bytes of it, or of the message it came in. */
  readonly bytes: number;
}

/** A call or notification that cannot be read. */
export interface IncomingRefused {
  readonly kind: "refused";
  /** What has to be answered; null for a notification. */
  readonly answer: Outgoing | null;
  /** Its number in the session, when it has one. */
  readonly seq: number | undefined;
  /** Bytes of it. */
  readonly bytes: number;
}

/** A message that breaks the protocol: nothing in it counts, and the connection is of no use. */
export interface IncomingInvalid {
  readonly kind: "invalid";
  /** What is wrong with it. */
  readonly problem: string;
}

/** What arrived. */
export type Incoming = IncomingRequest | IncomingAnswer | IncomingRefused | IncomingInvalid;

/** A frame to be sent. */
export type Outgoing =
  | {
      readonly kind: "request";
      readonly id: CallId | undefined;
      readonly method: string;
      readonly params: unknown;
      readonly meta: CallMeta | undefined;
    }
  | { readonly kind: "result"; readonly id: CallId; readonly result: unknown }
  | {
      readonly kind: "error";
      /** Null when it is not known whom it answers. */
      readonly id: CallId | null;
      readonly error: WeftError;
      /** The number of JSON-RPC 2.0 where it is not that of the code. */
      readonly number: number | undefined;
    };

/** One of the two forms of frames. It keeps no state. */
export interface Wire {
  /** Its name as a WebSocket subprotocol. */
  readonly subprotocol: string;
  /**
   * Writes a message of one frame.
   * Errors: throws what JSON.stringify throws, and WeftError `internal` for an id it cannot say.
   * @param frame what to say
   * @param takeSeq gives its number in the session, if it has one; called when nothing can fail any more
   */
  encode(frame: Outgoing, takeSeq?: () => number): Message;
  /**
   * Reads one message; never throws.
   * @returns its frames in order; one `invalid` alone when it breaks the protocol
   */
  decode(message: Message): Incoming[];
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A call.
 * @param id unique among the calls of the connection
 * @param method the method's name
 * @param params its parameters; left out when undefined
 * @param meta deadline and the like; left out when undefined
 */
export function newCall(id: CallId, method: string, params: unknown, meta?: CallMeta): Outgoing {
  return { kind: "request", id, method, params, meta };
}

/** A notification. */
export function newNotification(method: string, params?: unknown, meta?: CallMeta): Outgoing {
  return { kind: "request", id: undefined, method, params, meta };
}

/** The answer to a call; an undefined result becomes null. */
export function newResult(id: CallId, result: unknown): Outgoing {
  return { kind: "result", id, result: result ?? null };
}

/** The failure of a call. */
export function newError(id: CallId | null, error: WeftError, number?: number): Outgoing {
  return { kind: "error", id, error, number };
}

/** The `data` member of an error answer, as rpc.md 5.1 names its parts. */
export interface ErrorData {
  readonly code: string;
  readonly reason?: string;
  readonly retryable: boolean;
  readonly retry_after_ms?: number;
  readonly executed: string;
  readonly violations?: readonly unknown[];
  readonly details?: unknown;
}

/** What an error answer says. `violations` and `details` come from the error's `data`. */
export function errorData(error: WeftError): ErrorData {
  const { code, reason, retryable, executed, retryAfterMs } = error;
  const { violations, details } = isObject(error.data) ? error.data : {};
  return {
    code,
    ...(reason !== undefined && { reason }),
    retryable,
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
    executed,
    ...(Array.isArray(violations) && { violations: violations as unknown[] }),
    ...(details !== undefined && { details }),
  };
}
