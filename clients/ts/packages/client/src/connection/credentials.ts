// SPDX-License-Identifier: Apache-2.0
/**
 * Who we are to the server: a token for each greeting, and another one before it ends
 * (docs/protocol/auth.md).
 */
import { WeftError } from "../errors.js";

/** A token, or what gives one: asked for each connection, and again before a token ends. */
export type TokenSource = string | (() => string | Promise<string>);

/** Gets tokens, one at a time: who asks again, or cancels, does not hear of the one before. */
export class Credentials {
  readonly #source: TokenSource | undefined;
  #asked = 0;

  /** @param source undefined: nobody asks who we are */
  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  /** Whether asking again may give another token. */
  get mayChange(): boolean {
    return typeof this.#source === "function";
  }

  /**
   * Gets a token, at once if it can.
   * @param use called with it; undefined when there is no source. What it throws is thrown here or, when the
   * token came later, goes to `fail`.
   * @param fail called when the source throws or rejects
   */
  get(use: (token: string | undefined) => void, fail: (error: WeftError) => void): void {
    const number = ++this.#asked;
    const current = (): boolean => number === this.#asked;
    const refused = (thrown: unknown): void => {
      const cause = WeftError.from(thrown);
      if (current()) fail(new WeftError("unavailable", `no token: ${cause.message}`, { cause: thrown }));
    };
    let token: string | Promise<string> | undefined;
    try {
      token = typeof this.#source === "function" ? this.#source() : this.#source;
    } catch (thrown) {
      refused(thrown);
      return;
    }
    if (token === undefined || typeof token === "string") return use(token);
    const later = Promise.resolve(token).then((value) => current() && use(value), refused);
    later.catch((thrown: unknown) => current() && fail(WeftError.from(thrown)));
  }

  /** Nobody waits for a token any more. */
  cancel(): void {
    this.#asked++;
  }
}
