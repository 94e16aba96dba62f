// SPDX-License-Identifier: Apache-2.0
/** The server dies (kill -9) while two people type, and starts again with the same data. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { agreement, launchBrowser, Person } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("nothing typed around three kills is lost or doubled", async () => {
  const [ann, ben] = await Promise.all(["Ann", "Ben"].map((name) => Person.open(browser, server.url, "crash", name)));
  await ann.toEnd();
  await ben.toEnd();
  const lower = "abcdefghijklmnopqrstuvwxyz".repeat(4);
  const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".repeat(3);
  const typing = Promise.all([ann.type(lower, 50), ben.type(upper, 65)]);
  for (const downMs of [50, 600, 1200]) {
    await sleep(700);
    await server.kill();
    await sleep(downMs);
    await server.restart();
  }
  await typing;
  const text = await agreement(server, "crash", [ann, ben], 25_000);
  assert.equal(text.replace(/[^a-z]/g, ""), lower);
  assert.equal(text.replace(/[^A-Z]/g, ""), upper);
  await Promise.all([ann.close(), ben.close()]);
});
