// SPDX-License-Identifier: Apache-2.0
/** The platform of browsers, and of any runtime with the same globals. */
import type { WebSocketConstructor } from "./platform.js";

/** Fills an array with secure random bytes. */
export function fillRandom(bytes: Uint8Array): void {
  crypto.getRandomValues(bytes);
}

/** The WebSocket class of this platform. */
export function loadWebSocket(): Promise<WebSocketConstructor> {
  return Promise.resolve(WebSocket as unknown as WebSocketConstructor);
}
