// SPDX-License-Identifier: Apache-2.0
/**
 * Binary messages ─▶ frames (docs/protocol/binary.md). What can be answered is answered, what cannot
 * makes the whole message invalid. Nothing is copied before its length was checked.
 */
import { errorNumbers } from "./codes.js";
import { readError } from "./jsonrpc.js";
import { WeftError } from "../errors.js";
import type { CallId, CallMeta, Incoming, Message } from "./frame.js";
import { newError } from "./frame.js";
import { PbError, PbReader, pbBytes, pbVarint } from "./pb-wire.js";
import { readJson, readText } from "./payload.js";
import { BodyField, CallField, CreditField, ErrorField, executedNames, Field, Flag, ViolationField } from "./wire-fields.js";

/** Frames of a message; the limit of a server that says nothing else in `limits.batch`. */
const framesMax = 100;
/** Bytes of a frame's length. */
const lengthMax = 5;
const idMax = 0xffff_ffff;
const parseError = -32700;
const invalidRequest = -32600;

const codes: readonly string[] = Object.keys(errorNumbers);

/** The fields of one Frame. */
interface RawFrame {
  readonly bytes: Uint8Array;
  id: number;
  flags: number;
  seq: number;
  ack: number;
  /** The payload; `to` is -1 when there is none. */
  payload: { from: number; to: number };
  /** The number of its field; 0 for none. */
  body: number;
  inside: { from: number; to: number };
  /** Of the whole frame. */
  size: number;
}

/** Reads one message. */
export function decode(message: Message): Incoming[] {
  if (typeof message === "string") return [{ kind: "invalid", problem: "a text message on the binary wire" }];
  try {
    return readFrames(message);
  } catch (error) {
    if (error instanceof PbError) return [{ kind: "invalid", problem: error.message }];
    throw error;
  }
}

function readFrames(bytes: Uint8Array): Incoming[] {
  const frames: Incoming[] = [];
  const lengths = new PbReader(bytes);
  let last = 0;
  let at = 0;
  let count = 0;
  if (bytes.length === 0) throw new PbError("a message without frames");
  while (at < bytes.length) {
    if (++count > framesMax) throw new PbError("too many frames");
    lengths.seek(at);
    const length = lengths.varint(lengthMax);
    if (length === 0 || length > bytes.length - lengths.at) throw new PbError("a frame of no proper length");
    at = lengths.at + length;
    last = readFrame(readRaw(bytes, lengths.at, at), last, frames);
  }
  return frames;
}

function readRaw(bytes: Uint8Array, begin: number, end: number): RawFrame {
  const none = { from: 0, to: -1 };
  const raw = { bytes, id: 0, flags: 0, seq: 0, ack: 0, payload: none, body: 0, inside: none, size: end - begin };
  const fields = new PbReader(bytes, begin, end);
  while (fields.next()) takeField(raw, fields);
  return raw;
}

function takeField(raw: RawFrame, { number, type, value, low, from, to }: PbReader): void {
  if (number > BodyField.last) return; // of a later version
  if (type !== (number <= Field.ack ? pbVarint : pbBytes)) throw new PbError("a field of the wrong type");
  if (number === Field.id) raw.id = atMost(value, idMax, "an id above 2^32 - 1");
  else if (number === Field.flags) raw.flags = low; // those of later versions are ignored
  else if (number === Field.seq) raw.seq = sequence(value);
  else if (number === Field.ack) raw.ack = sequence(value);
  else if (number === Field.payload) raw.payload = { from, to };
  else {
    // Of two bodies the last counts, as of any oneof.
    raw.body = number;
    raw.inside = { from, to };
  }
}

/** A number of a session. */
function sequence(value: number): number {
  return atMost(value, Number.MAX_SAFE_INTEGER, "a number above 2^53 - 1");
}

function atMost(value: number, most: number, problem: string): number {
  if (value > most) throw new PbError(problem);
  return value;
}

