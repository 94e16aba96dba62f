// SPDX-License-Identifier: Apache-2.0
/**
 * Puts what leads a document from version to version in order: early entries wait here, old ones
 * are dropped. One entry a version; the first one wins, so a duplicate does nothing.
 */

/** Entries that wait for their version. */
export class HeldEntries<T> {
  readonly #entries = new Map<number, T>();

  /** How many entries wait. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds an entry.
   * @param version the version it leads to
   * @param entry the entry
   */
  add(version: number, entry: T): void {
    if (!this.#entries.has(version)) this.#entries.set(version, entry);
  }

  /**
   * Takes the entry that leads on from a version, and drops all older ones.
   * @param version the version reached
   */
  next(version: number): T | undefined {
    for (const key of this.#entries.keys()) if (key <= version) this.#entries.delete(key);
    const entry = this.#entries.get(version + 1);
    this.#entries.delete(version + 1);
    return entry;
  }

  /** Forgets entries; with a filter, only those it accepts. */
  clear(filter: (entry: T) => boolean = () => true): void {
    for (const [key, entry] of this.#entries) if (filter(entry)) this.#entries.delete(key);
  }
}
