// SPDX-License-Identifier: Apache-2.0
/** The page itself: welcome, colours, keyboard, narrow screens, content security policy. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, launchBrowser, Person } from "./lib/browser.mjs";
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

test("without a document the page asks for a name and opens it", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const person = new Person(context, page, "newcomer");
  await page.goto(server.url);
  await page.fill("#doc-name", "   ");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#doc-problem").textContent !== "");
  await page.fill("#doc-name", " my notes/été ");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".cm-content");
  assert.equal(await page.textContent("#title"), "my notes/été");
  await page.goto(server.url);
  assert.equal(await page.textContent(".recent a"), "my notes/été");
  await person.close();
});

test("colours follow the system until a choice is made, which is kept", async () => {
  const person = await Person.open(browser, server.url, "theme", "Ann", { colorScheme: "dark" });
  const ground = () => person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await person.page.click('[aria-label="Light colours"]');
  const light = await ground();
  assert.notEqual(light, dark);
  await person.page.reload();
  await person.page.waitForSelector(".cm-content");
  assert.equal(await ground(), light);
  await person.close();
});

test("the status line counts characters and unsent edits", async () => {
  const person = await Person.open(browser, server.url, "count", "Ann");
  await person.page.keyboard.insertText("a😀b");
  await eventually(async () => assert.equal(await person.page.textContent("#count"), "3 characters"));
  assert.match(await person.page.textContent("#status"), /Connected/);
  await person.close();
});

test("everything can be reached with the keyboard, and a narrow screen needs no sideways scrolling", async () => {
  const person = await Person.open(browser, server.url, "narrow", "Ann", { viewport: { width: 360, height: 640 } });
  await person.page.keyboard.insertText("word ".repeat(60));
  const overflow = await person.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(overflow <= 0, true);
  await person.page.evaluate(() => document.querySelector(".brand").focus());
  const reached = [];
  for (let i = 0; i < 8; i++) {
    await person.page.keyboard.press("Tab");
    reached.push(await person.page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? ""));
  }
  for (const label of [/^People/, /^Copy/, /colours$/, /^Text of narrow/]) {
    assert.equal(reached.some((name) => label.test(name)), true, `${label} in ${reached.join(", ")}`);
  }
  await person.close();
});

test("the policy forbids inline code and foreign hosts, and the page keeps to it", async () => {
  const answer = await fetch(server.url, { redirect: "error" });
  const policy = answer.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
  assert.doesNotMatch(await answer.text(), /__WEFT_NONCE__/);
  const person = await Person.open(browser, server.url, "policy", "Ann");
  const foreign = [];
  person.page.on("request", (request) => {
    if (!request.url().startsWith(server.url)) foreign.push(request.url());
  });
  await person.page.reload();
  await person.page.waitForSelector(".cm-content");
  assert.deepEqual(foreign, []);
  await person.close(); // Violations of the policy are console errors, which fail here.
});
