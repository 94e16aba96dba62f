// SPDX-License-Identifier: Apache-2.0
/** In-process connections with random delays, which tests cut, silence and refuse. */
import type { Message } from "../protocol/frame.js";
import { wireUnderTest } from "./over-wires.js";
import type { Transport, TransportFactory, TransportHandlers } from "../transport/transport.js";
import type { Clock } from "../util/clock.js";

/** The server's end of a connection. */
export interface ServerEnd {
  /** A message of the client's arrived. */
  received(message: Message): void;
  /** The connection ended. */
  ended(): void;
}

/** One connection of the fake network, seen by the server. */
export interface FakeLink {
  /** Sends to the client. */
  send(message: Message): void;
  /** Ends the connection; the client sees the close code. */
  close(code: number): void;
}

/** Accepts connections and delivers messages in order, each direction on its own. */
export class FakeNetwork {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #accept: (link: FakeLink) => ServerEnd;
  readonly #links = new Set<LiveLink>();
  /** Longest delay of one message, in milliseconds. */
  delayMs = 20;
  /** What connections speak. */
  readonly wire = wireUnderTest();
  /** Whether connections are accepted. */
  up = true;
  /** Connections attempted so far. */
  attempts = 0;

  constructor(clock: Clock, random: () => number, accept: (link: FakeLink) => ServerEnd) {
    this.#clock = clock;
    this.#random = random;
    this.#accept = accept;
  }

  /** Connects one client. */
  readonly transport: TransportFactory = (handlers) => {
    this.attempts++;
    const link = new LiveLink(this.#clock, () => this.#random() * this.delayMs, handlers, this.wire.subprotocol, () =>
      this.#links.delete(link),
    );
    if (this.up) {
      this.#links.add(link);
      link.begin(this.#accept);
    } else {
      link.refuse();
    }
    return link;
  };

  /** Connections now. */
  get size(): number {
    return this.#links.size;
  }

  /** Cuts connections (all, or those a filter picks): both ends learn of it. */
  cut(filter: () => boolean = () => true): void {
    for (const link of [...this.#links]) if (filter()) link.close(1006);
  }

  /** Lets connections fall silent: nothing arrives any more, and nobody is told. */
  silence(filter: () => boolean = () => true): void {
    for (const link of [...this.#links]) if (filter()) link.silent = true;
  }
}

class LiveLink implements Transport {
  silent = false;
  #server: ServerEnd | null = null;
  #client: TransportHandlers | null;
  #arrivals = { up: 0, down: 0 };

  constructor(
    private readonly clock: Clock,
    private readonly delay: () => number,
    client: TransportHandlers,
    private readonly subprotocol: string,
    private readonly gone: () => void,
  ) {
    this.#client = client;
  }

  begin(accept: (link: FakeLink) => ServerEnd): void {
    this.#later("down", () => {
      if (this.#client === null) return;
      this.#server = accept({ send: (message) => this.#down(message), close: (code) => this.close(code) });
      this.#client.onOpen(this.subprotocol);
    });
  }

  refuse(): void {
    this.#later("down", () => this.#client?.onClose(1006, "refused"));
  }

  #later(way: "up" | "down", run: () => void): void {
    const at = Math.max(this.#arrivals[way], this.clock.now() + this.delay());
    this.#arrivals[way] = at;
    this.clock.after(at - this.clock.now(), run);
  }

  send(message: Message): void {
    this.#later("up", () => !this.silent && this.#server?.received(message));
  }

  #down(message: Message): void {
    this.#later("down", () => !this.silent && this.#client?.onMessage(message));
  }

  close(code: number): void {
    this.gone();
    const [client, server] = [this.#client, this.#server];
    this.#client = this.#server = null;
    server?.ended();
    this.clock.after(0, () => client?.onClose(code, ""));
  }

  drop(): void {
    this.#client = null;
    this.gone();
    const server = this.#server;
    this.#server = null;
    if (!this.silent) this.clock.after(this.delay(), () => server?.ended());
  }
}
