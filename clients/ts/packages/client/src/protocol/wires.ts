// SPDX-License-Identifier: Apache-2.0
/** Which wires there are, and which one a connection speaks. */
import { binaryWire } from "./binary.js";
import type { Wire } from "./frame.js";
import { textWire } from "./jsonrpc.js";

/** Names of the wires, as an application chooses. */
export type WireName = "text" | "binary";

/** Subprotocols to offer, the preferred one first: a server that has no binary wire gets the text one. */
export function offeredFor(wire: WireName): string[] {
  return wire === "binary" ? [binaryWire.subprotocol, textWire.subprotocol] : [textWire.subprotocol];
}

/** The wire behind the subprotocol that the server chose; text when it chose none. */
export function wireOf(subprotocol: string | undefined): Wire {
  return subprotocol === binaryWire.subprotocol ? binaryWire : textWire;
}
