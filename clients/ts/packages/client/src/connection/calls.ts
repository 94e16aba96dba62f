// SPDX-License-Identifier: Apache-2.0
/** Calls in flight on one connection: each is settled exactly once. */
import { WeftError } from "../errors.js";
import type { IncomingAnswer, IncomingRequest } from "../protocol/frame.js";
import { isObject, newCall, newNotification } from "../protocol/frame.js";
import type { Clock, Timer } from "../util/clock.js";
import type { Sender, StreamSink, StreamWindow } from "./stream.js";

/** How the client makes a call. */
export interface InnerCallOptions extends CallOptions {
  /** The call makes sense on this connection only: it never waits for the next one. */
  readonly here?: boolean;
  /** Where its items go. */
  readonly stream?: StreamSink;
}

/** How a call is made. */
export interface CallOptions {
  /** Cancels the call: it rejects with `canceled`, and the server is told. */
  readonly signal?: AbortSignal;
  /** Time allowed in milliseconds, the wait for a connection included; 0 means no limit. */
  readonly timeoutMs?: number;
  /**
   * An idempotency key, 1 to 128 visible ASCII characters that nobody can guess, such as
   * `crypto.randomUUID()`: the server executes the call at most once and keeps its answer for a day.
   * The client makes such a call again by itself when the connection was lost. Not for streams.
   */
  readonly idem?: string;
}

/** A call that waits for its answer. */
export interface PendingCall {
  readonly method: string;
  readonly params: unknown;
  /** The moment by which it must be answered, on the clock; Infinity for none. */
  readonly deadline: number;
  /** Whether it may be sent on this connection alone. */
  readonly here: boolean;
  /** Where its items go; undefined for a call without. */
  readonly stream: StreamSink | undefined;
  /** Its idempotency key: it may be sent again on the next connection. */
  readonly idem: string | undefined;
  /** Its id once it was sent. */
  id: number | null;
  settle(outcome: { result: unknown } | { error: WeftError }): void;
}

/** Ids go round where both wires can say them. */
const idMax = 0x7fff_ffff;

/** The reason of a server that stops, in an error that says so: the call was not executed. */
const draining = "weft.draining";

/** The reason of a server where a call with the same idempotency key is at work. */
const inProgress = "weft.idem.in_progress";
const inProgressMs = 250;

/**
 * The calls of one client, sent and waiting.
 *
 * When the server has announced the end of the connection (`$/goaway`), what was sent is still
 * answered; what is called from then on, and what the server refuses because it came too late, waits
 * for the next connection.
 */
