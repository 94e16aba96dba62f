// SPDX-License-Identifier: Apache-2.0
/** Reads an operation piece by piece, in lengths that another operation dictates. */
import type { TextComponent, TextOp } from "./op.js";
import { deleteLength } from "./op.js";
import { codePointLength, skipCodePoints } from "./units.js";

/** What comes next; past its end an operation skips for ever. */
export type NextKind = "skip" | "insert" | "delete" | "end";

/** A position inside an operation. */
export class TextOpReader {
  readonly #op: TextOp;
  #index = 0;
  /** What is left of the component at `#index`, when part of it was taken. */
  #rest: TextComponent | undefined;

  /** @param op a valid operation */
  constructor(op: TextOp) {
    this.#op = op;
  }

  #current(): TextComponent | undefined {
    return this.#rest ?? this.#op[this.#index];
  }

  /** The kind of the next component. */
  get next(): NextKind {
    const component = this.#current();
    if (component === undefined) return "end";
    if (typeof component === "number") return "skip";
    return typeof component === "string" ? "insert" : "delete";
  }

  /** Takes the whole rest of the next component; undefined at the end. */
  takeAll(): TextComponent | undefined {
    const component = this.#current();
    this.#advance();
    return component;
  }

  /**
   * Takes at most `limit` code points of the next component; at the end, a skip of `limit`.
   * @param limit in code points, above zero
   * @returns the piece and its length in code points
   */
  take(limit: number): { piece: TextComponent; length: number } {
    const component = this.#current();
    if (component === undefined) return { piece: limit, length: limit };
    const length = pieceLength(component);
    if (length <= limit) {
      this.#advance();
      return { piece: component, length };
    }
    const [piece, rest] = cut(component, limit);
    this.#rest = rest;
    return { piece, length: limit };
  }

  #advance(): void {
    this.#rest = undefined;
    this.#index++;
  }
}

function pieceLength(component: TextComponent): number {
  if (typeof component === "number") return component;
  if (typeof component === "string") return codePointLength(component);
  return deleteLength(component);
}

function cut(component: TextComponent, at: number): [TextComponent, TextComponent] {
  if (typeof component === "number") return [at, component - at];
  if (typeof component === "string") return cutText(component, at);
  if (typeof component.d === "number") return [{ d: at }, { d: component.d - at }];
  const [head, tail] = cutText(component.d, at);
  return [{ d: head }, { d: tail }];
}

function cutText(text: string, at: number): [string, string] {
  const unit = skipCodePoints(text, 0, at);
  return [text.slice(0, unit), text.slice(unit)];
}
