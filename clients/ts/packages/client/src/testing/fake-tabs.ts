// SPDX-License-Identifier: Apache-2.0
/** Tabs of one browser: locks and channels between clients of one process, and tabs that are killed. */
import type { TabChannel, TabLocks, TabPlatform } from "../shared/platform.js";

interface Waiting {
  readonly tab: FakeTab;
  readonly grant: () => void;
}

/** A browser with tabs. */
export class FakeBrowser {
  /** Who holds each lock, then who waits. */
  readonly locks = new Map<string, Waiting[]>();
  readonly channels = new Map<string, Set<FakeChannel>>();

  /** Opens a tab. */
  open(): FakeTab {
    return new FakeTab(this);
  }

  /** Lets the next one have a lock. */
  next(name: string): void {
    const first = this.locks.get(name)?.[0];
    if (first !== undefined) queueMicrotask(first.grant);
  }
}

/** One tab. */
export class FakeTab implements TabPlatform {
  alive = true;
  readonly locks: TabLocks;

  constructor(readonly browser: FakeBrowser) {
    this.locks = { request: (name, { signal }, hold) => this.#request(name, signal, hold) };
  }

  readonly channel = (name: string): TabChannel => new FakeChannel(this, name);

  /** The tab is gone at once: its locks are free, and it neither hears nor says anything any more. */
  kill(): void {
    this.alive = false;
    for (const [name, queue] of this.browser.locks) {
      const held = queue[0]?.tab === this;
      this.browser.locks.set(
        name,
        queue.filter(({ tab }) => tab !== this),
      );
      if (held) this.browser.next(name);
    }
  }

  #request(name: string, signal: AbortSignal | undefined, hold: () => Promise<unknown>): Promise<unknown> {
    const { locks } = this.browser;
    return new Promise((resolve, reject) => {
      const queue = locks.get(name) ?? [];
      const leave = (): void => {
        const now = locks.get(name) ?? [];
        const first = now[0] === entry;
        locks.set(
          name,
          now.filter((other) => other !== entry),
        );
        if (first) this.browser.next(name);
      };
      let granted = false;
      const entry: Waiting = {
        tab: this,
        grant: () => {
          if (!this.alive || granted || locks.get(name)?.[0] !== entry) return;
          granted = true;
          hold().then(resolve, reject).finally(leave);
        },
      };
      signal?.addEventListener("abort", () => {
        if (granted) return;
        leave();
        reject(new Error("aborted"));
      });
      locks.set(name, [...queue, entry]);
      this.browser.next(name);
    });
  }
}

class FakeChannel implements TabChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  #open = true;

  constructor(
    readonly tab: FakeTab,
    readonly name: string,
  ) {
    const all = tab.browser.channels.get(name) ?? new Set();
    tab.browser.channels.set(name, all.add(this));
  }

  postMessage(message: unknown): void {
    if (!this.#open || !this.tab.alive) return;
    for (const other of this.tab.browser.channels.get(this.name) ?? []) {
      if (other === this) continue;
      const data: unknown = structuredClone(message);
      setImmediate(() => other.#deliver(data));
    }
  }

  #deliver(data: unknown): void {
    if (this.#open && this.tab.alive) this.onmessage?.({ data });
  }

  close(): void {
    this.#open = false;
    this.tab.browser.channels.get(this.name)?.delete(this);
  }
}
