// SPDX-License-Identifier: Apache-2.0
/**
 * A live copy of one document: the application edits it at once, offline too; the library brings
 * the edits to the server exactly once and others' edits here. Made by `WeftClient.open`.
 */
import { WeftError } from "../errors.js";
import type { OtType } from "../ot/type.js";
import { Emitter } from "../util/emitter.js";
import type { ReplicaEvents, ReplicaOptions } from "./events.js";
import type { ChangeOrigin, DocumentPeer, ReplicaState, SyncHost } from "./peer.js";
import type { Participant } from "./presence.js";
import { OwnPresence, PresenceRoom } from "./presence.js";
import { DocumentSync } from "./sync.js";
import type { UndoKind } from "./undo.js";
import { UndoManager } from "./undo.js";
import type { Author, PresenceState } from "./wire.js";
import { readPresence } from "./wire.js";

/**
 * A live copy of one document. Edits before the first opening are refused (see {@link ready});
 * afterwards edits are possible always. Ends with {@link close}.
 */
export class Replica<S, Op> extends Emitter<ReplicaEvents<Op>> {
  /** The document's name. */
  readonly doc: string;
  /** The document's type. */
  readonly type: OtType<S, Op>;
  readonly #peer: DocumentPeer;
  readonly #sync: DocumentSync<S, Op>;
  readonly #undo: UndoManager<S, Op>;
  readonly #room: PresenceRoom<S, Op>;
  readonly #own: OwnPresence<S, Op>;
  #reportedEdits = 0;
  #presenceSet = false;

