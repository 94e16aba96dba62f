// SPDX-License-Identifier: Apache-2.0
/** Delays between tries: exponential, with full jitter, so that many clients do not come at once. */

/** The longest the first delay can be, in milliseconds. */
export const backoffBaseMs = 200;
/** The longest any delay can be, in milliseconds. */
export const backoffCapMs = 10_000;

/**
 * How long to wait before the next try.
 * @param random from 0 (included) to 1 (excluded)
 * @param tries how many tries have failed since the last success
 * @returns milliseconds, evenly spread from 0 to the bound, which doubles with each try
 */
export function backoffMs(random: () => number, tries: number): number {
  return random() * Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(tries, 16));
}
