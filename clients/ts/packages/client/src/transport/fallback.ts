// SPDX-License-Identifier: Apache-2.0
/** A transport that is tried where another one does not get through. */
import type { Clock, Timer } from "../util/clock.js";
import type { Transport, TransportFactory, TransportHandlers } from "./transport.js";

/** How long the first may take to open before the second is tried, in milliseconds. */
const patienceMs = 4000;
/** So many attempts at the first fail in a row before it is thought to be blocked … */
const failuresMax = 3;
/** … and left alone for so long, in milliseconds. */
const avoidMs = 300_000;

/**
 * Tries `first`, and within the same attempt `second` when that could not be opened, as behind a proxy
 * that knows no WebSockets. Where the first has been open before it may fail twice in a row, as on a bad
 * network, before the second is tried at all; one that goes on failing is left alone for five minutes.
 * @param once for transports of different wires, between which a session cannot move: the one that opens
 *   first is used from then on, and the second only after three failures of the first
 */
export function fallbackTransport(
  clock: Clock,
  first: TransportFactory,
  second: TransportFactory,
  once = false,
): TransportFactory {
  let failures = 0;
  let wasOpen = false;
  let avoidUntil = 0;
  const outcome = (factory: TransportFactory, opened: boolean): void => {
    if (factory === first) {
      wasOpen ||= opened;
      failures = opened ? 0 : failures + 1;
    }
    if (factory === second && opened && failures >= failuresMax) {
      avoidUntil = once ? Infinity : clock.now() + avoidMs;
    }
    if (factory === second && !opened && !once) avoidUntil = 0;
  };
  return (handlers) => {
    const avoids = clock.now() < avoidUntil;
    const patient = failures < failuresMax - 1;
    const alone = !avoids && (once ? wasOpen || patient : wasOpen && patient);
    const [one, other] = avoids ? [second, once ? null : first] : [first, alone ? null : second];
    return new FallbackTransport(clock, one, other, handlers, outcome);
  };
}

class FallbackTransport implements Transport {
  readonly #handlers: TransportHandlers;
  readonly #outcome: (factory: TransportFactory, opened: boolean) => void;
  #transport: Transport;
  #timer: Timer | null;

  constructor(
    clock: Clock,
    one: TransportFactory,
    other: TransportFactory | null,
    handlers: TransportHandlers,
    outcome: (factory: TransportFactory, opened: boolean) => void,
  ) {
    this.#handlers = handlers;
    this.#outcome = outcome;
    const next = (code: number, reason: string): void => {
      outcome(one, false);
      if (other === null) handlers.onClose(code, reason);
      else this.#next(other);
    };
    this.#transport = this.#attempt(one, next);
    this.#timer = other && clock.after(patienceMs, () => next(1006, ""));
  }

  #attempt(factory: TransportFactory, failed: (code: number, reason: string) => void): Transport {
    let open = false;
    return factory({
      onOpen: (subprotocol) => {
        open = true;
        this.#timer?.cancel();
        this.#outcome(factory, true);
        this.#handlers.onOpen(subprotocol);
      },
      onMessage: (message) => this.#handlers.onMessage(message),
      onClose: (code, reason) => (open ? this.#handlers.onClose(code, reason) : failed(code, reason)),
    });
  }

  #next(other: TransportFactory): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#transport.drop();
    this.#transport = this.#attempt(other, (code, reason) => {
      this.#outcome(other, false);
      this.#handlers.onClose(code, reason);
    });
  }

  send: Transport["send"] = (message) => this.#transport.send(message);

  close(code: number, reason: string): void {
    this.#timer?.cancel();
    this.#transport.close(code, reason);
  }

  drop(): void {
    this.#timer?.cancel();
    this.#transport.drop();
  }
}
