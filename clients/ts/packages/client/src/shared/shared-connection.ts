// SPDX-License-Identifier: Apache-2.0
/**
 * A tab's part of a connection that all tabs of an origin share. The tab that holds the lock leads: it has
 * the socket (shared/switchboard.ts), also for itself; the others reach it over a channel. When it is gone
 * the next one in the lock's queue leads, with another socket and another session.
 *
 *     lock of the tab ─▶ join ──status──▶ as the leader's connection is
 *            │             ▲                 │ another tab leads
 *            │             └─────────────────┘
 *            └─ lock of the leader ─▶ leads
 *
 * Where tabs cannot find each other, and where the leader is silent or of another version, the tab connects
 * by itself.
 */
import { Connection } from "../connection/connection.js";
import { unavailable } from "../connection/failures.js";
import type { ClientConnection, ConnectionHost, ConnectionOptions } from "../connection/host.js";
import type { ConnectionStatus } from "../connection/status.js";
import type { Outgoing } from "../protocol/frame.js";
import { textWire } from "../protocol/jsonrpc.js";
import type { Timer } from "../util/clock.js";
import { randomId } from "../util/random.js";
import type { FromLeader, ToLeader } from "./messages.js";
import { readEnvelope, readFromLeader, readToLeader, sharedVersion, writeStatus } from "./messages.js";
import type { TabChannel, TabPlatform } from "./platform.js";
import { Switchboard } from "./switchboard.js";

/** After so long without an answer of the leader, in milliseconds, a tab connects by itself. */
const silenceMs = 10_000;

/** A connection of all tabs that use the same name. */
export class SharedConnection implements ClientConnection {
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #platform: TabPlatform;
  readonly #name: string;
  /** This tab. */
  readonly #tab = randomId();
  readonly #end = new AbortController();
  readonly #methods = new Set<string>();
  #channel: TabChannel | null = null;
  #status: ConnectionStatus = { kind: "connecting", tries: 0 };
  #mayResume = false;
  #watching = false;
  /** Whom this tab has joined, or waits for; null: nobody is known to lead. */
  #leader: string | null = null;
  #timer: Timer | null = null;
  /** Set in the tab that leads. */
  #switchboard: Switchboard | null = null;
  /** Set in a tab that has given up on the others. */
  #own: Connection | null = null;
  /** Those that joined, in the tab that leads, until they are gone. */
  readonly #watched = new Set<string>();

  /** @param name those with the same one share; the rest as for a connection of one's own */
  constructor(options: ConnectionOptions, host: ConnectionHost, platform: TabPlatform, name: string) {
    this.#options = options;
    this.#host = host;
    this.#platform = platform;
    this.#name = `weft/${name}`;
  }

  get status(): ConnectionStatus {
    return this.#own?.status ?? this.#status;
  }

  get mayResume(): boolean {
    return this.#own?.mayResume ?? this.#mayResume;
  }

