// SPDX-License-Identifier: Apache-2.0
/** A transport that a test plays by hand, message by message. */
import type { Message, Wire } from "../protocol/frame.js";
import { fromJson, toJson, together, wireUnderTest } from "./over-wires.js";
import type { Transport, TransportFactory, TransportHandlers } from "../transport/transport.js";

/** One attempt to connect. */
export class ScriptedLink implements Transport {
  /** What the client sent, parsed. */
  readonly sent: Record<string, unknown>[] = [];
  /** How the client ended it. */
  ended: "closed" | "dropped" | null = null;
  /** The code it was closed with. */
  code = 0;

  constructor(
    readonly handlers: TransportHandlers,
    readonly wire: Wire,
  ) {}

  send(message: Message): void {
    this.sent.push(...this.wire.decode(message).map(toJson));
  }

  close(code: number): void {
    this.ended = "closed";
    this.code = code;
  }

  drop(): void {
    this.ended = "dropped";
  }

  /** Sends a JSON-RPC message to the client. */
  say(message: object): void {
    this.handlers.onMessage(fromJson(this.wire, { jsonrpc: "2.0", ...message }));
  }

  /** Sends several as one. */
  sayTogether(messages: readonly object[]): void {
    this.handlers.onMessage(together(this.wire, messages.map((message) => fromJson(this.wire, { ...message }))));
  }

  /** Opens the connection; the greeting is answered by hand. */
  open(): void {
    this.handlers.onOpen(this.wire.subprotocol);
  }

  /** Opens the connection and answers the greeting. */
  greet(pingMs = 25_000): void {
    this.open();
    this.say({ id: 0, result: { session: "s", v: 1, ping_ms: pingMs, limits: { message_bytes: 1000 } } });
  }

  /** The newest message with a method. */
  last(method: string): Record<string, unknown> | undefined {
    return this.sent.filter((message) => message["method"] === method).at(-1);
  }
}

/** Records every attempt. */
export class ScriptedNetwork {
  readonly links: ScriptedLink[] = [];
  /** What the next connection speaks. */
  wire = wireUnderTest();

  readonly transport: TransportFactory = (handlers) => {
    const link = new ScriptedLink(handlers, this.wire);
    this.links.push(link);
    return link;
  };

  /** The newest attempt. */
  get link(): ScriptedLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("nobody connected");
    return link;
  }
}
