// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng, runSeed } from "../testing/random.js";
import {
  codePointLength,
  isWellFormed,
  skipCodePoints,
  splitsPair,
  toCodePoints,
  toUtf16,
  toWellFormed,
} from "./units.js";

test("conversions agree with the string iterator", () => {
  const rng = new Rng(runSeed());
  for (let round = 0; round < 1000; round++) {
    const text = rng.text(20);
    const points = Array.from(text);
    assert.equal(codePointLength(text), points.length);
    for (let position = 0; position <= points.length; position++) {
      const offset = points.slice(0, position).join("").length;
      assert.equal(toUtf16(text, position), offset);
      assert.equal(toCodePoints(text, offset), position);
      assert.equal(splitsPair(text, offset), false);
    }
    assert.equal(skipCodePoints(text, 0, points.length + 1), -1);
  }
});

test("positions past the end are cut, offsets inside a pair count as its end", () => {
  assert.equal(toUtf16("a😀", 9), 3);
  assert.equal(toCodePoints("a😀", 9), 2);
  assert.equal(splitsPair("a😀", 2), true);
  assert.equal(toCodePoints("a😀", 2), 2);
});

test("lone surrogates are found and replaced without changing the length", () => {
  assert.equal(isWellFormed("a😀"), true);
  for (const bad of ["\ud83d", "\ude00", "a\ud83db", "\ude00\ud83d", "😀\ude00"]) {
    assert.equal(isWellFormed(bad), false);
    assert.equal(toWellFormed(bad).length, bad.length);
    assert.equal(isWellFormed(toWellFormed(bad)), true);
  }
});
