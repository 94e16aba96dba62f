// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import ot from "ot-text-unicode";
import { Rng, runSeed } from "../testing/random.js";
import {
  applyText,
  checkTextOp,
  composeText,
  diffText,
  invertText,
  makeTextInvertible,
  normalizeTextOp,
  replaceText,
  splitText,
  stripText,
  TextOpBuilder,
  type TextOp,
  transformText,
  transformTextPosition,
} from "./index.js";

type ReferenceOp = Parameters<typeof ot.type.apply>[1];
/** The published types lag behind the published code. */
interface Reference {
  apply(doc: string, op: ReferenceOp): string;
  compose(a: ReferenceOp, b: ReferenceOp): ReferenceOp;
  transform(op: ReferenceOp, other: ReferenceOp, side: "left" | "right"): ReferenceOp;
  normalize(op: ReferenceOp): ReferenceOp;
  makeInvertible(op: ReferenceOp, doc: string): ReferenceOp;
  invert(op: ReferenceOp): ReferenceOp;
  stripInvertible(op: ReferenceOp): ReferenceOp;
  transformPosition(position: number, op: ReferenceOp): number;
}
const reference = ot.type as unknown as Reference;
const seed = runSeed();
const rng = new Rng(seed);

function randomOp(doc: string): TextOp {
  const out = new TextOpBuilder();
  for (let left = Array.from(doc).length; ; ) {
    const step = rng.below(4);
    const length = Math.min(left, 1 + rng.below(6));
    if (step === 0) out.push(rng.text(5));
    else if (step === 1) out.push({ d: length });
    else out.push(length);
    if (step !== 0) left -= length;
    if (left <= 0 || rng.chance(0.15)) return out.finish();
  }
}

const same = (op: TextOp): ReferenceOp => JSON.parse(JSON.stringify(op)) as ReferenceOp;

test(`results equal the reference for 4,000 random operations (seed ${seed})`, () => {
  for (let round = 0; round < 4000; round++) {
    const doc = rng.text(24);
    const a = randomOp(doc);
    const b = randomOp(doc);
    const after = applyText(doc, a);
    const next = randomOp(after);
    const position = rng.below(Array.from(doc).length + 1);
    assert.equal(after, reference.apply(doc, same(a)));
    assert.deepEqual(composeText(a, next), reference.compose(same(a), same(next)));
    for (const side of ["left", "right"] as const) {
      assert.deepEqual(transformText(a, b, side), reference.transform(same(a), same(b), side));
    }
    const invertible = makeTextInvertible(a, doc);
    assert.deepEqual(invertible, reference.makeInvertible(same(a), doc));
    assert.deepEqual(invertText(invertible), reference.invert(same(invertible)));
    assert.deepEqual(stripText(invertible), reference.stripInvertible(same(invertible)));
    assert.equal(transformTextPosition(position, a), reference.transformPosition(position, same(a)));
    assert.deepEqual(normalizeTextOp([...a, ...a]), reference.normalize(same([...a, ...a])));
  }
});

test(`both orders converge, and composition and inversion hold (seed ${seed})`, () => {
  for (let round = 0; round < 4000; round++) {
    const doc = rng.text(24);
    const a = makeTextInvertible(randomOp(doc), doc);
    const b = randomOp(doc);
    const one = applyText(applyText(doc, a), transformText(b, a, "right"));
    const other = applyText(applyText(doc, b), transformText(a, b, "left"));
    assert.equal(one, other);
    const after = applyText(doc, a);
    const next = makeTextInvertible(randomOp(after), after);
    const both = composeText(a, next);
    assert.equal(applyText(doc, both), applyText(after, next));
    assert.equal(applyText(applyText(doc, both), invertText(both)), doc);
  }
});

test(`a difference leads from one text to the other and never cuts a pair (seed ${seed})`, () => {
  for (let round = 0; round < 2000; round++) {
    const from = rng.text(12);
    const to = rng.chance(0.5) ? rng.text(12) : applyText(from, randomOp(from));
    const op = diffText(from, to);
    checkTextOp(op);
    assert.equal(applyText(from, op), to);
    assert.equal(applyText(to, invertText(op)), from);
  }
  assert.deepEqual(diffText("😀", "😁"), ["😁", { d: "😀" }]);
  assert.deepEqual(diffText("𝒳a", "😳a"), ["😳", { d: "𝒳" }]);
});

test("a position stays before or goes behind what is inserted exactly there", () => {
  assert.equal(transformTextPosition(2, [2, "xy"], "left"), 2);
  assert.equal(transformTextPosition(2, [2, "xy"], "right"), 4);
  assert.equal(transformTextPosition(2, [1, { d: 3 }, "xy"], "left"), 1);
  assert.equal(transformTextPosition(2, [1, { d: 3 }, "xy"], "right"), 3);
  assert.equal(transformTextPosition(3, ["😀", 1, { d: 1 }], "left"), 3);
});

test("malformed operations are refused", () => {
  const bad: unknown[] = [
    null, 5, {}, "x", [null], [[]], [0], [-1], [1.5, "x"], [1e300, "x"], [NaN, "x"], [""], ["\ud800"],
    ["a\udc00"], [{ d: 0 }], [{ d: -1 }], [{ d: 1.5 }], [{ d: "" }], [{ d: "\ud83d" }], [{ d: null }], [{}],
    [{ d: 1, x: 1 }], [true], [3], ["a", 3], [1, 2, "x"], [undefined],
  ];
  for (const op of bad) {
    assert.throws(() => checkTextOp(op), { code: "invalid_argument" }, JSON.stringify(op));
  }
  for (const op of [[], ["a", "b"], [{ d: 1 }, { d: "x" }], [1, "😀"]]) assert.equal(checkTextOp(op), op);
});

test("operations longer than the document are refused at once, however huge their counts", () => {
  for (const op of [[5, "x"], [2 ** 53 - 1, "x"], [{ d: 5 }], [1, { d: 2 ** 50 }]] as TextOp[]) {
    assert.throws(() => applyText("a😀bc", op), { code: "out_of_range" });
    assert.throws(() => makeTextInvertible(op, "a😀bc"), { code: "out_of_range" });
  }
});

test("an edit that would cut a character in two is refused", () => {
  assert.throws(() => replaceText("😀", 1, 1, "x"), { code: "invalid_argument" });
  assert.throws(() => replaceText("ab", 1, 1, "\ud83d"), { code: "invalid_argument" });
  assert.deepEqual(replaceText("a😀b", 3, 4, "c"), [2, "c", { d: "b" }]);
});

test(`an operation cut in two does the same, and each part fits (seed ${seed})`, () => {
  for (let round = 0; round < 1000; round++) {
    const doc = rng.text(60);
    const whole = randomOp(doc);
    const limit = 100 + rng.below(100);
    let value = doc;
    let rest: TextOp | null = whole;
    for (let parts = 0; rest !== null; parts++) {
      assert.equal(parts < 50, true);
      const split = splitText(rest, limit);
      const first: TextOp = split?.[0] ?? rest;
      assert.equal(Buffer.byteLength(JSON.stringify(first)) <= limit, true);
      value = applyText(value, checkTextOp(first));
      rest = split?.[1] ?? null;
    }
    assert.equal(value, applyText(doc, whole));
  }
  assert.equal(splitText([5, "x"], 100), null);
});
