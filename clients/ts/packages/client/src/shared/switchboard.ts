// SPDX-License-Identifier: Apache-2.0
/**
 * The leader's part: the frames of all tabs over one connection to the server.
 *
 *     tab a ─┐                    ┌─ first connection: calls, streams, notifications, documents
 *     tab b ─┼─▶ switchboard ─────┤
 *     tab c ─┘   ids, documents   └─ one more for each further copy of a document that tabs have open
 *
 * Ids of calls are each tab's own and renamed here. The server knows one copy of a document on a
 * connection, so a second tab with the same document gets another connection for it, without a session:
 * when that is cut, the document is opened again. What a tab leaves behind is canceled and closed.
 */
import type { ClientConnection, ConnectionHost } from "../connection/host.js";
import { unavailable } from "../connection/failures.js";
import { WeftError } from "../errors.js";
import type { CallId, IncomingAnswer, IncomingRequest, Outgoing } from "../protocol/frame.js";
import { isObject, newCall, newError, newNotification, newResult } from "../protocol/frame.js";
import { textWire } from "../protocol/jsonrpc.js";
import type { FromLeader, ToLeader } from "./messages.js";
import type { Tab } from "./upstream.js";
import { Upstream, docOf } from "./upstream.js";

/** What a switchboard needs. */
export interface SwitchboardHost {
  /**
   * Makes a connection that is not begun.
   * @param resume whether it asks for a session
   */
  connection(host: ConnectionHost, resume: boolean): ClientConnection;
  /** Tells a tab, or all (null). */
  tell(tab: string | null, message: FromLeader): void;
}

const notTaken = { executed: "no" } as const;

/** Connects the tabs that joined. */
export class Switchboard {
  readonly #host: SwitchboardHost;
  readonly #tabs = new Map<string, Tab>();
  readonly #first = new Upstream();
  /** For further copies of documents. */
  readonly #others = new Set<Upstream>();

