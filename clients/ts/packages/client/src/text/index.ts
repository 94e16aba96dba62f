// SPDX-License-Identifier: Apache-2.0
/**
 * Plain text for live documents: the type `text` of the protocol (text-unicode), and the unit
 * conversions that editors need. `import { text } from "@weft/client/text"`.
 */
import { WeftError } from "../errors.js";
import type { OtType, Side } from "../ot/type.js";
import { composeText, doesNotFit, invertText, makeTextInvertible, stripText } from "./compose.js";
import type { TextOp } from "./op.js";
import { checkTextOp, oldLength, TextOpBuilder } from "./op.js";
import { splitText } from "./split.js";
import { transformText, transformTextPosition } from "./transform.js";
import { codePointLength, isWellFormed, skipCodePoints, splitsPair } from "./units.js";

export type { TextComponent, TextDelete, TextOp } from "./op.js";
export { checkTextOp, normalizeTextOp, TextOpBuilder } from "./op.js";
export { composeText, invertText, makeTextInvertible, stripText } from "./compose.js";
export { splitText } from "./split.js";
export { transformText, transformTextPosition } from "./transform.js";
export {
  codePointLength,
  isHigh,
  isLow,
  isWellFormed,
  skipCodePoints,
  splitsPair,
  toCodePoints,
  toUtf16,
  toWellFormed,
} from "./units.js";

/**
 * The document after an operation.
 * Errors: WeftError `out_of_range` when the operation is longer than the document.
 * @param doc a well-formed string
 * @param op a valid operation
 */
export function applyText(doc: string, op: TextOp): string {
  const parts: string[] = [];
  let at = 0;
  for (const component of op) {
    if (typeof component === "string") {
      parts.push(component);
      continue;
    }
    const end = skipCodePoints(doc, at, oldLength(component));
    if (end < 0) throw doesNotFit();
    if (typeof component === "number") parts.push(doc.slice(at, end));
    at = end;
  }
  parts.push(doc.slice(at));
  return parts.join("");
}

/**
 * An invertible operation from one text to another: what differs between their common beginning
 * and their common end is replaced.
 * @param from a well-formed string
 * @param to a well-formed string
 */
export function diffText(from: string, to: string): TextOp {
  const shorter = Math.min(from.length, to.length);
  let head = 0;
  while (head < shorter && from.charCodeAt(head) === to.charCodeAt(head)) head++;
  if (splitsPair(from, head) || splitsPair(to, head)) head--;
  let tail = 0;
  const most = shorter - head;
  while (tail < most && from.charCodeAt(from.length - 1 - tail) === to.charCodeAt(to.length - 1 - tail)) {
    tail++;
  }
  if (splitsPair(from, from.length - tail) || splitsPair(to, to.length - tail)) tail--;
  return replaceText(from, head, from.length - tail, to.slice(head, to.length - tail));
}

/**
 * An invertible operation that replaces a range of a document.
 * Errors: WeftError `invalid_argument` when an end cuts a surrogate pair, or the insertion is not
 * well-formed.
 * @param doc the document
 * @param from start of the range, a UTF-16 offset
 * @param to end of the range, a UTF-16 offset
 * @param insert what takes its place
 */
export function replaceText(doc: string, from: number, to: number, insert: string): TextOp {
  if (splitsPair(doc, from) || splitsPair(doc, to) || !isWellFormed(insert)) {
    throw new WeftError("invalid_argument", "the edit would cut a character in two");
  }
  const out = new TextOpBuilder();
  out.push(codePointLength(doc, 0, from));
  out.push(insert);
  out.push({ d: doc.slice(from, to) });
  return out.finish();
}

/** The document type `text`: states are strings, positions are code points. */
export const text: OtType<string, TextOp> = {
  name: "text",
  load(snapshot: unknown): string {
    if (typeof snapshot !== "string" || !isWellFormed(snapshot)) {
      throw new WeftError("invalid_argument", "a text snapshot must be a well-formed string");
    }
    return snapshot;
  },
  check: checkTextOp,
  apply: applyText,
  compose: composeText,
  transform: (op: TextOp, over: TextOp, side: Side) => transformText(op, over, side),
  makeInvertible: makeTextInvertible,
  invert: invertText,
  strip: stripText,
  isNoop: (op: TextOp) => op.length === 0,
  diff: diffText,
  split: splitText,
  transformPosition: transformTextPosition,
};
