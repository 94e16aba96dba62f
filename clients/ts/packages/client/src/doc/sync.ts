// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps one replica and the server's document together over connections that come and go
 * (PROTOCOL §6).
 *
 *     offline ──connected──▶ opening ──answer──▶ live ──┐
 *        ▲                      ▲  └──refused──▶ failed │
 *        └──disconnected────────┴──gap, conflict, lag───┘
 *
 * Every opening begins a new *round*; answers that belong to an earlier round are ignored, because
 * the answer to `doc.open` says what became of everything before it.
 */
import { WeftError } from "../errors.js";
import type { OtType } from "../ot/type.js";
import { backoffMs } from "../util/backoff.js";
import type { Timer } from "../util/clock.js";
import { HeldEntries } from "./held.js";
import { DocumentLedger } from "./ledger.js";
import type { DocumentPeer, ReplicaState, SyncHost } from "./peer.js";
import type { OpNotice } from "./wire.js";
import { readOp, readOpen, readSubmit } from "./wire.js";

type Held<Op> = ({ kind: "op" } & OpNotice<Op>) | { kind: "ack"; fix: Op | null };

/** After this long with a hole in the versions the document is opened again, in milliseconds. */
const gapMs = 3000;
/** Room for the document's name and the rest around an operation, in bytes. */
const envelopeBytes = 2048;
/** Answers to a submit that say where the replica stands, not that the operation is bad. */
const cured = ["weft.doc.fenced", "weft.doc.closed", "weft.doc.too_far_behind"];
/** Answers that may be due to the order of things, or leave open what became of the operation. */
const doubtful = ["aborted", "already_exists", "failed_precondition", "internal", "unknown", "data_loss"];
/** Doubtful answers to one operation before it counts as refused. */
const doubtfulTries = 6;
/** Refusals by which the replica knows that it has another idea of the content than the server. */
const diverged = ["weft.doc.op_invalid", "weft.doc.version_unknown"];

/** The synchronisation of one replica. */
export class DocumentSync<S, Op> {
  readonly #peer: DocumentPeer;
  readonly #type: OtType<S, Op>;
  readonly #doc: string;
  readonly #host: SyncHost<Op>;
  /** What was agreed with the server. */
  readonly ledger: DocumentLedger<S, Op>;
  readonly #held = new HeldEntries<Held<Op>>();
  #state: ReplicaState = { kind: "offline" };
  #round = 0;
  /** Tries since the last success, for the delay of the next one. */
  #tries = 0;
  /** Doubtful answers to the operation in flight. */
  #doubts = 0;
  /** The next opening asks for the whole document. */
  #whole = false;
  #timer: Timer | null = null;
  #gapTimer: Timer | null = null;

  constructor(peer: DocumentPeer, type: OtType<S, Op>, doc: string, host: SyncHost<Op>) {
    this.#peer = peer;
    this.#type = type;
    this.#doc = doc;
    this.#host = host;
    this.ledger = new DocumentLedger(type, host);
  }

  /** Where the replica stands. */
  get state(): ReplicaState {
    return this.#state;
  }

