// SPDX-License-Identifier: Apache-2.0
/**
 * The binary wire (docs/protocol/binary.md): one WebSocket binary message is one or more times
 * varint(length) Frame, a message of proto/weft/v1/wire.proto. Payloads are JSON.
 *
 *     varint(length) │ id flags seq ack │ payload tag and length │ payload │ body
 *     └────────── written last, right before the payload ───────┘          └ Call, Error, … by tag
 *
 * Here is writing; reading is in binary-decode.ts. Ids are those of the text wire in another spelling:
 * the number n is 2n + 1, the server's `$sN` is 2N.
 */
import { WeftError } from "../errors.js";
import { errorNumbers } from "./codes.js";
import { decode } from "./binary-decode.js";
import type { CallMeta, Outgoing, Wire } from "./frame.js";
import { errorData, isObject } from "./frame.js";
import { PbWriter, pbBytes, pbVarint, varintSize } from "./pb-wire.js";
import { BodyField, CallField, CreditField, ErrorField, executedNames, Flag, Field, ViolationField } from "./wire-fields.js";

/** The binary wire. */
export const binaryWire: Wire = { subprotocol: "weft.v1.pb", encode, decode };

/** Room before the payload: length 5, id 1 + 5, flags 1 + 1, seq 1 + 8, ack 1 + 8, payload 1 + 5. */
const prefixMax = 48;
/** Turns of ids, on either side. */
const turnMax = 0x7fff_ffff;

/** Shared by all messages: encoding is over before anybody else can begin. */
const writer = new PbWriter();

const codes: readonly string[] = Object.keys(errorNumbers);

/** The id as it is on this wire; undefined for one that it cannot say. */
function wireId(id: unknown): number | undefined {
  if (typeof id === "number") return Number.isInteger(id) && id >= 0 && id <= turnMax ? 2 * id + 1 : undefined;
  const turn = typeof id === "string" && /^\$s[1-9][0-9]{0,9}$/.test(id) ? Number(id.slice(2)) : 0;
  return turn > 0 && turn <= turnMax ? 2 * turn : undefined;
}

/** A frame on its way: what stands before the payload, the payload, and how the body is written. */
interface Form {
  readonly id: number;
  readonly flags: number;
  readonly ack: number;
  /** JSON; undefined for none. */
  readonly payload: string | undefined;
  /** The field of the body; 0 for none. */
  readonly body: number;
  readonly inside: (() => void) | undefined;
}

const plain: Form = { id: 0, flags: 0, ack: 0, payload: undefined, body: 0, inside: undefined };

function encode(frame: Outgoing, takeSeq?: () => number): Uint8Array<ArrayBuffer> {
  // JSON comes first: its toJSON methods are free to fail, or to send something themselves.
  const form = formOf(frame);
  const seq = takeSeq?.() ?? 0;
  writer.begin(prefixMax);
  if (form.payload !== undefined) writer.utf8(form.payload);
  const payload = writer.at - prefixMax;
  if (form.body > 0) writer.nested(form.body, form.inside ?? (() => undefined));
  const end = writer.at;

  const flags = payload > 0 ? form.flags + Flag.json : form.flags;
  const prefix =
    numberSize(form.id) + numberSize(flags) + numberSize(seq) + numberSize(form.ack) + (payload > 0 ? 1 + varintSize(payload) : 0);
  const length = prefix + end - prefixMax;
  const begin = prefixMax - prefix - varintSize(length);
  writer.seek(begin);
  writer.varint(length);
  putNumber(Field.id, form.id);
  putNumber(Field.flags, flags);
  putNumber(Field.seq, seq);
  putNumber(Field.ack, form.ack);
  if (payload > 0) {
    writer.varint(Field.payload * 8 + pbBytes);
    writer.varint(payload);
  }
  return writer.copy(begin, end);
}

/** Bytes of a field of the prefix, whose tag is one; 0 is not written. */
function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function putNumber(field: number, value: number): void {
  if (value === 0) return;
  writer.varint(field * 8 + pbVarint);
  writer.varint(value);
}

