// SPDX-License-Identifier: Apache-2.0
/** The platform of Node 18 and later. */
import { webcrypto } from "node:crypto";
import { WeftError } from "../errors.js";
import type { WebSocketConstructor } from "./platform.js";

/** Fills an array with secure random bytes. */
export function fillRandom(bytes: Uint8Array): void {
  webcrypto.getRandomValues(bytes);
}

/**
 * The WebSocket class of this platform: the package `ws` where it is installed, else the global
 * one of newer Nodes. `ws` comes first because it can cut a dead connection at once.
 * Errors: WeftError `failed_precondition` when there is neither.
 */
export async function loadWebSocket(): Promise<WebSocketConstructor> {
  try {
    const ws = await import("ws");
    return ws.WebSocket as unknown as WebSocketConstructor;
  } catch (cause) {
    if (typeof globalThis.WebSocket === "function") {
      return globalThis.WebSocket as unknown as WebSocketConstructor;
    }
    throw new WeftError("failed_precondition", "install the package ws, or pass a WebSocket class", {
      cause,
      executed: "no",
    });
  }
}
