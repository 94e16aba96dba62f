// SPDX-License-Identifier: Apache-2.0
/** The client in a real browser over each wire, and without a WebSocket, and two browsers with different wires at one document. */
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
let client;
before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  const bundled = await build({
    absWorkingDir: fileURLToPath(folder),
    stdin: {
      contents: 'export { WeftClient } from "@weft/client"; export { text, replaceText } from "@weft/client/text";',
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

/** A page of the server's origin with nothing but the client in it. */
async function openPage() {
  const page = await browser.newPage();
  const kinds = new Set();
  page.on("websocket", (socket) => {
    for (const event of ["framesent", "framereceived"]) {
      socket.on(event, ({ payload }) => kinds.add(typeof payload === "string" ? "text" : "binary"));
    }
  });
  await page.goto(`${server.url}/healthz`);
  await page.evaluate(`${client}; globalThis.weft = weft;`);
  return { page, kinds };
}

for (const wire of ["text", "binary"]) {
  test(`calls, errors and streams in a browser: ${wire}`, async () => {
    const { page, kinds } = await openPage();
    const got = await page.evaluate(async (wire) => {
      const it = new globalThis.weft.WeftClient({ url: `ws://${location.host}/ws`, wire });
      const echo = await it.call("demo.echo", { x: "é😀" });
      const refused = await it.call("no.such").catch(({ code }) => code);
      const items = [];
      for await (const item of it.stream("demo.count", [200])) items.push(item);
      const total = it.stream("demo.total");
      for (const item of items) await total.send(item);
      total.end();
      const sum = await total.result;
      it.close();
      return { echo, refused, count: items.length, sum };
    }, wire);
    assert.deepEqual(got, { echo: { x: "é😀" }, refused: "unimplemented", count: 200, sum: 20_100 });
    assert.deepEqual([...kinds], [wire]);
    await page.close();
  });
}

test("where no WebSocket gets through, calls, streams and documents go without", async () => {
  const { page, kinds } = await openPage();
  const got = await page.evaluate(async () => {
    const { WeftClient, text, replaceText } = globalThis.weft;
    class Blocked {
      constructor() {
        setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 1);
      }
      close() {}
    }
    const it = new WeftClient({ url: `ws://${location.host}/ws`, WebSocket: Blocked });
    const sum = await it.call("sum", [1, 2, 3]);
    const items = [];
    for await (const item of it.stream("demo.count", [50])) items.push(item);
    const replica = await it.open("without", text).ready();
    replica.edit(replaceText(replica.value, 0, 0, "é😀"));
    await replica.synced();
    it.close();
    return { sum, count: items.length, value: replica.value };
  });
  assert.deepEqual(got, { sum: 6, count: 50, value: "é😀" });
  assert.deepEqual([...kinds], []);
  await page.close();
});

test("a document is edited together over different wires", async () => {
  const pages = await Promise.all(["text", "binary"].map(openPage));
  for (const [index, { page }] of pages.entries()) {
    await page.evaluate(async (index) => {
      const { WeftClient, text, replaceText } = globalThis.weft;
      const it = new WeftClient({ url: `ws://${location.host}/ws`, wire: ["text", "binary"][index] });
      const replica = await it.open("wires", text).ready();
      globalThis.replica = replica;
      replica.edit(replaceText(replica.value, 0, 0, ["één 😀 ", "two\n"][index]));
      await replica.synced();
    }, index);
  }
  await eventually(async () => {
    const values = await Promise.all(pages.map(({ page }) => page.evaluate(() => globalThis.replica.value)));
    assert.deepEqual(values, ["two\néén 😀 ", "two\néén 😀 "]);
  });
  for (const { page } of pages) await page.close();
});
