// SPDX-License-Identifier: Apache-2.0
/** Transformation of text operations and of positions; results equal the published reference. */
import type { Side } from "../ot/type.js";
import type { TextOp } from "./op.js";
import { deleteLength, TextOpBuilder } from "./op.js";
import { TextOpReader } from "./reader.js";
import { codePointLength } from "./units.js";

/**
 * `op` as it must be applied after `over`, both made at the same document.
 * @param op a valid operation
 * @param over a valid operation
 * @param side `left` puts `op`'s insertion first where both insert at one place
 */
export function transformText(op: TextOp, over: TextOp, side: Side): TextOp {
  const out = new TextOpBuilder();
  const reader = new TextOpReader(op);
  for (const other of over) {
    if (typeof other === "string") {
      if (side === "left" && reader.next === "insert") copyNext(reader, out);
      out.push(codePointLength(other));
    } else if (typeof other === "number") {
      passOver(reader, out, other, true);
    } else {
      passOver(reader, out, deleteLength(other), false);
    }
  }
  while (reader.next !== "end") copyNext(reader, out);
  return out.finish();
}

function copyNext(reader: TextOpReader, out: TextOpBuilder): void {
  const component = reader.takeAll();
  if (component !== undefined) out.push(component);
}

/** Passes over `length` code points of the old document, which the other operation kept or deleted. */
function passOver(reader: TextOpReader, out: TextOpBuilder, length: number, kept: boolean): void {
  for (let left = length; left > 0; ) {
    if (reader.next === "insert") {
      copyNext(reader, out);
      continue;
    }
    const taken = reader.take(left);
    if (kept) out.push(taken.piece);
    left -= taken.length;
  }
}

/**
 * Where a position is after an operation.
 * @param position in code points
 * @param op a valid operation
 * @param side `left` stays before what is inserted exactly at the position
 * @returns in code points
 */
export function transformTextPosition(position: number, op: TextOp, side: Side = "left"): number {
  let cursor = position;
  let at = 0;
  for (const component of op) {
    if (at > cursor || (at === cursor && side === "left")) break;
    if (typeof component === "number") {
      at += component;
    } else if (typeof component === "string") {
      const length = codePointLength(component);
      at += length;
      cursor += length;
    } else {
      cursor -= Math.min(deleteLength(component), cursor - at);
    }
  }
  return cursor;
}
