// SPDX-License-Identifier: Apache-2.0
/** What a connection is made of, and whom it tells. */
import type { IncomingAnswer, IncomingRequest } from "../protocol/frame.js";
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