  connect(): void {
    this.#host.statusChanged(this.#status);
    this.#channel = this.#platform.channel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#received(data);
    // Whoever waits for this lock learns that the tab is gone, however it went.
    this.#hold(this.#lockOf(this.#tab), () => {
      this.#hold(`${this.#name}/leader`, () => this.#lead());
      this.#join();
    });
  }

  send(frame: Outgoing): void {
    if (this.#own !== null) this.#own.send(frame);
    else this.#ask({ kind: "say", text: textWire.encode(frame) as string, control: false });
  }

  control(frame: Outgoing): void {
    if (this.#own !== null) this.#own.control(frame);
    else this.#ask({ kind: "say", text: textWire.encode(frame) as string, control: true });
  }

  retryNow(): void {
    if (this.#own !== null) this.#own.retryNow();
    else this.#ask({ kind: "retry" });
  }

  watchClosely(on: boolean): void {
    this.#watching = on;
    if (this.#own !== null) this.#own.watchClosely(on);
    else this.#ask({ kind: "watch", on });
  }

  serves(method: string, on: boolean): void {
    if (on) this.#methods.add(method);
    else this.#methods.delete(method);
    this.#ask({ kind: "serve", method, on });
  }

  violated(problem: string): void {
    if (this.#own !== null) this.#own.violated(problem);
    else this.#ask({ kind: "violated", problem });
  }

  close(): void {
    if (this.#own !== null) this.#own.close();
    if (this.#end.signal.aborted) return;
    this.#ask({ kind: "leave" });
    this.#part();
    this.#setStatus({ kind: "closed", error: null }, false);
  }

  /** Lets go of everything that is shared. */
  #part(): void {
    const switchboard = this.#switchboard;
    this.#timer?.cancel();
    this.#switchboard = null;
    this.#channel?.close();
    this.#channel = null;
    switchboard?.close();
    this.#end.abort();
  }

  // ---- locks ----

  #lockOf(tab: string): string {
    return `${this.#name}/tab/${tab}`;
  }

  /** Waits for a lock, and keeps it until the end. */
  #hold(lock: string, held: () => void): void {
    const { signal } = this.#end;
    const hold = (): Promise<void> => {
      if (!signal.aborted) held();
      return new Promise((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve());
      });
    };
    this.#platform.locks.request(lock, { signal }, hold).catch(() => {
      if (!signal.aborted && this.#own === null) this.#goAlone();
    });
  }

  /** Waits until a tab that joined is gone. */
  #watchTab(tab: string): void {
    if (this.#watched.has(tab)) return;
    this.#watched.add(tab);
    const { signal } = this.#end;
    const gone = (): Promise<void> => {
      this.#watched.delete(tab);
      this.#switchboard?.leave(tab);
      return Promise.resolve();
    };
    this.#platform.locks.request(this.#lockOf(tab), { signal }, gone).catch(() => {});
  }

  // ---- leading ----

  #lead(): void {
    this.#timer?.cancel();
    this.#leader = this.#tab;
    this.#switchboard = new Switchboard({
      connection: (host, resume) =>
        new Connection({ ...this.#options, resume: resume && this.#options.resume }, host),
      tell: (tab, message) => this.#tell(tab, message),
    });
    this.#tell(null, { kind: "leads" });
    this.#switchboard.connect();
  }

  /** Tells a tab, this one, or all. */
  #tell(tab: string | null, message: FromLeader): void {
    if (this.#switchboard === null) return; // Its end is not that of the others.
    const status = message.kind === "status" ? { status: writeStatus(message.status) } : {};
    // A leader that is refused for good leads no more, and the next tab tries.
    const refused = message.kind === "status" && message.status.kind === "closed";
    if (tab !== this.#tab && !refused) this.#post(tab, { ...message, ...status });
    if (tab === null || tab === this.#tab) this.#hear(message);
  }

  // ---- messages ----

  #post(to: string | null, body: Record<string, unknown>): void {
    this.#channel?.postMessage({ weft: sharedVersion, from: this.#tab, to, body });
  }

  /** Says something to the leader, which may be this tab. */
  #ask(message: ToLeader): void {
    if (this.#switchboard !== null) this.#switchboard.said(this.#tab, message);
    else if (this.#leader !== null) this.#post(this.#leader, { ...message });
  }

  #received(data: unknown): void {
    const message = readEnvelope(data);
    if (message === null || (message.to !== null && message.to !== this.#tab)) return;
    const { weft, from, body } = message;
    if (this.#switchboard !== null) this.#receivedByLeader(weft, from, body);
    else if (weft !== sharedVersion) {
      if (body["kind"] === "leads") this.#goAlone();
    } else {
      const said = readFromLeader(body);
      if (said?.kind === "leads") this.#follow(from);
      else if (said !== null && from === this.#leader) this.#hear(said);
    }
  }

  #receivedByLeader(weft: number, from: string, body: Record<string, unknown>): void {
    // Whoever asks all does not know who leads; with another version it learns that and goes alone.
    if (body["kind"] === "join" && (weft !== sharedVersion || body["leader"] !== this.#tab)) {
      this.#post(from, { kind: "leads" });
      return;
    }
    const said = weft === sharedVersion ? readToLeader(body) : null;
    if (said === null) return;
    this.#switchboard?.said(from, said);
    if (said.kind === "join") this.#watchTab(from);
  }

  /** Asks who leads. */
  #join(): void {
    if (this.#switchboard !== null) return;
    this.#post(null, { kind: "join", leader: null });
    this.#timer = this.#options.clock.after(silenceMs, () => this.#goAlone());
  }

  /** `leader` leads: what was under way over another one is lost. */
  #follow(leader: string): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#lose();
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(silenceMs, () => this.#goAlone());
    this.#post(leader, { kind: "join", leader });
  }

  #hear(message: FromLeader): void {
    if (message.kind === "leads") this.#enter();
    else if (message.kind === "leaving") this.#host.leaving();
    else if (message.kind === "lost") this.#host.sessionLost(message.reason);
    else if (message.kind === "status") this.#heardStatus(message.status, message.mayResume);
    else if (message.kind === "hear") {
      for (const frame of textWire.decode(message.text)) {
        if (frame.kind === "request" || frame.kind === "answer") this.#host.received(frame);
      }
    }
  }

  /** This tab leads, and joins itself. */
  #enter(): void {
    this.#lose();
    this.#ask({ kind: "join" });
  }

  /** What is under way is lost with the tab that had the connection. */
  #lose(): void {
    if (this.#status.kind === "connecting") return;
    const error = unavailable("the tab with the connection is gone");
    this.#setStatus({ kind: "waiting", retryInMs: 0, tries: 0, error }, false);
  }

  #heardStatus(status: ConnectionStatus, mayResume: boolean): void {
    this.#timer?.cancel();
    if (status.kind === "open") {
      for (const method of this.#methods) this.#ask({ kind: "serve", method, on: true });
      if (this.#watching) this.#ask({ kind: "watch", on: true });
    }
    // What this tab has under way goes on only if it was there before.
    const fresh = status.kind === "open" && status.info.resumed && !this.#mayResume;
    this.#setStatus(fresh ? { kind: "open", info: { ...status.info, resumed: false } } : status, mayResume);
    if (status.kind === "closed") this.#part();
  }

  /** The others are of no use: this tab connects by itself. */
  #goAlone(): void {
    if (this.#own !== null || this.#end.signal.aborted) return;
    this.#part();
    this.#lose();
    this.#own = new Connection(this.#options, this.#host);
    this.#own.watchClosely(this.#watching);
    this.#own.connect();
  }

  #setStatus(status: ConnectionStatus, mayResume: boolean): void {
    this.#status = status;
    this.#mayResume = mayResume;
    this.#host.statusChanged(status);
  }
}
