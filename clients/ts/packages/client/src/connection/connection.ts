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
import type { Incoming, IncomingAnswer, IncomingRequest, Message, Outgoing, Wire } from "../protocol/frame.js";
import { isObject, newCall, newNotification } from "../protocol/frame.js";
import { wireOf } from "../protocol/wires.js";
import type { Transport } from "../transport/transport.js";
import { Credentials } from "./credentials.js";
import type { ClientConnection, ConnectionHost, ConnectionOptions } from "./host.js";
import { Session } from "./session.js";
import { closeCodes, closeError, isFinal, unavailable } from "./failures.js";
import { backoffMs } from "../util/backoff.js";
import type { Timer } from "../util/clock.js";
import { Liveness, presencePingMs } from "./liveness.js";
import { readInfo } from "./status.js";
import type { ConnectionStatus, SessionInfo } from "./status.js";

/** Time allowed for connecting and greeting, in milliseconds. */
const helloMs = 10_000;
/** A connection that lived this long, in milliseconds, ends a series of failures. */
const stableMs = 5000;
/** The longest delay that a server may ask for, in milliseconds. */
const goawayMaxMs = 300_000;
/** The id of the greeting, later of refreshing the token; calls count from 1. */
const helloId = 0;

/** Connects, greets, notices cuts and connects again. */
export class Connection implements ClientConnection {
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  #status: ConnectionStatus = { kind: "connecting", tries: 0 };
  #transport: Transport | null = null;
  /** What this connection speaks, or the last one spoke. */
  #wire: Wire = wireOf(undefined);
  #liveness: Liveness | null = null;
  #timer: Timer | null = null;
  #tries = 0;
  #openedAt = 0;
  #watchClosely = false;
  /** The delay that the server asked for in `$/goaway`, in milliseconds. */
  #goawayMs: number | null = null;
  /** From the first greeting that granted one until the server has forgotten it. */
  #session: Session | null = null;
  readonly #credentials: Credentials;
  #greetedBefore = false;

  constructor(options: ConnectionOptions, host: ConnectionHost) {
    this.#options = options;
    this.#credentials = new Credentials(options.token);
    this.#host = host;
  }

  /** The present status. */
  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Whether what is under way may go on over the next connection. */
  get mayResume(): boolean {
    return this.#session !== null;
  }

  /** Sends data when open; a session keeps it for the next connection otherwise. */
  send(frame: Outgoing): void {
    if (this.#session === null) return this.control(frame);
    const message = this.#session.number(frame);
    if (this.#status.kind === "open") this.#transport?.send(message);
  }

  /** Sends when open what can be said again: credit, cancellations, acknowledgements. */
  control(frame: Outgoing): void {
    if (this.#status.kind === "open") this.#say(frame);
  }

  #say(frame: Outgoing): void {
    this.#transport?.send(this.#wire.encode(frame));
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

  serves(): void {}

  /** Ends it for good. */
  close(): void {
    if (this.#status.kind === "closed") return;
    this.#timer?.cancel();
    this.#credentials.cancel();
    this.#liveness?.stop();
    const transport = this.#transport;
    this.#transport = null;
    this.#session?.cut();
    this.#session = null;
    this.#setStatus({ kind: "closed", error: null });
    transport?.close(1000, "");
  }

  /** Begins an attempt. */
  connect(): void {
    this.#timer?.cancel();
    this.#setStatus({ kind: "connecting", tries: this.#tries });
    this.#timer = this.#options.clock.after(helloMs, () => this.#lost(unavailable("no answer to the greeting")));
    this.#credentials.get(
      (token) => this.#dial(token),
      (error) => this.#lost(error),
    );
  }

  #dial(token: string | undefined): void {
    const current = this.#options.transport({
      onOpen: (subprotocol) => {
        this.#wire = wireOf(subprotocol);
        this.#say(newCall(helloId, "$/hello", this.#hello(token)));
      },
      onMessage: (message) => this.#transport === current && this.#message(message),
      onClose: (code, reason) => {
        if (this.#transport !== current) return;
        if (code === closeCodes.fenced) this.#endSession();
        this.#lost(closeError(code, reason));
      },
    });
    this.#transport = current;
  }

  #hello(token: string | undefined): Record<string, unknown> {
    const { hello, resume } = this.#options;
    const session = this.#session;
    return {
      ...hello,
      features: resume ? ["resume"] : [],
      ...(token !== undefined && { token }),
      ...(session?.wire === this.#wire && { resume: { token: session.token, seen: session.seen } }),
    };
  }

  #endSession(): void {
    this.#session?.cut();
    this.#session = null;
  }

  /** What the session says to a message; false when it is not to be processed. */
  #passes({ seq, bytes }: Exclude<Incoming, { kind: "invalid" }>): boolean {
    if (this.#session === null || seq === undefined) return true;
    const verdict = this.#session.received(seq, bytes);
    if (verdict === "gap") this.violated("the server left out a message");
    return verdict === "new";
  }

