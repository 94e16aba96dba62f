// SPDX-License-Identifier: Apache-2.0
/** The transport over WebSocket, for browsers and Node. */
import { loadWebSocket } from "#platform";
import type { WebSocketConstructor, WebSocketLike } from "../platform/platform.js";
import type { Message } from "../protocol/frame.js";
import { binaryWire } from "../protocol/binary.js";
import type { WireName } from "../protocol/wires.js";
import { offeredFor } from "../protocol/wires.js";
import type { Transport, TransportFactory, TransportHandlers } from "./transport.js";

/**
 * Makes transports to one server.
 * @param url `ws:` or `wss:` address
 * @param implementation the WebSocket class; by default the platform's own (in Node: `ws`)
 * @param wire which wire to offer first; the subprotocol that the server chooses decides
 */
export function webSocketTransport(
  url: string,
  implementation?: WebSocketConstructor,
  wire: WireName = "text",
): TransportFactory {
  const offered = offeredFor(wire);
  return (handlers) => new WebSocketTransport(url, offered, implementation, handlers);
}

class WebSocketTransport implements Transport {
  #socket: WebSocketLike | null = null;
  #handlers: TransportHandlers | null;

  constructor(
    url: string,
    offered: string[],
    implementation: WebSocketConstructor | undefined,
    handlers: TransportHandlers,
  ) {
    this.#handlers = handlers;
    void this.#start(url, offered, implementation);
  }

  async #start(url: string, offered: string[], implementation: WebSocketConstructor | undefined): Promise<void> {
    try {
      const WebSocketClass = implementation ?? (await loadWebSocket());
      await Promise.resolve(); // Handlers never run from within the factory.
      if (this.#handlers === null) return;
      const socket = new WebSocketClass(url, offered);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => this.#handlers?.onOpen(socket.protocol);
      socket.onmessage = (event) => this.#message(event.data);
      socket.onerror = () => undefined; // `onclose` follows and says as much as is known.
      socket.onclose = (event) => this.#ended(event.code, event.reason);
    } catch (error) {
      this.#ended(1006, error instanceof Error ? error.message : String(error));
    }
  }

  #message(data: unknown): void {
    // PROTOCOL §2: the text wire has no binary messages, the binary one nothing else.
    if (this.#socket?.protocol !== binaryWire.subprotocol) {
      if (typeof data === "string") this.#handlers?.onMessage(data);
      else this.#socket?.close(1003, "binary message on the text wire");
    } else if (data instanceof ArrayBuffer) this.#handlers?.onMessage(new Uint8Array(data));
    else this.#socket.close(1003, "text message on the binary wire");
  }

  #ended(code: number, reason: string): void {
    const handlers = this.#handlers;
    this.#handlers = null;
    handlers?.onClose(code, reason);
  }

  send(message: Message): void {
    if (this.#handlers === null) return;
    this.#socket?.send(message);
  }

  close(code: number, reason: string): void {
    if (this.#socket === null) this.#ended(1006, "closed while connecting");
    else this.#socket.close(code, reason);
  }

  drop(): void {
    this.#handlers = null;
    if (this.#socket === null) return;
    if (this.#socket.terminate !== undefined) this.#socket.terminate();
    else this.#socket.close();
  }
}
