// SPDX-License-Identifier: Apache-2.0
/** A connection as a client has it: what it is made of, what it does, and whom it tells. */
import type { IncomingAnswer, IncomingRequest, Outgoing } from "../protocol/frame.js";
import type { TransportFactory } from "../transport/transport.js";
import type { Clock } from "../util/clock.js";
import type { TokenSource } from "./credentials.js";
import type { ConnectionStatus } from "./status.js";

/** What the owner of a connection provides. */
export interface ConnectionHost {
  /** The status changed. */
  statusChanged(status: ConnectionStatus): void;
  /** The server announced the end of the connection: nothing should be begun on it any more. */
  leaving(): void;
  /** The server does not know the session any more: what was under way is lost. Then it is open. */
  sessionLost(reason: string): void;
  /** Something other than the greeting's answer arrived. */
  received(frame: IncomingRequest | IncomingAnswer): void;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly transport: TransportFactory;
  readonly clock: Clock;
  readonly random: () => number;
  /** Parameters of `$/hello`. */
  readonly hello: Readonly<Record<string, unknown>>;
  /** Whether to ask for a session that outlives connections. */
  readonly resume: boolean;
  /** Who we are; undefined: nobody asks. */
  readonly token?: TokenSource | undefined;
}

/** A connection that comes back: of the client's own, or shared with other tabs. */
export interface ClientConnection {
  /** The present status. */
  readonly status: ConnectionStatus;
  /** Whether what is under way may go on over the next connection. */
  readonly mayResume: boolean;
  /** Begins to connect. */
  connect(): void;
  /** Sends data when open; a session keeps it for the next connection otherwise. */
  send(frame: Outgoing): void;
  /** Sends when open what can be said again: credit, cancellations, acknowledgements. */
  control(frame: Outgoing): void;
  /** Tries at once when waiting for the next attempt. */
  retryNow(): void;
  /** Watches the connection closely, as shown presence demands. */
  watchClosely(on: boolean): void;
  /** The client has, or no longer has, a handler for calls of `method`. */
  serves(method: string, on: boolean): void;
  /** The server broke the protocol. */
  violated(problem: string): void;
  /** Ends it for good. */
  close(): void;
}
