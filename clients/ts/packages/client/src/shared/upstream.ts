// SPDX-License-Identifier: Apache-2.0
/**
 * One connection to the server that carries the frames of several tabs: whose calls they are, by the ids
 * they have on it, and which tab has which document open. A document is open once on a connection.
 */
import type { ClientConnection } from "../connection/host.js";
import type { CallId, Outgoing } from "../protocol/frame.js";
import { isObject } from "../protocol/frame.js";

/** A call under way, as its tab knows it. */
export interface TabCall {
  /** Null when the tab is gone: nobody waits for the answer. */
  tab: string | null;
  readonly id: CallId;
  readonly method: string;
  /** The document it is about, of a method `doc.*`. */
  readonly doc: string | undefined;
}

/** A tab that shares. */
export interface Tab {
  readonly name: string;
  /** Calls under way, by the tab's own id. */
  readonly calls: Map<CallId, { readonly upstream: Upstream; readonly id: number }>;
  readonly docs: Map<string, Upstream>;
  readonly methods: Set<string>;
  watching: boolean;
}

/** Ids go round where both wires can say them. */
const idMax = 0x7fff_ffff;

/** A connection and what runs on it. */
export class Upstream {
  connection!: ClientConnection;
  /** By the id on this connection. */
  readonly calls = new Map<number, TabCall>();
  /** Who has a document open here. */
  readonly docs = new Map<string, string>();
  /** Calls that the server made, and the tab that answers. */
  readonly served = new Map<string, string>();
  /** What goes out as soon as it is open. */
  readonly waiting: Outgoing[] = [];
  #nextId = 1;

  /** Notes a call and gives it an id. */
  begin(call: TabCall): number {
    while (this.calls.has(this.#nextId)) this.#nextId = this.#nextId === idMax ? 1 : this.#nextId + 1;
    this.calls.set(this.#nextId, call);
    return this.#nextId;
  }
}

/** The document that a method `doc.*` is about. */
export function docOf(method: string, params: unknown): string | undefined {
  const doc = method.startsWith("doc.") && isObject(params) ? params["doc"] : undefined;
  return typeof doc === "string" ? doc : undefined;
}
