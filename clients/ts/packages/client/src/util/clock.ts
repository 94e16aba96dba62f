// SPDX-License-Identifier: Apache-2.0
/** Time as an argument, so that tests can move it. */

/** A running timer. */
export interface Timer {
  /** Stops the timer; a timer that ran or was stopped stays as it is. */
  cancel(): void;
}

/** A monotonic clock with timers. */
export interface Clock {
  /** Milliseconds since some fixed moment; never decreasing. */
  now(): number;
  /**
   * Calls `run` once.
   * @param delayMs from now, in milliseconds
   * @param run what to call
   */
  after(delayMs: number, run: () => void): Timer;
}

/** The clock of the platform. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
