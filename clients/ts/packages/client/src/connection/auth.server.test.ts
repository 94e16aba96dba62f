// SPDX-License-Identifier: Apache-2.0
/** Signing in to the real server, whose users are in a file. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WeftClient } from "../client.js";
import type { WebSocketConstructor, WebSocketLike } from "../platform/platform.js";
import type { ConnectionStatus } from "./status.js";
import { RealServer, until } from "../testing/real-server.js";

let server: RealServer;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-tokens-"));
  const digest = (token: string): string => createHash("sha256").update(token).digest("hex");
  const lines = [`${digest("forever")} ann`, `${digest("short")} ann lifetime=2`];
  await writeFile(join(folder, "tokens"), lines.join("\n"));
  server = await RealServer.start(["--tokens", join(folder, "tokens")]);
});

after(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

for (const wire of ["text", "binary"] as const) {
  test(`a token that ends is renewed on the connection, ${wire}`, async () => {
    let asked = 0;
    const statuses: ConnectionStatus["kind"][] = [];
    const client = new WeftClient({
      url: server.url,
      wire,
      token: () => (++asked < 3 ? "short" : "forever"),
    });
    try {
      client.on("status", ({ kind }) => statuses.push(kind));
      assert.equal(await client.call("sum", [1, 2]), 3);
      assert.equal(client.status.kind === "open" && client.status.info.subject, "ann");
      await until(() => asked === 3);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(await client.call("sum", [1, 2]), 3);
      assert.deepEqual(statuses, ["open"]);
    } finally {
      client.close();
    }
  });
}

test("a client whose token ended comes back to its session with another one", async () => {
  let asked = 0;
  const opened: [string, boolean][] = [];
  const client = new WeftClient({
    url: server.url,
    token: () => {
      if (++asked === 2) throw new Error("not now");
      return asked === 1 ? "short" : "forever";
    },
  });
  try {
    client.on("status", (status) => {
      if (status.kind === "open") opened.push([status.info.session, status.info.resumed]);
    });
    assert.equal(await client.call("demo.sleep", [3500]), null);
    const [first, second] = opened;
    assert.deepEqual(opened, [
      [first?.[0], false],
      [first?.[0], true],
    ]);
    assert.notEqual(second, undefined);
    assert.equal(asked, 3);
  } finally {
    client.close();
  }
});

test("without a token, or with a wrong one, there is no connection", async () => {
  for (const token of [undefined, "wrong"]) {
    const client = new WeftClient({ url: server.url, ...(token !== undefined && { token }) });
    await assert.rejects(client.call("sum", [1]), { code: "unauthenticated" });
    assert.equal(client.status.kind, "closed");
  }
});

/** What a WebSocket looks like behind a proxy that knows none. */
const Blocked: WebSocketConstructor = class implements WebSocketLike {
  static attempts = 0;
  readonly bufferedAmount = 0;
  readonly protocol = "";
  binaryType = "blob";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor() {
    setTimeout(() => this.onclose?.({ code: 1006, reason: "blocked" }), 1);
  }
  send(): void {
    throw new Error("not open");
  }
  close(): void {}
};

test("the fallback without a WebSocket signs in, too", async () => {
  const client = new WeftClient({ url: server.url, WebSocket: Blocked, token: "forever" });
  try {
    assert.equal(await client.call("sum", [20, 22]), 42);
  } finally {
    client.close();
  }
});
