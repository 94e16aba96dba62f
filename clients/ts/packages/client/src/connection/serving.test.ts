// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import { WeftError } from "../errors.js";
import { FakeClock, settle } from "../testing/fake-clock.js";
import { ScriptedNetwork } from "../testing/scripted.js";
import { test, wireName } from "../testing/over-wires.js";
import type { ServedCall } from "./served.js";
import type { ServeOptions } from "./serving.js";

function world(serve: ServeOptions = {}) {
  const clock = new FakeClock();
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "", transport: network.transport, clock, random: () => 0, serve });
  network.link.open();
  const limits = { window_items: 4, window_bytes: 1000 };
  network.link.say({ id: 0, result: { session: "s", v: 1, ping_ms: 25_000, limits } });
  const link = network.link;
  const answers = (id: string | null) => link.sent.filter((message) => !("method" in message) && message["id"] === id);
  const code = (id: string | null): unknown => {
    const all = answers(id);
    assert.equal(all.length, 1);
    return (all[0]?.["error"] as { data: { code: string } } | undefined)?.data.code;
  };
  const sent = (method: string) => link.sent.filter((message) => message["method"] === method).map(({ params }) => params);
  const item = (value: unknown): void => link.say({ method: "$/item", params: { id: "$s1", value } });
  return { clock, network, client, link, answers, code, sent, item };
}

test("a handler learns what the call says about itself", async () => {
  const { client, link, clock, answers } = world();
  client.serve("m", async (_, call) => {
    await clock.after(0, () => {});
    return [call.timeLeftMs, call.idempotencyKey, call.traceparent, call.notification, call.method];
  });
  link.say({ id: "$s1", method: "m", meta: { timeout_ms: 500, idem: "key", traceparent: "00-a" } });
  await settle();
  assert.deepEqual(answers("$s1")[0]?.["result"], [500, "key", "00-a", false, "m"]);
});

test("a canceled call is answered once, and its handler told", async () => {
  const { client, link, code } = world();
  let signal: AbortSignal | undefined;
  let finish: (value: unknown) => void = () => {};
  client.serve("m", (_, call) => {
    signal = call.signal;
    return new Promise((resolve) => (finish = resolve));
  });
  link.say({ id: "$s1", method: "m" });
  link.say({ method: "$/cancel", params: { id: "$s1" } });
  link.say({ method: "$/cancel", params: { id: "$s1" } });
  assert.equal(signal?.aborted, true);
  assert.equal(code("$s1"), "canceled");
  finish("late");
  await settle();
  assert.equal(code("$s1"), "canceled");
});

test("a late call is answered once, and one without time is not started", async () => {
  const { client, link, clock, code } = world();
  let started = 0;
  client.serve("m", (_, call) => {
    started++;
    return new Promise((_resolve, reject) => call.signal.addEventListener("abort", () => reject(new Error("stopped"))));
  });
  link.say({ id: "$s1", method: "m", meta: { timeout_ms: 100 } });
  link.say({ id: "$s2", method: "m", meta: { timeout_ms: 0 } });
  await clock.advance(100);
  assert.deepEqual([started, code("$s1"), code("$s2")], [1, "deadline_exceeded", "deadline_exceeded"]);
});

test("a WeftError becomes the answer, anything else says nothing to the caller", async () => {
  const { client, link, answers } = world();
  const failed: unknown[] = [];
  client.on("handlerFailed", ({ method, error }) => failed.push([method, (error as Error).message]));
  client.serve("known", () => {
    throw new WeftError("not_found", "no such room", { reason: "acme.room", data: { details: { room: 1 } } });
  });
  client.serve("bug", () => Promise.reject(new Error("secret")));
  client.serve("unsayable", () => 1n);
  ["known", "bug", "unsayable"].forEach((method, n) => link.say({ id: `$s${n + 1}`, method }));
  await settle();
  const [known, bug, unsayable] = [1, 2, 3].map((n) => answers(`$s${n}`)[0]?.["error"]);
  const { data } = known as { data: Record<string, unknown> };
  assert.deepEqual([data["code"], data["reason"], data["details"]], ["not_found", "acme.room", { room: 1 }]);
  assert.equal((bug as { data: { code: string } }).data.code, "internal");
  assert.equal((unsayable as { data: { code: string } }).data.code, "internal");
  assert.doesNotMatch(JSON.stringify([bug, unsayable]), /secret|BigInt|stack/);
  assert.deepEqual(failed[0], ["bug", "secret"]);
  assert.equal(failed.length, 2);
});

