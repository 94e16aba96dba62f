// SPDX-License-Identifier: Apache-2.0
/** Seeded randomness for tests; the seed is printed, so that a failing run can be repeated. */

/** A small seeded generator (xorshift on 32 bits). */
export class Rng {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** From 0 (included) to 1 (excluded). */
  readonly next = (): number => {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state / 0x1_0000_0000;
  };

  /** A whole number from 0 (included) to `bound` (excluded). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    const value = list[this.below(list.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A text of at most `most` code points, with emoji, line ends and combining marks. */
  text(most: number): string {
    const pieces = ["a", "b", " ", "é", "e\u0301", "漢", "😀", "👩‍👧", "𝒳", "\n", "\r\n", "\u2028", "\u0000", "🏽"];
    let out = "";
    for (let i = 1 + this.below(most); i > 0; i--) out += this.pick(pieces);
    return Array.from(out).slice(0, most).join("");
  }
}

/** The seed of this run: from the environment variable WEFT_SEED, else from the time; printed. */
export function runSeed(): number {
  const seed = Number(process.env["WEFT_SEED"] ?? Date.now() % 1_000_000_000);
  console.log(`# seed ${seed} (repeat with WEFT_SEED=${seed})`);
  return seed;
}
