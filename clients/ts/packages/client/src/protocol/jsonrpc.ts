// SPDX-License-Identifier: Apache-2.0
/** The text wire (docs/protocol/rpc.md): JSON-RPC 2.0 messages, reading and writing. */
import { codeFromNumber, errorNumbers, isErrorCode, WeftError } from "../errors.js";
import type { CallMeta, Incoming, IncomingInvalid, Message, Outgoing, Wire } from "./frame.js";
import { errorData, isObject } from "./frame.js";

const utf8 = new TextEncoder();

/** The text wire. */
export const textWire: Wire = { subprotocol: "weft.v1.json", encode, decode };

function invalid(problem: string): IncomingInvalid {
  return { kind: "invalid", problem };
}

/** Reads one WebSocket message, which may be a batch. */
function decode(message: Message): Incoming[] {
  if (typeof message !== "string") return [invalid("a binary message on the text wire")];
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return [invalid("no JSON")];
  }
  const bytes = utf8.encode(message).length;
  return Array.isArray(value) ? value.map((member) => readFrame(member, bytes)) : [readFrame(value, bytes)];
}

function readFrame(value: unknown, bytes: number): Incoming {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return invalid("no JSON-RPC 2.0");
  const { id, method, params } = value;
  const seq = typeof value["seq"] === "number" ? value["seq"] : undefined;
  if (typeof method === "string") {
    if (id !== undefined && typeof id !== "string" && typeof id !== "number") return invalid("a call's id is no id");
    const meta = isObject(value["meta"]) ? (value["meta"] as CallMeta) : undefined;
    return { kind: "request", id, method, params, meta, seq, bytes };
  }
  if (value["error"] !== undefined) {
    return { kind: "answer", id, outcome: { error: readError(value["error"]) }, seq, bytes };
  }
  if ("result" in value) return { kind: "answer", id, outcome: { result: value["result"] }, seq, bytes };
  return invalid("neither a call nor an answer");
}

/** Reads the `error` member of an answer; what is missing or wrong is made up for. */
export function readError(value: unknown): WeftError {
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

function encode(frame: Outgoing, takeSeq?: () => number): string {
  const text = write(frame);
  return takeSeq === undefined ? text : `${text.slice(0, -1)},"seq":${takeSeq()}}`;
}

function write(frame: Outgoing): string {
  if (frame.kind === "request") {
    const { id, method, params, meta } = frame;
    return JSON.stringify({ jsonrpc: "2.0", id, method, params, meta });
  }
  if (frame.kind === "result") return JSON.stringify({ jsonrpc: "2.0", id: frame.id, result: frame.result });
  const { id, error, number } = frame;
  const { code, message } = error;
  const data = errorData(error);
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code: number ?? errorNumbers[code], message, data } });
}
