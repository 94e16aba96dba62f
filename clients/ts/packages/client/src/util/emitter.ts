// SPDX-License-Identifier: Apache-2.0
/** Typed events without dependencies. */

/** Removes a listener; calling it again does nothing. */
export type Unsubscribe = () => void;

/**
 * Something that has events.
 * @typeParam Events maps each event's name to what its listeners receive
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /**
   * Adds a listener. It is called in order of registration, at once, and must not block. What it
   * throws is reported as an uncaught error and disturbs neither the library nor other listeners.
   * @param name the event's name
   * @param listener called with each event
   * @returns removes the listener
   */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): Unsubscribe {
    let set = this.#listeners.get(name);
    if (set === undefined) this.#listeners.set(name, (set = new Set()));
    // A wrapper, so that one function registered twice is two listeners.
    const entry = (event: Events[K]): void => listener(event);
    set.add(entry);
    return () => void set.delete(entry);
  }

  /**
   * Calls the listeners of an event.
   * @param name the event's name
   * @param event what they receive
   */
  protected emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Events[K]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
