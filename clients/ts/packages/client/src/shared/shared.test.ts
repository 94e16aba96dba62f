// SPDX-License-Identifier: Apache-2.0
/** Tabs that share one connection, over networks that a test plays by hand. */
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import { WeftError } from "../errors.js";
import { FakeClock, settle } from "../testing/fake-clock.js";
import { FakeBrowser } from "../testing/fake-tabs.js";
import type { FakeTab } from "../testing/fake-tabs.js";
import { test } from "../testing/over-wires.js";
import type { ScriptedLink } from "../testing/scripted.js";
import { ScriptedNetwork } from "../testing/scripted.js";

interface TestTab {
  readonly tab: FakeTab;
  readonly network: ScriptedNetwork;
  readonly client: WeftClient;
  readonly statuses: string[];
}

class World {
  readonly clock = new FakeClock();
  readonly browser = new FakeBrowser();
  readonly tabs: TestTab[] = [];

  open(): TestTab {
    const tab = this.browser.open();
    const network = new ScriptedNetwork();
    const { clock } = this;
    const client = new WeftClient({
      url: "ws://x/ws",
      shared: "app",
      tabs: tab,
      transport: network.transport,
      clock,
      random: () => 0,
      callTimeoutMs: 0,
    });
    const made = { tab, network, client, statuses: [] as string[] };
    client.on("status", ({ kind }) => made.statuses.push(kind));
    this.tabs.push(made);
    return made;
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await settle();
  }

  /** Opens `count` tabs; the first one leads and is connected. */
  async connected(count: number): Promise<readonly [TestTab, TestTab, TestTab]> {
    const first = this.open();
    await this.settle();
    const tabs = [first, this.open(), ...(count > 2 ? [this.open()] : [])];
    greet(first.network.link);
    await this.settle();
    const [a, b, c] = tabs;
    assert.ok(a && b);
    return [a, b, c ?? b];
  }

  close(): void {
    for (const { client } of this.tabs) client.close();
  }
}

function greet(link: ScriptedLink, more: object = {}): void {
  link.open();
  const limits = { window_items: 4, window_bytes: 1000, message_bytes: 100_000 };
  link.say({ id: 0, result: { session: "s", v: 1, ping_ms: 25_000, limits, resume_token: "t1", ...more } });
}

const idOf = (message: Record<string, unknown> | undefined): number => Number(message?.["id"]);

test("tabs share the connection of the first one", async () => {
  const w = new World();
  const [a, b, c] = await w.connected(3);
  assert.deepEqual([a, b, c].map(({ network }) => network.links.length), [1, 0, 0]);
  for (const { client } of [a, b, c]) assert.equal(client.status.kind, "open");
  w.close();
});

test("answers get to the tab that called, whatever ids it used", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  const calls = [a.client.call("a"), b.client.call("b"), b.client.call("b2")];
  await w.settle();
  const { link } = a.network;
  const ids = ["a", "b", "b2"].map((method) => idOf(link.last(method)));
  assert.equal(new Set(ids).size, 3);
  let seq = 0;
  for (const [i, id] of [...ids.entries()].reverse()) link.say({ id, result: i, seq: ++seq });
  await w.settle();
  assert.deepEqual(await Promise.all(calls), [0, 1, 2]);
  const failed = b.client.call("c");
  await w.settle();
  link.say({ id: idOf(link.last("c")), seq: ++seq, error: { code: -32004, message: "x", data: { code: "not_found", reason: "r" } } });
  await assert.rejects(failed, { code: "not_found", reason: "r" });
  w.close();
});

test("items, credit and cancellations pass with the right ids", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  void a.client.call("other").catch(() => {});
  const stream = b.client.stream("s");
  await w.settle();
  const { link } = a.network;
  const id = idOf(link.last("s"));
  assert.notEqual(id, 1);
  link.say({ method: "$/item", params: { id, value: "one" }, seq: 1 });
  await w.settle();
  assert.deepEqual(await stream.next(), { done: false, value: "one" });
  await stream.send("up");
  for (let i = 0; i < 3; i++) link.say({ method: "$/item", params: { id, value: i }, seq: 2 + i });
  await w.settle();
  for (let i = 0; i < 3; i++) await stream.next();
  await w.settle();
  assert.deepEqual(link.last("$/item")?.["params"], { id, value: "up" });
  assert.equal((link.last("$/credit")?.["params"] as { id: unknown }).id, id);
  await stream.return();
  stream.result.catch(() => {});
  await w.settle();
  assert.deepEqual(link.last("$/cancel")?.["params"], { id });
  w.close();
});

test("a cut is seen by all, and calls go on over the next connection", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  const answered = b.client.call("slow");
  await w.settle();
  const id = idOf(a.network.link.last("slow"));
  a.network.link.handlers.onClose(1006, "");
  await w.settle();
  assert.equal(b.client.status.kind, "waiting");
  await w.clock.advance(2000);
  greet(a.network.link, { resumed: true, seen: 1, resume_token: "t2" });
  await w.settle();
  assert.deepEqual(b.statuses.slice(-3), ["waiting", "connecting", "open"]);
  a.network.link.say({ id, result: "late", seq: 1 });
  await w.settle();
  assert.equal(await answered, "late");
  w.close();
});

