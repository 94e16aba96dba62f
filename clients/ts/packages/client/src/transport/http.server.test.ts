// SPDX-License-Identifier: Apache-2.0
/** Calls, streams and documents against the real server where no WebSocket gets through. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WeftClient } from "../client.js";
import type { WebSocketConstructor, WebSocketLike } from "../platform/platform.js";
import { CutProxy } from "../testing/cut-proxy.js";
import { RealServer, until } from "../testing/real-server.js";
import { Rng, runSeed } from "../testing/random.js";
import { replaceText, text } from "../text/index.js";

/** What a WebSocket looks like behind a proxy that knows none. */
const Blocked: WebSocketConstructor = class implements WebSocketLike {
  static attempts = 0;
  readonly bufferedAmount = 0;
  readonly protocol = "";
  binaryType = "blob";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor() {
    setTimeout(() => this.onclose?.({ code: 1006, reason: "blocked" }), 1);
  }
  send(): void {
    throw new Error("not open");
  }
  close(): void {}
};

let server: RealServer;

before(async () => {
  server = await RealServer.start();
});
after(() => server.stop());

const portOf = (url: string): number => Number(new URL(url).port);

test("calls and streams go without a WebSocket", async () => {
  const client = new WeftClient({ url: server.url, WebSocket: Blocked });
  assert.equal(await client.call("subtract", [42, 23]), 19);
  const counted: unknown[] = [];
  for await (const item of client.stream("demo.count", [100])) counted.push(item);
  assert.equal(counted.length, 100);
  const total = client.stream("demo.total");
  for (let n = 1; n <= 200; n++) await total.send(n);
  total.end();
  assert.equal(await total.result, 20_100);
  await assert.rejects(client.call("demo.nope"), { code: "unimplemented" });
  client.close();
});

test("without the fallback there is no connection", async () => {
  const client = new WeftClient({ url: server.url, WebSocket: Blocked, fallback: false });
  await assert.rejects(client.call("sum", [1], { timeoutMs: 300 }), { code: "deadline_exceeded" });
  client.close();
});

test("documents are edited by both kinds of clients", async () => {
  const blocked = new WeftClient({ url: server.url, WebSocket: Blocked });
  const open = new WeftClient({ url: server.url });
  const one = await blocked.open("both kinds", text).ready();
  const other = await open.open("both kinds", text).ready();
  one.edit(replaceText(one.value, 0, 0, "left "));
  other.edit(replaceText(other.value, 0, 0, "right "));
  await until(() => one.value.length === 11 && one.value === other.value);
  blocked.close();
  open.close();
});

test("nothing is lost or doubled through a network that cuts", async () => {
  const rng = new Rng(runSeed());
  const random = (): number => rng.next();
  const proxy = await CutProxy.start(portOf(server.url), { cutBytes: 20_000, chunkBytes: 800, random });
  const url = `ws://127.0.0.1:${proxy.port}/ws`;
  const client = new WeftClient({ url, WebSocket: Blocked, random: () => 0.01 });
  let resumed = 0;
  client.on("status", (status) => {
    if (status.kind === "open" && status.info.resumed) resumed++;
  });
  const calls = Array.from({ length: 150 }, (_, n) => client.call("demo.echo", [n], { timeoutMs: 60_000 }));
  const counted: unknown[] = [];
  for await (const item of client.stream("demo.count", [600])) counted.push(item);
  assert.deepEqual(counted, Array.from({ length: 600 }, (_, n) => n + 1));
  assert.deepEqual(await Promise.all(calls), Array.from({ length: 150 }, (_, n) => [n]));
  assert.ok(resumed >= 2, `${resumed} resumed`);
  client.close();
  await proxy.stop();
});

test("a server that stops is left for the next one", async () => {
  const client = new WeftClient({ url: server.url, WebSocket: Blocked, random: () => 0.01 });
  assert.equal(await client.call("sum", [1, 2]), 3);
  await server.drain();
  await server.restart();
  assert.equal(await client.call("sum", [3, 4]), 7);
  client.close();
});
