// SPDX-License-Identifier: Apache-2.0
/** The one interface between the protocol and whatever carries its messages. */

/** What a transport tells. After `onClose`, or after `drop`, nothing more is called. */
export interface TransportHandlers {
  /** Messages can be sent now. */
  onOpen(): void;
  /** A text message arrived. */
  onMessage(text: string): void;
  /**
   * The connection ended or never came about.
   * @param code the WebSocket close code; 1006 when there was none
   * @param reason the close reason, possibly empty
   */
  onClose(code: number, reason: string): void;
}

/** One connection, from the attempt to its end. */
export interface Transport {
  /** Sends a text message; does nothing unless open. */
  send(text: string): void;
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
