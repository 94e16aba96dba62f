// SPDX-License-Identifier: Apache-2.0
/**
 * What lets calls and streams go on over another connection (docs/protocol/sessions.md): data is
 * numbered and kept until the server has acknowledged it, what comes is judged by its number.
 */
import type { Message, Outgoing, Wire } from "../protocol/frame.js";
import { newNotification } from "../protocol/frame.js";
import type { Clock, Timer } from "../util/clock.js";

/** Bytes kept, at most, of what the server has not acknowledged. */
const keptMax = 256 * 1024;
/** An acknowledgement is due after so much, whatever comes first. */
const ackFrames = 32;
const ackBytes = 16 * 1024;
const ackMs = 200;

const utf8 = new TextEncoder();

/** What a number says about the frame that has it. */
export type Verdict = "new" | "duplicate" | "gap";

/** A session that has neither sent nor received. */
export class Session {
  /** The secret that names it in the next greeting. */
  token: string;
  /** It is resumed over the wire it began on. */
  readonly wire: Wire;
  readonly #clock: Clock;
  readonly #sendAck: (frame: Outgoing) => void;
  readonly #kept: { readonly seq: number; readonly message: Message; readonly bytes: number }[] = [];
  #keptBytes = 0;
  #sent = 0;
  #acked = 0;
  /** Messages up to this number are not kept any more. */
  #gone = 0;
  #seen = 0;
  #told = 0;
  #untold = 0;
  #timer: Timer | null = null;

  /**
   * @param token of the greeting's answer
   * @param wire of its connections
   * @param clock for acknowledgements
   * @param sendAck sends one
   */
  constructor(token: string, wire: Wire, clock: Clock, sendAck: (frame: Outgoing) => void) {
    this.token = token;
    this.wire = wire;
    this.#clock = clock;
    this.#sendAck = sendAck;
  }

  /** The last number that came, for a greeting. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * Gives a frame the next number and keeps it. When too much is kept the oldest are dropped: the
   * session cannot be resumed then until the server has acknowledged them.
   * @returns the message to send
   */
  number(frame: Outgoing): Message {
    let seq = 0;
    const message = this.wire.encode(frame, () => (seq = ++this.#sent));
    const bytes = typeof message === "string" ? utf8.encode(message).length : message.length;
    this.#kept.push({ seq, message, bytes });
    this.#keptBytes += bytes;
    while (this.#keptBytes > keptMax) this.#drop();
    return message;
  }

  #drop(): void {
    const first = this.#kept.shift();
    if (first === undefined) return;
    this.#keptBytes -= first.bytes;
    this.#gone = first.seq;
  }

  /** The server has seen all up to `seq`; false when it was never sent. */
  acknowledged(seq: number): boolean {
    if (seq > this.#sent) return false;
    if (seq > this.#acked) this.#acked = seq;
    while (this.#kept[0] !== undefined && this.#kept[0].seq <= this.#acked) this.#drop();
    return true;
  }

  /** Judges a frame of a message of `bytes`; acknowledges when that is due. */
  received(seq: number, bytes: number): Verdict {
    if (seq > this.#seen + 1 || seq < 1) return "gap";
    if (seq <= this.#seen) return "duplicate";
    this.#seen = seq;
    this.#untold += bytes;
    if (this.#seen - this.#told >= ackFrames || this.#untold >= ackBytes) this.#acknowledge();
    else this.#timer ??= this.#clock.after(ackMs, () => this.#acknowledge());
    return "new";
  }

  #acknowledge(): void {
    this.#nothingUntold();
    this.#sendAck(newNotification("$/ack", { seq: this.#seen }));
  }

  #nothingUntold(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#told = this.#seen;
    this.#untold = 0;
  }

  /** The connection is gone. The next greeting says what came. */
  cut(): void {
    this.#nothingUntold();
  }

  /**
   * The server has seen all up to `seen` and goes on with the session.
   * @returns what it has not seen, to be sent again; null when that is not kept any more
   */
  resumed(seen: number): readonly Message[] | null {
    if (seen < this.#gone || !this.acknowledged(seen)) return null;
    return this.#kept.map(({ message }) => message);
  }
}
