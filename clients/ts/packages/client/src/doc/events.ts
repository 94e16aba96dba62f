// SPDX-License-Identifier: Apache-2.0
/** What a replica tells, and how it can be made. */
import type { WeftError } from "../errors.js";
import type { ChangeOrigin, ReplicaState } from "./peer.js";
import type { Participant } from "./presence.js";
import type { UndoOptions } from "./undo.js";
import type { Author } from "./wire.js";

/** A change of the visible document. */
export interface ReplicaChange<Op> {
  /** Leads from the value before to the value now. */
  readonly op: Op;
  /** Where it came from. */
  readonly origin: ChangeOrigin;
  /** Who made a remote change, when the server says so. */
  readonly by: Author | null;
}

/** What a replica tells its listeners. */
export interface ReplicaEvents<Op> {
  /** The visible document changed; called after `value` changed, once for every change in order. */
  change: ReplicaChange<Op>;
  /** The state changed. */
  state: ReplicaState;
  /** The number of edits that the server has not confirmed changed. */
  pending: { readonly edits: number };
  /** Somebody came, left, moved or changed what is shown. */
  participants: ReadonlyMap<string, Participant>;
  /** The server refused edits; they were taken back (a change of origin `refused`). */
  refused: { readonly op: Op; readonly error: WeftError };
  /**
   * A snapshot replaced the server's state: the operations since were too many (`range`), or the
   * document began a new epoch (`epoch`). What was pending survived.
   */
  replaced: { readonly reason: "range" | "epoch" };
}

/** Options of a replica. */
export interface ReplicaOptions {
  /** How edits become undo steps. */
  readonly undo?: UndoOptions;
}
