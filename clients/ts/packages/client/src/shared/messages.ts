// SPDX-License-Identifier: Apache-2.0
/**
 * What tabs tell each other. Frames travel as messages of the text wire, so that whatever a value is, the
 * server sees the same as over a socket of the tab's own.
 *
 *     tab ── join, say, watch, serve, retry, leave ──▶ leader
 *         ◀── leads, status, lost, leaving, hear ─────
 *
 * `leads` and `join` keep their form for ever, so that versions can tell each other apart.
 */
import { WeftError, isErrorCode } from "../errors.js";
import type { ConnectionStatus } from "../connection/status.js";
import { isObject } from "../protocol/frame.js";

/** Of these messages. Tabs with another one do not share. */
export const sharedVersion = 1;

/** What a tab tells the leader. */
export type ToLeader =
  | { readonly kind: "join" }
  /** A frame for the server; `control`: what can be said again. */
  | { readonly kind: "say"; readonly text: string; readonly control: boolean }
  | { readonly kind: "watch"; readonly on: boolean }
  | { readonly kind: "serve"; readonly method: string; readonly on: boolean }
  | { readonly kind: "violated"; readonly problem: string }
  | { readonly kind: "retry" }
  | { readonly kind: "leave" };

/** What the leader tells tabs. */
export type FromLeader =
  /** It leads; `status` for those who ask, or have to ask again. */
  | { readonly kind: "leads" }
  | { readonly kind: "status"; readonly status: ConnectionStatus; readonly mayResume: boolean }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "leaving" }
  | { readonly kind: "hear"; readonly text: string };

/** A message with its addresses: `to` is a tab, or null for all. */
export interface Envelope {
  readonly weft: number;
  readonly from: string;
  readonly to: string | null;
  readonly body: Record<string, unknown>;
}

/** Reads what came over the channel; null for what is none of ours. */
export function readEnvelope(data: unknown): Envelope | null {
  if (!isObject(data)) return null;
  const { weft, from, to, body } = data;
  if (typeof weft !== "number" || typeof from !== "string" || !isObject(body)) return null;
  if (typeof to !== "string" && to !== null) return null;
  return { weft, from, to, body };
}

const strings = (value: unknown): value is string => typeof value === "string";
const flags = (value: unknown): value is boolean => typeof value === "boolean";

/** Reads what a tab says; null for what means nothing. */
export function readToLeader(body: Record<string, unknown>): ToLeader | null {
  const { kind, text, control, on, method, problem } = body;
  if (kind === "join" || kind === "retry" || kind === "leave") return { kind };
  if (kind === "say" && strings(text) && flags(control)) return { kind, text, control };
  if (kind === "watch" && flags(on)) return { kind, on };
  if (kind === "serve" && strings(method) && flags(on)) return { kind, method, on };
  if (kind === "violated" && strings(problem)) return { kind, problem };
  return null;
}

/** Reads what the leader says; null for what means nothing. */
export function readFromLeader(body: Record<string, unknown>): FromLeader | null {
  const { kind, text, reason, status, mayResume } = body;
  if (kind === "leads" || kind === "leaving") return { kind };
  if (kind === "lost" && strings(reason)) return { kind, reason };
  if (kind === "hear" && strings(text)) return { kind, text };
  const read = kind === "status" && flags(mayResume) ? readStatus(status) : null;
  return read === null ? null : { kind: "status", status: read, mayResume: mayResume === true };
}

/** A status in a form that travels. */
export function writeStatus(status: ConnectionStatus): Record<string, unknown> {
  return { ...status, ...("error" in status && { error: status.error === null ? null : writeError(status.error) }) };
}

function readStatus(value: unknown): ConnectionStatus | null {
  if (!isObject(value)) return null;
  const { kind, tries, retryInMs, error, info } = value;
  const failure = isObject(error) ? readError(error) : null;
  if (kind === "connecting" && typeof tries === "number") return { kind, tries };
  if (kind === "closed") return { kind, error: failure };
  if (kind === "waiting" && typeof tries === "number" && typeof retryInMs === "number" && failure !== null) {
    return { kind, tries, retryInMs, error: failure };
  }
  if (kind !== "open" || !isObject(info)) return null;
  const { session, resumed, v, pingMs, limits, subject } = info;
  if (!strings(session) || !flags(resumed) || typeof v !== "number" || typeof pingMs !== "number") return null;
  const known = Object.entries(isObject(limits) ? limits : {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  const who = strings(subject) ? { subject } : {};
  return { kind, info: { ...who, session, resumed, v, pingMs, limits: Object.fromEntries(known) } };
}

function writeError(error: WeftError): Record<string, unknown> {
  const { code, message, reason, retryable, executed, retryAfterMs } = error;
  return { code, message, reason, retryable, executed, retryAfterMs };
}

function readError({ code, message, reason, retryable, executed, retryAfterMs }: Record<string, unknown>): WeftError {
  return new WeftError(isErrorCode(code) ? code : "unknown", strings(message) ? message : "", {
    ...(strings(reason) && { reason }),
    ...(flags(retryable) && { retryable }),
    ...((executed === "no" || executed === "yes") && { executed }),
    ...(typeof retryAfterMs === "number" && { retryAfterMs }),
  });
}
