// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test as testOnce } from "node:test";
import { WeftClient } from "./client.js";
import { WeftError } from "./errors.js";
import { binaryWire } from "./protocol/binary.js";
import { FakeClock, settle } from "./testing/fake-clock.js";
import { ScriptedNetwork } from "./testing/scripted.js";
import { test } from "./testing/over-wires.js";
import { text } from "./text/index.js";

function world(random = 0.999) {
  const clock = new FakeClock();
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "", transport: network.transport, clock, random: () => random });
  return { clock, network, client };
}

test("the greeting comes first and names versions, features and application", () => {
  const { network, client } = world();
  network.link.open();
  assert.deepEqual(network.link.sent, [
    {
      jsonrpc: "2.0",
      id: 0,
      method: "$/hello",
      params: { v: [1, 1], features: ["resume"], client: { name: "weft-ts", version: "0.1.0" } },
    },
  ]);
  assert.equal(client.status.kind, "connecting");
  network.link.say({ id: 0, result: { session: "s_1", v: 1, ping_ms: 20_000, limits: { batch: 100 } } });
  assert.deepEqual(client.status, {
    kind: "open",
    info: { session: "s_1", resumed: false, v: 1, pingMs: 20_000, limits: { batch: 100 } },
  });
});

test("delays double up to ten seconds, with full jitter below", async () => {
  for (const random of [0.999, 0.5, 0]) {
    const { clock, network, client } = world(random);
    const delays: number[] = [];
    client.on("status", (status) => status.kind === "waiting" && delays.push(status.retryInMs));
    for (let i = 0; i < 9; i++) {
      network.link.handlers.onClose(1006, "");
      await clock.advance((delays.at(-1) ?? 0) + 1);
    }
    const bounds = [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
    assert.deepEqual(delays, bounds.map((bound) => bound * random));
    assert.equal(network.links.length, 10);
  }
});

test("a connection that lived a while ends the series of failures, a short one does not", async () => {
  const { clock, network, client } = world();
  const waits = (): number => (client.status.kind === "waiting" ? Math.ceil(client.status.retryInMs) : -1);
  for (const expected of [200, 400]) {
    network.link.greet();
    await clock.advance(1000);
    network.link.handlers.onClose(1006, "");
    assert.equal(waits(), expected);
    await clock.advance(1000);
  }
  network.link.greet();
  await clock.advance(5000);
  network.link.handlers.onClose(1006, "");
  assert.equal(waits(), 200);
});

test("coming online tries at once", async () => {
  const listeners: (() => void)[] = [];
  const original = globalThis.addEventListener;
  globalThis.addEventListener = ((name: string, listener: () => void) => {
    if (name === "online") listeners.push(listener);
  }) as typeof globalThis.addEventListener;
  try {
    const { clock, network } = world();
    for (let i = 0; i < 5; i++) {
      network.link.handlers.onClose(1006, "");
      if (i < 4) await clock.advance(10_000);
    }
    assert.equal(network.links.length, 5);
    listeners[0]?.();
    assert.equal(network.links.length, 6);
    listeners[0]?.();
    assert.equal(network.links.length, 6, "not while connecting");
  } finally {
    globalThis.addEventListener = original;
  }
});

test("silence is a cut: twice the server's interval, ten seconds while presence is shown", async () => {
  for (const presence of [false, true]) {
    const { clock, network, client } = world();
    const first = network.link;
    first.greet();
    const replica = client.open("d", text);
    if (presence) replica.setPresence({ selections: [], name: "A", color: "#000000", status: "" });
    const limit = presence ? 10_000 : 50_000;
    await clock.advance(limit - 1);
    assert.equal(client.status.kind, "open");
    assert.notEqual(first.last("$/ping"), undefined);
    first.say({ method: "$/pong" });
    await clock.advance(limit - 1);
    assert.equal(client.status.kind, "open");
    await clock.advance(2);
    assert.equal(client.status.kind, "waiting");
    assert.equal(first.ended, "dropped", "without waiting for the closing handshake");
  }
});

test("a ping of the server's is answered at once", () => {
  const { network } = world();
  network.link.greet();
  network.link.say({ method: "$/ping" });
  assert.deepEqual(network.link.sent.at(-1), { jsonrpc: "2.0", method: "$/pong" });
});

test("no answer to the greeting, or nonsense, leads to another try", async () => {
  const { clock, network, client } = world();
  network.link.open();
  await clock.advance(10_000);
  assert.equal(client.status.kind, "waiting");
  await clock.advance(200);
  network.link.greet();
  network.link.handlers.onMessage("{nonsense");
  assert.equal(client.status.kind, "waiting");
  assert.deepEqual([network.link.ended, network.link.code], ["closed", 1008]);
});

test("a refusal for good ends the client, with its calls", async () => {
  const { network, client } = world();
  const call = client.call("x");
  network.link.open();
  network.link.say({ id: 0, error: { code: -32016, message: "who?", data: { code: "unauthenticated" } } });
  assert.equal(client.status.kind, "closed");
  await assert.rejects(call, { code: "unauthenticated" });
  await assert.rejects(client.call("y"), { code: "unauthenticated" });
});

test("the server's wish for a later return is kept", async () => {
  const { network, client } = world();
  network.link.greet();
  network.link.say({ method: "$/goaway", params: { reason: "drain", reconnect_after_ms: 3187 } });
  network.link.handlers.onClose(1001, "drain");
  assert.equal(client.status.kind === "waiting" && client.status.retryInMs, 3187);
});

test("an announced end is no failure: what runs is answered, what comes later waits", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const first = network.link;
  const running = client.call("running");
  const crossed = client.call("crossed");
  first.say({ method: "$/goaway", params: { reason: "drain", grace_ms: 1000, reconnect_after_ms: 700 } });
  const late = client.call("late");
  assert.equal(first.last("late"), undefined);
  const refusal = { code: "unavailable", executed: "no", reason: "weft.draining" };
  first.say({ id: first.last("crossed")?.["id"], error: { code: -32014, message: "stopping", data: refusal } });
  first.say({ id: first.last("running")?.["id"], result: 1 });
  assert.equal(await running, 1);
  const waits: [number, number][] = [];
  client.on("status", (status) => status.kind === "waiting" && waits.push([status.retryInMs, status.tries]));
  first.handlers.onClose(1001, "shutting down");
  assert.deepEqual(waits, [[700, 0]]);
  await clock.advance(699);
  assert.equal(network.links.length, 1);
  await clock.advance(1);
  network.link.greet();
  for (const method of ["crossed", "late"]) {
    network.link.say({ id: network.link.last(method)?.["id"], result: method });
  }
  assert.deepEqual(await Promise.all([crossed, late]), ["crossed", "late"]);
});

