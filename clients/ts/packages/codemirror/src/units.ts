// SPDX-License-Identifier: Apache-2.0
/**
 * Between the editor's changes (UTF-16 offsets in its document tree) and operations (code points in
 * the replica's string). Both documents are the same text, unit for unit; see `sanitize.ts`.
 */
import type { ChangeSpec, Text } from "@codemirror/state";
import type { ChangeSet } from "@codemirror/state";
import { codePointLength, isHigh, isLow, TextOpBuilder, type TextOp } from "@weft/client/text";

/** The code unit at an offset; NaN outside of the document. */
function unitAt(doc: Text, offset: number): number {
  return offset < 0 || offset >= doc.length ? NaN : doc.sliceString(offset, offset + 1).charCodeAt(0);
}

/**
 * Whether an offset lies between the two halves of a surrogate pair.
 * @param doc the editor's document
 * @param offset in code units
 */
export function cutsPair(doc: Text, offset: number): boolean {
  return isHigh(unitAt(doc, offset - 1)) && isLow(unitAt(doc, offset));
}

/**
 * Code points in a range of the editor's document. The ends must not cut a pair.
 * @param doc the editor's document
 * @param from start, in code units
 * @param to end, in code units
 */
export function countCodePoints(doc: Text, from: number, to: number): number {
  let count = 0;
  // Chunks end at line breaks or leaf borders, never inside a pair: pairs are on one line.
  for (const chunk of doc.iterRange(from, to)) count += codePointLength(chunk);
  return count;
}

/**
 * The offset that lies `count` code points behind another.
 * @param doc the editor's document
 * @param from in code units, not inside a pair
 * @param count in code points
 * @returns in code units, at most the document's length
 */
export function skipInText(doc: Text, from: number, count: number): number {
  let at = from;
  let left = count;
  for (const chunk of doc.iterRange(from)) {
    const points = codePointLength(chunk);
    if (points <= left) {
      at += chunk.length;
      left -= points;
      if (left === 0) return at;
      continue;
    }
    for (let i = 0; left > 0; left--) {
      const step = isHigh(chunk.charCodeAt(i)) && isLow(chunk.charCodeAt(i + 1)) ? 2 : 1;
      i += step;
      at += step;
    }
    return at;
  }
  return at;
}

/**
 * A change of the editor's document as an operation.
 * @param changes the change
 * @param before the document before it
 * @param after the document after it, without lone surrogates
 */
export function changesToOp(changes: ChangeSet, before: Text, after: Text): TextOp {
  const ranges: { fromA: number; toA: number; fromB: number; toB: number }[] = [];
  changes.iterChanges((fromA, toA, fromB, toB) => {
    const range = { fromA, toA, fromB, toB };
    // An editor may exchange one half of a pair only (😀 and 😁 share their first half): the whole
    // pair is exchanged then, since code points have no halves.
    if (cutsPair(before, fromA) || cutsPair(after, fromB)) {
      range.fromA--;
      range.fromB--;
    }
    if (cutsPair(before, toA) || cutsPair(after, toB)) {
      range.toA++;
      range.toB++;
    }
    const last = ranges.at(-1);
    if (last !== undefined && range.fromA < last.toA) {
      last.toA = range.toA;
      last.toB = range.toB;
    } else {
      ranges.push(range);
    }
  });
  const out = new TextOpBuilder();
  let at = 0;
  for (const { fromA, toA, fromB, toB } of ranges) {
    out.push(countCodePoints(before, at, fromA));
    out.push(after.sliceString(fromB, toB, "\n"));
    out.push({ d: before.sliceString(fromA, toA, "\n") });
    at = toA;
  }
  return out.finish();
}

/**
 * An operation as a change of the editor's document.
 * @param op an operation that fits the document
 * @param doc the editor's document
 * @param toText makes the editor's own text of a string, without normalising line ends
 */
export function opToChanges(op: TextOp, doc: Text, toText: (text: string) => Text): ChangeSpec[] {
  const changes: ChangeSpec[] = [];
  let at = 0;
  for (const component of op) {
    if (typeof component === "number") {
      at = skipInText(doc, at, component);
    } else if (typeof component === "string") {
      changes.push({ from: at, insert: toText(component) });
    } else {
      const length =
        typeof component.d === "string" ? component.d.length : skipInText(doc, at, component.d) - at;
      changes.push({ from: at, to: at + length });
      at += length;
    }
  }
  return changes;
}