export class CallTable {
  readonly #clock: Clock;
  readonly #sent = new Map<number, PendingCall>();
  readonly #waiting = new Set<PendingCall>();
  /** Those that end with this connection and are not sent on it any more. */
  readonly #stranded = new Set<PendingCall>();
  /** Ids of calls that were given up and whose answers have not come. */
  readonly #canceled = new Set<number>();
  #leaving = false;
  #nextId = 1;
  #send: Sender | null = null;
  #window: StreamWindow = { items: 16, bytes: 65_536 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Makes a call; it waits while there is no connection.
   * @param method the method's name
   * @param params its parameters
   * @param options time limit and cancellation
   * @returns the result; rejects with WeftError
   */
  call(method: string, params: unknown, options: InnerCallOptions): Promise<unknown> {
    const { signal, timeoutMs = 0, here = false, stream, idem } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new WeftError("canceled", "canceled before it was sent", { executed: "no" }));
        return;
      }
      let timer: Timer | null = null;
      const call: PendingCall = {
        method,
        params,
        deadline: timeoutMs > 0 ? this.#clock.now() + timeoutMs : Infinity,
        here,
        stream,
        idem,
        id: null,
        settle: (outcome) => {
          timer?.cancel();
          signal?.removeEventListener("abort", abort);
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.result);
        },
      };
      const abort = (): void => this.#giveUp(call, "canceled", "canceled by the caller");
      signal?.addEventListener("abort", abort);
      if (timeoutMs > 0) {
        const late = `no answer to ${method} within ${timeoutMs} ms`;
        timer = this.#clock.after(timeoutMs, () => this.#giveUp(call, "deadline_exceeded", late));
      }
      if (this.#send === null || this.#leaving) this.#postpone(call);
      else this.#transmit(call, this.#send);
    });
  }

  /** The server announced the end of this connection: nothing more is sent on it. */
  leave(): void {
    this.#leaving = this.#send !== null;
  }

  #postpone(call: PendingCall): void {
    (call.here && this.#leaving ? this.#stranded : this.#waiting).add(call);
  }

  /**
   * The connection is open: sends what waited, in order. Streams begin with `window`.
   * @param resumed whether what was under way goes on; otherwise lost() was called
   */
  opened(send: Sender, window: StreamWindow, resumed: boolean): void {
    this.#send = send;
    this.#window = window;
    if (resumed) this.#sayAgain(send);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) this.#transmit(call, send);
  }

  /** What is lost with a connection: credit and cancellations. */
  #sayAgain(send: Sender): void {
    for (const call of this.#sent.values()) call.stream?.resumed();
    for (const id of this.#canceled) send.control(newNotification("$/cancel", { id }));
  }

  /**
   * The connection is gone, and new calls wait for the next one. What was sent for this connection
   * alone fails; the rest does, too, unless the session may go on.
   */
  cut(mayResume: boolean): void {
    this.#send = null;
    this.#leaving = false;
    const stranded = [...this.#stranded];
    this.#stranded.clear();
    if (!mayResume) this.lost();
    for (const call of [...this.#sent.values()]) if (call.here) this.#fail(call);
    const unsent = new WeftError("unavailable", "the server was stopping", { executed: "no" });
    for (const call of stranded) call.settle({ error: unsent });
  }

  /** The session is over: what was sent without a key fails, the rest waits to be sent again. */
  lost(): void {
    this.#canceled.clear();
    for (const call of [...this.#sent.values()]) {
      if (call.idem === undefined || call.here) {
        this.#fail(call);
      } else {
        if (call.id !== null) this.#sent.delete(call.id);
        this.#makeWait(call);
      }
    }
  }

  #fail(call: PendingCall): void {
    if (call.id !== null) this.#sent.delete(call.id);
    call.settle({ error: new WeftError("unavailable", "the connection was lost before the answer came") });
  }

  #makeWait(call: PendingCall): void {
    call.id = null;
    this.#waiting.add(call);
  }

  /** The client is closed: everything fails. */
  close(error: WeftError): void {
    this.cut(false);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.settle({ error });
  }

  /** An answer arrived; late, duplicate and unknown ones are ignored. */
  answered(answer: IncomingAnswer): void {
    if (typeof answer.id !== "number") return;
    const call = this.#sent.get(answer.id);
    this.#sent.delete(answer.id);
    this.#canceled.delete(answer.id);
    if (call === undefined) return;
    // It crossed with the announcement. Not executed means that sending it again is safe.
    const again = this.#leaving && call.stream?.hasSent !== true;
    if (again && "error" in answer.outcome && isTooLate(answer.outcome.error)) {
      call.id = null;
      this.#postpone(call);
    } else if ("error" in answer.outcome && answer.outcome.error.reason === inProgress) {
      this.#repeat(call, answer.outcome.error.retryAfterMs ?? inProgressMs);
    } else {
      call.settle(answer.outcome);
    }
  }

  /** Makes the call again after a while, or when the next connection opens. */
  #repeat(call: PendingCall, afterMs: number): void {
    this.#makeWait(call);
    this.#clock.after(afterMs, () => {
      if (this.#send === null || this.#leaving || !this.#waiting.delete(call)) return;
      this.#transmit(call, this.#send);
    });
  }

  /** A notification about a stream arrived; false when it is about something else. */
  streamed({ method, params, bytes }: IncomingRequest): boolean {
    if (method !== "$/item" && method !== "$/credit" && method !== "$/end") return false;
    if (!isObject(params) || typeof params["id"] !== "number") return false;
    const stream = this.#sent.get(params["id"])?.stream;
    const { items_total: items, bytes_total: total } = params;
    if (method === "$/item") stream?.item(params["value"], bytes);
    else if (typeof items === "number" && typeof total === "number") stream?.granted(items, total);
    return true;
  }

  /** An id comes again after 2^31 calls, unless it is still in use. */
  #takeId(): number {
    let id: number;
    do {
      id = this.#nextId;
      this.#nextId = id === idMax ? 1 : id + 1;
    } while (this.#sent.has(id) || this.#canceled.has(id));
    return id;
  }

  #transmit(call: PendingCall, send: Sender): void {
    call.id = this.#takeId();
    this.#sent.set(call.id, call);
    const left = call.deadline - this.#clock.now();
    const limit = left === Infinity ? {} : { timeout_ms: Math.max(1, Math.round(left)) };
    const meta = call.idem === undefined ? limit : { ...limit, idem: call.idem };
    const any = Object.keys(meta).length > 0;
    send.data(newCall(call.id, call.method, call.params, any ? meta : undefined));
    call.stream?.opened(call.id, this.#window, send);
  }

  /** Settles a call without an answer. Its id is not used before the answer came, so that one is ignored. */
  #giveUp(call: PendingCall, code: "canceled" | "deadline_exceeded", message: string): void {
    const sent = call.id !== null && this.#sent.delete(call.id);
    this.#waiting.delete(call);
    this.#stranded.delete(call);
    if (sent && call.id !== null) {
      this.#canceled.add(call.id);
      this.#send?.control(newNotification("$/cancel", { id: call.id }));
    }
    call.settle({ error: new WeftError(code, message, { executed: sent ? "unknown" : "no" }) });
  }
}

function isTooLate(error: WeftError): boolean {
  return error.reason === draining && error.executed === "no";
}
