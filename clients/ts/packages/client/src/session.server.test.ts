// SPDX-License-Identifier: Apache-2.0
/** Calls and streams against the real server through a network that cuts connections. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { WeftClient } from "./client.js";
import { CutProxy } from "./testing/cut-proxy.js";
import { test, wireName } from "./testing/over-wires.js";
import { RealServer } from "./testing/real-server.js";
import { Rng, runSeed } from "./testing/random.js";

const seed = runSeed();
let server: RealServer;

before(async () => {
  server = await RealServer.start();
});
after(() => server.stop());

const portOf = (url: string): number => Number(new URL(url).port);

test("nothing is lost or doubled through a network that cuts", async () => {
  const rng = new Rng(seed);
  const random = (): number => rng.next();
  const proxy = await CutProxy.start(portOf(server.url), { cutBytes: 8000, chunkBytes: 500, random });
  const client = new WeftClient({ url: `ws://127.0.0.1:${proxy.port}/ws`, wire: wireName(), random: () => 0.01 });
  let resumed = 0;
  client.on("status", (status) => {
    if (status.kind === "open" && status.info.resumed) resumed++;
  });
  const calls = Array.from({ length: 300 }, (_, n) =>
    client.call("demo.echo", [n, "é😀".repeat(n % 20)], { timeoutMs: 60_000 }),
  );
  const counted: unknown[] = [];
  const counting = (async () => {
    for await (const item of client.stream("demo.count", [1500])) counted.push(item);
  })();
  const total = client.stream("demo.total");
  for (let n = 1; n <= 400; n++) await total.send(n);
  total.end();
  assert.equal(await total.result, 80_200);
  await counting;
  assert.deepEqual(counted, Array.from({ length: 1500 }, (_, n) => n + 1));
  assert.deepEqual(
    await Promise.all(calls),
    Array.from({ length: 300 }, (_, n) => [n, "é😀".repeat(n % 20)]),
  );
  assert.ok(proxy.cuts >= 3, `${proxy.cuts} cuts`);
  assert.ok(resumed >= 3, `${resumed} resumed`);
  client.close();
  await proxy.stop();
});

test("a server that was restarted knows no session, and calls are made anew", async () => {
  const client = new WeftClient({ url: server.url, wire: wireName(), random: () => 0.01 });
  assert.equal(await client.call("sum", [1, 2]), 3);
  const lost = assert.rejects(client.call("demo.sleep", [20_000]), { code: "unavailable" });
  await server.kill();
  await server.restart();
  await lost;
  assert.equal(await client.call("sum", [1, 2]), 3);
  assert.equal(client.status.kind === "open" && client.status.info.resumed, false);
  client.close();
});
