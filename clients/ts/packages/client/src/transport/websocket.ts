// SPDX-License-Identifier: Apache-2.0
/** The transport over WebSocket, for browsers and Node. */
import { loadWebSocket } from "#platform";
import type { WebSocketConstructor, WebSocketLike } from "../platform/platform.js";
import type { Transport, TransportFactory, TransportHandlers } from "./transport.js";

/** The text wire's subprotocol (PROTOCOL §2). */
export const subprotocol = "weft.v1.json";

/**
 * Makes transports to one server.
 * @param url `ws:` or `wss:` address
 * @param implementation the WebSocket class; by default the platform's own (in Node: `ws`)
 */
export function webSocketTransport(
  url: string,
  implementation?: WebSocketConstructor,
): TransportFactory {
  return (handlers) => new WebSocketTransport(url, implementation, handlers);
}

class WebSocketTransport implements Transport {
  #socket: WebSocketLike | null = null;
  #handlers: TransportHandlers | null;

  constructor(
    url: string,
    implementation: WebSocketConstructor | undefined,
    handlers: TransportHandlers,
  ) {
    this.#handlers = handlers;
    void this.#start(url, implementation);
  }

  async #start(url: string, implementation: WebSocketConstructor | undefined): Promise<void> {
    try {
      const WebSocketClass = implementation ?? (await loadWebSocket());
      await Promise.resolve(); // Handlers never run from within the factory.
      if (this.#handlers === null) return;
      const socket = new WebSocketClass(url, [subprotocol]);
      this.#socket = socket;
      socket.onopen = () => this.#handlers?.onOpen();
      socket.onmessage = (event) => this.#message(event.data);
      socket.onerror = () => undefined; // `onclose` follows and says as much as is known.
      socket.onclose = (event) => this.#ended(event.code, event.reason);
    } catch (error) {
      this.#ended(1006, error instanceof Error ? error.message : String(error));
    }
  }

  #message(data: unknown): void {
    // PROTOCOL §2: the text wire has no binary messages.
    if (typeof data === "string") this.#handlers?.onMessage(data);
    else this.#socket?.close(1003, "binary message on the text wire");
  }

  #ended(code: number, reason: string): void {
    const handlers = this.#handlers;
    this.#handlers = null;
    handlers?.onClose(code, reason);
  }

  send(text: string): void {
    if (this.#handlers === null) return;
    this.#socket?.send(text);
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
