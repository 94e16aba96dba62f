// SPDX-License-Identifier: Apache-2.0
/** What the parts of a replica need from each other and from the connection. */
import type { WeftError } from "../errors.js";
import type { Clock } from "../util/clock.js";
import type { Author } from "./wire.js";

/** The other end, as a replica sees it. */
export interface DocumentPeer {
  /** Time. */
  readonly clock: Clock;
  /** A number from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  /** The largest message that the server accepts, in bytes. */
  messageBytes(): number;
  /** Calls a method of the server's; rejects with WeftError. No time limit when `timeoutMs` is 0. */
  call(method: string, params: unknown, options?: { timeoutMs?: number }): Promise<unknown>;
  /** Sends a notification; does nothing while there is no connection. */
  notify(method: string, params: unknown): void;
  /** Says that presence is (not) shown, so that the connection's liveness is watched closely. */
  watchLiveness(on: boolean): void;
}

/** Where a replica stands. Edits are possible in every state once the document was open. */
export type ReplicaState =
  /** No connection; edits are kept and sent later. */
  | { readonly kind: "offline" }
  /** Waiting for the server's answer. */
  | { readonly kind: "opening" }
  /** Edits go to the server and come from it. */
  | { readonly kind: "live" }
  /** The server refused to open the document; tried again with the next connection. */
  | { readonly kind: "failed"; readonly error: WeftError }
  /** Closed by the application; final. */
  | { readonly kind: "closed" };

/**
 * Where a change of the visible document came from: one's own `local` edit, `undo`, `redo`; a
 * `remote` edit; a `refused` edit that was taken back; a `resync` with a snapshot.
 */
export type ChangeOrigin = "local" | "undo" | "redo" | "remote" | "refused" | "resync";

/** What the synchronisation tells its replica; called in the order things happen. */
export interface SyncHost<Op> {
  /** The visible document changed, not by a local edit. */
  changed(op: Op, origin: ChangeOrigin, by: Author | null): void;
  /** The server's state advanced to `version` by `op`, an operation on the server's state. */
  advanced(version: number, op: Op, client: string): void;
  /** The server's state jumped, so positions at old versions cannot be carried on. */
  rebased(): void;
  /** The number of unconfirmed edits, or what is in flight, changed. */
  pendingChanged(): void;
  /** The state changed. */
  stateChanged(state: ReplicaState): void;
  /** The server refused an operation, which was taken back. */
  refused(op: Op, error: WeftError): void;
  /** A snapshot replaced the server's state. */
  replaced(reason: "range" | "epoch"): void;
}
