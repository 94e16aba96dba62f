// SPDX-License-Identifier: Apache-2.0
/** The client against the real server: everything here crosses a socket. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { WebSocket } from "ws";
import { WeftClient } from "./client.js";
import type { Replica } from "./doc/replica.js";
import { test, wireName, wireUnderTest } from "./testing/over-wires.js";
import { RealServer, until } from "./testing/real-server.js";
import { Rng, runSeed } from "./testing/random.js";
import { replaceText, splitsPair, text, type TextOp } from "./text/index.js";

const seed = runSeed();
let server: RealServer;
const clients: WeftClient[] = [];

before(async () => {
  server = await RealServer.start();
});
after(async () => {
  for (const client of clients) client.close();
  await server.stop();
});

function connect(): WeftClient {
  const client = new WeftClient({ url: server.url, wire: wireName() });
  clients.push(client);
  return client;
}

/** Each wire has documents of its own. */
const named = (doc: string): string => `${doc} ${wireName()}`;
const open = (doc: string): Promise<Replica<string, TextOp>> => connect().open(named(doc), text).ready();

function type(replica: Replica<string, TextOp>, at: number, insert: string): void {
  replica.edit(replaceText(replica.value, at, at, insert));
}

const agree = async (...replicas: Replica<string, TextOp>[]): Promise<string> => {
  await Promise.all(replicas.map((replica) => replica.synced()));
  const newest = (): number => Math.max(...replicas.map(({ version }) => version));
  await until(() => replicas.every(({ version, pendingEdits }) => version === newest() && pendingEdits === 0));
  for (const replica of replicas) assert.equal(replica.value, replicas[0]?.value);
  return replicas[0]?.value ?? "";
};

test("calls are answered, and errors keep their codes", async () => {
  const client = connect();
  assert.deepEqual(await client.call("demo.echo", { x: "😀\u2028" }), { x: "😀\u2028" });
  assert.equal(await client.call("subtract", [42, 23]), 19);
  await assert.rejects(client.call("no.such"), { code: "unimplemented" });
  const many = await Promise.all(Array.from({ length: 200 }, (_, n) => client.call("demo.echo", [n])));
  assert.deepEqual(many, Array.from({ length: 200 }, (_, n) => [n]));
});

