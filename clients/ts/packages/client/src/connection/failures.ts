// SPDX-License-Identifier: Apache-2.0
/** Why a connection ended, and whether another one would end alike. */
import { WeftError } from "../errors.js";

/** Close codes that say more than that a connection ended. */
export const closeCodes = {
  /** Another connection has our session. */
  fenced: 4001,
  /** The other side broke the protocol. */
  violation: 1008,
} as const;

/** Refusals after which trying again is pointless. */
const final = new Set(["unauthenticated", "permission_denied", "unimplemented", "failed_precondition"]);

/** Whether a greeting that was answered so will always be. */
export function isFinal(error: WeftError): boolean {
  return final.has(error.code);
}

/** What a WebSocket's end says, as an error. */
export function closeError(code: number, reason: string): WeftError {
  return unavailable(reason === "" ? `the connection ended (${code})` : `${reason} (${code})`);
}

/** There is no connection, for the reason given. */
export function unavailable(message: string): WeftError {
  return new WeftError("unavailable", message);
}