/** Appends what a frame says; `last` is the number of the frame before, of this one the result. */
function readFrame(raw: RawFrame, last: number, frames: Incoming[]): number {
  if (raw.ack > 0) frames.push(notification("$/ack", { seq: raw.ack }, undefined, raw.size));
  const kind = raw.body === 0 && raw.payload.to >= 0 ? BodyField.item : raw.body;
  const isData = kind >= BodyField.call && kind <= BodyField.end;
  // The first numbered frame of a message says its number, those behind it count on.
  const seq = !isData ? 0 : raw.seq > 0 ? raw.seq : last > 0 ? sequence(last + 1) : 0;
  const frame = readBody(raw, kind, seq > 0 ? seq : undefined);
  if (frame !== undefined) frames.push(frame);
  // The end that comes with an item has no number of its own.
  if (kind === BodyField.item && (raw.flags & Flag.last) !== 0) {
    frames.push(notification("$/end", { id: callId(raw.id) }, undefined, raw.size));
  }
  return seq > 0 ? seq : last;
}

/** The frame; undefined when it says nothing, or something of a later version. */
function readBody(raw: RawFrame, kind: number, seq: number | undefined): Incoming | undefined {
  const id = callId(raw.id);
  const bytes = raw.size;
  switch (kind) {
    case BodyField.call:
      return readCall(raw, seq);
    case BodyField.result:
      return { kind: "answer", id, outcome: readResult(raw), seq, bytes };
    case BodyField.error:
      return { kind: "answer", id, outcome: { error: readFailure(raw) ?? unreadable() }, seq, bytes };
    case BodyField.item:
      return notification("$/item", { id, value: readItem(raw) }, seq, bytes);
    case BodyField.end:
      return notification("$/end", { id }, seq, bytes);
    case BodyField.cancel:
      return notification("$/cancel", { id }, seq, bytes);
    case BodyField.credit:
      return notification("$/credit", readCredit(raw, id), seq, bytes);
    case BodyField.ping:
      return notification("$/ping", undefined, seq, bytes);
    case BodyField.pong:
      return notification("$/pong", undefined, seq, bytes);
    default:
      return undefined;
  }
}

function notification(method: string, params: unknown, seq: number | undefined, bytes: number): Incoming {
  return { kind: "request", id: undefined, method, params, meta: undefined, seq, bytes };
}

/** The id as the text wire spells it; undefined for none. */
function callId(id: number): CallId | undefined {
  if (id === 0) return undefined;
  return id % 2 === 1 ? (id - 1) / 2 : `$s${id / 2}`;
}

/** The value of the payload, undefined when it is empty. PbError is thrown when it cannot be read. */
function readPayload({ bytes, flags, payload }: RawFrame): unknown {
  if (payload.to <= payload.from) return undefined;
  if ((flags & Flag.compressed) !== 0 || (flags & Flag.json) === 0) throw new PbError("a payload that is not said to be JSON");
  return readJson(bytes, payload.from, payload.to);
}

function readItem(raw: RawFrame): unknown {
  const value = readPayload(raw);
  if (value === undefined) throw new PbError("an item without a value");
  return value;
}

function readResult(raw: RawFrame): { result: unknown } | { error: WeftError } {
  try {
    return { result: readPayload(raw) ?? null };
  } catch (error) {
    if (error instanceof PbError) return { error: unreadable(error) };
    throw error;
  }
}

/** What stands for an answer that cannot be read: the call is over all the same. */
function unreadable(cause?: PbError): WeftError {
  const why = cause === undefined ? "" : `: ${cause.message}`;
  return new WeftError("data_loss", `unreadable answer${why}`, { executed: "unknown" });
}

/** A call or notification; one that cannot be read is refused, when there is somebody to tell. */
function readCall(raw: RawFrame, seq: number | undefined): Incoming {
  const { flags, size: bytes } = raw;
  const notify = (flags & Flag.notify) !== 0;
  const id = notify ? undefined : callId(raw.id);
  const refuse = (number: number, message: string): Incoming => {
    const error = new WeftError("invalid_argument", message, { executed: "no" });
    return { kind: "refused", answer: notify ? null : newError(id ?? null, error, number), seq, bytes };
  };
  let params: unknown;
  try {
    params = readPayload(raw) ?? undefined;
  } catch (error) {
    if (error instanceof PbError) return refuse(parseError, `Parse error: ${error.message}`);
    throw error;
  }
  const call = readMethod(raw);
  if (call === undefined || (!notify && id === undefined) || (params !== undefined && typeof params !== "object")) {
    return refuse(invalidRequest, "Invalid Request");
  }
  return { kind: "request", id, method: call.method, params, meta: call.meta, seq, bytes };
}