  constructor(host: SwitchboardHost) {
    this.#host = host;
    this.#first.connection = host.connection(
      {
        statusChanged: (status) => {
          const { mayResume } = this.#first.connection;
          if (status.kind === "closed" || (status.kind === "waiting" && !mayResume)) this.#forget(this.#first);
          host.tell(null, { kind: "status", status, mayResume });
        },
        leaving: () => host.tell(null, { kind: "leaving" }),
        sessionLost: (reason) => {
          this.#forget(this.#first);
          host.tell(null, { kind: "lost", reason });
        },
        received: (frame) => this.#heard(this.#first, frame),
      },
      true,
    );
  }

  /** Begins to connect. */
  connect(): void {
    this.#first.connection.connect();
  }

  /** Ends all connections. */
  close(): void {
    for (const { connection } of [this.#first, ...this.#others]) connection.close();
  }

  /** A tab says something; the first thing is that it joins. */
  said(name: string, message: ToLeader): void {
    if (message.kind === "join") {
      this.leave(name); // It may have left without a word.
      this.#tabs.set(name, { name, calls: new Map(), docs: new Map(), methods: new Set(), watching: false });
      const { status, mayResume } = this.#first.connection;
      this.#host.tell(name, { kind: "status", status, mayResume });
      return;
    }
    const tab = this.#tabs.get(name);
    if (tab === undefined) return;
    if (message.kind === "say") this.#say(tab, message.text, message.control);
    else if (message.kind === "retry") this.#first.connection.retryNow();
    else if (message.kind === "violated") this.#first.connection.violated(message.problem);
    else if (message.kind === "leave") this.leave(name);
    else if (message.kind === "watch") this.#watch(tab, message.on);
    else if (message.on) tab.methods.add(message.method);
    else tab.methods.delete(message.method);
  }

  /** A tab is gone: what it began ends. */
  leave(name: string): void {
    const tab = this.#tabs.get(name);
    if (tab === undefined) return;
    this.#tabs.delete(name);
    for (const { upstream, id } of tab.calls.values()) {
      (upstream.calls.get(id) ?? { tab: null }).tab = null;
      upstream.connection.control(newNotification("$/cancel", { id }));
    }
    for (const [doc, upstream] of tab.docs) {
      const id = upstream.begin({ tab: null, id: 0, method: "doc.close", doc });
      upstream.connection.send(newCall(id, "doc.close", { doc }));
      this.#release(tab, doc);
    }
    const gone = new WeftError("unavailable", "the tab that answered is closed");
    for (const [id, server] of [...this.#first.served]) {
      if (server !== name) continue;
      this.#first.served.delete(id);
      this.#first.connection.send(newError(id, gone));
    }
    if (tab.watching) this.#watch(tab, false);
  }

  #watch(tab: Tab, on: boolean): void {
    tab.watching = on;
    for (const { connection } of [this.#first, ...this.#others]) connection.watchClosely(this.#anyWatches());
  }

  #anyWatches(): boolean {
    return [...this.#tabs.values()].some(({ watching }) => watching);
  }

  // ---- what tabs say ----

  #say(tab: Tab, text: string, control: boolean): void {
    for (const frame of textWire.decode(text)) {
      if (frame.kind === "answer") this.#answered(tab, frame);
      else if (frame.kind === "request" && frame.id !== undefined) this.#call(tab, frame);
      else if (frame.kind === "request") this.#notify(tab, frame, control);
    }
  }

  #call(tab: Tab, { id, method, params, meta }: IncomingRequest): void {
    if (id === undefined) return;
    const doc = docOf(method, params);
    const upstream = doc === undefined ? this.#first : this.#upstreamFor(tab, doc, method === "doc.open");
    if (upstream !== this.#first && upstream.connection.status.kind !== "open") {
      this.#whenOpen(upstream, tab, { id, method, params, doc });
      return;
    }
    const number = upstream.begin({ tab: tab.name, id, method, doc });
    tab.calls.set(id, { upstream, id: number });
    upstream.connection.send(newCall(number, method, params, meta));
    if (method === "doc.close" && doc !== undefined) this.#release(tab, doc);
  }

  /** A connection for a further copy is on its way, or lost: a document waits to be opened, nothing else. */
  #whenOpen(upstream: Upstream, tab: Tab, call: { id: CallId; method: string; params: unknown; doc: string | undefined }): void {
    const { id, method, params, doc } = call;
    if (method !== "doc.open") {
      if (method === "doc.close" && doc !== undefined) this.#release(tab, doc);
      this.#tell(tab.name, newError(id, new WeftError("unavailable", "its connection is lost", notTaken)));
      return;
    }
    const number = upstream.begin({ tab: tab.name, id, method, doc });
    tab.calls.set(id, { upstream, id: number });
    upstream.waiting.push(newCall(number, method, params));
  }

  #notify(tab: Tab, { method, params, meta }: IncomingRequest, control: boolean): void {
    const about = method.startsWith("$/") && isObject(params) ? params["id"] : undefined;
    const doc = docOf(method, params);
    let upstream = doc === undefined ? this.#first : (tab.docs.get(doc) ?? this.#first);
    let body = params;
    if (typeof about === "number") {
      const call = tab.calls.get(about);
      if (call === undefined) return; // It was answered meanwhile.
      upstream = call.upstream;
      body = { ...(params as object), id: call.id };
    } else if (typeof about === "string" && upstream.served.get(about) !== tab.name) return;
    const frame = newNotification(method, body, meta);
    if (control) upstream.connection.control(frame);
    else upstream.connection.send(frame);
  }

  #answered(tab: Tab, { id, outcome }: IncomingAnswer): void {
    if (typeof id !== "string" || this.#first.served.get(id) !== tab.name) return;
    this.#first.served.delete(id);
    this.#first.connection.send("error" in outcome ? newError(id, outcome.error) : newResult(id, outcome.result));
  }

  // ---- documents ----

  /** Where `tab` has `doc` open, or may open it. */
  #upstreamFor(tab: Tab, doc: string, opens: boolean): Upstream {
    const own = tab.docs.get(doc);
    if (own !== undefined || !opens) return own ?? this.#first;
    const free = [this.#first, ...this.#others].find(({ docs }) => !docs.has(doc)) ?? this.#another();
    free.docs.set(doc, tab.name);
    tab.docs.set(doc, free);
    return free;
  }

  #release(tab: Tab, doc: string): void {
    const upstream = tab.docs.get(doc);
    tab.docs.delete(doc);
    if (upstream === undefined) return;
    upstream.docs.delete(doc);
    if (upstream === this.#first || upstream.docs.size > 0) return;
    this.#others.delete(upstream);
    for (const { tab: waits, id } of upstream.calls.values()) if (waits !== null) this.#tell(waits, newResult(id, null));
    this.#forget(upstream);
    upstream.connection.close();
  }

  #another(): Upstream {
    const upstream = new Upstream();
    upstream.connection = this.#host.connection(
      {
        statusChanged: (status) => {
          if (status.kind === "open") for (const frame of upstream.waiting.splice(0)) upstream.connection.send(frame);
          else if (status.kind !== "connecting") this.#cut(upstream, status.kind === "closed");
        },
        leaving: () => {},
        sessionLost: () => {},
        received: (frame) => this.#heard(upstream, frame),
      },
      false,
    );
    this.#others.add(upstream);
    upstream.connection.watchClosely(this.#anyWatches());
    upstream.connection.connect();
    return upstream;
  }

  /** A connection for further copies is lost: their replicas open them again, elsewhere if it is `over`. */
  #cut(upstream: Upstream, over: boolean): void {
    upstream.waiting.length = 0;
    const calls = [...upstream.calls.values()];
    this.#forget(upstream);
    const error = unavailable("the connection was lost before the answer came");
    for (const { tab, id } of calls) if (tab !== null) this.#tell(tab, newError(id, error));
    for (const [doc, tab] of upstream.docs) {
      this.#tell(tab, newNotification("doc.closed", { doc, reason: "moved", reopen: true }));
      if (over) this.#tabs.get(tab)?.docs.delete(doc);
    }
    if (over) this.#others.delete(upstream);
  }

  /** What was under way on a connection is over. */
  #forget(upstream: Upstream): void {
    for (const { tab, id } of upstream.calls.values()) if (tab !== null) this.#tabs.get(tab)?.calls.delete(id);
    upstream.calls.clear();
    upstream.served.clear();
  }

  // ---- what the server says ----

  #heard(upstream: Upstream, frame: IncomingRequest | IncomingAnswer): void {
    if (frame.kind === "answer") this.#heardAnswer(upstream, frame);
    else if (frame.id !== undefined) this.#heardCall(upstream, frame, frame.id);
    else this.#heardNotification(upstream, frame);
  }

  #heardAnswer(upstream: Upstream, { id, outcome }: IncomingAnswer): void {
    const call = typeof id === "number" ? upstream.calls.get(id) : undefined;
    upstream.calls.delete(id as number);
    if (call?.tab == null) return;
    const tab = this.#tabs.get(call.tab);
    tab?.calls.delete(call.id);
    const refused = call.method === "doc.open" && "error" in outcome;
    if (tab !== undefined && refused && call.doc !== undefined) this.#release(tab, call.doc);
    this.#tell(call.tab, "error" in outcome ? newError(call.id, outcome.error) : newResult(call.id, outcome.result));
  }

  #heardCall(upstream: Upstream, { method, params, meta }: IncomingRequest, id: CallId): void {
    const tab = [...this.#tabs.values()].find(({ methods }) => methods.has(method) && upstream === this.#first);
    if (tab === undefined || typeof id !== "string") {
      upstream.connection.send(newError(id, new WeftError("unimplemented", `no method ${method}`, notTaken)));
      return;
    }
    upstream.served.set(id, tab.name);
    this.#tell(tab.name, newCall(id, method, params, meta));
  }

  #heardNotification(upstream: Upstream, { method, params, meta }: IncomingRequest): void {
    const frame = newNotification(method, params, meta);
    const about = method.startsWith("$/") && isObject(params) ? params["id"] : undefined;
    const doc = docOf(method, params);
    if (typeof about === "number") {
      const call = upstream.calls.get(about);
      if (call?.tab != null) this.#tell(call.tab, newNotification(method, { ...(params as object), id: call.id }, meta));
    } else if (typeof about === "string") {
      const tab = upstream.served.get(about);
      if (tab !== undefined) this.#tell(tab, frame);
    } else if (doc !== undefined) {
      const name = upstream.docs.get(doc);
      const tab = name === undefined ? undefined : this.#tabs.get(name);
      if (tab !== undefined) this.#tell(tab.name, frame);
      if (tab !== undefined && method === "doc.closed") this.#release(tab, doc);
    } else this.#tell(null, frame);
  }

  #tell(tab: string | null, frame: Outgoing): void {
    this.#host.tell(tab, { kind: "hear", text: textWire.encode(frame) as string });
  }
}
