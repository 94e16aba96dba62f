// SPDX-License-Identifier: Apache-2.0
/** Signing in: greetings with tokens, renewing them, refusals. */
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import type { ClientOptions } from "../options.js";
import { FakeClock, settle } from "../testing/fake-clock.js";
import type { ScriptedLink } from "../testing/scripted.js";
import { ScriptedNetwork } from "../testing/scripted.js";
import { test } from "../testing/over-wires.js";

function world(token: ClientOptions["token"]) {
  const clock = new FakeClock();
  const network = new ScriptedNetwork();
  const client = new WeftClient({ url: "", transport: network.transport, clock, random: () => 0, ...(token !== undefined && { token }) });
  return { clock, network, client };
}

const tokenOf = (link: ScriptedLink, method = "$/hello"): unknown =>
  (link.last(method)?.["params"] as { token?: unknown } | undefined)?.token;

function welcome(link: ScriptedLink): void {
  link.say({ id: 0, result: { session: "s", v: 1, ping_ms: 25_000, limits: {}, auth: { sub: "ann" } } });
}

const refusal = { code: -32016, message: "no", data: { code: "unauthenticated", reason: "weft.auth.refused" } };

test("a greeting without a token says nothing of it", () => {
  const w = world(undefined);
  w.network.link.open();
  assert.equal("token" in (w.network.link.last("$/hello")?.["params"] as object), false);
  w.client.close();
});

test("a greeting carries the token, and the status tells who we are", () => {
  const w = world("secret");
  w.network.link.open();
  assert.equal(tokenOf(w.network.link), "secret");
  welcome(w.network.link);
  assert.equal(w.client.status.kind === "open" && w.client.status.info.subject, "ann");
  w.client.close();
});

test("a function is asked for each connection, and may take its time", async () => {
  let asked = 0;
  const w = world(() => Promise.resolve(`t${++asked}`));
  assert.equal(w.network.links.length, 0);
  await settle();
  w.network.link.open();
  assert.equal(tokenOf(w.network.link), "t1");
  welcome(w.network.link);
  w.network.link.handlers.onClose(1006, "");
  await w.clock.advance(5000);
  await settle();
  w.network.link.open();
  assert.equal(tokenOf(w.network.link), "t2");
  w.client.close();
});

test("a token that is about to end is renewed on the connection", async () => {
  let asked = 0;
  const w = world(() => `t${++asked}`);
  w.network.link.open();
  welcome(w.network.link);
  const { link } = w.network;
  link.say({ method: "$/auth.expiring", params: { in_ms: 60_000 } });
  await settle();
  assert.equal(tokenOf(link, "$/auth.refresh"), "t2");
  link.say({ id: 0, result: { auth: { sub: "ann" } } });
  assert.equal(w.client.status.kind, "open");
  // Also when it is refused: the server ends the connection in its own time.
  link.say({ method: "$/auth.expiring", params: { in_ms: 60_000 } });
  link.say({ id: 0, error: refusal });
  assert.equal(w.client.status.kind, "open");
  assert.equal(w.network.link, link);
  w.client.close();
});

test("a guest has no token to renew", async () => {
  const w = world(undefined);
  w.network.link.open();
  welcome(w.network.link);
  w.network.link.say({ method: "$/auth.expiring", params: { in_ms: 60_000 } });
  await settle();
  assert.equal(w.network.link.last("$/auth.refresh"), undefined);
  w.client.close();
});

test("what fails after the token was got is not the token's fault", async () => {
  const broken = (): never => {
    throw new Error("no such transport");
  };
  const start = (token: () => string | Promise<string>): WeftClient =>
    new WeftClient({ url: "", transport: broken, clock: new FakeClock(), random: () => 0, token });
  assert.throws(() => start(() => "t"), /^Error: no such transport/);
  const client = start(() => Promise.resolve("t"));
  await settle();
  assert.equal(client.status.kind === "waiting" && client.status.error.message, "no such transport");
  client.close();
});

test("a refused token ends a client that was never connected", () => {
  const w = world(() => "wrong");
  w.network.link.open();
  w.network.link.say({ id: 0, error: refusal });
  assert.equal(w.client.status.kind === "closed" && w.client.status.error?.code, "unauthenticated");
});

test("a client that was connected asks for another token and goes on trying", async () => {
  let token = "good";
  const w = world(() => token);
  w.network.link.open();
  welcome(w.network.link);
  token = "ended";
  w.network.link.handlers.onClose(4002, "the token has expired");
  await w.clock.advance(5000);
  w.network.link.open();
  w.network.link.say({ id: 0, error: refusal });
  assert.equal(w.client.status.kind, "waiting");
  token = "new";
  await w.clock.advance(5000);
  w.network.link.open();
  assert.equal(tokenOf(w.network.link), "new");
  welcome(w.network.link);
  assert.equal(w.client.status.kind, "open");
  w.client.close();
});

test("a token that is always the same and refused ends the client", async () => {
  const w = world("good");
  w.network.link.open();
  welcome(w.network.link);
  w.network.link.handlers.onClose(4002, "the token has expired");
  await w.clock.advance(5000);
  w.network.link.open();
  w.network.link.say({ id: 0, error: refusal });
  assert.equal(w.client.status.kind === "closed" && w.client.status.error?.reason, "weft.auth.refused");
});

test("a source that fails is asked again", async () => {
  let asked = 0;
  const w = world(() => {
    if (++asked === 1) throw new Error("offline");
    return asked === 2 ? Promise.reject(new Error("still offline")) : "t";
  });
  assert.equal(w.client.status.kind === "waiting" && w.client.status.error.message, "no token: offline");
  await w.clock.advance(5000);
  await settle();
  assert.equal(w.network.links.length, 1);
  w.network.link.open();
  assert.equal(tokenOf(w.network.link), "t");
  w.client.close();
});

test("a token that comes too late is not used", async () => {
  let give: (token: string) => void = () => {};
  const w = world(() => new Promise<string>((resolve) => (give = resolve)));
  w.client.close();
  give("late");
  await settle();
  assert.equal(w.network.links.length, 0);
  assert.equal(w.client.status.kind, "closed");
});
