// SPDX-License-Identifier: Apache-2.0
/** The one interface between the protocol and whatever carries its messages. */
import type { Message } from "../protocol/frame.js";

/** What a transport tells. After `onClose`, or after `drop`, nothing more is called. */
export interface TransportHandlers {
  /**
   * Messages can be sent now.
   * @param subprotocol what the server chose, which decides about the wire; text when it is left out
   */
  onOpen(subprotocol?: string): void;
  /** A message arrived: a string on the text wire, bytes on the binary one. */
  onMessage(message: Message): void;
  /**
   * The connection ended or never came about.
   * @param code the WebSocket close code; 1006 when there was none
   * @param reason the close reason, possibly empty
   */
  onClose(code: number, reason: string): void;
}

/** One connection, from the attempt to its end. */
export interface Transport {
  /** Sends a message, text or binary as its type says; does nothing unless open. */
  send(message: Message): void;
  /** Ends the connection politely; `onClose` follows. */
  close(code: number, reason: string): void;
  /** Forgets the connection at once, without waiting for the other side; no handler follows. */
  drop(): void;
}

/**
 * Begins a connection.
 * @param handlers called from later turns of the event loop, never from within
 */
export type TransportFactory = (handlers: TransportHandlers) => Transport;
