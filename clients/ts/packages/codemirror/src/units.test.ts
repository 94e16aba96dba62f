// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangeSet, EditorState, Text, type TransactionSpec } from "@codemirror/state";
import { applyText, checkTextOp, isWellFormed } from "@weft/client/text";
import { sanitizer } from "./sanitize.js";
import { changesToOp, countCodePoints, opToChanges, skipInText } from "./units.js";

const state = (doc: string): EditorState => {
  const extensions = sanitizer(() => false);
  return EditorState.create({ doc: Text.of(doc.split("\n")), extensions });
};
const string = (doc: Text): string => doc.sliceString(0, doc.length, "\n");

/** Applies a local transaction and checks that the operation says the same. */
function edit(doc: string, spec: TransactionSpec): { text: string; head: number } {
  const before = state(doc);
  const tr = before.update(spec);
  const op = changesToOp(tr.changes, before.doc, tr.newDoc);
  checkTextOp(op);
  const text = string(tr.newDoc);
  assert.equal(applyText(doc, op), text);
  assert.equal(isWellFormed(text), true);
  return { text, head: tr.newSelection.main.head };
}

const insert = (doc: string, at: number, text: string, to = at): { text: string; head: number } =>
  edit(doc, { changes: { from: at, to, insert: state("").toText(text) }, selection: { anchor: at + text.length } });

test("local line ends become line feeds, and the cursor stays behind what was inserted", () => {
  assert.deepEqual(insert("ab", 1, "x\r\ny\rz"), { text: "ax\ny\nzb", head: 6 });
  assert.deepEqual(insert("ab", 1, "x\r"), { text: "ax\nb", head: 3 });
  assert.deepEqual(insert("a\nb", 1, "x\r"), { text: "ax\n\nb", head: 3 });
});

test("line ends of others stay as they are when something is typed beside them", () => {
  for (const doc of ["a\rb", "a\r\nb", "a\u2028b", "a\u2029b", "a\u0085b"]) {
    assert.equal(insert(doc, 1, "x").text, `${doc.slice(0, 1)}x${doc.slice(1)}`);
    assert.equal(insert(doc, 2, "x").text, `${doc.slice(0, 2)}x${doc.slice(2)}`);
    assert.equal(state(doc).doc.length, doc.length);
  }
});

test("lone surrogates are replaced, halves that complete a pair are not", () => {
  assert.deepEqual(insert("ab", 1, "\ud83d"), { text: "a\ufffdb", head: 2 });
  assert.deepEqual(insert("ab", 1, "\ude00\ud83dx"), { text: "a\ufffd\ufffdxb", head: 4 });
  assert.deepEqual(insert("a😀b", 2, "\ude01", 3), { text: "a😁b", head: 3 });
  assert.deepEqual(insert("a😀b", 1, "\ud83e", 2), { text: "a🨀b", head: 2 });
  assert.equal(insert("a😀b", 2, "x").text, "a\ufffdx\ufffdb");
  assert.equal(insert("a😀b", 2, "", 3).text, "a\ufffdb");
});

test("several changes in one transaction become one operation", () => {
  const { text } = edit("😀 one 😀 two", {
    changes: [
      { from: 0, to: 2, insert: "x" },
      { from: 7, to: 9, insert: "\r\n" },
      { from: 13, insert: "\ud800" },
    ],
  });
  assert.equal(text, "x one \n two\ufffd");
});

test("operations become changes and back, whatever the document holds", () => {
  const doc = "a😀\r\nb\u2028𝒳\n👩‍👧c";
  const before = state(doc).doc;
  for (const op of [[2, "x\ry"], [1, { d: 3 }, "😁"], [{ d: Array.from(doc).length }], [5, { d: 2 }, "\n", 1, "z"]]) {
    const changes = ChangeSet.of(opToChanges(checkTextOp(op), before, (text) => Text.of(text.split("\n"))), before.length);
    assert.equal(string(changes.apply(before)), applyText(doc, checkTextOp(op)));
    const back = changesToOp(changes, before, changes.apply(before));
    assert.equal(applyText(doc, back), applyText(doc, checkTextOp(op)));
  }
});

test("counting and skipping agree with the string, over line and leaf borders", () => {
  const doc = "ab😀\n𝒳\r\n".repeat(3000);
  const tree = state(doc).doc;
  const points = Array.from(doc);
  assert.equal(countCodePoints(tree, 0, tree.length), points.length);
  for (const count of [0, 1, 3, 4, 17, 9000, points.length - 1, points.length, points.length + 5]) {
    const offset = points.slice(0, count).join("").length;
    assert.equal(skipInText(tree, 0, count), offset);
    assert.equal(countCodePoints(tree, 0, offset), Math.min(count, points.length));
  }
});
