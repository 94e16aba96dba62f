// SPDX-License-Identifier: Apache-2.0
/** Random names. */
import { fillRandom } from "#platform";

/** 128 secure random bits as 32 hexadecimal digits. */
export function randomId(): string {
  const bytes = new Uint8Array(16);
  fillRandom(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
