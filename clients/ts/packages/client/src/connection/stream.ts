// SPDX-License-Identifier: Apache-2.0
/**
 * A call with items beside it, in either direction or both, and their credit (docs/protocol/rpc.md,
 * "Streams"). Both sides begin with the window of the greeting; totals count from the beginning.
 */
import { WeftError } from "../errors.js";
import type { CallId, Outgoing } from "../protocol/frame.js";
import { newNotification } from "../protocol/frame.js";

/** How much may be under way, from the limits of the greeting. */
export interface StreamWindow {
  readonly items: number;
  readonly bytes: number;
}

/** Where messages go. */
export interface Sender {
  /** Sends data between the two peers: a session keeps it until it has arrived. */
  data(frame: Outgoing): void;
  /** Sends what can be said again; it is lost without a connection. */
  control(frame: Outgoing): void;
}

/** The connection's side of a stream. */
export interface StreamSink {
  /** Whether items went out already: such a call cannot be made again. */
  readonly hasSent: boolean;
  /** The call is out with this id. */
  opened(id: CallId, window: StreamWindow, send: Sender): void;
  /** The session goes on over another connection: what was granted has to be said again. */
  resumed(): void;
  /** An item came, in a frame of so many bytes: a little more than the item's own, so that what is
   *  granted never falls behind. */
  item(value: unknown, bytes: number): void;
  /** The other side grants totals. */
  granted(itemsTotal: number, bytesTotal: number): void;
}

/** The call behind a stream. */
export interface StreamCall {
  readonly result: Promise<unknown>;
  /** Ends it early and tells the other side. */
  cancel(): void;
}

const utf8 = new TextEncoder();

/**
 * A call with items. Iterate it for those that come: leaving the loop early cancels the call, and
 * the server is granted more only as fast as the loop takes them. {@link send} and {@link end} give
 * items, {@link result} is the answer. It goes on over the next connection when the server still knows
 * the session; otherwise all of it rejects with `unavailable`.
 */
export class WeftStream implements AsyncIterableIterator<unknown> {
  /** The answer behind the last item; rejects with WeftError. Need not be awaited. */
  readonly result: Promise<unknown>;
  readonly #cancel: () => void;
  readonly #items: { readonly value: unknown; readonly bytes: number }[] = [];
  #send: Sender | null = null;
  #id: CallId = 0;
  #window: StreamWindow = { items: 16, bytes: 65_536 };
  #taken = { items: 0, bytes: 0 };
  #granted = { items: 0, bytes: 0 };
  #out = { items: 0, bytes: 0, itemsTotal: 0, bytesTotal: 0 };
  #ended = false;
  #outcome: { readonly error: WeftError | null } | null = null;
  /** Those who wait for an item, in order. */
  #readers: (() => void)[] = [];
  /** Wakes the one who waits to send. */
  #writer: (() => void) | null = null;
  /** What is sent goes out one behind the other. */
  #last: Promise<void> = Promise.resolve();

  /** @param begin makes the call; of the library's own use, see `WeftClient.stream` */
  constructor(begin: (sink: StreamSink) => StreamCall) {
    const out = this.#out;
    const call = begin({
      get hasSent() {
        return out.items > 0;
      },
      opened: (id, window, send) => this.#opened(id, window, send),
      resumed: () => this.#grant(),
      item: (value, bytes) => this.#item(value, bytes),
      granted: (itemsTotal, bytesTotal) => this.#grantedTo(itemsTotal, bytesTotal),
    });
    this.result = call.result;
    this.#cancel = () => call.cancel();
    this.result.then(
      () => this.#finish(null),
      (error: unknown) => this.#finish(WeftError.from(error)),
    );
  }

  /** The stream itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next item; done behind the last one.
   * Errors: rejects with the WeftError that ended the call.
   */
  async next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#took(item.bytes);
        return { done: false, value: item.value };
      }
      if (this.#outcome?.error) throw this.#outcome.error;
      if (this.#outcome !== null) return { done: true, value: undefined };
      await new Promise<void>((wake) => this.#readers.push(wake));
    }
  }

  /** Leaves the stream: a call that is not over is canceled. `for await` does this by itself. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#items.length = 0;
    if (this.#outcome === null) this.#cancel();
    return Promise.resolve({ done: true, value: undefined });
  }

  /**
   * Sends an item, as soon as the server has room for it.
   * Errors: rejects with WeftError: what ended the call, or `failed_precondition` behind {@link end}.
   * @param value anything that JSON can say
   * @returns when it was handed to the connection
   */
  send(value: unknown): Promise<void> {
    if (this.#ended) {
      return Promise.reject(new WeftError("failed_precondition", "the stream was ended", { executed: "no" }));
    }
    return this.#inTurn(async () => {
      const bytes = utf8.encode(JSON.stringify(value ?? null)).length;
      await this.#until(() => this.#mayWrite());
      this.#out.items++;
      this.#out.bytes += bytes;
      this.#send?.data(newNotification("$/item", { id: this.#id, value: value ?? null }));
    });
  }

  /** Says that no more items follow, behind those that wait for room. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#inTurn(async () => {
      await this.#until(() => this.#send !== null);
      this.#send?.data(newNotification("$/end", { id: this.#id }));
    }).catch(() => {}); // The call is over: there is nobody to tell.
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(write);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Waits until a message may go out; rejects when the call is over. */
  async #until(ready: () => boolean): Promise<void> {
    for (;;) {
      if (this.#outcome !== null) throw this.#outcome.error ?? new WeftError("canceled", "the call is over");
      if (ready()) return;
      await new Promise<void>((wake) => (this.#writer = wake));
    }
  }

  #wakeWriter(): void {
    this.#writer?.();
    this.#writer = null;
  }

  #mayWrite(): boolean {
    const { items, bytes, itemsTotal, bytesTotal } = this.#out;
    return this.#send !== null && items < itemsTotal && bytes < bytesTotal;
  }

  #opened(id: CallId, window: StreamWindow, send: Sender): void {
    this.#id = id;
    this.#window = window;
    this.#send = send;
    this.#granted = { ...window };
    this.#out.itemsTotal = window.items;
    this.#out.bytesTotal = window.bytes;
    this.#wakeWriter();
  }

  #item(value: unknown, bytes: number): void {
    this.#items.push({ value, bytes });
    this.#readers.shift()?.();
  }

  #grantedTo(itemsTotal: number, bytesTotal: number): void {
    if (![itemsTotal, bytesTotal].every((total) => Number.isSafeInteger(total) && total >= 0)) return;
    this.#out.itemsTotal = Math.max(this.#out.itemsTotal, itemsTotal);
    this.#out.bytesTotal = Math.max(this.#out.bytesTotal, bytesTotal);
    this.#wakeWriter();
  }

  /** An item left the queue: grants more once half a window is used up. */
  #took(bytes: number): void {
    this.#taken.items++;
    this.#taken.bytes += bytes;
    const items = this.#taken.items + this.#window.items;
    const total = this.#taken.bytes + this.#window.bytes;
    const little =
      items < this.#granted.items + this.#window.items / 2 && total < this.#granted.bytes + this.#window.bytes / 2;
    if (little || this.#outcome !== null || this.#send === null) return;
    this.#granted = { items, bytes: total };
    this.#grant();
  }

  #grant(): void {
    const { items, bytes } = this.#granted;
    this.#send?.control(newNotification("$/credit", { id: this.#id, items_total: items, bytes_total: bytes }));
  }

  #finish(error: WeftError | null): void {
    this.#outcome = { error };
    for (const wake of this.#readers.splice(0)) wake();
    this.#wakeWriter();
  }
}
