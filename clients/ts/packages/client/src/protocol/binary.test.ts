// SPDX-License-Identifier: Apache-2.0
/** The messages of tests/vectors/binary, which C and protoc check as well, and what chance makes of them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { WeftError } from "../errors.js";
import { fromJson, toJson } from "../testing/over-wires.js";
import { Rng, runSeed } from "../testing/random.js";
import { binaryWire } from "./binary.js";
import type { Incoming } from "./frame.js";
import { newCall, newError, newNotification, newResult } from "./frame.js";
import { textWire } from "./jsonrpc.js";

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly json?: readonly Record<string, unknown>[];
  readonly same?: string;
  readonly refused?: boolean;
}

const file = new URL("../../../../../../tests/vectors/binary/messages.jsonl", import.meta.url);
const vectors = readFileSync(file, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Vector);
const understood = vectors.filter(({ refused }) => refused !== true);
const seed = runSeed();

const bytes = (hex: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (message: unknown): string => Buffer.from(message as Uint8Array).toString("hex");
const decode = (hex: string): Incoming[] => binaryWire.decode(bytes(hex));

/** Without what depends on the wire: how many bytes there were. */
function meaning(frames: readonly Incoming[]): object[] {
  return frames.map((frame) => {
    if (frame.kind === "invalid") return frame;
    if (frame.kind !== "answer" || !("error" in frame.outcome)) return { ...frame, bytes: 0 };
    const { error } = frame.outcome;
    return { ...frame, bytes: 0, id: frame.id ?? null, outcome: { ...error, message: error.message, stack: "" } };
  });
}

/** One frame of so many bytes below 128, and nothing else. */
const one = (hex: string): string => Buffer.from([hex.replaceAll(" ", "").length / 2]).toString("hex") + hex.replaceAll(" ", "");

test("every message means what it means on the text wire", () => {
  for (const { name, hex, json = [] } of understood) {
    const asText = json.flatMap((message) => textWire.decode(JSON.stringify(message)));
    assert.deepEqual(meaning(decode(hex)), meaning(asText), name);
  }
});

test("every message is written as C writes it", () => {
  for (const { name, hex, same, json = [] } of understood) {
    const frames = decode(hex);
    // What acknowledges and says something else is one frame for others and two for us.
    if (frames.length > 1 && json[0]?.["method"] === "$/ack") continue;
    assert.equal(frames.map((frame) => hexOf(again(frame, json[0]?.["error"]))).join(""), same ?? hex, name);
  }
});

/** Writes a frame; `json` is its error on the text wire, which may have a number that is not its code's. */
function again(frame: Incoming, json: unknown): unknown {
  const number = (json as { code?: number } | undefined)?.code;
  if (number !== -32600 && number !== -32700) return fromJson(binaryWire, toJson(frame));
  assert.ok(frame.kind === "answer" && "error" in frame.outcome);
  return binaryWire.encode(newError((frame.id as number | undefined) ?? null, frame.outcome.error, number));
}

test("what has no meaning is refused as a whole", () => {
  const refused = vectors.filter((vector) => vector.refused === true);
  assert.ok(refused.length > 30);
  for (const { name, hex } of refused) {
    const frames = decode(hex);
    assert.equal(frames.length, 1, name);
    assert.equal(frames[0]?.kind, "invalid", name);
    const behind = decode(`03aa0100${hex}`);
    if (hex !== "") assert.deepEqual(behind.map(({ kind }) => kind), ["invalid"], name);
  }
  assert.deepEqual(binaryWire.decode("{}").map(({ kind }) => kind), ["invalid"]);
});

test("a message that was cut anywhere is refused, or is the frames that are whole", () => {
  for (const { name, hex } of understood) {
    const whole = decode(hex);
    for (let length = 0; length < hex.length; length += 2) {
      const frames = decode(hex.slice(0, length));
      if (frames[0]?.kind !== "invalid") assert.ok(frames.length <= whole.length, `${name}, ${length / 2} bytes`);
      if (length > 0 && bytes(hex)[0] === hex.length / 2 - 1) assert.equal(frames[0]?.kind, "invalid", name);
    }
  }
});

test(`nothing is thrown whatever bytes come (seed ${seed})`, () => {
  const rng = new Rng(seed);
  const kinds = new Set<string>();
  for (let turn = 0; turn < 60_000; turn++) {
    const message = bytes(rng.pick(vectors).hex);
    for (let n = 1 + rng.below(4); n > 0 && message.length > 0; n--) message[rng.below(message.length)] = rng.below(256);
    for (const { kind } of binaryWire.decode(message)) kinds.add(kind);
  }
  for (let turn = 0; turn < 20_000; turn++) {
    const message = Uint8Array.from({ length: rng.below(40) }, () => rng.below(256));
    message[0] = message.length - 1;
    binaryWire.decode(message);
  }
  assert.deepEqual([...kinds].sort(), ["answer", "invalid", "refused", "request"]);
});

test("too many frames are refused", () => {
  assert.equal(decode("03aa0100".repeat(100)).length, 100);
  assert.equal(decode("03aa0100".repeat(101))[0]?.kind, "invalid");
});

/** A frame with a payload of JSON, which is put in place of a string just as long. */
function withJson(make: (value: unknown) => Uint8Array<ArrayBuffer>, json: string): Uint8Array<ArrayBuffer> {
  const message = make("x".repeat(json.length - 2));
  message.set(new TextEncoder().encode(json), Buffer.from(message).indexOf('"xx'));
  return message;
}

