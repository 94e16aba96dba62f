// SPDX-License-Identifier: Apache-2.0
/**
 * Operations on plain text, in the published text-unicode format: a list of components that walks
 * over the document. Lengths and positions are code points. A canonical operation has no empty
 * components, no two neighbours of one kind, and no skip at its end.
 */
import { WeftError } from "../errors.js";
import { codePointLength, isWellFormed } from "./units.js";

/** Deletes: a number of code points, or (invertible form) the text itself. */
export interface TextDelete {
  readonly d: number | string;
}

/** One step: a number skips, a string inserts, an object deletes. */
export type TextComponent = number | string | TextDelete;

/** An operation on plain text, for example `[4, "new", {"d": 3}]`. */
export type TextOp = readonly TextComponent[];

/**
 * How many code points of the old document a component covers: none for an insertion.
 * @param component a valid component
 */
export function oldLength(component: TextComponent): number {
  if (typeof component === "number") return component;
  if (typeof component === "string") return 0;
  return deleteLength(component);
}

/**
 * How many code points a deletion removes.
 * @param component a deletion
 */
export function deleteLength(component: TextDelete): number {
  return typeof component.d === "number" ? component.d : codePointLength(component.d);
}

/**
 * Checks an operation that came from outside and returns it unchanged. Stricter than the
 * reference: counts are safe integers, strings are well-formed, deletions have no other members.
 * Errors: WeftError `invalid_argument`.
 * @param op anything
 */
export function checkTextOp(op: unknown): TextOp {
  if (!Array.isArray(op)) throw invalid("an operation must be an array");
  let last: unknown = null;
  for (const component of op as unknown[]) {
    if (typeof component === "number") {
      checkCount(component, "a skip");
      if (typeof last === "number") throw invalid("two skips in a row must be one");
    } else if (typeof component === "string") {
      checkText(component, "an insertion");
    } else {
      checkDelete(component);
    }
    last = component;
  }
  if (typeof last === "number") throw invalid("a skip at the end has no effect");
  return op as TextOp;
}

function checkDelete(component: unknown): void {
  if (typeof component !== "object" || component === null || Array.isArray(component)) {
    throw invalid("a component must be a number, a string or a deletion");
  }
  const keys = Object.keys(component);
  if (keys.length !== 1 || keys[0] !== "d") throw invalid("a deletion has the one member d");
  const { d } = component as { d: unknown };
  if (typeof d === "number") checkCount(d, "a deletion");
  else if (typeof d === "string") checkText(d, "a deletion");
  else throw invalid("a deletion must hold a number or a string");
}

function checkCount(count: number, what: string): void {
  if (!Number.isSafeInteger(count) || count <= 0) {
    throw invalid(`${what} must be a whole number above zero`);
  }
}

function checkText(text: string, what: string): void {
  if (text === "") throw invalid(`${what} must not be empty`);
  if (!isWellFormed(text)) throw invalid(`${what} must not hold a lone surrogate`);
}

function invalid(message: string): WeftError {
  return new WeftError("invalid_argument", message, { reason: "weft.doc.bad_op", executed: "no" });
}

/** Collects components into a canonical operation. */
export class TextOpBuilder {
  readonly #parts: TextComponent[] = [];

  /**
   * Adds a component; empty ones are dropped, neighbours of one kind are joined. A deletion keeps
   * its text only if both joined ones have theirs.
   * @param component a component, possibly empty
   */
  push(component: TextComponent): void {
    if (component === 0 || component === "") return;
    if (typeof component === "object" && (component.d === 0 || component.d === "")) return;
    const at = this.#parts.length - 1;
    const last = this.#parts[at];
    if (typeof component === "number" && typeof last === "number") {
      this.#parts[at] = last + component;
    } else if (typeof component === "string" && typeof last === "string") {
      this.#parts[at] = last + component;
    } else if (typeof component === "object" && typeof last === "object") {
      this.#parts[at] = joinDeletes(last, component);
    } else {
      this.#parts.push(component);
    }
  }

  /** The operation so far, without a skip at its end. The builder must not be used afterwards. */
  finish(): TextOp {
    if (typeof this.#parts.at(-1) === "number") this.#parts.pop();
    return this.#parts;
  }
}

function joinDeletes(a: TextDelete, b: TextDelete): TextDelete {
  if (typeof a.d === "string" && typeof b.d === "string") return { d: a.d + b.d };
  return { d: deleteLength(a) + deleteLength(b) };
}

/**
 * The canonical form of an operation.
 * @param op a valid operation
 */
export function normalizeTextOp(op: TextOp): TextOp {
  const out = new TextOpBuilder();
  for (const component of op) out.push(component);
  return out.finish();
}
