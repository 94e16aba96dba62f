// SPDX-License-Identifier: Apache-2.0
/**
 * The arithmetic of one replica, without any input or output.
 *
 *     server's state ──inflight──▶ ──buffer──▶ value (what the application sees)
 *       at version     sent, not     not sent
 *                      confirmed     (composed)
 *
 * A remote operation applies at the left and is carried through both to the right; what is pending
 * is carried over it, so that it stays applicable after it. Both pending operations are kept
 * invertible, so that the server's state can be computed back and a refusal can be undone.
 */
import type { OtType } from "../ot/type.js";

/** A replica's states and pending operations. */
export class DocumentCore<S, Op> {
  readonly #type: OtType<S, Op>;
  #value: S;
  #version: number;
  #inflight: Op | null = null;
  #buffer: Op | null = null;

  /**
   * @param type the document type
   * @param value the server's state at `version`
   * @param version count of operations since the document's creation
   */
  constructor(type: OtType<S, Op>, value: S, version: number) {
    this.#type = type;
    this.#value = value;
    this.#version = version;
  }

  /** What the application sees: the server's state with everything pending. */
  get value(): S {
    return this.#value;
  }

  /** The newest version of the server's that is contained in `value`. */
  get version(): number {
    return this.#version;
  }

  /** The operation that is sent and not confirmed, rebased to `version`; invertible. */
  get inflight(): Op | null {
    return this.#inflight;
  }

  /** What leads from the server's state to `value`, in order. */
  get pending(): readonly Op[] {
    return [this.#inflight, this.#buffer].filter((op): op is NonNullable<typeof op> => op !== null);
  }

  /** Whether there are edits that are not sent. */
  get buffering(): boolean {
    return this.#buffer !== null;
  }

  /** Whether every local edit is confirmed. */
  get clean(): boolean {
    return this.#inflight === null && this.#buffer === null;
  }

  /**
   * Applies a local edit to `value`.
   * @param op an invertible operation on `value`
   */
  edit(op: Op): void {
    this.#value = this.#type.apply(this.#value, op);
    this.#buffer = this.#buffer === null ? op : this.#type.compose(this.#buffer, op);
  }

  /**
   * Makes what is buffered the operation in flight, or as much of it as one message can hold.
   * @param maxBytes size of an operation on the wire
   * @returns it, or null when one is in flight already or nothing is to be sent
   */
  takeInflight(maxBytes: number): Op | null {
    if (this.#inflight !== null || this.#buffer === null) return null;
    const whole = this.#buffer;
    this.#buffer = null;
    if (this.#type.isNoop(whole)) return null;
    const [op, rest] = this.#type.split(whole, maxBytes) ?? [whole, null];
    this.#buffer = rest;
    this.#inflight = op;
    return op;
  }

  /**
   * Applies the operation that led the server to `version`.
   * @param op another client's operation, or those of many as one
   * @param version must be the one it leads to
   * @returns what changed in `value`
   */
  applyRemote(op: Op, version: number): Op {
    this.#version = version;
    return this.#carryThrough(op);
  }

  /**
   * Takes note that the operation in flight led the server to `version`.
   * @param version must be the next one
   * @param fix leads from the plain operation to what the server stored instead
   * @returns what the fix changed in `value`, or null
   */
  confirm(version: number, fix: Op | null): Op | null {
    this.#version = version;
    this.#inflight = null;
    return fix === null ? null : this.#carryThrough(fix);
  }

  /**
   * Takes back the operation in flight, which the server refused; later edits stay.
   * @returns the refused operation, and what its removal changed in `value`
   */
  refuse(): { refused: Op; change: Op } | null {
    const refused = this.#inflight;
    if (refused === null) return null;
    this.#inflight = null;
    return { refused, change: this.#carryThrough(this.#type.invert(refused)) };
  }

  /**
   * Replaces the server's state where operations cannot lead there. What differs between the old
   * and the new state counts as a remote operation, so everything pending survives.
   * @param state the server's state
   * @param version its version
   * @param confirmed whether the new state contains the operation in flight
   * @returns what changed in `value`
   */
  replaceBase(state: S, version: number, confirmed: boolean): Op {
    let old = this.#value;
    if (this.#buffer !== null) old = this.#type.apply(old, this.#type.invert(this.#buffer));
    if (confirmed) this.#inflight = null;
    else if (this.#inflight !== null) old = this.#type.apply(old, this.#type.invert(this.#inflight));
    return this.applyRemote(this.#type.diff(old, state), version);
  }

  /** Carries an operation on the server's state through what is pending, and applies it. */
  #carryThrough(op: Op): Op {
    const type = this.#type;
    let carried = op;
    if (this.#inflight !== null) {
      const before = this.#inflight;
      this.#inflight = type.transform(before, carried, "left");
      carried = type.transform(carried, before, "right");
    }
    if (this.#buffer !== null) {
      const before = this.#buffer;
      this.#buffer = type.transform(before, carried, "left");
      carried = type.transform(carried, before, "right");
    }
    this.#value = type.apply(this.#value, carried);
    return carried;
  }
}
