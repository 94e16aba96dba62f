// SPDX-License-Identifier: Apache-2.0
/**
 * Who is here. Others' positions arrive at a version of the server's; they are held until this
 * replica has got there, carried over what is pending here, and then over every visible change.
 * One's own state is told to the server only while nothing is pending, and not more often than
 * every 50 ms: typing moves one's cursor at every receiver without a message.
 */
import type { OtType, Side } from "../ot/type.js";
import type { Clock, Timer } from "../util/clock.js";
import type { DocumentCore } from "./core.js";
import type { PresenceNotice, PresenceState } from "./wire.js";

/** Another participant. */
export interface Participant {
  /** The replica's name on the wire; changes when its page is loaded anew. */
  readonly client: string;
  /** The principal, as the server knows it; empty when nobody signed in. */
  readonly sub: string;
  /** What it shows; its selections are positions in the visible document. */
  readonly state: PresenceState;
}

/** How many operations back an old position can still be carried on. */
const historyLength = 256;

/** The other participants of one document. */
export class PresenceRoom<S, Op> {
  readonly #type: OtType<S, Op>;
  readonly #participants = new Map<string, Participant>();
  #held: PresenceNotice[] = [];
  #history: { version: number; op: Op; client: string }[] = [];

  /** @param type the document type */
  constructor(type: OtType<S, Op>) {
    this.#type = type;
  }

  /** The others, by client. */
  get participants(): ReadonlyMap<string, Participant> {
    return this.#participants;
  }

  /**
   * Takes in a notification. Returns whether the participants changed now.
   * @param notice a checked notification
   * @param core the replica; null while it has no state
   */
  received(notice: PresenceNotice, core: DocumentCore<S, Op> | null): boolean {
    if (notice.state === null) {
      this.#held = this.#held.filter((other) => other.client !== notice.client);
      return this.#participants.delete(notice.client);
    }
    this.#held = this.#held.filter((other) => other.client !== notice.client);
    this.#held.push(notice);
    return core !== null && this.reached(core);
  }

  /** Shows what was held for the replica's version. Returns whether the participants changed. */
  reached(core: DocumentCore<S, Op>): boolean {
    const due = this.#held.filter((notice) => notice.version <= core.version);
    if (due.length === 0) return false;
    this.#held = this.#held.filter((notice) => notice.version > core.version);
    for (const notice of due) this.#show(notice, core);
    return true;
  }

  #show({ version, client, sub, state }: PresenceNotice, core: DocumentCore<S, Op>): void {
    if (state === null) return;
    let carried = state;
    for (const past of this.#history) {
      if (past.version <= version) continue;
      carried = this.#carry(carried, past.op, past.client === client ? "right" : "left");
    }
    for (const op of core.pending) carried = this.#carry(carried, op, "left");
    this.#participants.set(client, { client, sub, state: carried });
  }

  /** The server's state advanced by an operation. */
  advanced(version: number, op: Op, client: string): void {
    this.#history.push({ version, op, client });
    if (this.#history.length > historyLength) this.#history.shift();
  }

  /** The server's state jumped: old operations are no way to it. */
  rebased(): void {
    this.#history = [];
  }

  /**
   * Carries everybody over a change of the visible document.
   * @param op the change
   * @param client who made it: that one's own cursor moves with what it inserts
   */
  changed(op: Op, client: string): void {
    for (const [key, peer] of this.#participants) {
      const side: Side = key === client ? "right" : "left";
      this.#participants.set(key, { ...peer, state: this.#carry(peer.state, op, side) });
    }
  }

  /** Forgets everybody. Returns whether anybody was here. */
  clear(): boolean {
    const any = this.#participants.size > 0;
    this.#participants.clear();
    this.#held = [];
    return any;
  }

  #carry(state: PresenceState, op: Op, side: Side): PresenceState {
    return carryPresence(this.#type, state, op, side);
  }
}

function carryPresence<S, Op>(
  type: OtType<S, Op>,
  state: PresenceState,
  op: Op,
  side: Side,
): PresenceState {
  const selections = state.selections.map(({ anchor, head }) => ({
    anchor: type.transformPosition(anchor, op, side),
    head: type.transformPosition(head, op, side),
  }));
  return { ...state, selections };
}

/** What the sender of one's own presence needs. */
export interface PresenceOutlet {
  /** Time. */
  readonly clock: Clock;
  /** Whether positions of the visible document are positions of the server's now. */
  ready(): boolean;
  /** Sends a state, or null for leaving. */
  send(state: PresenceState | null): void;
}

/** Shortest time between two messages of one's own presence, in milliseconds. */
const throttleMs = 50;

/** Sends one's own presence. */
export class OwnPresence<S, Op> {
  readonly #type: OtType<S, Op>;
  readonly #outlet: PresenceOutlet;
  #state: PresenceState | null = null;
  /** What the others see now. */
  #shown: PresenceState | null = null;
  #timer: Timer | null = null;
  #sentAt = -Infinity;

  constructor(type: OtType<S, Op>, outlet: PresenceOutlet) {
    this.#type = type;
    this.#outlet = outlet;
  }

  /** Sets the state; null leaves. Positions are of the visible document at this moment. */
  set(state: PresenceState | null): void {
    this.#state = state;
    this.flush();
  }

  /** A new connection: the server knows nothing of us. */
  reset(): void {
    this.#shown = null;
  }

  /** Carries the own cursor over a change of the visible document, as every receiver does. */
  changed(op: Op, own: boolean): void {
    const side: Side = own ? "right" : "left";
    if (this.#state !== null) this.#state = carryPresence(this.#type, this.#state, op, side);
    if (this.#shown !== null) this.#shown = carryPresence(this.#type, this.#shown, op, side);
  }

  /** Sends what the others do not see yet, now or when the time has come. */
  flush(): void {
    if (this.#timer !== null || !this.#outlet.ready() || this.#isShown()) return;
    const wait = this.#sentAt + throttleMs - this.#outlet.clock.now();
    if (wait > 0) {
      this.#timer = this.#outlet.clock.after(wait, () => {
        this.#timer = null;
        this.flush();
      });
      return;
    }
    this.#sentAt = this.#outlet.clock.now();
    this.#shown = this.#state;
    this.#outlet.send(this.#state);
  }

  #isShown(): boolean {
    return JSON.stringify(this.#shown) === JSON.stringify(this.#state);
  }
}
