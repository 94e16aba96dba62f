// SPDX-License-Identifier: Apache-2.0
/** A clock that tests move. Promises settle between any two timers. */
import type { Clock, Timer } from "../util/clock.js";

/** Timers run in order of their time, then of their creation. */
export class FakeClock implements Clock {
  #now = 0;
  #nextId = 1;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const id = this.#nextId++;
    this.#timers.set(id, { at: this.#now + Math.max(0, delayMs), run });
    return { cancel: () => void this.#timers.delete(id) };
  }

  /** How many timers are running. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves time on, running what becomes due, with all promises in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let due; (due = this.#takeDue(end)) !== undefined; ) {
      this.#now = due.at;
      due.run();
      await settle();
    }
    this.#now = end;
  }

  #takeDue(end: number): { at: number; run: () => void } | undefined {
    let best: number | undefined;
    for (const [id, timer] of this.#timers) {
      if (timer.at > end) continue;
      const at = best === undefined ? Infinity : (this.#timers.get(best)?.at ?? Infinity);
      if (timer.at < at) best = id;
    }
    if (best === undefined) return undefined;
    const timer = this.#timers.get(best);
    this.#timers.delete(best);
    return timer;
  }
}

/** Lets all promises that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