  /** @internal Applications use `WeftClient.open`. */
  constructor(peer: DocumentPeer, doc: string, type: OtType<S, Op>, options: ReplicaOptions = {}) {
    super();
    this.doc = doc;
    this.type = type;
    this.#peer = peer;
    this.#undo = new UndoManager(type, options.undo);
    this.#room = new PresenceRoom(type);
    this.#sync = new DocumentSync(peer, type, doc, this.#host());
    this.#own = new OwnPresence(type, {
      clock: peer.clock,
      ready: () => this.state.kind === "live" && this.#sync.ledger.core?.clean === true,
      send: (state) => this.#sendPresence(state),
    });
  }

  /** Where the replica stands. */
  get state(): ReplicaState {
    return this.#sync.state;
  }

  /** The visible document. Throws WeftError `failed_precondition` before the first opening. */
  get value(): S {
    return this.#core().value;
  }

  /** The newest version of the server's that `value` contains; counts operations. */
  get version(): number {
    return this.#core().version;
  }

  /** This replica's name on the wire: 128 random bits in hexadecimal. */
  get client(): string {
    return this.#sync.ledger.client;
  }

  /** How many local edits the server has not confirmed. */
  get pendingEdits(): number {
    return this.#sync.ledger.pendingEdits;
  }

  /** The other participants, by client. Empty while there is no connection. */
  get participants(): ReadonlyMap<string, Participant> {
    return this.#room.participants;
  }

  /**
   * Waits for the first opening. Rejects with WeftError when the server refuses it, or with
   * `canceled` when the replica is closed.
   */
  ready(): Promise<this> {
    return this.#until(() => this.#sync.ledger.core !== null).then(() => this);
  }

  /**
   * Waits until the server has confirmed every local edit. Rejects as {@link ready} does.
   */
  synced(): Promise<void> {
    return this.#until(() => this.state.kind === "live" && this.pendingEdits === 0);
  }

  #until(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop: (() => void)[] = [];
      const look = (): void => {
        const { state } = this;
        if (done()) resolve();
        else if (state.kind === "closed") reject(new WeftError("canceled", "the document was closed"));
        else if (state.kind === "failed") reject(state.error);
        else return;
        for (const off of stop) off();
      };
      stop.push(this.on("state", look), this.on("pending", look));
      look();
    });
  }

  /**
   * Applies a local edit and sends it as soon as it can be sent.
   * Errors: WeftError `failed_precondition` before the first opening or after {@link close},
   * `invalid_argument` for an operation that is none, `out_of_range` for one that does not fit;
   * then nothing changed.
   * @param op an operation on `value`
   */
  edit(op: Op): void {
    const { value } = this.#core();
    if (this.state.kind === "closed") throw new WeftError("failed_precondition", "the document is closed");
    const invertible = this.type.makeInvertible(this.type.check(op), value);
    if (this.type.isNoop(invertible)) return;
    this.#sync.ledger.edit(invertible);
    this.#undo.edited(invertible, this.#peer.clock.now());
    this.#changed(invertible, "local", null);
    this.#sync.flush();
    this.#pendingChanged();
  }

  /** Whether there is an own edit to undo. */
  get canUndo(): boolean {
    return this.#undo.has("undo");
  }

  /** Whether there is an undone edit to redo. */
  get canRedo(): boolean {
    return this.#undo.has("redo");
  }

  /** Undoes the last own step, whatever others did since. Returns whether there was one. */
  undo(): boolean {
    return this.#revert("undo");
  }

  /** Redoes the last undone step. Returns whether there was one. */
  redo(): boolean {
    return this.#revert("redo");
  }

  /** Makes the next edit a step of its own, however soon it comes. */
  splitUndo(): void {
    this.#undo.split();
  }

  #revert(kind: UndoKind): boolean {
    const op = this.#undo.take(kind);
    if (op === null) return false;
    this.#sync.ledger.edit(op);
    this.#undo.reverted(kind, op, this.#peer.clock.now());
    this.#changed(op, kind, null);
    this.#sync.flush();
    this.#pendingChanged();
    return true;
  }

  /**
   * Shows oneself to the others, or leaves. Sent at most every 50 ms, and not before one's own
   * edits are confirmed; sent again after each reconnect.
   * @param state what to show, its positions in the visible document; null leaves
   */
  setPresence(state: PresenceState | null): void {
    if (this.state.kind === "closed") return;
    if (this.#presenceSet !== (state !== null)) {
      this.#presenceSet = state !== null;
      this.#peer.watchLiveness(this.#presenceSet);
    }
    this.#own.set(state);
  }

  /**
   * Ends the replica; edits not yet confirmed may be lost (see {@link synced}). Does nothing when
   * closed before.
   */
  close(): void {
    if (this.state.kind === "closed") return;
    this.setPresence(null);
    this.#sync.close();
  }

  /** @internal The connection came. */
  connected(): void {
    this.#own.reset();
    this.#sync.connected();
  }

  /** @internal The connection went. */
  disconnected(): void {
    this.#sync.disconnected();
    if (this.#room.clear()) this.#participantsChanged();
  }

  /** @internal A notification about this document arrived. */
  received(method: string, params: Record<string, unknown>): void {
    if (method === "doc.op") {
      this.#sync.received(params);
    } else if (method === "doc.presence") {
      this.#receivedPresence(params);
    } else if (method === "doc.closed") {
      if (this.#room.clear()) this.#participantsChanged();
      this.#own.reset();
      const { reason, reopen } = params;
      this.#sync.closedByServer(typeof reason === "string" ? reason : "unknown", reopen === true);
    }
  }

  #receivedPresence(params: unknown): void {
    if (this.state.kind !== "live" && this.state.kind !== "opening") return;
    let notice;
    try {
      notice = readPresence(params);
    } catch {
      return; // Somebody's odd presence is not worth a connection.
    }
    if (notice.client === this.client) return;
    const { core } = this.#sync.ledger;
    if (this.#room.received(notice, this.state.kind === "live" ? core : null)) this.#participantsChanged();
  }

  #sendPresence(state: PresenceState | null): void {
    const { doc, version } = this;
    this.#peer.notify("doc.presence", { doc, epoch: this.#sync.ledger.epoch, version, state });
  }

  #host(): SyncHost<Op> {
    return {
      changed: (op, origin, by) => {
        this.#undo.others(op);
        this.#changed(op, origin, by);
      },
      advanced: (version, op, client) => this.#room.advanced(version, op, client),
      rebased: () => this.#room.rebased(),
      pendingChanged: () => this.#pendingChanged(),
      stateChanged: (state) => this.emit("state", state),
      refused: (op, error) => this.emit("refused", { op, error }),
      replaced: (reason) => this.emit("replaced", { reason }),
    };
  }

  #changed(op: Op, origin: ChangeOrigin, by: Author | null): void {
    const own = origin === "local" || origin === "undo" || origin === "redo";
    this.#room.changed(op, by?.client ?? "");
    this.#own.changed(op, own);
    this.emit("change", { op, origin, by });
    if (this.#room.participants.size > 0) this.#participantsChanged();
  }

  #pendingChanged(): void {
    const { core } = this.#sync.ledger;
    if (core !== null && this.state.kind === "live" && this.#room.reached(core)) this.#participantsChanged();
    this.#own.flush();
    if (this.#reportedEdits === this.pendingEdits) return;
    this.#reportedEdits = this.pendingEdits;
    this.emit("pending", { edits: this.#reportedEdits });
  }

  #participantsChanged(): void {
    this.emit("participants", this.#room.participants);
  }

  #core(): { readonly value: S; readonly version: number } {
    const { core } = this.#sync.ledger;
    if (core === null) {
      throw new WeftError("failed_precondition", "the document is not open yet", { executed: "no" });
    }
    return core;
  }
}