test("a lost session ends the calls of all tabs", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  const lost = [a.client.call("x"), b.client.call("y")];
  const kept = b.client.call("z", [], { idem: "key" });
  for (const call of lost) call.catch(() => {});
  await w.settle();
  a.network.link.handlers.onClose(1006, "");
  await w.clock.advance(2000);
  greet(a.network.link, { resumed: false, reason: "expired", resume_token: "t2" });
  await w.settle();
  for (const call of lost) await assert.rejects(call, { code: "unavailable" });
  a.network.link.say({ id: idOf(a.network.link.last("z")), result: "again", seq: 1 });
  await w.settle();
  assert.equal(await kept, "again");
  w.close();
});

for (const way of ["killed", "closed"] as const) {
  test(`when the leading tab is ${way} another one leads`, async () => {
    const w = new World();
    const [a, b, c] = await w.connected(3);
    const lost = c.client.call("x");
    const kept = c.client.call("y", [], { idem: "key" });
    lost.catch(() => {});
    await w.settle();
    if (way === "killed") a.tab.kill();
    else a.client.close();
    await w.settle();
    await assert.rejects(lost, { code: "unavailable", executed: "unknown" });
    assert.equal(b.network.links.length, 1);
    greet(b.network.link);
    await w.settle();
    assert.equal(b.client.status.kind, "open");
    assert.equal(c.client.status.kind, "open");
    assert.equal(c.network.links.length, 0);
    b.network.link.say({ id: idOf(b.network.link.last("y")), result: 1, seq: 1 });
    await w.settle();
    assert.equal(await kept, 1);
    w.close();
  });
}

for (const way of ["killed", "closed"] as const) {
  test(`what a tab began is canceled when it is ${way}`, async () => {
    const w = new World();
    const [a, b] = await w.connected(2);
    b.client.call("x").catch(() => {});
    await w.settle();
    const { link } = a.network;
    const id = idOf(link.last("x"));
    if (way === "killed") b.tab.kill();
    else b.client.close();
    await w.settle();
    assert.deepEqual(link.last("$/cancel")?.["params"], { id });
    link.say({ id, error: { code: -32800, message: "", data: { code: "canceled" } }, seq: 1 });
    assert.equal(a.client.status.kind, "open");
    w.close();
  });
}

test("calls of the server's go to a tab that serves them", async () => {
  const w = new World();
  const [a, b, c] = await w.connected(3);
  b.client.serve("b.m", (params) => [params]);
  const remove = c.client.serve("c.m", () => {
    throw new WeftError("not_found", "nothing");
  });
  await w.settle();
  const { link } = a.network;
  link.say({ id: "$s1", method: "b.m", params: { x: 1 }, seq: 1 });
  link.say({ id: "$s2", method: "c.m", seq: 2 });
  link.say({ id: "$s3", method: "nobody", seq: 3 });
  await w.settle();
  const answer = (id: string): Record<string, unknown> | undefined => link.sent.find((message) => message["id"] === id);
  assert.deepEqual(answer("$s1")?.["result"], [{ x: 1 }]);
  const code = (id: string): unknown => (answer(id)?.["error"] as { data: { code: string } }).data.code;
  assert.equal(code("$s2"), "not_found");
  assert.equal(code("$s3"), "unimplemented");
  remove();
  await w.settle();
  link.say({ id: "$s4", method: "c.m", seq: 4 });
  await w.settle();
  assert.equal(code("$s4"), "unimplemented");
  w.close();
});

test("a call that a tab answers ends with the tab", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  b.client.serve("b.m", () => new Promise(() => {}));
  await w.settle();
  a.network.link.say({ id: "$s1", method: "b.m", seq: 1 });
  await w.settle();
  b.tab.kill();
  await w.settle();
  const answer = a.network.link.sent.find((message) => message["id"] === "$s1");
  assert.equal((answer?.["error"] as { data: { code: string } }).data.code, "unavailable");
  w.close();
});

test("notifications get to every tab", async () => {
  const w = new World();
  const [a, b, c] = await w.connected(3);
  const heard: string[] = [];
  for (const [name, { client }] of Object.entries({ a, b, c })) client.onNotification("news", () => heard.push(name));
  a.network.link.say({ method: "news", params: [1], seq: 1 });
  await w.settle();
  assert.deepEqual(heard.sort(), ["a", "b", "c"]);
  w.close();
});

