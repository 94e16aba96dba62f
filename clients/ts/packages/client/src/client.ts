// SPDX-License-Identifier: Apache-2.0
/** The client: composes connection, calls and documents. */
import { CallTable } from "./connection/calls.js";
import type { CallOptions, InnerCallOptions } from "./connection/calls.js";
import { Connection } from "./connection/connection.js";
import { Serving } from "./connection/serving.js";
import type { CallHandler } from "./connection/serving.js";
import type { ClientConnection, ConnectionHost } from "./connection/host.js";
import type { ConnectionStatus } from "./connection/status.js";
import { WeftStream } from "./connection/stream.js";
import type { Sender } from "./connection/stream.js";
import type { DocumentPeer } from "./doc/peer.js";
import type { ReplicaOptions } from "./doc/events.js";
import { Replica } from "./doc/replica.js";
import { WeftError } from "./errors.js";
import type { OtType } from "./ot/type.js";
import type { ClientEvents, ClientOptions } from "./options.js";
import type { IncomingAnswer, IncomingRequest, Outgoing } from "./protocol/frame.js";
import { isObject, newNotification } from "./protocol/frame.js";
import { tabPlatform } from "./shared/platform.js";
import { SharedConnection } from "./shared/shared-connection.js";
import { transportFor } from "./transport/choose.js";
import { systemClock } from "./util/clock.js";
import { Emitter } from "./util/emitter.js";
import type { Unsubscribe } from "./util/emitter.js";

/**
 * A client of one weft server. It connects at once and comes back after every cut; calls wait for
 * the connection, those under way and streams go on over the next one while the server knows the
 * session, documents are opened again by themselves. Ends with {@link close}.
 */
export class WeftClient extends Emitter<ClientEvents> {
  readonly #calls: CallTable;
  readonly #connection: ClientConnection;
  readonly #peer: DocumentPeer;
  readonly #callTimeoutMs: number;
  readonly #send: Sender;
  readonly #replicas = new Map<string, { close(): void } & DocumentSink>();
  readonly #serving: Serving;
  readonly #listeners = new Map<string, Set<(params: unknown) => void>>();
  readonly #online = (): void => this.retryNow();
  #watchers = 0;

