// SPDX-License-Identifier: Apache-2.0
/** Cuts an operation that is too large for one message into two. */
import type { TextComponent, TextOp } from "./op.js";
import { TextOpBuilder } from "./op.js";
import { codePointLength, splitsPair } from "./units.js";

/** Upper bound of what a skip or a deletion takes on the wire, with its comma. */
const countBytes = 24;

/**
 * Two operations, to be applied one after the other, that together do what `op` does; the first
 * takes at most `maxBytes` on the wire.
 * @param op a valid operation
 * @param maxBytes of JSON in UTF-8; at least 100
 * @returns null when the operation is small enough
 */
export function splitText(op: TextOp, maxBytes: number): readonly [TextOp, TextOp] | null {
  const head = new TextOpBuilder();
  let room = maxBytes - 2;
  let written = 0;
  for (const [index, component] of op.entries()) {
    const rest = op.slice(index + 1);
    if (typeof component === "string") {
      const end = fitting(component, room - 3);
      if (end < component.length) {
        head.push(component.slice(0, end));
        written += codePointLength(component, 0, end);
        return [head.finish(), tail(written, [component.slice(end), ...rest])];
      }
      room -= jsonBytes(component) + 3;
      written += codePointLength(component);
    } else {
      if (room < countBytes) return [head.finish(), tail(written, [component, ...rest])];
      room -= countBytes;
      if (typeof component === "number") written += component;
    }
    head.push(component);
  }
  return null;
}

/** What is left, behind what the first part has written or passed. */
function tail(written: number, rest: readonly TextComponent[]): TextOp {
  const out = new TextOpBuilder();
  out.push(written);
  for (const component of rest) out.push(component);
  return out.finish();
}

/** How many code units of a text fit into a number of bytes. */
function fitting(text: string, bytes: number): number {
  let left = bytes;
  for (let i = 0; i < text.length; i++) {
    left -= unitBytes(text.charCodeAt(i));
    if (left < 0) return splitsPair(text, i) ? i - 1 : i;
  }
  return text.length;
}

function jsonBytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) bytes += unitBytes(text.charCodeAt(i));
  return bytes;
}

/** Upper bound of what a code unit takes: escapes take six bytes, half a pair at most three. */
function unitBytes(unit: number): number {
  if (unit < 0x20) return 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  return unit < 0x800 ? 2 : 3;
}
