// SPDX-License-Identifier: Apache-2.0
/** Texts and JSON inside binary messages. */
import { PbError } from "./pb-wire.js";

/** Levels of arrays and objects inside one another, as for the server (docs/protocol/README.md). */
const nestingMax = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Texts up to so many bytes are first tried as ASCII, which is faster than a decoder for short ones. */
const shortText = 24;

/**
 * The text from `from` to `to`.
 * Errors: PbError when it is not UTF-8.
 */
export function readText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= shortText) {
    const text = readAscii(bytes, from, to);
    if (text !== undefined) return text;
  }
  try {
    return utf8.decode(bytes.subarray(from, to));
  } catch {
    throw new PbError("a text that is not UTF-8");
  }
}

function readAscii(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/**
 * The JSON value from `from` to `to`.
 * Errors: PbError when it is none, or nested too deeply.
 */
export function readJson(bytes: Uint8Array, from: number, to: number): unknown {
  if (nestsTooDeeply(bytes, from, to)) throw new PbError(`JSON nested more than ${nestingMax} levels deep`);
  const text = readText(bytes, from, to);
  try {
    return JSON.parse(text);
  } catch {
    throw new PbError("a payload that is no JSON");
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON opens too many levels. Of what is no JSON it may say anything. */
function nestsTooDeeply(bytes: Uint8Array, from: number, to: number): boolean {
  // Each level takes two bytes.
  if (to - from <= 2 * nestingMax) return false;
  let depth = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) {
      at = endOfString(bytes, at + 1, to);
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > nestingMax) return true;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
  return false;
}

/** A string so long is searched for its end by the machine. */
const longString = 32;

/** Where a string's closing quote is, behind its opening one; `to` when it has none. */
function endOfString(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) return at;
    if (byte === backslash) at++;
    else if (at - from > longString) return endOfLongString(bytes, at, to);
  }
  return to;
}

function endOfLongString(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; ; at++) {
    at = bytes.indexOf(quote, at);
    if (at < 0 || at >= to) return to;
    let begin = at;
    while (begin > from && bytes[begin - 1] === backslash) begin--;
    if ((at - begin) % 2 === 0) return at;
  }
}
