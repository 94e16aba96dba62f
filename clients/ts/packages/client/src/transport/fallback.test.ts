// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, settle } from "../testing/fake-clock.js";
import { fallbackTransport } from "./fallback.js";
import { eventsUrl } from "./http.js";
import type { TransportFactory, TransportHandlers } from "./transport.js";

/** A factory that a test plays. */
class Played {
  readonly attempts: TransportHandlers[] = [];
  readonly did: string[] = [];
  readonly factory: TransportFactory = (handlers) => {
    this.attempts.push(handlers);
    return {
      send: (message) => void this.did.push(`send ${String(message)}`),
      close: (code) => void this.did.push(`close ${code}`),
      drop: () => void this.did.push("drop"),
    };
  };

  get last(): TransportHandlers {
    const last = this.attempts.at(-1);
    assert.ok(last);
    return last;
  }
}

function setUp(once = false) {
  const clock = new FakeClock();
  const first = new Played();
  const second = new Played();
  const told: string[] = [];
  const factory = fallbackTransport(clock, first.factory, second.factory, once);
  const connect = () =>
    factory({
      onOpen: (subprotocol) => told.push(`open ${subprotocol ?? ""}`),
      onMessage: (message) => told.push(`message ${String(message)}`),
      onClose: (code, reason) => told.push(`close ${code} ${reason}`),
    });
  return { clock, first, second, told, connect };
}

test("the first that opens is used, and the second never tried", async () => {
  const { clock, first, second, told, connect } = setUp();
  const transport = connect();
  first.last.onOpen("weft.v1.json");
  first.last.onMessage("a");
  transport.send("b");
  await clock.advance(60_000);
  first.last.onClose(1001, "gone");
  assert.deepEqual(told, ["open weft.v1.json", "message a", "close 1001 gone"]);
  assert.deepEqual(first.did, ["send b"]);
  assert.equal(second.attempts.length, 0);
});

test("where the first cannot be opened the second is tried within the attempt", () => {
  const { first, second, told, connect } = setUp();
  const transport = connect();
  first.last.onClose(1006, "");
  second.last.onOpen();
  transport.send("b");
  second.last.onMessage("a");
  transport.close(1000, "");
  assert.deepEqual(told, ["open ", "message a"]);
  assert.deepEqual(second.did, ["send b", "close 1000"]);
  assert.ok(!first.did.includes("send b"));
});

test("one that says nothing for four seconds is dropped", async () => {
  const { clock, first, second, connect } = setUp();
  const transport = connect();
  await clock.advance(3999);
  assert.equal(second.attempts.length, 0);
  await clock.advance(1);
  assert.equal(second.attempts.length, 1);
  assert.deepEqual(first.did, ["drop"]);
  transport.drop();
  assert.deepEqual(second.did, ["drop"]);
  await clock.advance(60_000);
  assert.equal(clock.timers, 0);
});

test("when neither opens that is one failure", async () => {
  const { clock, first, second, told, connect } = setUp();
  connect();
  first.last.onClose(1006, "first");
  second.last.onClose(1006, "second");
  await settle();
  assert.deepEqual(told, ["close 1006 second"]);
  assert.equal(clock.timers, 0);
});

test("a first that never gets through is left alone for five minutes", async () => {
  const { clock, first, second, connect } = setUp();
  for (let i = 0; i < 3; i++) {
    connect();
    first.last.onClose(1006, "");
    second.last.onOpen();
    second.last.onClose(1006, "");
  }
  connect();
  assert.equal(first.attempts.length, 3);
  second.last.onOpen();
  await clock.advance(300_000);
  connect();
  assert.equal(first.attempts.length, 4);
});

test("one that was open before may fail twice, as on a bad network", async () => {
  const { clock, first, second, told, connect } = setUp();
  connect();
  first.last.onOpen();
  first.last.onClose(1006, "cut");
  for (let i = 0; i < 2; i++) {
    connect();
    await clock.advance(5000);
    first.last.onClose(1006, "early");
  }
  assert.equal(second.attempts.length, 0);
  assert.deepEqual(told, ["open ", "close 1006 cut", "close 1006 early", "close 1006 early"]);
  connect();
  first.last.onClose(1006, "");
  assert.equal(second.attempts.length, 1);
});

test("between wires there is no way back: a first that was open is never left", () => {
  const { first, second, connect } = setUp(true);
  connect();
  first.last.onOpen();
  first.last.onClose(1006, "cut");
  for (let i = 0; i < 10; i++) {
    connect();
    first.last.onClose(1006, "early");
  }
  assert.equal(second.attempts.length, 0);
});

test("between wires there is no way back: nor is a second that was open", async () => {
  const { clock, first, second, connect } = setUp(true);
  for (let i = 0; i < 2; i++) {
    connect();
    first.last.onClose(1006, "");
    assert.equal(second.attempts.length, 0);
  }
  connect();
  first.last.onClose(1006, "");
  second.last.onOpen();
  second.last.onClose(1006, "cut");
  for (let i = 0; i < 10; i++) {
    connect();
    second.last.onClose(1006, "early");
    await clock.advance(400_000);
  }
  assert.equal(first.attempts.length, 3);
});

test("a second that fails is no reason to avoid the first", () => {
  const { first, second, connect } = setUp();
  for (let i = 0; i < 5; i++) {
    connect();
    first.last.onClose(1006, "");
    second.last.onClose(1006, "");
  }
  connect();
  assert.equal(first.attempts.length, 6);
});

test("the address without a WebSocket follows from that of the WebSocket", () => {
  assert.equal(eventsUrl("ws://127.0.0.1:8080/ws"), "http://127.0.0.1:8080/sse");
  assert.equal(eventsUrl("wss://example.org/live/ws?a=1"), "https://example.org/live/sse?a=1");
  assert.equal(eventsUrl("ws://example.org/socket"), null);
  assert.equal(eventsUrl("ws+unix:/run/weft.sock"), null);
  assert.equal(eventsUrl("nonsense"), null);
});
