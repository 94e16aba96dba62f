// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import type { Outgoing } from "../protocol/frame.js";
import { binaryWire } from "../protocol/binary.js";
import { newNotification } from "../protocol/frame.js";
import { textWire } from "../protocol/jsonrpc.js";
import { FakeClock, settle } from "../testing/fake-clock.js";
import type { ScriptedLink } from "../testing/scripted.js";
import { ScriptedNetwork } from "../testing/scripted.js";
import { test, toJson, wireUnderTest } from "../testing/over-wires.js";
import { Session } from "./session.js";

const newSession = (clock = new FakeClock(), sendAck: (frame: Outgoing) => void = () => {}): Session =>
  new Session("t", wireUnderTest(), clock, sendAck);

function world(options: { resume?: boolean } = {}) {
  const clock = new FakeClock();
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "", transport: network.transport, clock, random: () => 0, callTimeoutMs: 0, ...options });
  return { clock, network, client };
}

/** Opens the newest connection; `answer` is added to the greeting's. */
function welcome(link: ScriptedLink, answer: object): Record<string, unknown> {
  link.open();
  const limits = { window_items: 4, window_bytes: 1000 };
  link.say({ id: 0, result: { session: "s", v: 1, ping_ms: 25_000, limits, resume_token: "t1", ...answer } });
  return link.last("$/hello") ?? {};
}

async function cut({ clock, network }: ReturnType<typeof world>, link: ScriptedLink): Promise<ScriptedLink> {
  link.handlers.onClose(1006, "");
  await clock.advance(60_000);
  assert.notEqual(network.link, link);
  return network.link;
}

const data = (link: ScriptedLink): unknown[] => link.sent.filter(({ seq }) => seq !== undefined);

test("numbers are given in order, and what is acknowledged is forgotten", () => {
  const session = newSession();
  const [a, b] = [session.number(newNotification("a")), session.number(newNotification("b"))];
  assert.deepEqual(session.wire.decode(a).map(toJson), [{ jsonrpc: "2.0", method: "a", seq: 1 }]);
  assert.deepEqual(session.wire.decode(b).map(toJson), [{ jsonrpc: "2.0", method: "b", seq: 2 }]);
  assert.deepEqual(session.resumed(0), [a, b]);
  assert.equal(session.acknowledged(1), true);
  assert.deepEqual(session.resumed(1), [b]);
  assert.equal(session.acknowledged(3), false);
  assert.equal(session.resumed(0), null);
  assert.equal(session.resumed(9), null);
});

test("what comes is judged by its number", () => {
  const session = newSession();
  assert.equal(session.received(1, 10), "new");
  assert.equal(session.received(1, 10), "duplicate");
  assert.equal(session.received(3, 10), "gap");
  assert.equal(session.received(0, 10), "gap");
  assert.equal(session.received(2, 10), "new");
  assert.equal(session.seen, 2);
});

test("acknowledgements come after 32 frames, 16 KiB or 200 ms", async () => {
  const clock = new FakeClock();
  const sent: Outgoing[] = [];
  const session = newSession(clock, (frame) => sent.push(frame));
  for (let seq = 1; seq <= 32; seq++) session.received(seq, 10);
  assert.equal(sent.length, 1);
  session.received(33, 20_000);
  assert.equal(sent.length, 2);
  session.received(34, 10);
  await clock.advance(199);
  assert.equal(sent.length, 2);
  await clock.advance(1);
  assert.deepEqual(sent[2], newNotification("$/ack", { seq: 34 }));
  await clock.advance(1000);
  assert.equal(sent.length, 3);
  assert.equal(clock.timers, 0);
});

test("too much that is not acknowledged cannot be resumed", () => {
  const session = newSession();
  for (let i = 0; i < 300; i++) session.number(newNotification("n", ["x".repeat(1024)]));
  assert.equal(session.resumed(0), null);
  assert.equal(session.acknowledged(299), true);
  assert.equal(session.resumed(299)?.length, 1);
});

