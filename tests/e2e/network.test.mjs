// SPDX-License-Identifier: Apache-2.0
/** One of two people has a bad network, which is a TCP proxy of this test's. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { agreement, eventually, launchBrowser, Person } from "./lib/browser.mjs";
import { startProxy } from "./lib/proxy.mjs";
import { startServer } from "./lib/server.mjs";

let server;
let browser;
let proxy;
before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  proxy = await startProxy(() => server.port);
});
after(async () => {
  await browser?.close();
  proxy?.close();
  await server?.stop();
});

const pair = async (doc) => [
  await Person.open(browser, proxy.url, doc, "Ann"),
  await Person.open(browser, server.url, doc, "Ben"),
];

test("edits made while the network is cut arrive when it is back", async () => {
  const [ann, ben] = await pair("cut");
  await ann.type("before ");
  await agreement(server, "cut", [ann, ben]);
  proxy.refuse(true);
  proxy.cut();
  await ann.offline();
  await eventually(async () => assert.deepEqual(await ben.others(), []), 1000);
  await ann.type("offline ");
  await ben.toStart();
  await ben.type("meanwhile ");
  assert.notEqual(await ann.page.getAttribute("#status", "data-pending"), "0");
  proxy.refuse(false);
  assert.equal(await agreement(server, "cut", [ann, ben]), "meanwhile before offline ");
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann"]));
  await Promise.all([ann.close(), ben.close()]);
});

test("cuts in mid-typing lose nothing and double nothing", async () => {
  const [ann, ben] = await pair("cuts");
  await ben.toEnd();
  const marks = Array.from({ length: 40 }, (_, i) => `<${i}>`).join("");
  const cutting = setInterval(() => proxy.cut(), 350);
  await Promise.all([ann.type(marks, 15), ben.type("abcdefghijklmnopqrstuvwxyz", 80)]);
  clearInterval(cutting);
  const text = await agreement(server, "cuts", [ann, ben], 20_000);
  assert.equal(text.replace(/[a-z]/g, ""), marks);
  assert.equal(text.replace(/[^a-z]/g, ""), "abcdefghijklmnopqrstuvwxyz");
  await Promise.all([ann.close(), ben.close()]);
});

test("a network that falls silent is noticed on both sides within 12 seconds", async () => {
  const [ann, ben] = await pair("silent");
  await ann.type("heard ");
  await agreement(server, "silent", [ann, ben]);
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann"]));
  proxy.silence(true);
  await ann.type("unheard ");
  const noticed = ann.offline(12_000);
  await eventually(async () => assert.deepEqual(await ben.others(), []), 12_000);
  await noticed;
  proxy.silence(false);
  assert.equal(await agreement(server, "silent", [ann, ben], 25_000), "heard unheard ");
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann"]));
  await Promise.all([ann.close(), ben.close()]);
});