  /** The connection is ready for calls: (re)opens the document. */
  connected(): void {
    if (this.#state.kind !== "closed") this.#open();
  }

  /** The connection is gone: whatever was sent is settled by the next opening. */
  disconnected(): void {
    if (this.#state.kind === "closed") return;
    this.#newRound();
    this.#held.clear();
    this.#setState({ kind: "offline" });
  }

  /** Ends the replica. */
  close(): void {
    const opened = this.#state.kind === "live" || this.#state.kind === "opening";
    this.#newRound();
    this.#setState({ kind: "closed" });
    if (opened) this.#leave();
  }

  /** Sends the buffered edits when the document is live and nothing is in flight. */
  flush(): void {
    const core = this.ledger.core;
    if (core === null || this.#state.kind !== "live" || core.inflight !== null) return;
    const op = this.ledger.takeInflight(this.#peer.messageBytes() - envelopeBytes);
    if (op !== null) this.#submit(op);
    this.#host.pendingChanged();
  }

  /** A `doc.op` notification arrived. */
  received(params: unknown): void {
    if (this.#state.kind !== "live" && this.#state.kind !== "opening") return;
    try {
      const notice = readOp(this.#type, params);
      this.#held.add(notice.version, { kind: "op", ...notice });
    } catch {
      this.#reopen(0, true);
      return;
    }
    this.#drain();
  }

  /** A `doc.closed` notification arrived. */
  closedByServer(reason: string, reopen: boolean): void {
    if (this.#state.kind === "closed" || this.#state.kind === "offline") return;
    if (reopen) {
      this.#reopen(backoffMs(this.#peer.random, 0), false);
      return;
    }
    this.#fail(
      new WeftError("aborted", `the server closed the document: ${reason}`, {
        reason: `weft.doc.closed.${reason}`,
      }),
    );
  }

  #newRound(): number {
    this.#timer?.cancel();
    this.#gapTimer?.cancel();
    this.#gapTimer = null;
    this.#held.clear((entry) => entry.kind === "ack");
    return ++this.#round;
  }

  #open(): void {
    const round = this.#newRound();
    this.#setState({ kind: "opening" });
    const { core, epoch, client } = this.ledger;
    const from = core === null || this.#whole ? {} : { epoch, version: core.version };
    const params = { doc: this.#doc, type: this.#type.name, create: true, client, ...from };
    this.#peer.call("doc.open", params).then(
      (answer) => round === this.#round && this.#opened(answer),
      (error: unknown) => round === this.#round && this.#openFailed(WeftError.from(error)),
    );
  }

  #opened(answer: unknown): void {
    const round = this.#round;
    let fresh: boolean;
    try {
      fresh = this.ledger.opened(readOpen(this.#type, answer));
    } catch (error) {
      this.#whole = true;
      this.#retry(WeftError.from(error));
      return;
    }
    this.#whole = false;
    if (round !== this.#round) return; // A listener closed the replica.
    if (fresh) {
      this.ledger.renumber();
      this.#leave();
      this.#open();
      return;
    }
    this.#setState({ kind: "live" });
    const inflight = this.ledger.core?.inflight ?? null;
    if (inflight !== null) this.#submit(inflight);
    else this.#doubts = 0;
    this.#drain();
  }

  #openFailed(error: WeftError): void {
    if (error.reason === "weft.doc.epoch_changed" && !this.#whole) this.#reopen(0, true);
    else if (error.retryable || ["deadline_exceeded", "aborted"].includes(error.code)) this.#retry(error);
    else this.#fail(error);
  }

  #submit(op: Op): void {
    const core = this.ledger.core;
    if (core === null) return;
    const round = this.#round;
    const params = {
      doc: this.#doc,
      epoch: this.ledger.epoch,
      client: this.ledger.client,
      seq: this.ledger.applied + 1,
      version: core.version,
      op: this.#type.strip(op),
    };
    this.#peer.call("doc.submit", params, { timeoutMs: 0 }).then(
      (answer) => round === this.#round && this.#submitted(answer),
      (error: unknown) => round === this.#round && this.#submitFailed(WeftError.from(error)),
    );
  }

  #submitted(answer: unknown): void {
    try {
      const { version, fix } = readSubmit(this.#type, answer);
      // An answer at a version that another's operation had is a contradiction: ask for everything.
      if (version <= (this.ledger.core?.version ?? 0)) throw new WeftError("data_loss", "too old");
      this.#held.add(version, { kind: "ack", fix });
    } catch {
      this.#reopen(0, true);
      return;
    }
    this.#drain();
  }

  #submitFailed(error: WeftError): void {
    const reason = error.reason ?? "";
    if (reason === "weft.doc.epoch_changed") {
      this.#reopen(0, true);
    } else if (error.retryable || cured.includes(reason)) {
      this.#retry(error);
    } else if (doubtful.includes(error.code) && this.#doubts < doubtfulTries) {
      this.#doubts++;
      this.#retry(error);
    } else {
      this.#refused(error);
    }
  }

  #refused(error: WeftError): void {
    this.#tries = this.#doubts = 0;
    if (diverged.includes(error.reason ?? "")) this.#reopen(0, true);
    this.ledger.refuse(error);
    this.flush();
    this.#host.pendingChanged();
  }

  /** Opens again after a growing delay, or the one the server asked for. */
  #retry(error: WeftError): void {
    this.#reopen(error.retryAfterMs ?? backoffMs(this.#peer.random, this.#tries++), false);
  }

  #reopen(delayMs: number, whole: boolean): void {
    if (this.#state.kind === "closed") return; // By a listener, just now.
    if (whole) this.#whole = true;
    const round = this.#newRound();
    this.#setState({ kind: "opening" });
    this.#timer = this.#peer.clock.after(delayMs, () => {
      if (round === this.#round) this.#open();
    });
  }

  /** Applies everything held that leads on from here, then sends what waits. */
  #drain(): void {
    const core = this.ledger.core;
    if (core === null || this.#state.kind !== "live") return;
    try {
      for (let entry; (entry = this.#held.next(core.version)) !== undefined; ) {
        if (entry.kind === "ack") {
          this.ledger.confirm(core.version + 1, entry.fix);
          this.#tries = this.#doubts = 0;
        } else if (entry.epoch === this.ledger.epoch) {
          this.ledger.remote(entry.version, entry.op, entry.by);
        }
      }
    } catch {
      this.#reopen(0, true);
      return;
    }
    if (this.state.kind !== "live") return; // A listener closed the replica.
    this.#watchGap();
    this.flush();
    this.#host.pendingChanged();
  }

  #watchGap(): void {
    if (this.#held.size > 0) {
      this.#gapTimer ??= this.#peer.clock.after(gapMs, () => this.#reopen(0, false));
    } else {
      this.#gapTimer?.cancel();
      this.#gapTimer = null;
    }
  }

  #leave(): void {
    this.#peer.call("doc.close", { doc: this.#doc }).catch(() => undefined);
  }

  #fail(error: WeftError): void {
    this.#newRound();
    this.#setState({ kind: "failed", error });
  }

  #setState(state: ReplicaState): void {
    if (this.#state.kind === state.kind && state.kind !== "failed") return;
    this.#state = state;
    this.#host.stateChanged(state);
  }
}
