// SPDX-License-Identifier: Apache-2.0
/**
 * What the replica must know about a document type. A type is a set of pure functions; the core of
 * the library depends on this interface only, so that each type is an entry point of its own.
 */

/**
 * Which operation's insertion comes first where two insert at one place. In `transform`, `left`
 * puts the transformed operation's own insertion first; in `transformPosition`, `left` stays
 * before what is inserted exactly there.
 */
export type Side = "left" | "right";

/**
 * A document type.
 *
 * Operations of local edits are kept in *invertible* form (with the content they delete); `strip`
 * gives the form that goes over the wire. Every function returns new values and changes none of
 * its arguments. Laws, for all operations that fit: `apply(apply(s,a), transform(b,a,"right")) =
 * apply(apply(s,b), transform(a,b,"left"))`, `apply(s, compose(a,b)) = apply(apply(s,a),b)`,
 * `apply(apply(s,a), invert(makeInvertible(a,s))) = s`.
 *
 * @typeParam S a state (snapshot), immutable
 * @typeParam Op an operation
 */
export interface OtType<S, Op> {
  /** The type's name on the wire, for example `text`. */
  readonly name: string;
  /** Checks a snapshot from the wire and returns it as a state; throws WeftError `invalid_argument`. */
  load(snapshot: unknown): S;
  /** Checks an operation from the wire and returns it; throws WeftError `invalid_argument`. */
  check(op: unknown): Op;
  /** The state after `op`; throws WeftError `out_of_range` when it does not fit. */
  apply(state: S, op: Op): S;
  /** One operation that does what `first` and then `second` do. */
  compose(first: Op, second: Op): Op;
  /** `op` as it must be applied after `over`, both made at the same state. */
  transform(op: Op, over: Op, side: Side): Op;
  /** `op` with all that `invert` needs, taken from the state it applies to. */
  makeInvertible(op: Op, state: S): Op;
  /** The operation that undoes `op`, which must be invertible; the result is invertible too. */
  invert(op: Op): Op;
  /** `op` without what only inversion needs. */
  strip(op: Op): Op;
  /** Whether `op` changes nothing. */
  isNoop(op: Op): boolean;
  /** An invertible operation that leads from one state to another. */
  diff(from: S, to: S): Op;
  /**
   * Cuts an operation that takes more than `maxBytes` on the wire into two, to be applied one after
   * the other, of which the first is small enough; null when it is small enough as it is.
   */
  split(op: Op, maxBytes: number): readonly [Op, Op] | null;
  /** Where a position (in the type's own units) is after `op`. */
  transformPosition(position: number, op: Op, side: Side): number;
}
