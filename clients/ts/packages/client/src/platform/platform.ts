// SPDX-License-Identifier: Apache-2.0
/** What differs between a browser and Node; the package's `imports` map picks the file. */

/** The part of the WebSocket interface that the library uses; browsers and `ws` both have it. */
export interface WebSocketLike {
  /** Bytes handed to `send` and not yet given to the network. */
  readonly bufferedAmount: number;
  /** The subprotocol that the server chose. */
  readonly protocol: string;
  /** What binary messages arrive as; the library sets `arraybuffer`. */
  binaryType: string;
  /** Queues a message: a text one, or a binary one. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Cuts the connection at once; only some implementations have it. */
  terminate?(): void;
  /** Called when the connection is open. */
  onopen: ((event: never) => void) | null;
  /** Called with each message. */
  onmessage: ((event: { data: unknown }) => void) | null;
  /** Called when the connection failed; `onclose` follows. */
  onerror: ((event: never) => void) | null;
  /** Called once, when the connection has ended. */
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

/** Makes a connecting WebSocket; the browser's `WebSocket` class and the one of `ws` fit. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
