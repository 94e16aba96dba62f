// SPDX-License-Identifier: Apache-2.0
/** How a client gets to its server when nothing else is said. */
import type { WebSocketConstructor } from "../platform/platform.js";
import type { WireName } from "../protocol/wires.js";
import type { Clock } from "../util/clock.js";
import { fallbackTransport } from "./fallback.js";
import { eventsUrl, httpTransport } from "./http.js";
import type { TransportFactory } from "./transport.js";
import { webSocketTransport } from "./websocket.js";

/** The options that matter. */
export interface TransportOptions {
  readonly url: string;
  readonly wire?: WireName;
  readonly fallback?: boolean;
  readonly WebSocket?: WebSocketConstructor;
}

/** A WebSocket, and without one where none gets through. */
export function transportFor({ url, wire, fallback, WebSocket }: TransportOptions, clock: Clock): TransportFactory {
  const webSocket = webSocketTransport(url, WebSocket, wire);
  const events = fallback === false ? null : eventsUrl(url);
  if (events === null) return webSocket;
  return fallbackTransport(clock, webSocket, httpTransport(events), wire === "binary");
}
