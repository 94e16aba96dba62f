// SPDX-License-Identifier: Apache-2.0
/**
 * Runs tests once over each wire. Fake networks and clients that ask {@link wireUnderTest} speak the one
 * whose turn it is; in files that use the plain `test` that is the text wire.
 */
import { test as testOnce } from "node:test";
import { errorNumbers, WeftError } from "../errors.js";
import { binaryWire } from "../protocol/binary.js";
import type { CallId, Incoming, Message, Outgoing, Wire } from "../protocol/frame.js";
import { errorData, isObject, newCall, newError, newNotification, newResult } from "../protocol/frame.js";
import { readError, textWire } from "../protocol/jsonrpc.js";
import type { WireName } from "../protocol/wires.js";

let current: Wire = textWire;

/** The wire whose turn it is. */
export function wireUnderTest(): Wire {
  return current;
}

/** The same as an option of the client. */
export function wireName(): WireName {
  return current === binaryWire ? "binary" : "text";
}

/** A test over both wires. */
export function test(name: string, run: () => void | Promise<void>): void {
  for (const wire of [textWire, binaryWire]) {
    void testOnce(`${name} (${wire.subprotocol})`, async () => {
      current = wire;
      await run();
    });
  }
}

/** Writes a JSON-RPC 2.0 message on a wire, as a server or a client would. */
export function fromJson(wire: Wire, message: Record<string, unknown>): Message {
  const { seq } = message;
  return wire.encode(outgoing(message), typeof seq === "number" ? () => seq : undefined);
}

function outgoing({ id, method, params, meta, result, error }: Record<string, unknown>): Outgoing {
  if (typeof method === "string") {
    return id === undefined
      ? newNotification(method, params, isObject(meta) ? meta : undefined)
      : newCall(id as CallId, method, params, isObject(meta) ? meta : undefined);
  }
  if (error !== undefined) return newError(id as CallId | null, readError(error));
  return newResult(id as CallId, result);
}

/** A frame as a JSON-RPC 2.0 message, whatever wire it came over. */
export function toJson(frame: Incoming): Record<string, unknown> {
  if (frame.kind === "invalid") throw new WeftError("data_loss", frame.problem);
  if (frame.kind === "refused") throw new WeftError("data_loss", "a call that cannot be read");
  const numbered = frame.seq === undefined ? {} : { seq: frame.seq };
  if (frame.kind === "request") {
    const { id, method, params, meta } = frame;
    const known = Object.entries({ id, method, params, meta }).filter(([, value]) => value !== undefined);
    return { jsonrpc: "2.0", ...Object.fromEntries(known), ...numbered };
  }
  const { id, outcome } = frame;
  if ("result" in outcome) return { jsonrpc: "2.0", id, result: outcome.result, ...numbered };
  return { jsonrpc: "2.0", id, error: errorJson(outcome.error), ...numbered };
}

function errorJson(error: WeftError): Record<string, unknown> {
  return { code: errorNumbers[error.code], message: error.message, data: errorData(error) };
}

/** Several messages as one: a batch, or frames one behind the other. */
export function together(wire: Wire, messages: readonly Message[]): Message {
  const texts = messages.filter((message) => typeof message === "string");
  if (wire === textWire) return `[${texts.join(",")}]`;
  const frames = messages.filter((message) => typeof message !== "string");
  const all = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const frame of frames) {
    all.set(frame, at);
    at += frame.length;
  }
  return all;
}
