// SPDX-License-Identifier: Apache-2.0
/**
 * Undo and redo of one's own edits.
 *
 *     undo stack:  … item₁ ▸ others₁   item₂ ▸ others₂      (top)
 *
 * An item holds the inverse of one's own edits, made when they were applied; `others` is what other
 * people changed since. Only the top item is ever looked at: its inverse is carried over `others`,
 * and `others`, carried over the inverse, is handed to the item below. So a remote operation costs
 * one composition, however long the stack is, and old items pay when (and if) their turn comes.
 */
import type { OtType } from "../ot/type.js";

interface Item<Op> {
  inverse: Op;
  others: Op | null;
  /** When the newest edit of this item was made, in milliseconds. */
  time: number;
}

/** Which stack an inverse came from. */
export type UndoKind = "undo" | "redo";

/** How edits become steps. */
export interface UndoOptions {
  /** Edits closer than this are one step, in milliseconds; 500 by default. */
  readonly groupMs?: number;
  /** Steps kept; the oldest are forgotten; 1,000 by default. */
  readonly depth?: number;
}

/** The undo and redo stacks of one replica. */
export class UndoManager<S, Op> {
  readonly #type: OtType<S, Op>;
  readonly #groupMs: number;
  readonly #depth: number;
  #stacks: Record<UndoKind, Item<Op>[]> = { undo: [], redo: [] };
  /** The next edit begins a new step, however soon it comes. */
  #split = true;

  /**
   * @param type the document type
   * @param options grouping and depth
   */
  constructor(type: OtType<S, Op>, options: UndoOptions = {}) {
    this.#type = type;
    this.#groupMs = options.groupMs ?? 500;
    this.#depth = options.depth ?? 1000;
  }

  /**
   * Whether there is a step to undo or redo.
   * @param kind which stack
   */
  has(kind: UndoKind): boolean {
    this.#settle(this.#stacks[kind]);
    return this.#stacks[kind].length > 0;
  }

  /** Makes the next edit a step of its own. */
  split(): void {
    this.#split = true;
  }

  /**
   * Takes note of a local edit, which empties the redo stack.
   * @param op the edit, invertible
   * @param time when, in milliseconds
   */
  edited(op: Op, time: number): void {
    const inverse = this.#type.invert(op);
    const stack = this.#stacks.undo;
    const top = stack.at(-1);
    const joins = !this.#split && top !== undefined && time - top.time < this.#groupMs;
    if (joins) {
      this.#carry(stack);
      top.inverse = this.#type.compose(inverse, top.inverse);
      top.time = time;
    } else {
      this.#push("undo", inverse, time);
    }
    this.#stacks.redo = [];
    this.#split = false;
  }

  /**
   * Takes note of a change that is not one's own edit.
   * @param op what changed in the visible document
   */
  others(op: Op): void {
    for (const stack of [this.#stacks.undo, this.#stacks.redo]) this.#give(stack, op);
  }

  /**
   * Takes the newest step of a stack. The caller applies it and passes it to {@link reverted}.
   * @param kind which stack
   * @returns an invertible operation on the visible document, or null
   */
  take(kind: UndoKind): Op | null {
    const stack = this.#stacks[kind];
    this.#settle(stack);
    const item = stack.pop();
    return item === undefined ? null : item.inverse;
  }

  /**
   * Takes note that a step was applied: its inverse goes to the other stack.
   * @param kind the stack the step came from
   * @param op the step, invertible
   * @param time when, in milliseconds
   */
  reverted(kind: UndoKind, op: Op, time: number): void {
    this.#push(kind === "undo" ? "redo" : "undo", this.#type.invert(op), time);
    this.#split = true;
  }

  #push(kind: UndoKind, inverse: Op, time: number): void {
    const stack = this.#stacks[kind];
    stack.push({ inverse, others: null, time });
    if (stack.length > this.#depth) stack.shift();
  }

  #give(stack: Item<Op>[], op: Op): void {
    const top = stack.at(-1);
    if (top === undefined) return;
    top.others = top.others === null ? op : this.#type.compose(top.others, op);
  }

  /** Carries the top item over what others changed, and that over it to the item below. */
  #carry(stack: Item<Op>[]): void {
    const top = stack.at(-1);
    if (top === undefined || top.others === null) return;
    const { inverse, others } = top;
    top.inverse = this.#type.transform(inverse, others, "left");
    top.others = null;
    const below = stack.at(-2);
    if (below === undefined) return;
    const carried = this.#type.transform(others, inverse, "right");
    below.others = below.others === null ? carried : this.#type.compose(below.others, carried);
  }

  /** Drops items that others' edits have made empty, until the top has an effect. */
  #settle(stack: Item<Op>[]): void {
    for (;;) {
      this.#carry(stack);
      const top = stack.at(-1);
      if (top === undefined || !this.#type.isNoop(top.inverse)) return;
      stack.pop();
    }
  }
}
