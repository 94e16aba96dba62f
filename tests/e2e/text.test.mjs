// SPDX-License-Identifier: Apache-2.0
/** Text that editors and protocols like to disagree about. */
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

/** What the server has, waiting until it is as expected. */
const stored = (doc, expected) =>
  eventually(async () => assert.equal((await server.cat(doc)).replace(/\n$/, ""), expected));

test("emoji do not shift positions, whoever types where", async () => {
  const [ann, ben] = await pair("emoji");
  await ann.page.keyboard.insertText("😀👩‍👧‍👦é𝒳 end");
  await agreement(server, "emoji", [ann, ben]);
  await ben.toEnd();
  await ben.type("!");
  await ann.toStart();
  await ann.page.keyboard.insertText("🏽");
  await ben.page.keyboard.press("Control+Home");
  await agreement(server, "emoji", [ann, ben]);
  await ben.toEnd();
  await ben.page.keyboard.press("Backspace");
  await ben.type("?");
  assert.equal(await agreement(server, "emoji", [ann, ben]), "🏽😀👩‍👧‍👦é𝒳 end?");
  await Promise.all([ann.close(), ben.close()]);
});

test("an emoji exchanged for its neighbour in the table arrives whole", async () => {
  const [ann, ben] = await pair("exchange");
  await ann.page.keyboard.insertText("a😀b");
  await ann.page.keyboard.press("ArrowLeft");
  await ann.page.keyboard.press("Shift+ArrowLeft");
  await ann.page.keyboard.insertText("😁");
  assert.equal(await agreement(server, "exchange", [ann, ben]), "a😁b");
  await Promise.all([ann.close(), ben.close()]);
});

test("pasted line ends become line feeds, and positions behind them stay right", async () => {
  const [ann, ben] = await pair("lines");
  await ann.paste("one\r\ntwo\rthree\n");
  await ann.type("X");
  await stored("lines", "one\ntwo\nthree\nX");
  await ben.toEnd();
  await ben.type("Y");
  await stored("lines", "one\ntwo\nthree\nXY");
  await agreement(server, "lines", [ann, ben]);
  await Promise.all([ann.close(), ben.close()]);
});

test("U+2028 and a pasted lone surrogate neither shift nor block anything", async () => {
  const [ann, ben] = await pair("odd");
  await ann.paste("a\u2028b\ud83dc\udc00");
  await ann.type("X");
  await stored("odd", "a\u2028b\ufffdc\ufffdX");
  await ben.toEnd();
  await ben.type("Y");
  await stored("odd", "a\u2028b\ufffdc\ufffdXY");
  await ann.type("Z");
  await ann.page.keyboard.press("Control+Home");
  await ann.type("W");
  await eventually(async () => {
    const text = (await server.cat("odd")).replace(/\n$/, "");
    assert.match(text, /^Wa\u2028b\ufffdc\ufffdX(YZ|ZY)$/);
  });
  await ann.connected();
  await Promise.all([ann.close(), ben.close()]);
});

test("an input method composes undisturbed while somebody else edits the same line", async () => {
  const [ann, ben] = await pair("ime");
  await ann.type("start ");
  await agreement(server, "ime", [ann, ben]);
  const devtools = await ann.context.newCDPSession(ann.page);
  const compose = (text) =>
    devtools.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
  await ann.toEnd();
  await compose("k");
  await compose("か");
  await ben.toStart();
  await ben.type("Ben: ");
  await ben.connected();
  await compose("かn");
  await compose("かん");
  await ben.toEnd();
  await ben.type(" end");
  await ben.connected();
  await compose("漢字");
  await devtools.send("Input.insertText", { text: "漢字" });
  const text = await agreement(server, "ime", [ann, ben]);
  assert.equal(text, "Ben: start 漢字 end");
  await ann.toEnd();
  await ann.type(".");
  assert.equal(await agreement(server, "ime", [ann, ben]), `${text}.`);
  await Promise.all([ann.close(), ben.close()]);
});
