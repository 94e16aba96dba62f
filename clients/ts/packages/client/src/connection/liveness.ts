// SPDX-License-Identifier: Apache-2.0
/**
 * Finds out that a connection is dead although nobody said so. While presence is shown (PROTOCOL
 * §6) a ping goes out every 5 s and 10 s of silence are a cut; otherwise the server's own interval
 * counts. Any message is a sign of life.
 */
import type { Clock, Timer } from "../util/clock.js";

/** Interval of pings while presence is shown, in milliseconds. */
export const presencePingMs = 5000;

/** Watches one connection. */
export class Liveness {
  readonly #clock: Clock;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #timer: Timer | null = null;
  #heardAt: number;
  #pingedAt: number;
  #intervalMs: number;

  /**
   * @param clock time
   * @param intervalMs between two pings, in milliseconds; twice as long a silence is a cut
   * @param ping sends a ping
   * @param dead called once, when the connection counts as cut
   */
  constructor(clock: Clock, intervalMs: number, ping: () => void, dead: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#ping = ping;
    this.#dead = dead;
    this.#heardAt = this.#pingedAt = clock.now();
    this.#schedule();
  }

  /** A message arrived. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Changes the interval, in milliseconds. */
  setInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    // A silence that was allowed until now must not count against the shorter interval.
    if (this.#clock.now() - this.#heardAt > intervalMs) this.#heardAt = this.#clock.now();
    this.#schedule();
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer?.cancel();
    const due = Math.min(this.#pingedAt + this.#intervalMs, this.#heardAt + 2 * this.#intervalMs);
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.now()), () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.now();
    if (now - this.#heardAt >= 2 * this.#intervalMs) {
      this.#dead();
      return;
    }
    if (now - this.#pingedAt >= this.#intervalMs) {
      this.#pingedAt = now;
      this.#ping();
    }
    this.#schedule();
  }
}
