// SPDX-License-Identifier: Apache-2.0
/**
 * Calls that the server makes: each is answered exactly once, unless its session ends before.
 *
 * A call that is over because it was canceled or late still counts until its handler has stopped, so
 * that handlers which do not listen cannot pile up.
 */
import { WeftError } from "../errors.js";
import type { CallId, CallMeta, IncomingRequest, Outgoing } from "../protocol/frame.js";
import { isObject, newError, newResult } from "../protocol/frame.js";
import type { Clock } from "../util/clock.js";
import type { Unsubscribe } from "../util/emitter.js";
import { Served } from "./served.js";
import type { ServedCall } from "./served.js";
import type { Sender, StreamWindow } from "./stream.js";

/**
 * Answers a call of the server's.
 * @param params what the server sent, unchecked
 * @param call what else is known about it, and the caller's items
 * @returns the result, or a promise of it; an async iterable, as an `async function*` gives, whose items go
 *   to the caller and whose return value is the result. A thrown WeftError becomes the error answer,
 *   anything else `internal`, of which the caller learns no more
 */
export type CallHandler = (params: unknown, call: ServedCall) => unknown;

/** How calls of the server's are answered. */
export interface ServeOptions {
  /** How many handlers may be at work at once; calls beyond are answered `resource_exhausted`. 1,000 by default. */
  readonly inFlight?: number;
}

/** What the owner provides. */
export interface ServingHost {
  /** Where messages go, now and over later connections of the session. */
  readonly send: Sender;
  /** A handler threw what is no WeftError. */
  failed(method: string, error: unknown): void;
  /** The server broke the protocol. */
  violated(problem: string): void;
}

/** The handlers of one client and the calls that they answer. */
export class Serving {
  readonly #clock: Clock;
  readonly #host: ServingHost;
  readonly #limit: number;
  readonly #handlers = new Map<string, CallHandler>();
  /** Calls without an answer. */
  readonly #calls = new Map<CallId, Served>();
  /** Notifications at work. */
  readonly #silent = new Set<Served>();
  /** The last of the calls with each ordering key. */
  readonly #turns = new Map<string, Promise<void>>();
  #atWork = 0;
  #window: StreamWindow = { items: 16, bytes: 65_536 };

  constructor(clock: Clock, host: ServingHost, options: ServeOptions = {}) {
    this.#clock = clock;
    this.#host = host;
    this.#limit = options.inFlight ?? 1000;
  }