test("a call goes on over the next connection", async () => {
  const w = world();
  const hello = welcome(w.network.link, {});
  assert.deepEqual((hello["params"] as { features: unknown }).features, ["resume"]);
  const first = w.network.link;
  const lost = w.client.call("a");
  const answered = w.client.call("b");
  first.say({ id: 2, result: "b", seq: 1 });
  assert.equal(await answered, "b");
  const second = await cut(w, first);
  const later = w.client.call("c");
  const again = welcome(second, { resumed: true, seen: 0, resume_token: "t2" });
  assert.deepEqual((again["params"] as { resume: unknown }).resume, { token: "t1", seen: 1 });
  assert.deepEqual(
    data(second).map((message) => [(message as { method: string }).method, (message as { seq: number }).seq]),
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ],
  );
  second.say({ id: 2, result: "again", seq: 1 });
  second.say({ id: 1, result: "a", seq: 2 });
  second.say({ id: 3, result: "c", seq: 3 });
  assert.deepEqual(await Promise.all([lost, later]), ["a", "c"]);
  assert.equal(w.client.status.kind === "open" && w.client.status.info.resumed, true);
  w.client.close();
});

test("credit and cancellations are said again", async () => {
  const w = world();
  welcome(w.network.link, {});
  const first = w.network.link;
  const stream = w.client.stream("demo.count");
  const abort = new AbortController();
  const canceled = w.client.call("slow", [], { signal: abort.signal });
  first.say({ method: "$/item", params: { id: 1, value: 1 }, seq: 1 });
  assert.equal((await stream.next()).value, 1);
  first.handlers.onClose(1006, "");
  abort.abort();
  await assert.rejects(canceled, { code: "canceled" });
  await w.clock.advance(60_000);
  const second = w.network.link;
  welcome(second, { resumed: true, seen: 2, resume_token: "t2" });
  assert.deepEqual(second.last("$/cancel")?.["params"], { id: 2 });
  assert.equal((second.last("$/credit")?.["params"] as { id: number }).id, 1);
  second.say({ method: "$/item", params: { id: 1, value: 2 }, seq: 2 });
  assert.equal((await stream.next()).value, 2);
  second.say({ id: 1, result: null, seq: 3 });
  assert.equal(await stream.result, null);
  w.client.close();
});

test("a session that is over ends what was under way, and calls with a key are made again", async () => {
  const w = world();
  welcome(w.network.link, {});
  const first = w.network.link;
  const lost = w.client.call("a");
  const keyed = w.client.call("b", [], { idem: "key" });
  const second = await cut(w, first);
  const failed = assert.rejects(lost, { code: "unavailable", executed: "unknown" });
  welcome(second, { resumed: false, reason: "expired", resume_token: "t2" });
  await failed;
  const b = second.last("b");
  assert.equal(b?.["seq"], 1);
  second.say({ id: b?.["id"], result: 7, seq: 1 });
  assert.equal(await keyed, 7);
  const third = await cut(w, second);
  const hello = welcome(third, { resumed: true, seen: 1, resume_token: "t3" });
  assert.deepEqual((hello["params"] as { resume: unknown }).resume, { token: "t2", seen: 1 });
  w.client.close();
});

test("a number left out ends connection and session", async () => {
  const w = world();
  welcome(w.network.link, {});
  const first = w.network.link;
  const call = w.client.call("a");
  const failed = assert.rejects(call, { code: "unavailable" });
  first.say({ id: 1, result: 1, seq: 2 });
  await failed;
  await settle();
  assert.deepEqual([first.ended, first.code], ["closed", 1008]);
  w.client.close();
});

test("nothing behind a number left out counts, in the same message neither", async () => {
  const w = world();
  welcome(w.network.link, {});
  const [a, b] = [w.client.call("a"), w.client.call("b")];
  const failed = [a, b].map((call) => assert.rejects(call, { code: "unavailable" }));
  w.network.link.sayTogether([
    { jsonrpc: "2.0", id: 1, result: 1, seq: 2 },
    { jsonrpc: "2.0", id: 2, result: 2, seq: 3 },
  ]);
  await Promise.all(failed);
  w.client.close();
});

