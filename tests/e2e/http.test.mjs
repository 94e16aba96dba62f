// SPDX-License-Identifier: Apache-2.0
/** Calls over HTTP from a page: fetch, and the browser's own EventSource. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";

let server;
let browser;
let page;
before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  page = await (await browser.newContext()).newPage();
  await page.goto(server.url);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a page calls with fetch", async () => {
  const answers = await page.evaluate(async () => {
    const post = async (path, body) => {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      return [answer.status, await answer.json()];
    };
    return [
      await post("/rpc/subtract", [42, 23]),
      await post("/rpc/demo.fail", { code: "aborted", message: "so" }),
      await post("/rpc", { jsonrpc: "2.0", id: 1, method: "subtract", params: [42, 23] }),
    ];
  });
  assert.deepEqual(answers[0], [200, 19]);
  assert.equal(answers[1][0], 409);
  assert.equal(answers[1][1].message, "so");
  assert.deepEqual(answers[2], [200, { jsonrpc: "2.0", id: 1, result: 19 }]);
});

test("an EventSource gets the items in order and the end", async () => {
  const events = await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const items = [];
        const source = new EventSource("/sse/demo.count?params=" + encodeURIComponent("[1000]"));
        source.addEventListener("item", (event) => items.push(JSON.parse(event.data)));
        source.addEventListener("end", (event) => {
          source.close();
          resolve({ items, end: JSON.parse(event.data), id: event.lastEventId });
        });
        source.onerror = () => reject(new Error("the stream broke"));
      }),
  );
  assert.deepEqual(
    events.items,
    Array.from({ length: 1000 }, (_, i) => i + 1),
  );
  assert.equal(events.end, 1000);
  assert.equal(events.id, "1001");
});

test("an EventSource that is left open does not call again", async () => {
  const opened = await page.evaluate(
    () =>
      new Promise((resolve) => {
        let count = 0;
        const source = new EventSource("/sse/demo.count?params=" + encodeURIComponent("[1]"));
        source.onopen = () => count++;
        source.onerror = () => {
          if (source.readyState === EventSource.CLOSED) resolve(count);
        };
      }),
  );
  assert.equal(opened, 1);
});
