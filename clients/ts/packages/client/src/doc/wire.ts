// SPDX-License-Identifier: Apache-2.0
/** Shapes of the document messages (PROTOCOL §6), and their checks: nothing from the wire is trusted. */
import { WeftError } from "../errors.js";
import { isObject } from "../protocol/frame.js";
import type { OtType } from "../ot/type.js";

/** Who made an operation. */
export interface Author {
  /** The principal, as the server knows it; empty when nobody signed in. */
  readonly sub: string;
  /** The replica: 128 random bits in hexadecimal. */
  readonly client: string;
  /** Number of the operation among its replica's own, from 1. */
  readonly seq: number;
  /** Server time in milliseconds since 1970, for people only. */
  readonly time: number;
}

/** A selected range, or a bare cursor when both ends are equal; in the type's own units. */
export interface Selection {
  /** Where the selection began. */
  readonly anchor: number;
  /** Where the cursor is. */
  readonly head: number;
}

/** What a participant shows to the others. */
export interface PresenceState {
  /** Cursors and selections, the main one first; empty while the editor has no focus. */
  readonly selections: readonly Selection[];
  /** Name to show. */
  readonly name: string;
  /** Colour to show, `#rrggbb`. */
  readonly color: string;
  /** Free text, for example `active` or `away`. */
  readonly status: string;
}

/**
 * An operation with the version it led to: another's with `op`, one's own with `seq`, those of many
 * as one with `from`, the version before them.
 */
export type LoggedOp<Op> =
  | { readonly version: number; readonly op: Op; readonly by: Author | null }
  | { readonly from: number; readonly version: number; readonly op: Op }
  | { readonly version: number; readonly seq: number };

/** A checked answer to `doc.open`. */
export interface OpenAnswer<S, Op> {
  readonly epoch: string;
  readonly version: number;
  readonly applied: number;
  readonly content: { readonly snapshot: S } | { readonly ops: readonly LoggedOp<Op>[] };
}

/** A checked `doc.op` notification. */
export interface OpNotice<Op> {
  readonly epoch: string;
  readonly version: number;
  readonly op: Op;
  readonly by: Author | null;
}

/** A checked `doc.presence` notification. */
export interface PresenceNotice {
  readonly epoch: string;
  readonly version: number;
  /** Null when the participant left. */
  readonly state: PresenceState | null;
  readonly client: string;
  readonly sub: string;
}

/** Checks the answer to `doc.open`. Throws WeftError `data_loss` or what the type throws. */
export function readOpen<S, Op>(type: OtType<S, Op>, value: unknown): OpenAnswer<S, Op> {
  const answer = object(value);
  const head = {
    epoch: text(answer["epoch"]),
    version: count(answer["version"]),
    applied: count(answer["applied"] ?? 0),
  };
  if (answer["snapshot"] !== undefined) {
    return { ...head, content: { snapshot: type.load(answer["snapshot"]) } };
  }
  const list = answer["ops"] ?? [];
  if (!Array.isArray(list)) throw malformed();
  return { ...head, content: { ops: list.map((entry) => readLogged(type, entry)) } };
}

function readLogged<S, Op>(type: OtType<S, Op>, value: unknown): LoggedOp<Op> {
  const entry = object(value);
  const version = count(entry["version"]);
  if (entry["op"] === undefined) return { version, seq: count(entry["seq"]) };
  if (entry["from"] !== undefined) {
    return { from: count(entry["from"]), version, op: type.check(entry["op"]) };
  }
  return { version, op: type.check(entry["op"]), by: readAuthor(entry["by"]) };
}

/** Checks a `doc.op` notification. */
export function readOp<S, Op>(type: OtType<S, Op>, value: unknown): OpNotice<Op> {
  const notice = object(value);
  return {
    epoch: text(notice["epoch"]),
    version: count(notice["version"]),
    op: type.check(notice["op"]),
    by: readAuthor(notice["by"]),
  };
}

/** Checks the answer to `doc.submit`. */
export function readSubmit<S, Op>(
  type: OtType<S, Op>,
  value: unknown,
): { version: number; fix: Op | null } {
  const answer = object(value);
  const fix = answer["fix"];
  return {
    version: count(answer["version"]),
    fix: fix === undefined || fix === null ? null : type.check(fix),
  };
}

/** Checks a `doc.presence` notification. */
export function readPresence(value: unknown): PresenceNotice {
  const notice = object(value);
  const by = object(notice["by"]);
  return {
    epoch: text(notice["epoch"]),
    version: count(notice["version"]),
    state: notice["state"] === null || notice["state"] === undefined ? null : readState(notice["state"]),
    client: text(by["client"]),
    sub: typeof by["sub"] === "string" ? by["sub"] : "",
  };
}

/** A participant's state is free data for the server, so every member may be missing or odd. */
function readState(value: unknown): PresenceState {
  const state = object(value);
  const list: unknown[] = Array.isArray(state["selections"]) ? state["selections"] : [];
  const selections = list.slice(0, 100).flatMap((entry): Selection[] => {
    if (!isObject(entry)) return [];
    const { anchor, head } = entry as { anchor?: unknown; head?: unknown };
    return isCount(anchor) && isCount(head) ? [{ anchor, head }] : [];
  });
  const color = state["color"];
  return {
    selections,
    name: shortText(state["name"]),
    color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#808080",
    status: shortText(state["status"]),
  };
}

function readAuthor(value: unknown): Author | null {
  if (!isObject(value)) return null;
  const { sub, client, seq, time } = value as Record<string, unknown>;
  return {
    sub: typeof sub === "string" ? sub : "",
    client: typeof client === "string" ? client : "",
    seq: isCount(seq) ? seq : 0,
    time: typeof time === "number" ? time : 0,
  };
}

function shortText(value: unknown): string {
  return typeof value === "string" ? Array.from(value).slice(0, 80).join("") : "";
}

function object(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw malformed();
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw malformed();
  return value;
}

/** PROTOCOL §9: 64-bit integers are JSON numbers up to 2^53 − 1, accepted also as strings. */
function count(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (!isCount(number)) throw malformed();
  return number;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function malformed(): WeftError {
  return new WeftError("data_loss", "the server's document message is malformed");
}