/** What is inside a Call; undefined when that is no call. */
function readMethod({ bytes, inside }: RawFrame): { method: string; meta: CallMeta | undefined } | undefined {
  let method: string | undefined;
  const meta: { -readonly [name in keyof CallMeta]: CallMeta[name] } = {};
  let saysMore = false;
  const fields = new PbReader(bytes, inside.from, inside.to);
  try {
    while (fields.next()) {
      const { number } = fields;
      if (number === CallField.method) method = textOf(fields);
      else if (number === CallField.timeoutMs) meta.timeout_ms = numberOf(fields);
      else if (number === CallField.idem) meta.idem = textOf(fields);
      else if (number === CallField.traceparent) meta.traceparent = textOf(fields);
      else if (number === CallField.order) meta.order = textOf(fields);
      saysMore ||= number >= CallField.timeoutMs && number <= CallField.order;
    }
  } catch (error) {
    if (error instanceof PbError) return undefined;
    throw error;
  }
  return method === undefined ? undefined : { method, meta: saysMore ? meta : undefined };
}

function textOf({ bytes, type, from, to }: PbReader): string {
  if (type !== pbBytes) throw new PbError("a text that is none");
  return readText(bytes, from, to);
}

function numberOf({ type, value }: PbReader): number {
  if (type !== pbVarint) throw new PbError("a number that is none");
  return value;
}

/** What an Error says; undefined when it cannot be read. */
function readFailure({ bytes, inside }: RawFrame): WeftError | undefined {
  const error: Record<string, unknown> = { message: "" };
  const data: Record<string, unknown> = { code: "unknown", retryable: false, executed: "unknown" };
  const violations: unknown[] = [];
  const fields = new PbReader(bytes, inside.from, inside.to);
  try {
    while (fields.next()) {
      const { number } = fields;
      if (number === ErrorField.code) data["code"] = codes[numberOf(fields) - 1] ?? "unknown";
      else if (number === ErrorField.message) error["message"] = textOf(fields);
      else if (number === ErrorField.reason) data["reason"] = textOf(fields);
      else if (number === ErrorField.retryable) data["retryable"] = numberOf(fields) !== 0;
      else if (number === ErrorField.retryAfterMs) data["retry_after_ms"] = numberOf(fields);
      else if (number === ErrorField.executed) data["executed"] = executedNames[numberOf(fields)] ?? "unknown";
      else if (number === ErrorField.violations) violations.push(readViolation(fields));
      else if (number === ErrorField.details) data["details"] = readDetails(fields);
      else if (number === ErrorField.number) atMost(numberOf(fields), idMax, "a number above 32 bits");
    }
  } catch (failure) {
    if (failure instanceof PbError) return undefined;
    throw failure;
  }
  return readError({ ...error, data: violations.length > 0 ? { ...data, violations } : data });
}

function readDetails({ bytes, type, from, to }: PbReader): unknown {
  if (type !== pbBytes) throw new PbError("details that are none");
  return readJson(bytes, from, to);
}

function readViolation({ bytes, type, from, to }: PbReader): { field: string; rule: string } {
  if (type !== pbBytes) throw new PbError("a violation that is none");
  const violation = { field: "", rule: "" };
  const fields = new PbReader(bytes, from, to);
  while (fields.next()) {
    if (fields.number === ViolationField.field) violation.field = textOf(fields);
    else if (fields.number === ViolationField.rule) violation.rule = textOf(fields);
  }
  return violation;
}

function readCredit({ bytes, inside }: RawFrame, id: CallId | undefined): object {
  const credit = { id, items_total: 0, bytes_total: 0 };
  const fields = new PbReader(bytes, inside.from, inside.to);
  while (fields.next()) {
    if (fields.number === CreditField.itemsTotal) credit.items_total = numberOf(fields);
    else if (fields.number === CreditField.bytesTotal) credit.bytes_total = numberOf(fields);
  }
  return credit;
}