  /** @param options the server's address and, if wanted, how to reach it */
  constructor(options: ClientOptions) {
    super();
    const clock = options.clock ?? systemClock;
    const random = options.random ?? Math.random;
    const app = options.app ?? { name: "weft-ts", version: "0.1.0" };
    this.#callTimeoutMs = options.callTimeoutMs ?? 30_000;
    this.#calls = new CallTable(clock);
    this.#peer = {
      clock,
      random,
      messageBytes: () => this.#messageBytes(),
      call: (method, params, call) => this.#call(method, params, { ...call, here: true }),
      notify: (method, params) => this.notify(method, params),
      watchLiveness: (on) => this.#connection.watchClosely((this.#watchers += on ? 1 : -1) > 0),
    };
    const send = {
      data: (frame: Outgoing) => this.#connection.send(frame),
      control: (frame: Outgoing) => this.#connection.control(frame),
    };
    this.#send = send;
    this.#serving = new Serving(
      clock,
      {
        send,
        failed: (method, error) => this.emit("handlerFailed", { method, error }),
        violated: (problem) => this.#connection.violated(problem),
      },
      options.serve,
    );
    const transport = options.transport ?? transportFor(options, clock);
    const hello = { v: [1, 1], client: app };
    const resume = options.resume ?? true;
    const inner = { transport, clock, random, hello, resume, token: options.token };
    const host: ConnectionHost = {
      statusChanged: (status) => this.#statusChanged(status),
      leaving: () => this.#calls.leave(),
      sessionLost: () => {
        this.#calls.lost();
        this.#serving.lost();
      },
      received: (frame) => this.#received(frame),
    };
    const tabs = options.shared === undefined ? null : (options.tabs ?? tabPlatform());
    this.#connection =
      tabs === null
        ? new Connection(inner, host)
        : new SharedConnection(inner, host, tabs, `${options.shared ?? ""} ${options.url}`);
    globalThis.addEventListener?.("online", this.#online);
    this.#connection.connect();
  }

  /** The connection's status now. */
  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  /**
   * Calls a method of the server's. Without a connection, or when the server is about to end this
   * one, the call waits for the next.
   * Errors: rejects with WeftError; `unavailable` when the connection is cut before the answer and the
   * server does not know the session any more.
   * @param method the method's name
   * @param params its parameters: a JSON object or array
   * @param options time limit and cancellation
   * @returns the result as the server sent it, unchecked
   */
  call(method: string, params?: unknown, options: CallOptions = {}): Promise<unknown> {
    return this.#call(method, params, options);
  }

  /**
   * Calls a method that gives items, takes some, or both. Without `timeoutMs` it may take as long as it
   * likes.
   * Errors: iterating, sending and `result` reject with WeftError; `unavailable` when the connection
   * is cut and the server does not know the session any more.
   * @param method the method's name
   * @param params its parameters: a JSON object or array
   * @param options time limit and cancellation
   * @returns the stream: iterate it, or send and end, then await its `result`
   */
  stream(method: string, params?: unknown, options: CallOptions = {}): WeftStream {
    const { signal, timeoutMs = 0 } = options;
    const abort = new AbortController();
    const forward = (): void => abort.abort();
    if (signal?.aborted === true) forward();
    signal?.addEventListener("abort", forward);
    return new WeftStream((stream) => {
      const result = this.#call(method, params, { timeoutMs, signal: abort.signal, stream });
      const done = (): void => signal?.removeEventListener("abort", forward);
      result.then(done, done);
      return { result, cancel: forward };
    });
  }

  /**
   * Sends a notification, which is not answered. While there is no connection it waits for the session
   * to go on; without a session it is dropped.
   * @param method the method's name
   * @param params its parameters: a JSON object or array
   */
  notify(method: string, params?: unknown): void {
    this.#connection.send(newNotification(method, params));
  }

  /**
   * Answers calls of the server's, until removed: those under way then go on.
   * Errors: throws WeftError `already_exists` when the method has a handler, `invalid_argument` for a
   * method of the protocol.
   * @param method the method's name
   * @param handler answers one call
   * @returns removes the handler
   */
  serve(method: string, handler: CallHandler): Unsubscribe {
    const remove = this.#serving.add(method, handler);
    this.#connection.serves(method, true);
    return () => {
      remove();
      this.#connection.serves(method, this.#serving.has(method));
    };
  }

  /**
   * Listens to notifications of the server's, until removed. Those about documents go to replicas.
   * @param method the method's name
   * @param listener called with the parameters, unchecked
   * @returns removes the listener
   */
  onNotification(method: string, listener: (params: unknown) => void): Unsubscribe {
    const set = this.#listeners.get(method) ?? new Set();
    this.#listeners.set(method, set.add(listener));
    return () => void set.delete(listener);
  }

  /**
   * Opens a document, which is created if there is none. Wait for `replica.ready()` before editing.
   * Errors: throws WeftError `already_exists` when this client has the document open.
   * @param doc the document's name: 1 to 255 bytes of UTF-8, no control characters
   * @param type its type, for example `text` of `@weft/client/text`
   * @param options of the replica
   */
  open<S, Op>(doc: string, type: OtType<S, Op>, options?: ReplicaOptions): Replica<S, Op> {
    if (this.status.kind === "closed") throw closedError(this.status.error);
    if (this.#replicas.has(doc)) throw new WeftError("already_exists", `${doc} is open already`);
    const replica = new Replica(this.#peer, doc, type, options);
    this.#replicas.set(doc, replica);
    replica.on("state", (state) => {
      if (state.kind === "closed") this.#replicas.delete(doc);
    });
    if (this.status.kind === "open") replica.connected();
    return replica;
  }

  /** Tries to connect at once, when the next attempt is still waiting. */
  retryNow(): void {
    this.#connection.retryNow();
  }

  /** Ends the connection for good, with all calls and replicas. */
  close(): void {
    for (const replica of [...this.#replicas.values()]) replica.close();
    this.#connection.close();
  }

  #call(method: string, params: unknown, options: InnerCallOptions): Promise<unknown> {
    if (this.status.kind === "closed") return Promise.reject(closedError(this.status.error));
    return this.#calls.call(method, params, { timeoutMs: this.#callTimeoutMs, ...options });
  }

  #messageBytes(): number {
    const limit = this.status.kind === "open" ? this.status.info.limits["message_bytes"] : undefined;
    return Math.max(limit ?? 1 << 20, 4096);
  }

  #statusChanged(status: ConnectionStatus): void {
    if (status.kind === "open") {
      const { window_items: items = 16, window_bytes: bytes = 65_536 } = status.info.limits;
      this.#calls.opened(this.#send, { items, bytes }, status.info.resumed);
      this.#serving.opened({ items, bytes }, status.info.resumed);
      for (const replica of this.#replicas.values()) replica.connected();
    } else if (status.kind === "closed") {
      globalThis.removeEventListener?.("online", this.#online);
      for (const replica of this.#replicas.values()) replica.disconnected();
      this.#calls.close(closedError(status.error));
      this.#serving.lost();
    } else if (status.kind === "waiting") {
      for (const replica of this.#replicas.values()) replica.disconnected();
      this.#calls.cut(this.#connection.mayResume);
      if (!this.#connection.mayResume) this.#serving.lost();
    }
    this.emit("status", status);
  }

  #received(frame: IncomingRequest | IncomingAnswer): void {
    if (frame.kind === "answer") this.#calls.answered(frame);
    else if (this.#calls.streamed(frame)) return;
    else if (!this.#serving.received(frame) || frame.id === undefined) this.#notified(frame);
  }

  #notified({ method, params }: IncomingRequest): void {
    if (isObject(params) && typeof params["doc"] === "string") {
      this.#replicas.get(params["doc"])?.received(method, params);
    }
    for (const listener of [...(this.#listeners.get(method) ?? [])]) listener(params);
  }
}

interface DocumentSink {
  connected(): void;
  disconnected(): void;
  received(method: string, params: Record<string, unknown>): void;
}

function closedError(cause: WeftError | null): WeftError {
  return cause ?? new WeftError("canceled", "the client is closed", { executed: "no" });
}
