// SPDX-License-Identifier: Apache-2.0
/** Reading server-sent events (WHATWG HTML, "Server-sent events", §9.2.6), as far as weft writes them. */

/** One event. */
export interface ServerEvent {
  /** What it is called; `message` when it says nothing. */
  readonly name: string;
  /** Its data, lines joined by line feeds. */
  readonly data: string;
}

/** Cuts text that comes in pieces into events. Ids and retry times are passed over. */
export class EventStreamReader {
  #rest = "";
  #name = "";
  #data: string[] = [];

  /**
   * Takes the next piece of text.
   * @returns the events that it completes
   */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | null {
    if (line !== "") {
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (field === "event") this.#name = value;
      else if (field === "data") this.#data.push(value);
      return null;
    }
    const event = { name: this.#name === "" ? "message" : this.#name, data: this.#data.join("\n") };
    const complete = this.#data.length > 0;
    this.#name = "";
    this.#data = [];
    return complete ? event : null;
  }
}
