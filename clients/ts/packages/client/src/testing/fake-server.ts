// SPDX-License-Identifier: Apache-2.0
/**
 * An in-process server for tests. Submits wait in a queue before they are durable; a restart loses
 * the queue and every connection, and keeps what is durable.
 */
import { WeftError } from "../errors.js";
import type { CallId, Message } from "../protocol/frame.js";
import { isObject, newError, newNotification, newResult } from "../protocol/frame.js";
import type { Clock } from "../util/clock.js";
import { FakeDocument, type Submit } from "./fake-document.js";
import type { FakeLink, ServerEnd } from "./fake-network.js";
import { FakeNetwork } from "./fake-network.js";

interface Subscription {
  client: string;
  presence: unknown;
}

interface Peer {
  link: FakeLink;
  subscriptions: Map<string, Subscription>;
}

/** A server with documents and presence. */
export class FakeServer {
  readonly network: FakeNetwork;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #docs = new Map<string, FakeDocument>();
  readonly #peers = new Set<Peer>();
  readonly #fences = new Map<string, Peer>();
  #queue: (() => void)[] = [];
  #run = 0;
  #epochs = 0;
  /** Longest time until a submit is durable, in milliseconds. */
  commitMs = 10;
  /** Probability that an answer is sent twice. */
  duplicates = 0;
  /** Decides about each submit: an error refuses it. */
  refuse: (params: Submit) => WeftError | null = () => null;
  /** Every call that arrived, in order. */
  readonly calls: { method: string; params: unknown }[] = [];

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
    this.network = new FakeNetwork(clock, random, (link) => this.#accept(link));
  }

  /** The document of a name, created if there is none. */
  document(name: string): FakeDocument {
    const doc = this.#docs.get(name) ?? new FakeDocument(`e${++this.#epochs}`);
    this.#docs.set(name, doc);
    return doc;
  }

  /** Dies and comes back: what was not durable is lost, unanswered. */
  restart(): void {
    this.#run++;
    this.#queue = [];
    this.#fences.clear();
    this.network.cut();
  }

  /** Sends a notification to every subscriber of a document, except one, or a client's. */
  broadcast(doc: string, method: string, params: object, except?: Peer | string): void {
    const message = this.network.wire.encode(newNotification(method, { doc, ...params }));
    for (const peer of this.#peers) {
      const subscription = peer.subscriptions.get(doc);
      if (subscription === undefined || peer === except || subscription.client === except) continue;
      peer.link.send(message);
    }
  }

  #accept(link: FakeLink): ServerEnd {
    const peer: Peer = { link, subscriptions: new Map() };
    this.#peers.add(peer);
    return {
      received: (message) => this.#received(peer, message),
      ended: () => {
        this.#peers.delete(peer);
        for (const name of peer.subscriptions.keys()) this.#present(peer, name, null);
      },
    };
  }

  #received(peer: Peer, message: Message): void {
    for (const request of this.network.wire.decode(message)) {
      if (request.kind !== "request") throw new Error(`the client sent ${String(message)}`);
      const { id, method } = request;
      const params = isObject(request.params) ? request.params : {};
      if (id === undefined) this.#notified(peer, method, params);
      else if (method === "doc.submit" || method === "doc.open") this.#enqueue(peer, id, method, params);
      else this.#answer(peer, id, () => this.#call(peer, method, params));
    }
  }

  #notified(peer: Peer, method: string, params: Record<string, unknown>): void {
    if (method === "$/ping") peer.link.send(this.network.wire.encode(newNotification("$/pong")));
    else if (method === "doc.presence") this.#present(peer, String(params["doc"]), params["state"] ?? null, params);
  }

  #call(peer: Peer, method: string, params: Record<string, unknown>): unknown {
    this.calls.push({ method, params });
    if (method === "$/hello") {
      return { session: "s_1", resumed: false, v: 1, features: [], ping_ms: 25_000, limits: { message_bytes: 1 << 20 } };
    }
    if (method === "demo.echo") return params;
    if (method === "doc.close") {
      this.#present(peer, String(params["doc"]), null);
      peer.subscriptions.delete(String(params["doc"]));
      return {};
    }
    throw new WeftError("unimplemented", method);
  }

  /** One after the other, each after a while: so openings settle the submits before them. */
  #enqueue(peer: Peer, id: CallId, method: string, params: Record<string, unknown>): void {
    const run = this.#run;
    this.calls.push({ method, params });
    this.#queue.push(() =>
      this.#answer(peer, id, () => (method === "doc.open" ? this.#open(peer, params) : this.#submit(peer, params))),
    );
    if (this.#queue.length === 1) this.#clock.after(this.#random() * this.commitMs, () => this.#commit(run));
  }

  #commit(run: number): void {
    if (run !== this.#run) return;
    this.#queue[0]?.();
    this.#queue.shift();
    if (this.#queue.length > 0) this.#clock.after(this.#random() * this.commitMs, () => this.#commit(run));
  }

  #answer(peer: Peer, id: CallId, make: () => unknown): void {
    const { wire } = this.network;
    let answer: Message;
    try {
      answer = wire.encode(newResult(id, make()));
    } catch (error) {
      answer = wire.encode(newError(id, WeftError.from(error)));
    }
    peer.link.send(answer);
    if (this.#random() < this.duplicates) peer.link.send(answer);
  }

  #open(peer: Peer, params: Record<string, unknown>): unknown {
    const name = String(params["doc"]);
    const client = String(params["client"]);
    const { epoch, version } = params as { epoch?: string; version?: number };
    this.#fences.set(`${name} ${client}`, peer);
    peer.subscriptions.set(name, { client, presence: null });
    this.#clock.after(0, () => this.#greet(peer, name));
    return { doc: name, ...this.document(name).open(client, epoch, version) };
  }

  #submit(peer: Peer, params: Record<string, unknown>): unknown {
    const name = String(params["doc"]);
    const submit = params as unknown as Submit;
    if (!peer.subscriptions.has(name)) {
      throw new WeftError("aborted", "the document is not open here", { reason: "weft.doc.closed", executed: "no" });
    }
    if (this.#fences.get(`${name} ${submit.client}`) !== peer) {
      throw new WeftError("aborted", "opened elsewhere", { reason: "weft.doc.fenced", executed: "no" });
    }
    const refusal = this.refuse(submit);
    if (refusal !== null) throw refusal;
    const entry = this.document(name).submit(submit, this.#clock.now());
    if ("repeated" in entry) return { version: entry.repeated };
    this.broadcast(name, "doc.op", { epoch: submit.epoch, ...entry }, peer);
    return { version: entry.version };
  }

  #present(peer: Peer, name: string, state: unknown, at?: Record<string, unknown>): void {
    const subscription = peer.subscriptions.get(name);
    if (subscription === undefined || (state === null && subscription.presence === null)) return;
    subscription.presence = state;
    const { epoch, version } = this.document(name);
    const by = { sub: "", client: subscription.client };
    this.broadcast(name, "doc.presence", { epoch, version: at?.["version"] ?? version, state, by }, peer);
  }

  /** Tells a newcomer who is here. */
  #greet(peer: Peer, name: string): void {
    const { epoch, version } = this.document(name);
    for (const other of this.#peers) {
      const { presence: state, client } = other.subscriptions.get(name) ?? { presence: null, client: "" };
      if (other === peer || state === null) continue;
      const params = { doc: name, epoch, version, state, by: { sub: "", client } };
      peer.link.send(this.network.wire.encode(newNotification("doc.presence", params)));
    }
  }
}
