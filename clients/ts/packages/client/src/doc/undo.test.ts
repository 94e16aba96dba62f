// SPDX-License-Identifier: Apache-2.0
/** Properties of undo: one's own edits only, whatever others do in between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng, runSeed } from "../testing/random.js";
import { replaceText, text, type TextOp } from "../text/index.js";
import { UndoManager } from "./undo.js";

const seed = runSeed();

/** A document with one's own undo stack; everybody else edits it too. */
class Story {
  value = "";
  time = 0;
  readonly undo = new UndoManager<string, TextOp>(text);

  own(from: number, to: number, insert: string): void {
    const op = replaceText(this.value, from, to, insert);
    if (op.length === 0) return;
    this.value = text.apply(this.value, op);
    this.undo.edited(op, this.time);
  }

  other(from: number, to: number, insert: string): void {
    const op = replaceText(this.value, from, to, insert);
    this.value = text.apply(this.value, op);
    this.undo.others(op);
  }

  revert(kind: "undo" | "redo"): boolean {
    const op = this.undo.take(kind);
    if (op === null) return false;
    this.value = text.apply(this.value, op);
    this.undo.reverted(kind, op, this.time);
    return true;
  }
}

const range = (rng: Rng, length: number): [number, number] => {
  const [a, b] = [rng.below(length + 1), rng.below(length + 1)];
  return [Math.min(a, b), Math.max(a, b)];
};

test(`undoing everything alone leads back, redoing leads forth (seed ${seed})`, () => {
  const rng = new Rng(seed);
  for (let round = 0; round < 200; round++) {
    const story = new Story();
    const values = [""];
    for (let step = 0; step < 12; step++) {
      story.time += 1000;
      story.own(...range(rng, story.value.length), rng.pick(["ab", "c", "xyz"]));
      values.push(story.value);
    }
    for (let at = values.length - 2; at >= 0; at--) {
      story.revert("undo");
      assert.equal(story.value, values[at]);
    }
    for (const value of values.slice(1)) {
      story.revert("redo");
      assert.equal(story.value, value);
    }
  }
});

test(`undo removes all of one's own text and nothing of the others' (seed ${seed})`, () => {
  const rng = new Rng(seed + 1);
  for (let round = 0; round < 300; round++) {
    const story = new Story();
    let others = 0;
    for (let step = 0; step < 20; step++) {
      story.time += 1000;
      const at = rng.below(story.value.length + 1);
      if (rng.chance(0.5)) {
        story.own(at, at, "m".repeat(1 + rng.below(3)));
      } else {
        const length = 1 + rng.below(3);
        story.other(at, at, "o".repeat(length));
        others += length;
      }
      if (rng.chance(0.2)) story.revert(rng.pick(["undo", "redo"] as const));
    }
    while (story.revert("undo")) continue;
    assert.equal(story.value, "o".repeat(others));
  }
});

test(`any mixture of edits, undo and redo stays applicable (seed ${seed})`, () => {
  const rng = new Rng(seed + 2);
  for (let round = 0; round < 300; round++) {
    const story = new Story();
    for (let step = 0; step < 40; step++) {
      story.time += rng.below(800);
      const kind = rng.below(6);
      if (kind < 2) story.own(...range(rng, story.value.length), rng.pick(["", "a", "bc"]));
      else if (kind < 4) story.other(...range(rng, story.value.length), rng.pick(["", "x", "yz"]));
      else story.revert(kind === 4 ? "undo" : "redo");
    }
    while (story.revert("undo")) continue;
    assert.equal(story.undo.has("undo"), false);
  }
});

test("a step whose text others have deleted is skipped", () => {
  const story = new Story();
  story.own(0, 0, "first ");
  story.time += 1000;
  story.own(6, 6, "second");
  story.other(6, 12, "");
  assert.equal(story.revert("undo"), true);
  assert.equal(story.value, "");
  assert.equal(story.revert("undo"), false);
});

test("undo of a deletion brings the text back beside what others wrote there", () => {
  const story = new Story();
  story.other(0, 0, "a long story");
  story.own(2, 7, "");
  story.other(2, 2, "short ");
  story.revert("undo");
  assert.equal(story.value.includes("long ") && story.value.includes("short "), true);
});

test("old steps are forgotten beyond the depth", () => {
  const undo = new UndoManager<string, TextOp>(text, { depth: 3, groupMs: 0 });
  for (let i = 0; i < 5; i++) undo.edited([i === 0 ? "a" : i, ...(i === 0 ? [] : ["a"])] as TextOp, i * 1000);
  let steps = 0;
  for (let op; (op = undo.take("undo")) !== null; steps++) undo.reverted("undo", op, 0);
  assert.equal(steps, 3);
});
