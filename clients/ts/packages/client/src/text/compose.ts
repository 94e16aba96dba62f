// SPDX-License-Identifier: Apache-2.0
/** Composition and inversion of text operations; results equal the published reference. */
import { WeftError } from "../errors.js";
import type { TextComponent, TextDelete, TextOp } from "./op.js";
import { deleteLength, oldLength, TextOpBuilder } from "./op.js";
import { TextOpReader } from "./reader.js";
import { codePointLength, skipCodePoints } from "./units.js";

/**
 * One operation that does what `first` and then `second` do.
 * @param first a valid operation
 * @param second a valid operation on the document after `first`
 */
export function composeText(first: TextOp, second: TextOp): TextOp {
  const out = new TextOpBuilder();
  const reader = new TextOpReader(first);
  for (const component of second) {
    if (typeof component === "string") out.push(component);
    else if (typeof component === "number") keep(reader, out, component);
    else remove(reader, out, component);
  }
  while (reader.next !== "end") pushAll(reader, out);
  return out.finish();
}

function pushAll(reader: TextOpReader, out: TextOpBuilder): void {
  const component = reader.takeAll();
  if (component !== undefined) out.push(component);
}

function keep(reader: TextOpReader, out: TextOpBuilder, length: number): void {
  for (let left = length; left > 0; ) {
    if (reader.next === "delete") {
      pushAll(reader, out);
      continue;
    }
    const taken = reader.take(left);
    out.push(taken.piece);
    left -= taken.length;
  }
}

function remove(reader: TextOpReader, out: TextOpBuilder, component: TextDelete): void {
  const length = deleteLength(component);
  for (let done = 0; done < length; ) {
    if (reader.next === "delete") {
      pushAll(reader, out);
      continue;
    }
    const taken = reader.take(length - done);
    // What the first operation inserted is gone without a trace; what it skipped is deleted.
    if (typeof taken.piece === "number") out.push(slice(component, done, done + taken.length));
    done += taken.length;
  }
}

function slice(component: TextDelete, from: number, to: number): TextComponent {
  if (typeof component.d === "number") return { d: to - from };
  const start = skipCodePoints(component.d, 0, from);
  return { d: component.d.slice(start, skipCodePoints(component.d, start, to - from)) };
}

/**
 * The operation with the text of its deletions.
 * Errors: WeftError `out_of_range` when it does not fit the document.
 * @param op a valid operation
 * @param doc the document it applies to
 */
export function makeTextInvertible(op: TextOp, doc: string): TextOp {
  const out = new TextOpBuilder();
  let at = 0;
  for (const component of op) {
    const end = skipCodePoints(doc, at, oldLength(component));
    if (end < 0) throw doesNotFit();
    out.push(typeof component === "object" ? { d: doc.slice(at, end) } : component);
    at = end;
  }
  return out.finish();
}

/**
 * The operation that undoes `op`.
 * Errors: WeftError `failed_precondition` when a deletion is without its text.
 * @param op an invertible operation
 */
export function invertText(op: TextOp): TextOp {
  const out = new TextOpBuilder();
  for (const component of op) {
    if (typeof component === "number") out.push(component);
    else if (typeof component === "string") out.push({ d: component });
    else if (typeof component.d === "string") out.push(component.d);
    else throw new WeftError("failed_precondition", "the text of a deletion is not known");
  }
  return out.finish();
}

/**
 * The operation with counts in place of deleted text: the form of the wire.
 * @param op a valid operation
 */
export function stripText(op: TextOp): TextOp {
  const out = new TextOpBuilder();
  for (const c of op) {
    out.push(typeof c === "object" && typeof c.d === "string" ? { d: codePointLength(c.d) } : c);
  }
  return out.finish();
}

/** The error of an operation that is longer than its document. */
export function doesNotFit(): WeftError {
  return new WeftError("out_of_range", "the operation is longer than the document", {
    reason: "weft.doc.bad_op",
    executed: "no",
  });
}