test("calls beyond the limit are refused, those that ended count until their handler stops", async () => {
  const { client, link, code, answers } = world({ inFlight: 1 });
  const finish: ((value: unknown) => void)[] = [];
  client.serve("m", () => new Promise((resolve) => finish.push(resolve)));
  link.say({ id: "$s1", method: "m" });
  link.say({ method: "$/cancel", params: { id: "$s1" } });
  link.say({ id: "$s2", method: "m" });
  link.say({ method: "m" });
  assert.equal(code("$s2"), "resource_exhausted");
  assert.equal(finish.length, 1);
  finish[0]?.(null);
  await settle();
  link.say({ id: "$s3", method: "m" });
  finish[1]?.("done");
  await settle();
  assert.equal(answers("$s3")[0]?.["result"], "done");
});

test("a notification runs the handler and is not answered", async () => {
  const { client, link } = world();
  const seen: boolean[] = [];
  const before = link.sent.length;
  client.serve("m", (_, call) => {
    seen.push(call.notification);
    throw new Error("nobody hears");
  });
  link.say({ method: "m" });
  await settle();
  assert.deepEqual(seen, [true]);
  assert.equal(link.sent.length, before);
});

test("an id in use is refused and the first call goes on; a removed handler is gone", async () => {
  const { client, link, code, answers } = world();
  let finish: (value: unknown) => void = () => {};
  const remove = client.serve("m", () => new Promise((resolve) => (finish = resolve)));
  link.say({ id: "$s1", method: "m" });
  remove();
  link.say({ id: "$s2", method: "m" });
  assert.equal(code("$s2"), "unimplemented");
  client.serve("m", () => 0);
  link.say({ id: "$s1", method: "m" });
  assert.equal(answers("$s1").length, 0);
  finish(1);
  await settle();
  assert.equal(answers("$s1")[0]?.["result"], 1);
  assert.throws(() => client.serve("$/ping", () => 0), { code: "invalid_argument" });
});

test("items are given as the caller has room, then the answer comes", async () => {
  const { client, link, sent, answers } = world();
  client.serve("count", async function* (params) {
    for (let n = 1; n <= (params as number[])[0]!; n++) yield n;
    return "all";
  });
  link.say({ id: "$s1", method: "count", params: [6] });
  await settle();
  assert.equal(sent("$/item").length, 4);
  assert.equal(answers("$s1").length, 0);
  link.say({ method: "$/credit", params: { id: "$s1", items_total: 9, bytes_total: 1000 } });
  await settle();
  assert.deepEqual(sent("$/item"), [1, 2, 3, 4, 5, 6].map((value) => ({ id: "$s1", value })));
  assert.equal(answers("$s1")[0]?.["result"], "all");
});

test("a generator whose call is canceled is left, and gives no more", async () => {
  const { client, link, sent, code } = world();
  let left = false;
  client.serve("ever", async function* () {
    try {
      for (;;) yield 1;
    } finally {
      left = true;
    }
  });
  link.say({ id: "$s1", method: "ever" });
  await settle();
  link.say({ method: "$/cancel", params: { id: "$s1" } });
  link.say({ method: "$/credit", params: { id: "$s1", items_total: 99, bytes_total: 9999 } });
  await settle();
  assert.deepEqual([left, sent("$/item").length, code("$s1")], [true, 4, "canceled"]);
});

test("the caller's items come in order, and credit as they are taken", async () => {
  const { client, link, sent, answers, item } = world();
  let go: () => void = () => {};
  const wait = new Promise<void>((resolve) => (go = resolve));
  client.serve("total", async (_, { items }) => {
    await wait;
    const got: unknown[] = [];
    for await (const value of items) got.push(value);
    return got;
  });
  link.say({ id: "$s1", method: "total" });
  for (const value of [1, 2, 3, 4]) item(value);
  await settle();
  assert.deepEqual(sent("$/credit"), []);
  go();
  await settle();
  assert.equal((sent("$/credit").at(-1) as { items_total: number }).items_total, 8);
  item(5);
  link.say({ method: "$/end", params: { id: "$s1" } });
  await settle();
  assert.deepEqual(answers("$s1")[0]?.["result"], [1, 2, 3, 4, 5]);
});

