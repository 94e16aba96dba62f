// SPDX-License-Identifier: Apache-2.0
/**
 * A connection that comes back.
 *
 *     connecting ──greeting answered──▶ open
 *         ▲  └──────────┐                │ cut
 *         └── timer ── waiting ◀─────────┘        closed: by close(), or refused for good
 *
 * A server that stops says so first (`$/goaway`): the connection stays open until it is closed, and
 * the next attempt comes when the server asked for it, which is no failure.
 *
 * Only this file decides when to connect; what is sent and received is the client's business.
 */
import { WeftError } from "../errors.js";
import type { IncomingAnswer } from "../protocol/jsonrpc.js";
import { isObject, readMessages, writeCall, writeNotification } from "../protocol/jsonrpc.js";
import type { Incoming } from "../protocol/jsonrpc.js";
import type { Transport, TransportFactory } from "../transport/transport.js";
import { backoffMs } from "../util/backoff.js";
import type { Clock, Timer } from "../util/clock.js";
import { Liveness, presencePingMs } from "./liveness.js";
import type { ConnectionStatus, SessionInfo } from "./status.js";

/** What the owner of a connection provides. */
export interface ConnectionHost {
  /** The status changed. */
  statusChanged(status: ConnectionStatus): void;
  /** The server announced the end of the connection: nothing should be begun on it any more. */
  leaving(): void;
  /** A message other than the greeting's answer arrived, in `text`. */
  received(message: Incoming, text: string): void;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly transport: TransportFactory;
  readonly clock: Clock;
  readonly random: () => number;
  /** Parameters of `$/hello`. */
  readonly hello: Readonly<Record<string, unknown>>;
}

/** Time allowed for connecting and greeting, in milliseconds. */
const helloMs = 10_000;
/** A connection that lived this long, in milliseconds, ends a series of failures. */
const stableMs = 5000;
/** Refusals after which trying again is pointless. */
const final = new Set(["unauthenticated", "permission_denied", "unimplemented", "failed_precondition"]);
/** The longest delay that a server may ask for, in milliseconds. */
const goawayMaxMs = 300_000;
/** The greeting's id; calls count from 1. */
const helloId = 0;

/** Connects, greets, notices cuts and connects again. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  #status: ConnectionStatus = { kind: "connecting", tries: 0 };
  #transport: Transport | null = null;
  #liveness: Liveness | null = null;
  #timer: Timer | null = null;
  #tries = 0;
  #openedAt = 0;
  #watchClosely = false;
  /** The delay that the server asked for in `$/goaway`, in milliseconds. */
  #goawayMs: number | null = null;

  constructor(options: ConnectionOptions, host: ConnectionHost) {
    this.#options = options;
    this.#host = host;
  }

  /** The present status. */
  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Sends a message when open. */
  send(text: string): void {
    if (this.#status.kind === "open") this.#transport?.send(text);
  }

  /** Tries at once when waiting for the next attempt. */
  retryNow(): void {
    if (this.#status.kind === "waiting") this.connect();
  }

  /** Watches the connection closely, as shown presence demands. */
  watchClosely(on: boolean): void {
    this.#watchClosely = on;
    if (this.#status.kind === "open") this.#liveness?.setInterval(this.#intervalMs(this.#status.info));
  }

  /** Ends it for good. */
  close(): void {
    if (this.#status.kind === "closed") return;
    this.#timer?.cancel();
    this.#liveness?.stop();
    const transport = this.#transport;
    this.#transport = null;
    this.#setStatus({ kind: "closed", error: null });
    transport?.close(1000, "");
  }

  /** Begins an attempt. */
  connect(): void {
    this.#timer?.cancel();
    this.#setStatus({ kind: "connecting", tries: this.#tries });
    const { transport, clock, hello } = this.#options;
    const current = transport({
      onOpen: () => current.send(writeCall(helloId, "$/hello", hello)),
      onMessage: (text) => this.#message(text),
      onClose: (code, reason) => {
        if (this.#transport === current) this.#lost(closeError(code, reason));
      },
    });
    this.#transport = current;
    this.#timer = clock.after(helloMs, () => this.#lost(unavailable("no answer to the greeting")));
  }

  #message(text: string): void {
    this.#liveness?.heard();
    for (const message of readMessages(text)) {
      if (message.kind === "invalid") {
        this.#lost(new WeftError("data_loss", "the server sent something that is no JSON-RPC 2.0"));
        return;
      }
      if (message.kind === "answer" && message.id === helloId) this.#greeted(message);
      else if (message.kind === "request" && message.id === undefined) this.#notified(message, text);
      else this.#host.received(message, text);
    }
  }

  #notified(message: Extract<Incoming, { kind: "request" }>, text: string): void {
    if (message.method === "$/ping") {
      this.#transport?.send(writeNotification("$/pong"));
    } else if (message.method === "$/goaway") {
      const after = isObject(message.params) ? message.params["reconnect_after_ms"] : undefined;
      this.#goawayMs = typeof after === "number" && after >= 0 ? Math.min(after, goawayMaxMs) : null;
      if (this.#status.kind === "open") this.#host.leaving();
    } else if (message.method !== "$/pong") {
      this.#host.received(message, text);
    }
  }

  #greeted({ outcome }: IncomingAnswer): void {
    if (this.#status.kind !== "connecting") return;
    if ("error" in outcome) {
      this.#lost(outcome.error);
      return;
    }
    const info = readInfo(outcome.result);
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#openedAt = clock.now();
    this.#liveness = new Liveness(
      clock,
      this.#intervalMs(info),
      () => this.#transport?.send(writeNotification("$/ping")),
      () => this.#lost(unavailable("the server is silent")),
    );
    this.#setStatus({ kind: "open", info });
  }

  #intervalMs(info: SessionInfo): number {
    return this.#watchClosely ? Math.min(presencePingMs, info.pingMs) : info.pingMs;
  }

  /** The connection is of no use any more: drops it and plans the next. */
  #lost(error: WeftError): void {
    this.#timer?.cancel();
    this.#liveness?.stop();
    this.#liveness = null;
    // Not waiting for the closing handshake: a dead network never answers it.
    this.#transport?.drop();
    this.#transport = null;
    if (this.#status.kind === "closed") return;
    const { clock, random } = this.#options;
    if (this.#status.kind === "open" && clock.now() - this.#openedAt >= stableMs) this.#tries = 0;
    if (this.#status.kind === "connecting" && final.has(error.code)) {
      this.#setStatus({ kind: "closed", error });
      return;
    }
    const retryInMs = this.#goawayMs ?? error.retryAfterMs ?? backoffMs(random, this.#tries);
    if (this.#goawayMs === null) this.#tries++;
    this.#goawayMs = null;
    const tries = this.#tries;
    this.#timer = clock.after(retryInMs, () => this.connect());
    this.#setStatus({ kind: "waiting", retryInMs, tries, error });
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.#host.statusChanged(status);
  }
}

function readInfo(result: unknown): SessionInfo {
  const info = isObject(result) ? result : {};
  const limits = isObject(info["limits"]) ? info["limits"] : {};
  const { session, v, ping_ms: pingMs } = info;
  return {
    session: typeof session === "string" ? session : "",
    v: typeof v === "number" ? v : 1,
    pingMs: typeof pingMs === "number" && pingMs >= 1000 ? pingMs : 25_000,
    limits: Object.fromEntries(
      Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    ),
  };
}

function closeError(code: number, reason: string): WeftError {
  return unavailable(reason === "" ? `the connection ended (${code})` : `${reason} (${code})`);
}

function unavailable(message: string): WeftError {
  return new WeftError("unavailable", message);
}
