// SPDX-License-Identifier: Apache-2.0
/** Headless Chromium, and people who use the page in browser contexts of their own. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(new URL("../../../clients/ts/package.json", import.meta.url));
const { chromium } = require("playwright-core");

/** Starts a browser with a fresh profile. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.WEFT_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Waits until a check passes; fails with its last error. */
export async function eventually(check, withinMs = 10_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(25);
    }
  }
}

/** One person's page, in a context of its own. */
export class Person {
  constructor(context, page, name) {
    this.context = context;
    this.page = page;
    this.name = name;
    this.problems = [];
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("console", (message) => {
      // A refused connection is what these tests are about; anything else is a fault of the page.
      const expected = /WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE/.test(message.text());
      if (message.type() === "error" && !expected) this.problems.push(message.text());
    });
  }

  /** Opens a document as a person with a name. */
  static async open(browser, url, doc, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options });
    await context.addInitScript((own) => localStorage.setItem("weft.name", own), name);
    const page = await context.newPage();
    const person = new Person(context, page, name);
    await page.goto(`${url}/?doc=${encodeURIComponent(doc)}`);
    await page.waitForSelector(".cm-content");
    await person.connected();
    return person;
  }

  /** Waits until the page says that it is connected and everything is saved. */
  async connected(withinMs = 20_000) {
    await this.page.waitForSelector('#status[data-connection="open"][data-kind="good"][data-pending="0"]', {
      timeout: withinMs,
    });
  }

  /** Waits until the page says that it is offline. */
  async offline(withinMs = 20_000) {
    await this.page.waitForSelector('#status[data-kind="bad"]', { timeout: withinMs });
  }

  /** The text in the editor, as it is shown: the lines joined by line feeds. */
  text() {
    return this.page.evaluate(() => {
      const lines = [...document.querySelectorAll(".cm-content > .cm-line")];
      return lines
        .map((line) => (line.querySelector(".cm-placeholder") ? "" : line.textContent))
        .join("\n");
    });
  }

  /** Puts the cursor at the end of the document. */
  async toEnd() {
    await this.page.focus(".cm-content");
    await this.page.keyboard.press("Control+End");
  }

  /** Puts the cursor at the start of the document. */
  async toStart() {
    await this.page.focus(".cm-content");
    await this.page.keyboard.press("Control+Home");
  }

  /** Types key by key. */
  type(text, delay = 0) {
    return this.page.keyboard.type(text, { delay });
  }

  /** Pastes text, as the browser would deliver it. */
  paste(text) {
    return this.page.evaluate((content) => {
      const data = new DataTransfer();
      data.setData("text/plain", content);
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      document.querySelector(".cm-content").dispatchEvent(event);
    }, text);
  }

  /** Names of the others, as the page lists them. */
  others() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll(".people-list [data-client] .person-name")].map((item) => item.textContent),
    );
  }

  /** Names beside the others' cursors in the text. */
  cursors() {
    return this.page.evaluate(() => [...document.querySelectorAll(".weft-caret-name")].map((item) => item.textContent));
  }

  async close() {
    assert.deepEqual(this.problems, [], `${this.name}'s page reported problems`);
    await this.context.close();
  }
}

/** Waits until all pages and `weft doc cat` show the same text, and returns it. */
export async function agreement(server, doc, people, withinMs = 15_000) {
  for (const person of people) await person.connected(withinMs);
  return eventually(async () => {
    const texts = await Promise.all(people.map((person) => person.text()));
    for (const text of texts) assert.equal(text, texts[0]);
    const stored = await server.cat(doc);
    assert.equal(stored.replace(/\n$/, ""), texts[0].replace(/\n$/, ""));
    return texts[0];
  }, withinMs);
}
