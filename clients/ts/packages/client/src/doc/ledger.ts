// SPDX-License-Identifier: Apache-2.0
/**
 * What a replica and the server have agreed on: epoch, version, how many of this client's
 * operations are in the log; and what each answer of the server changes in that. No input or
 * output. The number of the operation in flight is always `applied + 1`.
 */
import { WeftError } from "../errors.js";
import type { OtType } from "../ot/type.js";
import { randomId } from "../util/random.js";
import { DocumentCore } from "./core.js";
import type { SyncHost } from "./peer.js";
import type { Author, OpenAnswer } from "./wire.js";

/** The agreed state of one replica. */
export class DocumentLedger<S, Op> {
  readonly #type: OtType<S, Op>;
  readonly #host: SyncHost<Op>;
  #core: DocumentCore<S, Op> | null = null;
  #client = randomId();
  #epoch = "";
  #applied = 0;
  #edits = { buffered: 0, inflight: 0 };

  constructor(type: OtType<S, Op>, host: SyncHost<Op>) {
    this.#type = type;
    this.#host = host;
  }

  /** The states and pending operations; null before the first opening was answered. */
  get core(): DocumentCore<S, Op> | null {
    return this.#core;
  }

  /** This replica's name on the wire. */
  get client(): string {
    return this.#client;
  }

  /** The document's epoch; empty before the first opening was answered. */
  get epoch(): string {
    return this.#epoch;
  }

  /** How many of this client's operations are in the server's log. */
  get applied(): number {
    return this.#applied;
  }

  /** How many local edits the server has not confirmed. */
  get pendingEdits(): number {
    return this.#edits.buffered + this.#edits.inflight;
  }

  /** Applies a local edit, an invertible operation on the value. */
  edit(op: Op): void {
    if (this.#core === null) {
      throw new WeftError("failed_precondition", "the document is not open yet", { executed: "no" });
    }
    this.#core.edit(op);
    this.#edits.buffered++;
  }

  /** Makes the buffered edits, or a part that one message can hold, the operation in flight. */
  takeInflight(maxBytes: number): Op | null {
    const core = this.#core;
    if (core === null || core.inflight !== null) return null;
    const op = core.takeInflight(maxBytes);
    // Edits count as sent when the last part of them is.
    if (!core.buffering) this.#edits = { buffered: 0, inflight: op === null ? 0 : this.#edits.buffered };
    return op;
  }

  /**
   * Settles everything with the answer to `doc.open`. Throws WeftError `data_loss` when it does
   * not fit what was agreed before; then only a snapshot helps.
   * @returns whether this replica must begin again as a new client, and open once more
   */
  opened(answer: OpenAnswer<S, Op>): boolean {
    const { content } = answer;
    if (this.#core === null) {
      if (!("snapshot" in content)) throw new WeftError("data_loss", "the snapshot is missing");
      this.#core = new DocumentCore(this.#type, content.snapshot, answer.version);
      this.#epoch = answer.epoch;
      this.#applied = answer.applied;
      return false;
    }
    const lost = answer.applied < this.#applied;
    if ("snapshot" in content) return this.#replace(this.#core, answer, content.snapshot) || lost;
    if (answer.epoch !== this.#epoch) throw new WeftError("data_loss", "operations of another epoch");
    for (const entry of content.ops) {
      if (entry.version <= this.#core.version) continue;
      if ("from" in entry) this.#range(entry.from, entry.version, entry.op);
      else if ("op" in entry) this.remote(entry.version, entry.op, entry.by);
      else this.confirm(entry.version, null);
    }
    const settled = this.#core.inflight === null || answer.applied <= this.#applied;
    if (this.#core.version !== answer.version || !settled) {
      throw new WeftError("data_loss", "the operations do not lead to the announced version");
    }
    return lost;
  }

  #replace(core: DocumentCore<S, Op>, answer: OpenAnswer<S, Op>, snapshot: S): boolean {
    const sameEpoch = answer.epoch === this.#epoch;
    const confirmed = core.inflight !== null && answer.applied > this.#applied;
    const change = core.replaceBase(snapshot, answer.version, confirmed);
    if (confirmed) this.#edits.inflight = 0;
    this.#epoch = answer.epoch;
    this.#applied = answer.applied;
    this.#host.rebased();
    this.#report(change, "resync", null);
    this.#host.replaced(sameEpoch ? "range" : "epoch");
    return !sameEpoch;
  }

  /** Begins again as a new client: after a change of epoch old numbers mean nothing. */
  renumber(): void {
    this.#client = randomId();
    this.#applied = 0;
  }

  /** Applies another client's operation, which must lead to the next version. */
  remote(version: number, op: Op, by: Author | null): void {
    const core = this.#next(version);
    const change = core.applyRemote(op, version);
    this.#host.advanced(version, op, by?.client ?? "");
    this.#report(change, "remote", by);
  }

  /** Applies what many did, as one operation; which of them did what is not known. */
  #range(from: number, version: number, op: Op): void {
    if (from !== this.#core?.version) throw new WeftError("data_loss", "a version is missing");
    const change = this.#core.applyRemote(op, version);
    this.#host.rebased();
    this.#report(change, "remote", null);
  }

  /** Confirms the operation in flight, which must lead to the next version. */
  confirm(version: number, fix: Op | null): void {
    const core = this.#next(version);
    const own = core.inflight;
    if (own === null) throw new WeftError("data_loss", "an own operation that was not sent");
    const change = core.confirm(version, fix);
    this.#applied++;
    this.#edits.inflight = 0;
    this.#host.advanced(version, fix === null ? own : this.#type.compose(own, fix), this.#client);
    if (change !== null) this.#report(change, "remote", null);
    this.#host.pendingChanged();
  }

  /** Takes back the operation in flight, which the server refused. */
  refuse(error: WeftError): void {
    const result = this.#core?.refuse() ?? null;
    if (result === null) return;
    this.#edits.inflight = 0;
    this.#host.rebased();
    this.#report(result.change, "refused", null);
    this.#host.refused(result.refused, error);
  }

  #next(version: number): DocumentCore<S, Op> {
    const core = this.#core;
    if (core === null || version !== core.version + 1) {
      throw new WeftError("data_loss", "a version is missing");
    }
    return core;
  }

  #report(change: Op, origin: "resync" | "remote" | "refused", by: Author | null): void {
    if (!this.#type.isNoop(change)) this.#host.changed(change, origin, by);
  }
}