  /** The server broke the protocol, and is told: going on with the session would only repeat that. */
  violated(problem: string): void {
    this.#endSession();
    this.#transport?.close(closeCodes.violation, problem);
    this.#transport = null;
    this.#lost(new WeftError("data_loss", problem));
  }

  #message(message: Message): void {
    this.#liveness?.heard();
    const transport = this.#transport;
    for (const frame of this.#wire.decode(message)) {
      if (this.#transport !== transport) return; // What came before ended the connection.
      if (frame.kind === "invalid") {
        this.violated(`the server sent a message that breaks the protocol: ${frame.problem}`);
        return;
      }
      if (!this.#passes(frame)) continue;
      if (frame.kind === "refused") {
        if (frame.answer !== null) this.send(frame.answer);
      } else if (frame.kind === "answer" && frame.id === helloId) this.#greeted(frame);
      else if (frame.kind === "request" && frame.id === undefined) this.#notified(frame);
      else this.#host.received(frame);
    }
  }

  #notified(message: IncomingRequest): void {
    if (message.method === "$/ping") {
      this.#say(newNotification("$/pong"));
    } else if (message.method === "$/ack") {
      const seq = isObject(message.params) ? message.params["seq"] : undefined;
      if (typeof seq === "number") this.#session?.acknowledged(seq);
    } else if (message.method === "$/goaway") {
      const after = isObject(message.params) ? message.params["reconnect_after_ms"] : undefined;
      this.#goawayMs = typeof after === "number" && after >= 0 ? Math.min(after, goawayMaxMs) : null;
      if (this.#status.kind === "open") this.#host.leaving();
    } else if (message.method === "$/auth.expiring") {
      // A refusal, or no token: the connection ends, and the next greeting has another one.
      this.#credentials.get(
        (token) => token !== undefined && this.control(newCall(helloId, "$/auth.refresh", { token })),
        () => {},
      );
    } else if (message.method !== "$/pong") {
      this.#host.received(message);
    }
  }

  #greeted({ outcome }: IncomingAnswer): void {
    if (this.#status.kind !== "connecting") return;
    if ("error" in outcome) {
      this.#lost(outcome.error);
      return;
    }
    const unseen = this.#takeUp(isObject(outcome.result) ? outcome.result : {});
    if (unseen === undefined) return;
    const info = readInfo(outcome.result, unseen !== null);
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#greetedBefore = true;
    this.#openedAt = clock.now();
    this.#liveness = new Liveness(
      clock,
      this.#intervalMs(info),
      () => this.#say(newNotification("$/ping")),
      () => this.#lost(unavailable("the server is silent")),
    );
    for (const message of unseen ?? []) this.#transport?.send(message);
    this.#setStatus({ kind: "open", info });
  }

  /**
   * Goes on with the session, or begins one. Returns what has to be sent again, null for a new session,
   * undefined when the connection is of no use.
   */
  #takeUp({ resumed, seen, resume_token: token, reason }: Record<string, unknown>): readonly Message[] | null | undefined {
    const session = this.#session;
    if (session !== null && resumed === true && typeof token === "string") {
      const unseen = typeof seen === "number" ? session.resumed(seen) : null;
      session.token = token;
      if (unseen !== null) return unseen;
    }
    if (session !== null) {
      this.#endSession();
      this.#host.sessionLost(typeof reason === "string" ? reason : "");
      // The server goes on with what is lost here: another connection has to begin anew.
      if (resumed === true) {
        this.#lost(unavailable("the session could not be resumed"));
        return undefined;
      }
    }
    if (resumed !== true && typeof token === "string" && this.#options.resume) {
      this.#session = new Session(token, this.#wire, this.#options.clock, (ack) => this.control(ack));
    }
    return null;
  }

  #intervalMs(info: SessionInfo): number {
    return this.#watchClosely ? Math.min(presencePingMs, info.pingMs) : info.pingMs;
  }

  /** The connection is of no use any more: drops it and plans the next. */
  #lost(error: WeftError): void {
    this.#timer?.cancel();
    this.#credentials.cancel();
    this.#liveness?.stop();
    this.#liveness = null;
    // Not waiting for the closing handshake: a dead network never answers it.
    this.#transport?.drop();
    this.#transport = null;
    if (this.#status.kind === "closed") return;
    this.#session?.cut();
    const { clock, random } = this.#options;
    if (this.#status.kind === "open" && clock.now() - this.#openedAt >= stableMs) this.#tries = 0;
    const another = error.code === "unauthenticated" && this.#greetedBefore && this.#credentials.mayChange;
    if (this.#status.kind === "connecting" && isFinal(error) && !another) {
      this.#endSession();
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
