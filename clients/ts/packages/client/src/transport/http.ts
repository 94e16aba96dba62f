// SPDX-License-Identifier: Apache-2.0
/**
 * The transport without a WebSocket: messages come as server-sent events and go as requests, one at a
 * time, each with all that has gathered meanwhile (docs/protocol/http.md, section 5). It speaks the
 * text wire.
 */
import { isObject } from "../protocol/frame.js";
import type { Message } from "../protocol/frame.js";
import { EventStreamReader } from "../util/event-stream.js";
import type { ServerEvent } from "../util/event-stream.js";
import type { Transport, TransportFactory, TransportHandlers } from "./transport.js";

/** Characters that one request gathers; a longer message goes alone. */
const requestChars = 128 * 1024;

/** The function `fetch`, or one like it. */
export type Fetch = typeof fetch;

/**
 * Where a server takes messages without a WebSocket.
 * @param url of its WebSocket
 * @returns an `http:` or `https:` address, or null when none follows from `url`
 */
export function eventsUrl(url: string): string | null {
  const address = URL.canParse?.(url) === false ? null : new URL(url);
  if (address === null || !/^wss?:$/.test(address.protocol) || !address.pathname.endsWith("/ws")) return null;
  address.protocol = address.protocol === "wss:" ? "https:" : "http:";
  address.pathname = address.pathname.replace(/ws$/, "sse");
  return address.href;
}

/**
 * Makes transports over server-sent events and POST.
 * @param url of the server's `/sse`, see {@link eventsUrl}
 * @param http the function that makes requests; by default the platform's own
 */
export function httpTransport(url: string, http: Fetch = (input, init) => fetch(input, init)): TransportFactory {
  return (handlers) => new HttpTransport(url, http, handlers);
}

class HttpTransport implements Transport {
  readonly #url: string;
  readonly #fetch: Fetch;
  readonly #abort = new AbortController();
  #handlers: TransportHandlers | null;
  #name: string | null = null;
  #queue: string[] = [];
  #sequence = 0;
  #posting = false;
  #closing: { readonly code: number; readonly reason: string } | null = null;

  constructor(url: string, http: Fetch, handlers: TransportHandlers) {
    this.#url = url;
    this.#fetch = http;
    this.#handlers = handlers;
    void this.#listen();
  }

  async #listen(): Promise<void> {
    try {
      const response = await this.#fetch(this.#url, {
        headers: { accept: "text/event-stream" },
        cache: "no-store",
        signal: this.#abort.signal,
      });
      if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
      await this.#read(response.body);
      this.#ended(1006, "");
    } catch (error) {
      this.#ended(1006, error instanceof Error ? error.message : String(error));
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const events = new EventStreamReader();
    const utf8 = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#handlers === null) return;
      for (const event of events.push(utf8.decode(value, { stream: true }))) this.#event(event);
    }
  }

  #event({ name, data }: ServerEvent): void {
    if (name === "message") {
      this.#handlers?.onMessage(data);
      return;
    }
    const said: unknown = JSON.parse(data);
    if (!isObject(said)) return;
    if (name === "open" && typeof said["connection"] === "string") {
      this.#name = said["connection"];
      this.#handlers?.onOpen();
    } else if (name === "close") {
      const { code, reason } = said;
      this.#ended(typeof code === "number" ? code : 1006, typeof reason === "string" ? reason : "");
    }
  }

  /** Sends what has gathered, request by request. */
  async #post(): Promise<void> {
    if (this.#posting) return;
    this.#posting = true;
    try {
      while (this.#queue.length > 0 && this.#handlers !== null) await this.#request(this.#take());
    } catch (error) {
      this.#ended(1006, error instanceof Error ? error.message : String(error));
    }
    this.#posting = false;
    if (this.#closing !== null) this.#ended(this.#closing.code, this.#closing.reason);
  }

  #take(): string {
    let count = 1;
    let chars = this.#queue[0]?.length ?? 0;
    for (; count < this.#queue.length; count++) {
      chars += 1 + (this.#queue[count]?.length ?? 0);
      if (chars > requestChars) break;
    }
    return this.#queue.splice(0, count).join("\n");
  }

  async #request(body: string): Promise<void> {
    const response = await this.#fetch(this.#url, {
      method: "POST",
      headers: {
        "content-type": "application/x-ndjson",
        "weft-connection": this.#name ?? "",
        "weft-sequence": String(++this.#sequence),
      },
      body,
      signal: this.#abort.signal,
    });
    if (response.status !== 204) throw new Error(`the server answered ${response.status}`);
  }

  #ended(code: number, reason: string): void {
    const handlers = this.#handlers;
    this.#handlers = null;
    this.#abort.abort();
    handlers?.onClose(code, reason);
  }

  send(message: Message): void {
    if (this.#handlers === null || this.#name === null || typeof message !== "string") return;
    this.#queue.push(message);
    void this.#post();
  }

  close(code: number, reason: string): void {
    this.#closing = { code, reason };
    // From a later turn, behind what is under way.
    void Promise.resolve().then(() => this.#post());
  }

  drop(): void {
    this.#handlers = null;
    this.#abort.abort();
  }
}
