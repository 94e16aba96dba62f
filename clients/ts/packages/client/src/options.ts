// SPDX-License-Identifier: Apache-2.0
/** What a client is made with, and what it tells. */
import type { TokenSource } from "./connection/credentials.js";
import type { ServeOptions } from "./connection/serving.js";
import type { ConnectionStatus } from "./connection/status.js";
import type { WebSocketConstructor } from "./platform/platform.js";
import type { WireName } from "./protocol/wires.js";
import type { TabPlatform } from "./shared/platform.js";
import type { TransportFactory } from "./transport/transport.js";
import type { Clock } from "./util/clock.js";

/** Options of a client. */
export interface ClientOptions {
  /** Address of the server, `ws:` or `wss:`, for example `ws://127.0.0.1:8080/ws`. */
  readonly url: string;
  /** Name and version of the application, for the server's log. */
  readonly app?: { readonly name: string; readonly version: string };
  /** Time allowed for a call that does not say otherwise, in milliseconds; 30,000 by default. */
  readonly callTimeoutMs?: number;
  /**
   * Who we are, for a server that wants to know: a token, or a function that gives one or a promise of one.
   * It is asked for each connection and again before the token ends, and always for the same user.
   */
  readonly token?: TokenSource;
  /** Whether calls and streams go on over the next connection when one is cut; true by default. */
  readonly resume?: boolean;
  /**
   * How messages are written: JSON-RPC 2.0 that people can read (`"text"`, the default), or protobuf
   * frames around JSON (`"binary"`), smaller and faster for many small items. Text where the server has
   * no binary wire.
   */
  readonly wire?: WireName;
  /**
   * Whether to connect over server-sent events and POST where no WebSocket gets through; true by default.
   * For addresses that end in `/ws`.
   */
  readonly fallback?: boolean;
  /**
   * Shares one connection, and one session, among all tabs of this origin whose clients have the same
   * `shared` and `url`. It has to tell users apart: the tab that leads signs in for all. Where tabs cannot
   * find each other (without Web Locks or BroadcastChannel, as in Node) each connects by itself.
   */
  readonly shared?: string;
  /** A WebSocket class; by default the browser's, in Node the one of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** Another transport in place of WebSocket; `url`, `wire`, `fallback` and `WebSocket` are then not used. */
  readonly transport?: TransportFactory;
  /** How calls of the server's are answered. */
  readonly serve?: ServeOptions;
  /** Another way for tabs to find each other, for tests. */
  readonly tabs?: TabPlatform;
  /** Another clock, for tests. */
  readonly clock?: Clock;
  /** Another source of jitter (from 0 included to 1 excluded), for tests. */
  readonly random?: () => number;
}

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The connection's status changed. */
  status: ConnectionStatus;
  /** A handler threw what is no WeftError; its caller learns `internal` and no more. */
  handlerFailed: { readonly method: string; readonly error: unknown };
}