test("a further copy of a document has a connection of its own", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  const opened = a.client.call("doc.open", { doc: "d", client: "1" });
  await w.settle();
  a.network.link.say({ id: idOf(a.network.link.last("doc.open")), result: {}, seq: 1 });
  await opened;
  const heard: string[] = [];
  a.client.onNotification("doc.op", () => heard.push("a"));
  b.client.onNotification("doc.op", () => heard.push("b"));
  b.client.onNotification("doc.closed", () => heard.push("closed"));
  const other = b.client.call("doc.open", { doc: "e" });
  const copy = b.client.call("doc.open", { doc: "d", client: "2" });
  await w.settle();
  assert.equal(a.network.links.length, 2);
  const [first, second] = a.network.links;
  assert.ok(first && second);
  first.say({ id: idOf(first.last("doc.open")), result: "e", seq: 2 });
  assert.equal(await other, "e");
  greet(second);
  second.say({ id: idOf(second.last("doc.open")), result: "d" });
  assert.equal(await copy, "d");
  first.say({ method: "doc.op", params: { doc: "d" } });
  second.say({ method: "doc.op", params: { doc: "d" } });
  await w.settle();
  assert.deepEqual(heard, ["a", "b"]);
  const submit = b.client.call("doc.submit", { doc: "d" });
  await w.settle();
  assert.notEqual(second.last("doc.submit"), undefined);
  second.handlers.onClose(1006, "");
  await assert.rejects(submit, { code: "unavailable" });
  await w.settle();
  assert.deepEqual(heard, ["a", "b", "closed"]);
  assert.equal(b.client.status.kind, "open");
  b.client.call("doc.close", { doc: "d" }).catch(() => {});
  await w.settle();
  await w.clock.advance(5000);
  assert.equal(a.network.links.length, 2);
  w.close();
});

test("a further connection that is refused for good is made again when it is needed", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  a.client.call("doc.open", { doc: "d" }).catch(() => {});
  await w.settle();
  const copy = b.client.call("doc.open", { doc: "d" });
  await w.settle();
  const refused = a.network.link;
  refused.open();
  refused.say({ id: 0, error: { code: -32016, message: "no", data: { code: "unauthenticated" } } });
  await assert.rejects(copy, { code: "unavailable" });
  const again = b.client.call("doc.open", { doc: "d" });
  await w.settle();
  assert.equal(a.network.links.length, 3);
  greet(a.network.link);
  a.network.link.say({ id: idOf(a.network.link.last("doc.open")), result: 1 });
  assert.equal(await again, 1);
  w.close();
});

test("a tab closes its documents when it is killed", async () => {
  const w = new World();
  const [a, b] = await w.connected(2);
  b.client.call("doc.open", { doc: "d" }).catch(() => {});
  await w.settle();
  b.tab.kill();
  await w.settle();
  assert.deepEqual(a.network.link.last("doc.close")?.["params"], { doc: "d" });
  a.client.call("doc.open", { doc: "d" }).catch(() => {});
  await w.settle();
  assert.equal(a.network.links.length, 1);
  w.close();
});

test("a leading tab that is refused for good leaves the lead to the next one", async () => {
  const w = new World();
  const a = w.open();
  const b = w.open();
  await w.settle();
  a.network.link.open();
  a.network.link.say({ id: 0, error: { code: -32016, message: "no", data: { code: "unauthenticated" } } });
  await w.settle();
  assert.equal(a.client.status.kind === "closed" && a.client.status.error?.code, "unauthenticated");
  greet(b.network.link);
  await w.settle();
  assert.equal(b.client.status.kind, "open");
  w.close();
});

test("a tab whose leader is silent connects by itself", async () => {
  const w = new World();
  const [a] = await w.connected(2);
  a.tab.browser.channels.clear(); // The leader hears nothing any more, and holds its lock.
  const b = w.open();
  await w.settle();
  assert.equal(b.network.links.length, 0);
  await w.clock.advance(10_000);
  greet(b.network.link);
  assert.equal(b.client.status.kind, "open");
  w.close();
});

test("a tab with another version connects by itself", async () => {
  const w = new World();
  await w.connected(2);
  const stranger = w.browser.open();
  const channel = stranger.channel("weft/app ws://x/ws");
  const heard: unknown[] = [];
  channel.onmessage = ({ data }) => heard.push(data);
  channel.postMessage({ weft: 99, from: "stranger", to: null, body: { kind: "join", leader: null } });
  channel.postMessage("nonsense");
  channel.postMessage({ weft: 1, from: "stranger", to: null, body: { kind: "say", text: 1 } });
  await w.settle();
  assert.deepEqual((heard.at(-1) as { body: unknown; weft: unknown }).body, { kind: "leads" });
  // And the other way round: one that leads with another version.
  const later = new World();
  const odd = later.browser.open();
  const held = odd.locks.request("weft/app ws://x/ws/leader", {}, () => new Promise(() => {}));
  void held;
  const leader = odd.channel("weft/app ws://x/ws");
  leader.onmessage = () => leader.postMessage({ weft: 99, from: "odd", to: null, body: { kind: "leads" } });
  const b = later.open();
  await later.settle();
  assert.equal(b.network.links.length, 1);
  greet(b.network.link);
  assert.equal(b.client.status.kind, "open");
  later.close();
  w.close();
});

test("without locks a client connects by itself", () => {
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "ws://x/ws", shared: "app", transport: network.transport, clock: new FakeClock() });
  assert.equal(network.links.length, "locks" in (globalThis.navigator ?? {}) ? network.links.length : 1);
  client.close();
});