function formOf(frame: Outgoing): Form {
  if (frame.kind === "request") {
    return (frame.id === undefined ? protocolForm(frame.method, frame.params) : undefined) ?? callForm(frame);
  }
  const id = frame.id === null ? 0 : wireId(frame.id);
  if (id === undefined) throw new WeftError("internal", "an id that the binary wire cannot say");
  if (frame.kind === "result") {
    return { ...plain, id, payload: JSON.stringify(frame.result), body: BodyField.result };
  }
  const details = JSON.stringify(errorData(frame.error).details);
  return { ...plain, id, body: BodyField.error, inside: () => putError(frame.error, frame.number, details) };
}

/** Notifications `$/…` that have a body of their own; undefined for all others. */
function protocolForm(method: string, params: unknown): Form | undefined {
  if (!method.startsWith("$/")) return undefined;
  if (method === "$/ping") return { ...plain, body: BodyField.ping };
  if (method === "$/pong") return { ...plain, body: BodyField.pong };
  if (!isObject(params)) return undefined;
  if (method === "$/ack") return { ...plain, ack: Number(params["seq"]) };
  const id = wireId(params["id"]);
  if (id === undefined) return undefined;
  const { items_total: items, bytes_total: bytes } = params;
  switch (method) {
    case "$/item":
      return { ...plain, id, payload: JSON.stringify(params["value"] ?? null) };
    case "$/end":
      return { ...plain, id, body: BodyField.end };
    case "$/cancel":
      return { ...plain, id, body: BodyField.cancel };
    case "$/credit":
      return {
        ...plain,
        id,
        body: BodyField.credit,
        inside: () => {
          writer.number(CreditField.itemsTotal, Number(items));
          writer.number(CreditField.bytesTotal, Number(bytes));
        },
      };
    default:
      return undefined;
  }
}

function callForm({ id, method, params, meta }: Extract<Outgoing, { kind: "request" }>): Form {
  const number = id === undefined ? 0 : wireId(id);
  if (number === undefined) throw new WeftError("internal", "an id that the binary wire cannot say");
  return {
    id: number,
    flags: id === undefined ? Flag.notify : 0,
    ack: 0,
    payload: JSON.stringify(params) as string | undefined,
    body: BodyField.call,
    inside: () => putCall(method, meta),
  };
}

function putCall(method: string, meta: CallMeta | undefined): void {
  writer.text(CallField.method, method);
  if (meta === undefined) return;
  if (meta.timeout_ms !== undefined) writer.number(CallField.timeoutMs, meta.timeout_ms);
  putText(CallField.idem, meta.idem);
  putText(CallField.traceparent, meta.traceparent);
  putText(CallField.order, meta.order);
}

function putText(field: number, value: unknown): void {
  if (typeof value === "string" && value !== "") writer.text(field, value);
}

function putError(error: WeftError, number: number | undefined, details: string | undefined): void {
  const data = errorData(error);
  writer.number(ErrorField.code, codes.indexOf(error.code) + 1);
  putText(ErrorField.message, error.message);
  putText(ErrorField.reason, data.reason);
  if (data.retryable) writer.number(ErrorField.retryable, 1);
  if (data.retry_after_ms !== undefined && data.retry_after_ms > 0) {
    writer.number(ErrorField.retryAfterMs, Math.round(data.retry_after_ms));
  }
  writer.number(ErrorField.executed, executedNames.lastIndexOf(error.executed));
  for (const violation of data.violations ?? []) {
    if (!isObject(violation)) continue;
    writer.nested(ErrorField.violations, () => {
      putText(ViolationField.field, violation["field"]);
      putText(ViolationField.rule, violation["rule"]);
    });
  }
  if (details !== undefined) writer.text(ErrorField.details, details);
  // An sint32.
  if (number !== undefined) writer.number(ErrorField.number, number < 0 ? -2 * number - 1 : 2 * number);
}
