// SPDX-License-Identifier: Apache-2.0
/** What tabs of one origin share: locks that end with their holder, and a channel. */

/** Grants a name to one tab at a time (Web Locks). */
export interface TabLocks {
  /**
   * Waits until nobody else holds `name`, then holds it until the promise of `hold` settles, or the tab is gone.
   * @returns rejects when `signal` aborts before
   */
  request(name: string, options: { signal?: AbortSignal }, hold: () => Promise<unknown>): Promise<unknown>;
}

/** Carries messages to all other tabs that have one of the same name (BroadcastChannel). */
export interface TabChannel {
  /** Sends to all others, in order. */
  postMessage(message: unknown): void;
  /** Called with what others send. */
  onmessage: ((event: { data: unknown }) => void) | null;
  /** Nothing is sent or received any more. */
  close(): void;
}

/** What is needed to share a connection. */
export interface TabPlatform {
  readonly locks: TabLocks;
  readonly channel: (name: string) => TabChannel;
}

/** What this runtime has; null when tabs cannot find each other here. */
export function tabPlatform(): TabPlatform | null {
  const { navigator, BroadcastChannel } = globalThis as {
    navigator?: { locks?: TabLocks };
    BroadcastChannel?: new (name: string) => TabChannel;
  };
  const locks = navigator?.locks;
  if (locks === undefined || BroadcastChannel === undefined) return null;
  return { locks, channel: (name) => new BroadcastChannel(name) };
}