  /** Adds a handler; see `WeftClient.serve`. */
  add(method: string, handler: CallHandler): Unsubscribe {
    if (method.startsWith("$/")) throw new WeftError("invalid_argument", `${method} belongs to the protocol`);
    if (this.#handlers.has(method)) throw new WeftError("already_exists", `${method} has a handler`);
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  /** Whether a method has a handler. */
  has(method: string): boolean {
    return this.#handlers.has(method);
  }

  /** The connection is open; streams begin with `window`. */
  opened(window: StreamWindow, resumed: boolean): void {
    this.#window = window;
    if (resumed) for (const call of this.#calls.values()) call.resumed();
  }

  /** The session is over: nobody waits for answers any more. */
  lost(): void {
    const error = new WeftError("unavailable", "the connection to the caller was lost");
    for (const call of [...this.#calls.values(), ...this.#silent]) call.end(error);
    this.#calls.clear();
  }

  /** A call or notification arrived; false when it is a notification without a handler. */
  received(request: IncomingRequest): boolean {
    const { id, method, params } = request;
    if (id === undefined && this.#aboutCall(method, params, request.bytes)) return true;
    const handler = this.#handlers.get(method);
    if (id === undefined && handler === undefined) return false;
    const meta = request.meta ?? {};
    const refusal = this.#refusal(id, method, handler, meta);
    if (handler !== undefined && refusal === null) {
      this.#atWork++;
      const call = this.#begin(id, method, meta);
      if (meta.order === undefined) void this.#work(call, handler, params);
      else this.#inTurn(meta.order, () => this.#work(call, handler, params));
    } else if (id !== undefined && refusal !== null) {
      this.#host.send.data(refusal);
    }
    return true;
  }

  #refusal(id: CallId | undefined, method: string, known: unknown, meta: CallMeta): Outgoing | null {
    const no = { executed: "no" } as const;
    if (id !== undefined && this.#calls.has(id)) {
      const reason = "weft.rpc.duplicate_id";
      return newError(null, new WeftError("invalid_argument", "the id is in use", { ...no, reason }), -32600);
    }
    const refuse = (error: WeftError, number?: number): Outgoing => newError(id ?? null, error, number);
    if (known === undefined) return refuse(new WeftError("unimplemented", `no method ${method}`, no));
    if (!isMeta(meta)) return refuse(new WeftError("invalid_argument", "meta is malformed", no), -32600);
    if (meta.timeout_ms === 0) return refuse(new WeftError("deadline_exceeded", "no time was left", no));
    if (this.#atWork < this.#limit) return null;
    const full = { ...no, reason: "weft.rpc.in_flight", retryable: true };
    return refuse(new WeftError("resource_exhausted", "too many calls at once", full));
  }

  #begin(id: CallId | undefined, method: string, meta: CallMeta): Served {
    const call = new Served(id, method, meta, this.#clock, this.#window, this.#host.send, (error) =>
      this.#over(call, error),
    );
    if (id === undefined) this.#silent.add(call);
    else this.#calls.set(id, call);
    return call;
  }

  /** The call is canceled or late: it is answered now, and its handler told. */
  #over(call: Served, error: WeftError): void {
    call.end(error);
    this.#answer(call, (id) => newError(id, error));
  }

  /** Runs calls with one ordering key one after the other. */
  #inTurn(order: string, work: () => Promise<void>): void {
    const before = this.#turns.get(order);
    const turn = (before === undefined ? work() : before.then(work)).then(() => {
      if (this.#turns.get(order) === turn) this.#turns.delete(order);
    });
    this.#turns.set(order, turn);
  }

  /** Never rejects. */
  async #work(call: Served, handler: CallHandler, params: unknown): Promise<void> {
    try {
      if (call.isOver) return; // It ended while it waited for its turn.
      const value = await handler(params, call.face);
      const result = isAsyncIterable(value) ? await call.give(value) : value;
      this.#answer(call, (id) => newResult(id, result));
    } catch (thrown) {
      this.#fail(call, thrown);
    } finally {
      this.#atWork--;
      this.#silent.delete(call);
      call.end(null);
    }
  }

  #fail(call: Served, thrown: unknown): void {
    let cause = thrown;
    try {
      if (thrown instanceof WeftError) return this.#answer(call, (id) => newError(id, thrown));
    } catch (unsayable) {
      cause = unsayable; // JSON cannot say its details.
    }
    if (!call.isOver) this.#host.failed(call.face.method, cause);
    this.#answer(call, (id) => newError(id, new WeftError("internal", "the handler failed")));
  }

  /** Answers unless that was done. Throws, and has not answered, when JSON cannot say the result. */
  #answer(call: Served, make: (id: CallId) => Outgoing): void {
    const { id } = call;
    if (id === undefined || this.#calls.get(id) !== call) return;
    this.#host.send.data(make(id));
    this.#calls.delete(id);
  }

  /** A notification about a call of the server's: false when it is about something else. */
  #aboutCall(method: string, params: unknown, bytes: number): boolean {
    if (method !== "$/item" && method !== "$/credit" && method !== "$/end" && method !== "$/cancel") return false;
    if (!isObject(params)) return true;
    const { id, items_total: items, bytes_total: total } = params;
    const call = typeof id === "string" || typeof id === "number" ? this.#calls.get(id) : undefined;
    if (call === undefined) return true;
    if (method === "$/cancel") this.#over(call, new WeftError("canceled", "canceled by the caller"));
    else if (method === "$/end") call.ended();
    else if (method === "$/credit" && typeof items === "number" && typeof total === "number") call.granted(items, total);
    else if (method === "$/item" && !call.item(params["value"], bytes)) {
      this.#host.violated("the server sent an item without credit");
    }
    return true;
  }
}

function isMeta({ timeout_ms: timeout, idem, traceparent, order }: CallMeta): boolean {
  const whole = timeout === undefined || (Number.isSafeInteger(timeout) && timeout >= 0);
  return whole && [idem, traceparent, order].every((text) => text === undefined || typeof text === "string");
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
