// SPDX-License-Identifier: Apache-2.0
/** Calls in flight on one connection: each is settled exactly once. */
import { WeftError } from "../errors.js";
import type { IncomingAnswer } from "../protocol/jsonrpc.js";
import { writeCall, writeNotification } from "../protocol/jsonrpc.js";
import type { Clock, Timer } from "../util/clock.js";

/** How a call is made. */
export interface CallOptions {
  /** Cancels the call: it rejects with `canceled`, and the server is told. */
  readonly signal?: AbortSignal;
  /** Time allowed in milliseconds, the wait for a connection included; 0 means no limit. */
  readonly timeoutMs?: number;
}

/** A call that waits for its answer. */
export interface PendingCall {
  readonly method: string;
  readonly params: unknown;
  /** The moment by which it must be answered, on the clock; Infinity for none. */
  readonly deadline: number;
  /** Its id once it was sent. */
  id: number | null;
  settle(outcome: { result: unknown } | { error: WeftError }): void;
}

/** The calls of one client, sent and waiting. */
export class CallTable {
  readonly #clock: Clock;
  readonly #sent = new Map<number, PendingCall>();
  readonly #waiting = new Set<PendingCall>();
  #nextId = 1;
  #send: ((text: string) => void) | null = null;

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
  call(method: string, params: unknown, options: CallOptions): Promise<unknown> {
    const { signal, timeoutMs = 0 } = options;
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
      if (this.#send === null) this.#waiting.add(call);
      else this.#transmit(call, this.#send);
    });
  }

  /** The connection is open: sends what waited, in order. */
  opened(send: (text: string) => void): void {
    this.#send = send;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) this.#transmit(call, send);
  }

  /** The connection is gone: what was sent fails, what waits goes on waiting. */
  cut(): void {
    this.#send = null;
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    const error = new WeftError("unavailable", "the connection was lost before the answer came");
    for (const call of sent) call.settle({ error });
  }

  /** The client is closed: everything fails. */
  close(error: WeftError): void {
    this.cut();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.settle({ error });
  }

  /** An answer arrived; late, duplicate and unknown ones are ignored. */
  answered(answer: IncomingAnswer): void {
    if (typeof answer.id !== "number") return;
    const call = this.#sent.get(answer.id);
    this.#sent.delete(answer.id);
    call?.settle(answer.outcome);
  }

  #transmit(call: PendingCall, send: (text: string) => void): void {
    call.id = this.#nextId++;
    this.#sent.set(call.id, call);
    const left = call.deadline - this.#clock.now();
    const meta = left === Infinity ? undefined : { timeout_ms: Math.max(1, Math.round(left)) };
    send(writeCall(call.id, call.method, call.params, meta));
  }

  /** Settles a call without an answer. Its id is never used again, so a late answer is ignored. */
  #giveUp(call: PendingCall, code: "canceled" | "deadline_exceeded", message: string): void {
    const sent = call.id !== null && this.#sent.delete(call.id);
    this.#waiting.delete(call);
    if (sent) this.#send?.(writeNotification("$/cancel", { id: call.id }));
    call.settle({ error: new WeftError(code, message, { executed: sent ? "unknown" : "no" }) });
  }
}
