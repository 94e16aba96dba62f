// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import { FakeClock, settle } from "../testing/fake-clock.js";
import { ScriptedNetwork } from "../testing/scripted.js";
import { test } from "../testing/over-wires.js";

function world(windowBytes = 1000) {
  const clock = new FakeClock();
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "", transport: network.transport, clock, random: () => 0 });
  network.link.open();
  network.link.say({
    id: 0,
    result: { session: "s", v: 1, ping_ms: 25_000, limits: { window_items: 4, window_bytes: windowBytes } },
  });
  const link = network.link;
  const sent = (method: string): unknown[] =>
    link.sent.filter((message) => message["method"] === method).map(({ params }) => params);
  const item = (id: number, value: unknown): void => link.say({ method: "$/item", params: { id, value } });
  return { clock, network, client, link, sent, item };
}

test("items come in order, then the answer ends the loop", async () => {
  const { client, link, item } = world();
  const stream = client.stream("demo.count", [3]);
  for (const value of [1, 2, 3]) item(1, value);
  link.say({ id: 1, result: 3 });
  const got: unknown[] = [];
  for await (const value of stream) got.push(value);
  assert.deepEqual(got, [1, 2, 3]);
  assert.equal(await stream.result, 3);
});

test("credit is granted for what was taken, not for what came", async () => {
  const { client, sent, item } = world();
  const stream = client.stream("demo.count", [100]);
  for (const value of [1, 2, 3, 4]) item(1, value);
  await settle();
  assert.deepEqual(sent("$/credit"), []);
  await stream.next();
  await stream.next();
  const [credit] = sent("$/credit") as { id: number; items_total: number }[];
  assert.deepEqual([credit?.id, credit?.items_total], [1, 6]);
});

test("leaving the loop early cancels the call", async () => {
  const { client, sent, item } = world();
  const stream = client.stream("demo.count", [100]);
  item(1, 1);
  for await (const value of stream) {
    assert.equal(value, 1);
    break;
  }
  assert.deepEqual(sent("$/cancel"), [{ id: 1 }]);
  await assert.rejects(stream.result, { code: "canceled" });
});

test("sending waits for credit and keeps its order, and the end stays behind", async () => {
  const { client, link, sent } = world();
  const stream = client.stream("demo.total");
  const writes = [1, 2, 3, 4, 5, 6].map((value) => stream.send(value));
  stream.end();
  await settle();
  assert.equal(sent("$/item").length, 4);
  assert.deepEqual(sent("$/end"), []);
  link.say({ method: "$/credit", params: { id: 1, items_total: 5, bytes_total: 1000 } });
  link.say({ method: "$/credit", params: { id: 1, items_total: 5, bytes_total: 1000 } });
  await settle();
  assert.equal(sent("$/item").length, 5);
  link.say({ method: "$/credit", params: { id: 1, items_total: 9, bytes_total: 1000 } });
  await Promise.all(writes);
  await settle();
  assert.deepEqual(sent("$/item"), [1, 2, 3, 4, 5, 6].map((value) => ({ id: 1, value })));
  assert.deepEqual(sent("$/end"), [{ id: 1 }]);
  await assert.rejects(stream.send(7), { code: "failed_precondition" });
});

test("bytes count as they are sent", async () => {
  const { client, sent } = world(100);
  const stream = client.stream("demo.total");
  void stream.send("é".repeat(49)).catch(() => {}); // 100 bytes with its quotes
  void stream.send("x").catch(() => {});
  await settle();
  assert.equal(sent("$/item").length, 1);
});

test("a cut ends everything with unavailable", async () => {
  const { client, link, item } = world();
  const stream = client.stream("demo.mirror");
  const waiting = Array.from({ length: 6 }, (_, n) => stream.send(n));
  item(1, "kept");
  await settle();
  link.handlers.onClose(1006, "");
  await assert.rejects(Promise.all(waiting), { code: "unavailable" });
  assert.deepEqual(await stream.next(), { done: false, value: "kept" });
  await assert.rejects(stream.next(), { code: "unavailable" });
  await assert.rejects(stream.result, { code: "unavailable" });
});

test("an error answer reaches the loop, and nobody has to await the result", async () => {
  const { client, link } = world();
  const stream = client.stream("demo.count", [-1]);
  link.say({ id: 1, error: { code: -32602, message: "no", data: { code: "invalid_argument" } } });
  await assert.rejects(stream.next(), { code: "invalid_argument" });
});

test("a stream waits for the connection, and a signal ends it", async () => {
  const { client, network, link, clock } = world();
  link.handlers.onClose(1006, "");
  const abort = new AbortController();
  const stream = client.stream("demo.count", [3], { signal: abort.signal });
  await clock.advance(1);
  assert.equal(network.links.length, 2);
  network.link.greet();
  assert.notEqual(network.link.last("demo.count"), undefined);
  abort.abort();
  assert.notEqual(network.link.last("$/cancel"), undefined);
  await assert.rejects(stream.next(), { code: "canceled" });
});