test("streams flow both ways, slowly read ones too", async () => {
  const client = connect();
  const counted: unknown[] = [];
  const count = client.stream("demo.count", [1000]);
  for await (const item of count) counted.push(item);
  assert.deepEqual(counted, Array.from({ length: 1000 }, (_, n) => n + 1));
  assert.equal(await count.result, 1000);

  const total = client.stream("demo.total");
  for (let n = 1; n <= 500; n++) await total.send(n);
  total.end();
  assert.equal(await total.result, 125_250);

  const mirror = client.stream("demo.mirror");
  const items = Array.from({ length: 200 }, (_, n) => ({ n, text: "é😀".repeat(n) }));
  const writing = (async () => {
    for (const item of items) await mirror.send(item);
    mirror.end();
  })();
  const back: unknown[] = [];
  for await (const item of mirror) {
    back.push(item);
    if (back.length % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await writing;
  assert.deepEqual(back, items);
});

test("leaving a stream early leaves the connection well", async () => {
  const client = connect();
  for (let round = 0; round < 40; round++) {
    for await (const item of client.stream("demo.count", [1000])) if (item === 3) break;
  }
  assert.equal(await client.call("sum", [1, 2]), 3);
});

test("errors bring their details", async () => {
  const params = { code: "aborted", reason: "acme.x", details: { limit: 3 }, retry_after_ms: 5 };
  await assert.rejects(connect().call("demo.fail", params), {
    code: "aborted",
    reason: "acme.x",
    retryAfterMs: 5,
    data: { code: "aborted", reason: "acme.x", retryable: false, retry_after_ms: 5, executed: "unknown", details: { limit: 3 } },
  });
});

test("two replicas converge, with emoji, odd line ends and control characters", async () => {
  const [a, b] = await Promise.all([open("converge"), open("converge")]);
  type(a, 0, "😀\r\n\u2028\u0000 end");
  type(b, 0, "b ");
  await agree(a, b);
  const rng = new Rng(seed);
  for (let step = 0; step < 200; step++) {
    const replica = rng.pick([a, b]);
    const { value } = replica;
    let at = rng.below(value.length + 1);
    if (splitsPair(value, at)) at--;
    let to = rng.chance(0.3) ? at + rng.below(value.length - at + 1) : at;
    if (splitsPair(value, to)) to--;
    replica.edit(replaceText(value, at, to, rng.text(6)));
    if (rng.chance(0.1)) replica.undo();
    if (rng.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, rng.below(4)));
  }
  const final = await agree(a, b);
  assert.equal((await open("converge")).value, final);
});

test("presence is seen, follows edits, and ends with its owner", async () => {
  const [a, b] = await Promise.all([open("presence"), open("presence")]);
  type(a, 0, "hello");
  const selections = [{ anchor: 2, head: 5 }];
  a.setPresence({ selections, name: "Ann", color: "#123456", status: "active" });
  await until(() => b.participants.size === 1);
  const seen = (): unknown => b.participants.get(a.client)?.state;
  await agree(a, b);
  await until(() => JSON.stringify(seen()).includes('"head":5'));
  assert.deepEqual(seen(), { selections, name: "Ann", color: "#123456", status: "active" });
  type(b, 0, "😀 ");
  assert.deepEqual(b.participants.get(a.client)?.state.selections, [{ anchor: 4, head: 7 }]);
  const late = await open("presence");
  await until(() => late.participants.size === 1);
  a.close();
  await until(() => b.participants.size === 0 && late.participants.size === 0, 1000);
});

test("a client that is killed is gone within a second", async () => {
  let socket: WebSocket | undefined;
  class Remembered extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      socket = this;
    }
  }
  const client = new WeftClient({ url: server.url, wire: wireName(), WebSocket: Remembered as never });
  clients.push(client);
  const a = await client.open(named("killed"), text).ready();
  assert.equal(socket?.protocol, wireUnderTest().subprotocol);
  const b = await open("killed");
  a.setPresence({ selections: [], name: "Ann", color: "#123456", status: "" });
  await until(() => b.participants.size === 1);
  socket?.terminate();
  client.close();
  await until(() => b.participants.size === 0, 1000);
});

test("nothing acknowledged is lost and nothing doubled over kills of the server", async () => {
  const replicas = await Promise.all([open("kills"), open("kills"), open("kills")]);
  const marks: string[] = [];
  const rng = new Rng(seed + 1);
  const write = async (): Promise<void> => {
    for (let step = 0; step < 150; step++) {
      const index = rng.below(replicas.length);
      const replica = replicas[index];
      if (replica === undefined) continue;
      marks.push(`<${index}.${step}>`);
      type(replica, replica.value.length, marks.at(-1) ?? "");
      await new Promise((resolve) => setTimeout(resolve, rng.below(20)));
    }
  };
  const writing = write();
  for (let kill = 0; kill < 3; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 200 + rng.below(200)));
    await server.kill();
    await server.restart();
  }
  await writing;
  const final = await agree(...replicas);
  assert.deepEqual([...(final.match(/<\d\.\d+>/g) ?? [])].sort(), [...marks].sort());
  assert.equal(final.length, marks.join("").length);
});

test("a document stays as it was over a restart, and so does one's own numbering", async () => {
  const a = await open("restart");
  type(a, 0, "one");
  await a.synced();
  await server.kill();
  type(a, 3, " two");
  await server.restart();
  await a.synced();
  assert.equal((await open("restart")).value, "one two");
});

test("no call fails over a drain and a restart, and nobody counts it as a failure", async () => {
  const client = connect();
  const replica = await client.open(named("drained"), text).ready();
  const tries: number[] = [];
  client.on("status", (status) => status.kind === "waiting" && tries.push(status.tries));
  const slow = client.call("demo.sleep", [600]);
  let calling = true;
  let count = 0;
  const calls = (async () => {
    for (; calling; count++) {
      assert.deepEqual(await client.call("demo.echo", [count]), [count]);
      type(replica, replica.value.length, "x");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.drain();
  await server.restart();
  assert.equal(await slow, null);
  client.retryNow();
  await until(() => client.status.kind === "open", 10_000);
  calling = false;
  await calls;
  await replica.synced();
  assert.equal(replica.value, "x".repeat(count));
  assert.equal(tries[0], 0);
});
