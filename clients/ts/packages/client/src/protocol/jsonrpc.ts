// SPDX-License-Identifier: Apache-2.0
/** JSON-RPC 2.0 messages of the text wire (PROTOCOL §3): reading and writing. */
import { codeFromNumber, errorNumbers, isErrorCode, WeftError } from "../errors.js";

/** A call or (without id) a notification that arrived. */
export interface IncomingRequest {
  readonly kind: "request";
  readonly id: string | number | undefined;
  readonly method: string;
  readonly params: unknown;
  /** Its number in the session, when it has one. */
  readonly seq?: number;
}

/** An answer that arrived. */
export interface IncomingAnswer {
  readonly kind: "answer";
  readonly id: unknown;
  readonly outcome: { readonly result: unknown } | { readonly error: WeftError };
  /** Its number in the session, when it has one. */
  readonly seq?: number;
}

/** A message that arrived; `invalid` breaks JSON-RPC 2.0. */
export type Incoming = IncomingRequest | IncomingAnswer | { readonly kind: "invalid" };

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads one WebSocket message, which may be a batch.
 * @param text the message
 * @returns its members in order; one `invalid` when it is not JSON
 */
export function readMessages(text: string): Incoming[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [{ kind: "invalid" }];
  }
  return Array.isArray(value) ? value.map(readMessage) : [readMessage(value)];
}

function readMessage(value: unknown): Incoming {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return { kind: "invalid" };
  const { id, method, params } = value;
  const seq = typeof value["seq"] === "number" ? { seq: value["seq"] } : {};
  if (typeof method === "string") {
    if (id !== undefined && typeof id !== "string" && typeof id !== "number") return { kind: "invalid" };
    return { kind: "request", id, method, params, ...seq };
  }
  if (value["error"] !== undefined) {
    return { kind: "answer", id, outcome: { error: readError(value["error"]) }, ...seq };
  }
  if ("result" in value) return { kind: "answer", id, outcome: { result: value["result"] }, ...seq };
  return { kind: "invalid" };
}

function readError(value: unknown): WeftError {
  const error = isObject(value) ? value : {};
  const data = isObject(error["data"]) ? error["data"] : {};
  const number = error["code"];
  const name = data["code"];
  const fallback = typeof number === "number" ? codeFromNumber(number) : "unknown";
  const executed = data["executed"];
  return new WeftError(
    isErrorCode(name) ? name : fallback,
    typeof error["message"] === "string" ? error["message"] : "the call failed",
    {
      ...(typeof data["reason"] === "string" && { reason: data["reason"] }),
      ...(typeof data["retryable"] === "boolean" && { retryable: data["retryable"] }),
      ...((executed === "no" || executed === "yes" || executed === "unknown") && { executed }),
      ...(typeof data["retry_after_ms"] === "number" && { retryAfterMs: data["retry_after_ms"] }),
      data: error["data"],
    },
  );
}

/**
 * Writes a call.
 * @param id unique among the calls of the connection
 * @param method the method's name
 * @param params its parameters; left out when undefined
 * @param meta deadline and the like; left out when undefined
 */
export function writeCall(
  id: number,
  method: string,
  params: unknown,
  meta?: Readonly<Record<string, unknown>>,
): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params, meta });
}

/** Writes a notification. */
export function writeNotification(method: string, params?: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

/** Writes the answer to a call; an undefined result becomes null. */
export function writeResult(id: string | number, result: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result: result ?? null });
}

/** Writes the failure of a call. */
export function writeError(id: string | number, error: WeftError): string {
  const { code, message, reason, retryable, executed } = error;
  const data = { code, reason, retryable, executed };
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code: errorNumbers[code], message, data } });
}
