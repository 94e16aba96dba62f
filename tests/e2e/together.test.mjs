// SPDX-License-Identifier: Apache-2.0
/** Two people in two browser contexts edit one document. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { agreement, eventually, launchBrowser, Person } from "./lib/browser.mjs";
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

const pair = (doc) =>
  Promise.all(["Ann", "Ben"].map((name) => Person.open(browser, server.url, doc, name)));

test("two people type at once and every character arrives once, in each one's order", async () => {
  const [ann, ben] = await pair("both");
  await ann.toEnd();
  await ben.toStart();
  await Promise.all([ann.type("abcdefghijklmnopqrstuvwxyz", 12), ben.type("0123456789ABCDEFGHIJ", 15)]);
  const text = await agreement(server, "both", [ann, ben]);
  assert.equal(text.replace(/[^a-z]/g, ""), "abcdefghijklmnopqrstuvwxyz");
  assert.equal(text.replace(/[^0-9A-Z]/g, ""), "0123456789ABCDEFGHIJ");
  await Promise.all([ann.close(), ben.close()]);
});

test("each sees the other's name in the list and at the cursor", async () => {
  const [ann, ben] = await pair("cursors");
  await ann.type("hello");
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann"]));
  await eventually(async () => assert.deepEqual(await ben.cursors(), ["Ann"]));
  await eventually(async () => assert.deepEqual(await ann.others(), ["Ben"]));
  await ann.page.keyboard.press("Shift+Home");
  await ben.page.waitForSelector(".weft-selection");
  await Promise.all([ann.close(), ben.close()]);
});

test("a person who closes the page is gone within a second", async () => {
  const [ann, ben] = await pair("leaving");
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann"]));
  await ann.close();
  await eventually(async () => assert.deepEqual(await ben.others(), []), 1000);
  await ben.close();
});

test("undo takes back one's own edits only, by key and by button", async () => {
  const [ann, ben] = await pair("undo");
  await ann.type("one two");
  await agreement(server, "undo", [ann, ben]);
  await ben.toEnd();
  await ben.type(" three");
  assert.equal(await agreement(server, "undo", [ann, ben]), "one two three");
  await ann.page.keyboard.press("Control+z");
  assert.equal(await agreement(server, "undo", [ann, ben]), " three");
  await ann.page.keyboard.press("Control+y");
  assert.equal(await agreement(server, "undo", [ann, ben]), "one two three");
  await ben.page.click('[aria-label="Undo your last edit"]');
  assert.equal(await agreement(server, "undo", [ann, ben]), "one two");
  await ann.page.keyboard.press("Control+z");
  await ann.page.keyboard.press("Control+z");
  assert.equal(await agreement(server, "undo", [ann, ben]), "");
  await ben.page.click('[aria-label="Redo"]');
  assert.equal(await agreement(server, "undo", [ann, ben]), " three");
  await Promise.all([ann.close(), ben.close()]);
});

test("a change of name is seen by the others and kept for the next visit", async () => {
  const [ann, ben] = await pair("names");
  await ann.page.click(".people-button");
  await ann.page.fill("#own-name", "Ann of the Hill");
  await eventually(async () => assert.deepEqual(await ben.others(), ["Ann of the Hill"]));
  assert.equal(await ann.page.evaluate(() => localStorage.getItem("weft.name")), "Ann of the Hill");
  await Promise.all([ann.close(), ben.close()]);
});