test("without the option, and for a server without sessions, nothing is numbered", async () => {
  for (const [resume, answer] of [
    [false, {}],
    [true, { resume_token: undefined }],
  ] as const) {
    const w = world({ resume });
    welcome(w.network.link, answer);
    const call = w.client.call("a");
    const failed = assert.rejects(call, { code: "unavailable" });
    assert.equal(w.network.link.last("a")?.["seq"], undefined);
    w.network.link.handlers.onClose(1006, "");
    await failed;
    w.client.close();
  }
});

test("what cannot be written takes no number", () => {
  const session = newSession();
  const endless: Record<string, unknown> = {};
  endless["self"] = endless;
  assert.throws(() => session.number(newNotification("bad", endless)), TypeError);
  const [frame] = session.wire.decode(session.number(newNotification("good")));
  assert.equal(frame?.kind === "request" && frame.seq, 1);
});

test("a message without meaning ends connection and session", async () => {
  const w = world();
  welcome(w.network.link, {});
  const failed = assert.rejects(w.client.call("a"), { code: "unavailable" });
  w.network.link.handlers.onMessage(w.network.wire === textWire ? "{" : Uint8Array.of(5, 8));
  await failed;
  await w.clock.advance(60_000);
  assert.equal("resume" in (welcome(w.network.link, {})["params"] as object), false);
  w.client.close();
});

test("a session is not taken to the other wire", async () => {
  const w = world();
  welcome(w.network.link, {});
  const lost = assert.rejects(w.client.call("a"), { code: "unavailable" });
  const first = w.network.link;
  w.network.wire = w.network.wire === textWire ? binaryWire : textWire;
  const second = await cut(w, first);
  const hello = welcome(second, { resumed: false, resume_token: "t2" });
  assert.equal("resume" in (hello["params"] as object), false);
  await lost;
  const call = w.client.call("b");
  second.say({ id: second.last("b")?.["id"], result: 1, seq: 1 });
  assert.equal(await call, 1);
  w.client.close();
});

test("a call of the server's goes on over the next connection: its answer, once, and its credit again", async () => {
  const it = world();
  const first = it.network.link;
  welcome(first, {});
  let aborted = false;
  it.client.serve("sum", async (_, { items, signal }) => {
    signal.addEventListener("abort", () => (aborted = true));
    let sum = 0;
    for await (const value of items) sum += value as number;
    return sum;
  });
  first.say({ seq: 1, id: "$s1", method: "sum" });
  for (const seq of [2, 3]) first.say({ seq, method: "$/item", params: { id: "$s1", value: seq } });
  await settle();
  const credit = first.last("$/credit");
  assert.notEqual(credit, undefined);
  const next = await cut(it, first);
  welcome(next, { resumed: true, seen: 0, resume_token: "t2" });
  assert.deepEqual(next.last("$/credit"), credit);
  next.say({ seq: 4, method: "$/end", params: { id: "$s1" } });
  await settle();
  assert.equal(aborted, false);
  assert.deepEqual(data(next).map((message) => (message as { result?: unknown }).result), [5]);
});

test("an item behind the end breaks the protocol over the next connection too, and nothing is granted", async () => {
  const it = world();
  const first = it.network.link;
  welcome(first, {});
  it.client.serve("m", () => new Promise(() => {}));
  first.say({ seq: 1, id: "$s1", method: "m" });
  first.say({ seq: 2, method: "$/item", params: { id: "$s1", value: 1 } });
  first.say({ seq: 3, method: "$/end", params: { id: "$s1" } });
  await settle();
  const next = await cut(it, first);
  welcome(next, { resumed: true, seen: 0, resume_token: "t2" });
  assert.equal(next.last("$/credit"), undefined);
  next.say({ seq: 4, method: "$/item", params: { id: "$s1", value: 2 } });
  assert.equal(next.code, 1008);
  it.client.close();
  await settle();
});
