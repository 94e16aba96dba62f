// SPDX-License-Identifier: Apache-2.0
/** One call of the server's: its end, its deadline, and its items in both directions. */
import { WeftError } from "../errors.js";
import type { CallId, CallMeta } from "../protocol/frame.js";
import { isObject } from "../protocol/frame.js";
import type { Clock, Timer } from "../util/clock.js";
import type { Sender, StreamSink, StreamWindow } from "./stream.js";
import { WeftStream } from "./stream.js";

/** What a handler knows about the call that it answers. */
export interface ServedCall {
  /** The method's name. */
  readonly method: string;
  /** Whether nobody waits for an answer: what the handler gives is dropped. */
  readonly notification: boolean;
  /** Aborts when the call is canceled or late, or its caller lost for good; `reason` is a WeftError. */
  readonly signal: AbortSignal;
  /** The time that is left, in milliseconds; Infinity without a limit. */
  readonly timeLeftMs: number;
  /** The caller's idempotency key. */
  readonly idempotencyKey: string | undefined;
  /** The W3C trace context. */
  readonly traceparent: string | undefined;
  /**
   * The caller's items, once: the caller may send more only as fast as they are taken. Ends where the
   * caller says so; rejects with a WeftError when the call ends before.
   */
  readonly items: AsyncIterableIterator<unknown>;
}

/** One direction of a call. */
interface Half {
  readonly stream: WeftStream;
  readonly sink: StreamSink;
  finish(error: WeftError | null): void;
}

/** One direction of a call; a reader that leaves early only stops taking. */
function newHalf(): Half {
  let sink: StreamSink | undefined;
  let finish: (error: WeftError | null) => void = () => {};
  const stream = new WeftStream((made) => {
    sink = made;
    const result = new Promise<null>((resolve, reject) => {
      finish = (error) => (error === null ? resolve(null) : reject(error));
    });
    return { result, cancel: () => finish(null) };
  });
  if (sink === undefined) throw new WeftError("internal", "a stream did not begin");
  return { stream, sink, finish };
}

/** The longest time that timers can tell, 25 days: a call that may take longer has no limit. */
const timerMaxMs = 0x7fff_ffff;

/** A call that is being answered. */
export class Served {
  /** What its handler sees. */
  readonly face: ServedCall;
  readonly #abort = new AbortController();
  readonly #timer: Timer | null = null;
  /** The caller's items. */
  readonly #in = newHalf();
  /** Those for the caller. */
  readonly #out = newHalf();
  /** How many items have come, and how many may. */
  #came = 0;
  #itemsTotal: number;
  /** Whether the caller said that it has no more. */
  #ended = false;
  #over = false;

  constructor(
    readonly id: CallId | undefined,
    method: string,
    meta: CallMeta,
    clock: Clock,
    window: StreamWindow,
    send: Sender,
    expired: (error: WeftError) => void,
  ) {
    const { timeout_ms: limit, idem, traceparent } = meta;
    const deadline = limit === undefined ? Infinity : clock.now() + limit;
    if (limit !== undefined && limit <= timerMaxMs) {
      this.#timer = clock.after(limit, () => expired(new WeftError("deadline_exceeded", "the handler took too long")));
    }
    this.face = {
      method,
      notification: id === undefined,
      signal: this.#abort.signal,
      get timeLeftMs() {
        return Math.max(0, deadline - clock.now());
      },
      idempotencyKey: idem,
      traceparent,
      items: this.#in.stream,
    };
    this.#itemsTotal = window.items;
    if (id === undefined) this.#in.finish(null);
    else {
      this.#in.sink.opened(id, window, { data: send.data, control: (frame) => this.#grant(send, frame) });
      // Nothing follows the answer.
      const data: Sender["data"] = (frame) => (this.#over ? undefined : send.data(frame));
      this.#out.sink.opened(id, window, { data, control: send.control });
    }
  }

  /** Whether it ended. */
  get isOver(): boolean {
    return this.#over;
  }

  #grant(send: Sender, frame: Parameters<Sender["control"]>[0]): void {
    if (frame.kind !== "request" || !isObject(frame.params)) return;
    const { items_total: total } = frame.params;
    if (this.#over || this.#ended) return;
    if (typeof total === "number") this.#itemsTotal = Math.max(this.#itemsTotal, total);
    send.control(frame);
  }

  /** The session goes on: what was granted is said again. */
  resumed(): void {
    this.#in.sink.resumed();
  }

  /** An item of the caller's came; false when it had no credit. */
  item(value: unknown, bytes: number): boolean {
    if (this.#ended || this.#came >= this.#itemsTotal) return false;
    this.#came++;
    this.#in.sink.item(value, bytes);
    return true;
  }

  /** The caller has no more items. */
  ended(): void {
    this.#ended = true;
    this.#in.finish(null);
  }

  /** The caller has room. */
  granted(items: number, bytes: number): void {
    this.#out.sink.granted(items, bytes);
  }

  /**
   * Gives the caller items as it has room for them.
   * Errors: rejects with what the iteration throws, or what ended the call.
   * @returns what the iteration returns
   */
  async give(items: AsyncIterable<unknown>): Promise<unknown> {
    const iterator = items[Symbol.asyncIterator]();
    try {
      while (!this.#over && this.id !== undefined) {
        const step = await iterator.next();
        if (step.done === true) return step.value as unknown;
        await this.#out.stream.send(step.value);
      }
    } catch (error) {
      await iterator.return?.();
      throw error;
    }
    await iterator.return?.();
    return null;
  }

  /** It is over; with an error, the handler is told. */
  end(error: WeftError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#in.finish(error);
    this.#out.finish(error);
    if (error !== null) this.#abort.abort(error);
  }
}
