// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps editor and replica the same text, unit for unit. The editor splits lines at "\n" only, so
 * that "\r", U+2028 and the like, which others may have written, stay characters. What is typed or
 * pasted here is put in order before it is applied: "\r\n" and "\r" become "\n", a lone surrogate
 * becomes U+FFFD, so it never reaches the wire.
 */
import { EditorState, type Extension, type Transaction } from "@codemirror/state";
import { cutsPair } from "./units.js";

/** Line ends that are not "\n", and surrogates without their other half. */
const unwanted = /\r\n?|\p{Cs}/gu;

interface Correction {
  from: number;
  to: number;
  insert: string;
}

/** The corrections that follow a transaction, each as small as can be, so that cursors stay. */
function corrections(tr: Transaction): Correction[] {
  const found: Correction[] = [];
  const { newDoc } = tr;
  tr.changes.iterChanges((_fromA, _toA, fromB, toB) => {
    // A change may cut a pair of the old text, or complete one: look at the neighbours too.
    let [from, to] = [Math.max(0, fromB - 1), Math.min(newDoc.length, toB + 1)];
    if (cutsPair(newDoc, from)) from--;
    if (cutsPair(newDoc, to)) to++;
    for (const match of newDoc.sliceString(from, to, "\n").matchAll(unwanted)) {
      const at = from + match.index;
      if (at < (found.at(-1)?.to ?? 0)) continue;
      if (!match[0].startsWith("\r")) found.push({ from: at, to: at + 1, insert: "\uFFFD" });
      // Line ends that were there before stay as they are.
      else if (at < fromB || at >= toB) continue;
      else if (match[0] === "\r\n" && at + 1 < toB) found.push({ from: at, to: at + 1, insert: "" });
      else found.push({ from: at, to: at + 1, insert: "\n" });
    }
  });
  return found;
}

/**
 * The extension that puts local input in order.
 * @param isRemote tells the transactions that must stay as they are
 */
export function sanitizer(isRemote: (tr: Transaction) => boolean): Extension {
  return [
    EditorState.lineSeparator.of("\n"),
    EditorState.transactionFilter.of((tr) => {
      if (!tr.docChanged || isRemote(tr)) return tr;
      const changes = corrections(tr);
      return changes.length === 0 ? tr : [tr, { changes, sequential: true }];
    }),
  ];
}