test("a document stays live through an announced end and goes on with the next connection", async () => {
  const { clock, network, client } = world();
  const replica = client.open("d", text);
  const states: string[] = [];
  network.link.greet();
  replica.on("state", ({ kind }) => states.push(kind));
  const opened = { doc: "d", epoch: "e", type: "text", version: 0, applied: 0, snapshot: "" };
  network.link.say({ id: network.link.last("doc.open")?.["id"], result: opened });
  await settle();
  network.link.say({ method: "$/goaway", params: { reason: "drain", reconnect_after_ms: 10 } });
  replica.edit(["x"]);
  await settle();
  assert.equal(network.link.last("doc.submit"), undefined);
  assert.deepEqual(states, ["live"]);
  network.link.handlers.onClose(1001, "");
  await clock.advance(10);
  network.link.greet();
  network.link.say({ id: network.link.last("doc.open")?.["id"], result: opened });
  await settle();
  assert.deepEqual((network.link.last("doc.submit")?.["params"] as { op: unknown }).op, ["x"]);
  client.close();
});

test("calls wait for the connection, are answered in any order, and once", async () => {
  const { network, client } = world();
  const [a, b] = [client.call("m", { n: 1 }), client.call("m", [2])];
  network.link.greet();
  const [first, second] = network.link.sent.filter(({ method }) => method === "m");
  assert.deepEqual([first?.["params"], second?.["params"]], [{ n: 1 }, [2]]);
  network.link.say({ id: second?.["id"], result: "b" });
  network.link.say({ id: second?.["id"], result: "again" });
  network.link.say({ id: 999, result: "unknown" });
  network.link.say({ id: first?.["id"], result: null });
  assert.deepEqual(await Promise.all([a, b]), [null, "b"]);
});

