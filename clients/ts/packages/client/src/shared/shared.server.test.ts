// SPDX-License-Identifier: Apache-2.0
/** Tabs that share one connection to the real server: counted calls and items while tabs come and are killed. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WeftClient } from "../client.js";
import { WeftError } from "../errors.js";
import { FakeBrowser } from "../testing/fake-tabs.js";
import type { FakeTab } from "../testing/fake-tabs.js";
import { RealServer, until } from "../testing/real-server.js";
import { Rng } from "../testing/random.js";
import { text } from "../text/index.js";

let server: RealServer;

before(async () => {
  server = await RealServer.start();
});

after(async () => {
  await server.stop();
});

interface TestTab {
  readonly tab: FakeTab;
  readonly client: WeftClient;
}

function open(browser: FakeBrowser, name: string): TestTab {
  const tab = browser.open();
  return { tab, client: new WeftClient({ url: server.url, shared: name, tabs: tab, random: () => 0.01 }) };
}

/** A number of /metrics, over all workers. */
async function metric(name: string): Promise<number> {
  const page = await (await fetch(server.url.replace("ws:", "http:").replace("/ws", "/metrics"))).text();
  const lines = page.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  assert.ok(lines.length > 0, name);
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** A killed tab's socket is closed by its browser. */
function kill({ tab, client }: TestTab): void {
  tab.kill();
  client.close();
}

test("many tabs are one WebSocket to the server", async () => {
  const browser = new FakeBrowser();
  const before = await metric("weft_websockets_total");
  const tabs = Array.from({ length: 5 }, () => open(browser, "one"));
  try {
    const sums = await Promise.all(tabs.map(({ client }, i) => client.call("sum", [i, 1])));
    assert.deepEqual(sums, [1, 2, 3, 4, 5]);
    assert.equal((await metric("weft_websockets_total")) - before, 1);
  } finally {
    for (const { client } of tabs) client.close();
  }
});

test("a document open in several tabs is the same in all, also when the leading one is killed", async () => {
  const browser = new FakeBrowser();
  const tabs = Array.from({ length: 3 }, () => open(browser, "doc"));
  try {
    const replicas = tabs.map(({ client }) => client.open("shared-tabs", text));
    await Promise.all(replicas.map((replica) => replica.ready()));
    const [a, b, c] = replicas;
    const [first] = tabs;
    assert.ok(a && b && c && first);
    for (const [i, replica] of replicas.entries()) replica.edit([`${i}`]);
    await until(() => replicas.every(({ value }) => value.length === 3 && value === a.value));
    kill(first);
    b.edit(["b"]);
    c.edit(["c"]);
    await until(() => [b, c].every(({ value }) => value.length === 5 && value === b.value), 20_000);
  } finally {
    for (const { client } of tabs) client.close();
  }
});

test("nothing is lost, doubled or without an end while tabs come and are killed", async () => {
  const seed = Number(process.env["WEFT_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const random = new Rng(seed).next;
  const browser = new FakeBrowser();
  const tabs: TestTab[] = [open(browser, "many")];
  const pick = (): TestTab => tabs[Math.floor(random() * tabs.length)] as TestTab;
  const running: Promise<void>[] = [];
  let answered = 0;
  let lost = 0;
  const settle = (error: unknown): void => {
    assert.ok(error instanceof WeftError && ["unavailable", "canceled"].includes(error.code), String(error));
    lost++;
  };
  const call = async ({ client }: TestTab, i: number): Promise<void> => {
    assert.equal(await client.call("sum", [i, 1]), i + 1);
    answered++;
  };
  const stream = async ({ client }: TestTab, n: number): Promise<void> => {
    let last = 0;
    for await (const item of client.stream("demo.count", [n])) assert.equal(item, ++last);
    assert.equal(last, n);
    answered++;
  };
  try {
    for (let i = 0; i < 400; i++) {
      const what = random();
      if (what < 0.03 && tabs.length > 1) kill(tabs.splice(Math.floor(random() * tabs.length), 1)[0] as TestTab);
      else if (what < 0.07 && tabs.length < 5) tabs.push(open(browser, "many"));
      else if (what < 0.25) running.push(stream(pick(), 1 + Math.floor(random() * 100)).catch(settle));
      else running.push(call(pick(), i).catch(settle));
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 10));
    }
    await Promise.all(running);
    assert.equal(answered + lost, running.length);
    assert.ok(answered > running.length / 2, `${answered} of ${running.length}`);
  } finally {
    for (const { client } of tabs) client.close();
  }
});
