// SPDX-License-Identifier: Apache-2.0
/** Three tabs of one browser over one WebSocket, with the browser's own locks and channels. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, launchBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

const folder = new URL("../../clients/ts/", import.meta.url);
const { build } = createRequire(new URL("package.json", folder))("esbuild");

let server;
let browser;
let context;
let client;
before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  context = await browser.newContext();
  const bundled = await build({
    absWorkingDir: fileURLToPath(folder),
    stdin: {
      contents: 'export { WeftClient } from "@weft/client"; export { text } from "@weft/client/text";',
      resolveDir: fileURLToPath(folder),
    },
    bundle: true,
    format: "iife",
    globalName: "weft",
    platform: "browser",
    write: false,
  });
  client = bundled.outputFiles[0].text;
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A tab with a client that shares; `sockets` counts the WebSockets it opened. */
async function openTab(shared) {
  const page = await context.newPage();
  const tab = { page, sockets: 0 };
  page.on("websocket", () => tab.sockets++);
  await page.goto(`${server.url}/healthz`);
  await page.evaluate(`${client}; globalThis.weft = weft;`);
  await page.evaluate((shared) => {
    globalThis.client = new globalThis.weft.WeftClient({ url: `ws://${location.host}/ws`, shared });
  }, shared);
  assert.equal(await page.evaluate(() => globalThis.client.call("sum", [40, 2])), 42);
  return tab;
}

const counts = (tabs) => tabs.map(({ sockets }) => sockets);

test("three tabs use one WebSocket, and go on when the leading one is closed", async () => {
  const tabs = [await openTab("a"), await openTab("a"), await openTab("a")];
  assert.deepEqual(counts(tabs), [1, 0, 0]);
  const [first, ...others] = tabs;
  const items = others.map(({ page }) =>
    page.evaluate(async () => {
      const got = [];
      for await (const item of globalThis.client.stream("demo.count", [500])) got.push(item);
      return got.length;
    }),
  );
  assert.deepEqual(await Promise.all(items), [500, 500]);
  await first.page.close();
  for (const { page } of others) {
    await eventually(async () => {
      const sum = page.evaluate(() => globalThis.client.call("sum", [1, 2], { timeoutMs: 2000 }));
      assert.equal(await sum, 3);
    });
  }
  assert.deepEqual(counts(others).sort(), [0, 1]);
  for (const { page } of others) await page.close();
});

test("tabs of another name have a WebSocket of their own", async () => {
  const tabs = [await openTab("b"), await openTab("c")];
  assert.deepEqual(counts(tabs), [1, 1]);
  for (const { page } of tabs) await page.close();
});

test("a document in two tabs is the same while one of them crashes", async () => {
  const tabs = [await openTab("d"), await openTab("d"), await openTab("d")];
  for (const { page } of tabs) {
    await page.evaluate(async () => {
      globalThis.replica = globalThis.client.open("tabs", globalThis.weft.text);
      await globalThis.replica.ready();
    });
  }
  for (const { page } of tabs) await page.evaluate(() => globalThis.replica.edit(["x"]));
  const value = ({ page }) => page.evaluate(() => globalThis.replica.value);
  for (const tab of tabs) await eventually(async () => assert.equal(await value(tab), "xxx"));
  const [first, second, third] = tabs;
  await first.page.goto("chrome://crash").catch(() => {});
  await second.page.evaluate(() => globalThis.replica.edit(["y"]));
  for (const tab of [second, third]) await eventually(async () => assert.equal(await value(tab), "yxxx"), 20_000);
});
