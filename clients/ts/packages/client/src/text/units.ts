// SPDX-License-Identifier: Apache-2.0
/**
 * Code points and UTF-16 code units. The wire counts code points; JavaScript strings and most
 * editors count code units. All functions here run in time proportional to the text they pass.
 */

const loneSurrogate = /\p{Cs}/u;
const loneSurrogates = /\p{Cs}/gu;

/**
 * Whether a string is well-formed, that is, has no surrogate without its other half.
 * @param text any string
 */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

/**
 * The text with U+FFFD in place of every lone surrogate, so the length stays the same.
 * @param text any string
 */
export function toWellFormed(text: string): string {
  return text.replace(loneSurrogates, "\uFFFD");
}

/**
 * Whether a UTF-16 offset lies between the two halves of a surrogate pair.
 * @param text any string
 * @param offset in code units, from 0 to `text.length`
 */
export function splitsPair(text: string, offset: number): boolean {
  return isHigh(text.charCodeAt(offset - 1)) && isLow(text.charCodeAt(offset));
}

/**
 * Length in code points; a lone surrogate counts as one.
 * @param text any string
 * @param from first code unit counted
 * @param to end of what is counted, in code units
 */
export function codePointLength(text: string, from = 0, to = text.length): number {
  let count = to - from;
  for (let i = from + 1; i < to; i++) {
    if (isLow(text.charCodeAt(i)) && isHigh(text.charCodeAt(i - 1))) {
      count--;
      i++;
    }
  }
  return count;
}

/**
 * The UTF-16 offset reached `count` code points after `from`, or -1 when the text ends before.
 * @param text any string
 * @param from a code unit offset, not inside a pair
 * @param count in code points, not negative
 */
export function skipCodePoints(text: string, from: number, count: number): number {
  const end = text.length;
  // A count past the end, however huge, is refused before the walk.
  if (count > end - from) return -1;
  let at = from;
  for (let left = count; left > 0; left--) {
    if (at >= end) return -1;
    at += isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1)) ? 2 : 1;
  }
  return at;
}

/**
 * A UTF-16 offset as a code point position; an offset inside a pair counts as the pair's end.
 * @param text any string
 * @param offset in code units, cut to the text's length
 */
export function toCodePoints(text: string, offset: number): number {
  return codePointLength(text, 0, Math.min(Math.max(offset, 0), text.length));
}

/**
 * A code point position as a UTF-16 offset, cut to the text's length.
 * @param text any string
 * @param position in code points
 */
export function toUtf16(text: string, position: number): number {
  const at = skipCodePoints(text, 0, Math.max(position, 0));
  return at < 0 ? text.length : at;
}

/**
 * Whether a code unit is the first half of a surrogate pair.
 * @param unit a code unit, or NaN past the end of a string
 */
export function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

/**
 * Whether a code unit is the second half of a surrogate pair.
 * @param unit a code unit, or NaN past the end of a string
 */
export function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