test("a cut fails what was sent, and what waits is sent later", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const sent = client.call("m");
  network.link.handlers.onClose(1006, "");
  await assert.rejects(sent, { code: "unavailable", executed: "unknown" });
  const waiting = client.call("w");
  await clock.advance(200);
  network.link.greet();
  network.link.say({ id: network.link.last("w")?.["id"], result: 5 });
  assert.equal(await waiting, 5);
});

test("a deadline travels with the call, ends it and cancels it", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const call = client.call("slow", undefined, { timeoutMs: 1000 });
  const sent = network.link.last("slow");
  assert.deepEqual(sent?.["meta"], { timeout_ms: 1000 });
  void clock.advance(1000);
  await assert.rejects(call, { code: "deadline_exceeded" });
  assert.deepEqual(network.link.last("$/cancel")?.["params"], { id: sent?.["id"] });
  network.link.say({ id: sent?.["id"], result: "late" });
});

test("a call with an idempotency key is made again on the next connection", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const paid = client.call("pay", [1], { idem: "k-1", timeoutMs: 0 });
  assert.deepEqual(network.link.last("pay")?.["meta"], { idem: "k-1" });
  network.link.handlers.onClose(1006, "");
  await clock.advance(200);
  network.link.greet();
  const again = network.link.last("pay");
  assert.deepEqual([again?.["params"], again?.["meta"]], [[1], { idem: "k-1" }]);
  network.link.say({ id: again?.["id"], result: "done" });
  assert.equal(await paid, "done");
});

test("while the first one is at work elsewhere, a repeat is made later", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const paid = client.call("pay", [1], { idem: "k-2" });
  const data = { code: "aborted", reason: "weft.idem.in_progress", retryable: true, retry_after_ms: 100 };
  const first = network.link.last("pay")?.["id"];
  network.link.say({ id: first, error: { code: -32010, message: "running", data } });
  await clock.advance(99);
  assert.equal(network.link.last("pay")?.["id"], first);
  await clock.advance(1);
  const second = network.link.last("pay");
  assert.notEqual(second?.["id"], first);
  assert.equal((second?.["meta"] as { idem: string }).idem, "k-2");
  network.link.say({ id: second?.["id"], result: 3 });
  assert.equal(await paid, 3);
  const late = client.call("pay", [2], { idem: "k-3", timeoutMs: 150 });
  network.link.say({ id: network.link.last("pay")?.["id"], error: { code: -32010, message: "running", data } });
  network.link.handlers.onClose(1006, "");
  void clock.advance(150);
  await assert.rejects(late, { code: "deadline_exceeded" });
});

test("an abort signal cancels, before and after sending", async () => {
  const { network, client } = world();
  const early = new AbortController();
  const waiting = client.call("m", {}, { signal: early.signal });
  early.abort();
  await assert.rejects(waiting, { code: "canceled", executed: "no" });
  await assert.rejects(client.call("m", {}, { signal: early.signal }), { code: "canceled" });
  network.link.greet();
  assert.equal(network.link.last("m"), undefined);
  const late = new AbortController();
  const call = client.call("m", {}, { signal: late.signal });
  late.abort();
  await assert.rejects(call, { code: "canceled", executed: "unknown" });
  assert.notEqual(network.link.last("$/cancel"), undefined);
});