const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const asResult = (value: unknown): Uint8Array<ArrayBuffer> => binaryWire.encode(newResult(1, value)) as Uint8Array<ArrayBuffer>;
const asItem = (value: unknown): Uint8Array<ArrayBuffer> =>
  binaryWire.encode(newNotification("$/item", { id: 1, value })) as Uint8Array<ArrayBuffer>;
const asCall = (value: unknown): Uint8Array<ArrayBuffer> => binaryWire.encode(newCall("$s1", "m", value)) as Uint8Array<ArrayBuffer>;

test("nesting without end is a clear error", () => {
  for (const json of [nested(65), nested(100_000), "[".repeat(100_000), '{"a":'.repeat(100_000)]) {
    const [answer] = binaryWire.decode(withJson(asResult, json));
    assert.ok(answer?.kind === "answer" && "error" in answer.outcome);
    assert.equal(answer.outcome.error.code, "data_loss");
    assert.match(answer.outcome.error.message, /nested more than 64 levels deep/);
    const [item] = binaryWire.decode(withJson(asItem, json));
    assert.deepEqual(item, { kind: "invalid", problem: "JSON nested more than 64 levels deep" });
    const [call] = binaryWire.decode(withJson(asCall, json));
    assert.ok(call?.kind === "refused" && call.answer?.kind === "error");
    assert.deepEqual([call.answer.id, call.answer.number], ["$s1", -32700]);
  }
  const [allowed] = binaryWire.decode(withJson(asResult, nested(64)));
  assert.ok(allowed?.kind === "answer" && "result" in allowed.outcome);
  for (const ahead of [0, 1, 30, 31, 32, 33, 34, 35, 36, 200]) {
    for (const ending of ["", "\\", "\\\\", '"', '\\"', '"\\']) {
      const inside = ["x".repeat(ahead) + ending + "[".repeat(200) + ending, "{".repeat(200), ending];
      const [text] = binaryWire.decode(asResult(inside));
      assert.deepEqual(text?.kind === "answer" && text.outcome, { result: inside });
      const [behind] = binaryWire.decode(withJson(asResult, `[${JSON.stringify(inside)},${nested(64)}]`));
      assert.ok(behind?.kind === "answer" && "error" in behind.outcome, "brackets behind the strings still count");
    }
  }
});

test("a call that cannot be read is refused with its id, a notification in silence", () => {
  const refusal = (hex: string): unknown => {
    const [frame] = decode(one(hex));
    assert.equal(frame?.kind, "refused");
    return frame?.kind === "refused" && frame.answer?.kind === "error" && [frame.answer.id, frame.answer.number];
  };
  assert.deepEqual(refusal("0802 1008 2a015b 3203 12016d"), ["$s1", -32700]);
  assert.deepEqual(refusal("0802 2a025b5d 3203 12016d"), ["$s1", -32700], "a payload that is not said to be JSON");
  assert.deepEqual(refusal("0802 1008 2a0131 3203 12016d"), ["$s1", -32600], "parameters that are a number");
  assert.deepEqual(refusal("0802 3200"), ["$s1", -32600], "no method");
  assert.deepEqual(refusal("0802 3203 1201ff"), ["$s1", -32600], "a method that is no text");
  assert.deepEqual(refusal("0802 3205 12016d 2201"), ["$s1", -32600], "a body that is cut");
  assert.deepEqual(refusal("0802 3206 12016d 2201ff"), ["$s1", -32600], "a key that is no text");
  assert.deepEqual(refusal("3203 12016d"), [null, -32600], "no id");
  assert.equal(refusal("1001 3200"), false, "a notification");
});

test("an answer that cannot be read ends the call with data_loss", () => {
  for (const hex of ["0803 1008 2a015b 3a00", "0803 2a0131 3a00", "0803 100c 2a0131 3a00", "0803 4203 1201ff", "0803 4203 42015b", "0803 4206 48 8080808010"]) {
    const [answer] = decode(one(hex));
    assert.ok(answer?.kind === "answer" && "error" in answer.outcome, hex);
    assert.deepEqual([answer.id, answer.outcome.error.code, answer.outcome.error.executed], [1, "data_loss", "unknown"]);
  }
});

test("credit beyond what a number can say is a lot", () => {
  const [frame] = decode(one("0803 6216 08ffffffffffffffffff01 10ffffffffffffffffff01"));
  const { items_total: items } = (frame?.kind === "request" ? frame.params : {}) as { items_total: number };
  assert.ok(items > Number.MAX_SAFE_INTEGER);
});

test("keys named like members of objects are keys", () => {
  const [frame] = binaryWire.decode(asResult(JSON.parse('{"__proto__":{"x":1},"constructor":2}')));
  assert.ok(frame?.kind === "answer" && "result" in frame.outcome);
  assert.deepEqual(Object.keys(frame.outcome.result as object), ["__proto__", "constructor"]);
  assert.equal((frame.outcome.result as { x?: number }).x, undefined);
});

test("ids that this wire cannot say are refused before anything is sent", () => {
  for (const id of [-1, 1.5, 2 ** 31, "$s0", "$s2147483648", "a", "$s01"]) {
    assert.throws(() => binaryWire.encode(newResult(id, 1)), { code: "internal" }, String(id));
    assert.throws(() => binaryWire.encode(newCall(id, "m", [])), WeftError);
  }
});

test("what JSON does on its way may send something itself", () => {
  const inner: unknown[] = [];
  const tricky = { toJSON: () => (inner.push(binaryWire.encode(newNotification("inner", ["x".repeat(500)]))), { a: 1 }) };
  assert.equal(hexOf(binaryWire.encode(newCall(0, "m", tricky))), hexOf(binaryWire.encode(newCall(0, "m", { a: 1 }))));
  assert.equal(inner.length, 1);
});