test("both directions at once", async () => {
  const { client, link, sent, item } = world();
  client.serve("double", async function* (_, { items }) {
    for await (const value of items) yield 2 * (value as number);
  });
  link.say({ id: "$s1", method: "double" });
  item(1);
  item(2);
  link.say({ method: "$/end", params: { id: "$s1" } });
  await settle();
  assert.deepEqual(sent("$/item").map((params) => (params as { value: unknown }).value), [2, 4]);
});

test("an item without credit, or behind the end, breaks the protocol", async () => {
  for (const end of [false, true]) {
    const { client, link, item } = world();
    client.serve("m", () => new Promise(() => {}));
    link.say({ id: "$s1", method: "m" });
    for (const value of end ? [1] : [1, 2, 3, 4]) item(value);
    if (end) link.say({ method: "$/end", params: { id: "$s1" } });
    assert.equal(link.ended, null);
    item(0);
    assert.equal(link.code, 1008);
    client.close();
    await settle();
  }
});

test("credit that is no integer from 0 to 2^53-1 is ignored", async () => {
  const { client, link, sent } = world();
  client.serve("ever", async function* () {
    for (;;) yield 1;
  });
  link.say({ id: "$s1", method: "ever" });
  await settle();
  // Only text can say them.
  for (const bad of wireName() === "text" ? [4.5, -1, 2 ** 53, 1e300] : []) {
    link.say({ method: "$/credit", params: { id: "$s1", items_total: bad, bytes_total: 9999 } });
    link.say({ method: "$/credit", params: { id: "$s1", items_total: 9999, bytes_total: bad } });
    await settle();
    assert.equal(sent("$/item").length, 4, String(bad));
  }
  link.say({ method: "$/credit", params: { id: "$s1", items_total: 5, bytes_total: 9999 } });
  await settle();
  assert.equal(sent("$/item").length, 5);
  client.close();
  await settle();
});

test("a caller that is lost for good aborts the call, and no answer goes elsewhere", async () => {
  const { client, link, network, clock } = world();
  let call: ServedCall | undefined;
  let finish: (value: unknown) => void = () => {};
  client.serve("m", (_, served) => {
    call = served;
    return new Promise((resolve) => (finish = resolve));
  });
  link.say({ id: "$s1", method: "m" });
  link.handlers.onClose(1006, "");
  assert.equal((call?.signal.reason as WeftError).code, "unavailable");
  await assert.rejects(async () => call?.items.next(), { code: "unavailable" });
  await clock.advance(1);
  network.link.greet();
  finish("late");
  await settle();
  assert.equal(network.link.sent.some(({ id }) => id === "$s1"), false);
});

test("an error whose details JSON cannot say is answered internal", async () => {
  const { client, link, code } = world();
  client.serve("m", () => {
    throw new WeftError("not_found", "nothing", { data: { details: 1n } });
  });
  link.say({ id: "$s1", method: "m" });
  await settle();
  assert.equal(code("$s1"), "internal");
});

test("calls with one ordering key run in turn, and one that ended while it waited is not started", async () => {
  const { client, link, code, answers } = world();
  const started: unknown[] = [];
  const finish: (() => void)[] = [];
  client.serve("m", (params) => {
    started.push((params as unknown[])[0]);
    return new Promise<void>((resolve) => finish.push(resolve));
  });
  [1, 2, 3].forEach((n) => link.say({ id: `$s${n}`, method: "m", params: [n], meta: { order: "room" } }));
  link.say({ id: "$s4", method: "m", params: [4], meta: { order: "other" } });
  link.say({ method: "$/cancel", params: { id: "$s2" } });
  await settle();
  assert.deepEqual(started, [1, 4]);
  assert.equal(code("$s2"), "canceled");
  finish[0]?.();
  await settle();
  assert.deepEqual(started, [1, 4, 3]);
  assert.equal(answers("$s1").length, 1);
});