test("errors carry code, reason, hint and whether anything happened", async () => {
  const { network, client } = world();
  network.link.greet();
  const answer = async (error: object): Promise<WeftError> => {
    const call = client.call("m");
    network.link.say({ id: network.link.last("m")?.["id"], error });
    return call.then(() => assert.fail(), WeftError.from);
  };
  const data = { code: "aborted", reason: "weft.doc.epoch_changed", retryable: true, retry_after_ms: 12, executed: "no" };
  const full = await answer({ code: -32010, message: "no", data });
  const { code, reason, retryable, retryAfterMs, executed, message } = full;
  assert.deepEqual(
    { code, reason, retryable, retryAfterMs, executed, message },
    { code: "aborted", reason: "weft.doc.epoch_changed", retryable: true, retryAfterMs: 12, executed: "no", message: "no" },
  );
  for (const [number, name] of [[-32601, "unimplemented"], [-32700, "invalid_argument"], [-32008, "resource_exhausted"], [-5, "unknown"]]) {
    assert.equal((await answer({ code: number, message: "" })).code, name);
  }
});

test("calls of the server's are answered, unknown ones refused, batches too", async () => {
  const { network, client } = world();
  network.link.greet();
  client.serve("add", (params) => (params as number[]).reduce((a, b) => a + b));
  assert.throws(() => client.serve("add", () => 0), { code: "already_exists" });
  client.serve("fail", () => Promise.reject(new WeftError("not_found", "nothing")));
  const heard: unknown[] = [];
  client.onNotification("news", (params) => heard.push(params));
  network.link.sayTogether([
    { jsonrpc: "2.0", id: "$s1", method: "add", params: [1, 2] },
    { jsonrpc: "2.0", id: "$s2", method: "fail" },
    { jsonrpc: "2.0", id: "$s3", method: "none" },
    { jsonrpc: "2.0", method: "news", params: { x: 1 } },
  ]);
  await settle();
  const answers = network.link.sent.filter(({ id }) => typeof id === "string");
  const byId = Object.fromEntries(answers.map((answer) => [answer["id"], answer["result"] ?? (answer["error"] as { code: number }).code]));
  assert.deepEqual(byId, { $s1: 3, $s2: -32005, $s3: -32601 });
  assert.deepEqual(heard, [{ x: 1 }]);
});

// On the text wire a call cannot be told from the message that holds it.
testOnce("a call that cannot be read is answered so, and the connection goes on (weft.v1.pb)", () => {
  const network = new ScriptedNetwork();
  network.wire = binaryWire;
  const client = new WeftClient({ url: "", transport: network.transport, clock: new FakeClock() });
  network.link.greet();
  network.link.handlers.onMessage(Uint8Array.of(0x0c, 0x08, 2, 0x10, 8, 0x2a, 1, 0x5b, 0x32, 3, 0x12, 1, 0x6d));
  const answer = network.link.sent.at(-1) as { id: unknown; error: { code: number } };
  assert.deepEqual([answer.id, answer.error.code], ["$s1", -32602]);
  assert.equal(client.status.kind, "open");
  client.close();
});

test("closing ends everything, and nothing is tried again", async () => {
  const { clock, network, client } = world();
  network.link.greet();
  const call = client.call("m");
  client.close();
  await assert.rejects(call, { code: "unavailable" });
  await assert.rejects(client.call("m"), { code: "canceled" });
  assert.throws(() => client.open("d", text), { code: "canceled" });
  network.link.handlers.onClose(1000, "");
  await clock.advance(60_000);
  assert.equal(network.links.length, 1);
  assert.equal(clock.timers, 0);
});

test("a listener that throws disturbs nobody else", async () => {
  const { network, client } = world();
  const uncaught: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => uncaught.push(error.message));
  let heard = 0;
  client.on("status", () => {
    throw new Error("mine");
  });
  client.on("status", () => heard++);
  network.link.greet();
  await settle();
  for (const listener of listeners) process.on("uncaughtException", listener);
  assert.equal(heard, 1);
  assert.deepEqual(uncaught, ["mine"]);
});
