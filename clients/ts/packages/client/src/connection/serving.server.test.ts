// SPDX-License-Identifier: Apache-2.0
/** One client answers another's calls through the real server (docs/protocol/rpc.md, section 10). */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { WeftClient } from "../client.js";
import { WeftError } from "../errors.js";
import { test, wireName } from "../testing/over-wires.js";
import { RealServer, until } from "../testing/real-server.js";

let server: RealServer;
before(async () => {
  server = await RealServer.start();
});
after(() => server.stop());

function pair(): { worker: WeftClient; caller: WeftClient; close(): void } {
  const [worker, caller] = [0, 1].map(() => new WeftClient({ url: server.url, wire: wireName() })) as [WeftClient, WeftClient];
  return {
    worker,
    caller,
    close() {
      worker.close();
      caller.close();
    },
  };
}

test("a call through the server is answered by another client, errors and deadline with it", async () => {
  const { worker, caller, close } = pair();
  worker.serve("jobs.add", (params) => (params as number[]).reduce((a, b) => a + b, 0));
  worker.serve("jobs.left", (_, call) => call.timeLeftMs);
  worker.serve("jobs.fail", () => {
    throw new WeftError("failed_precondition", "not now", { reason: "acme.closed", executed: "no" });
  });
  await worker.call("rpc.provide", { methods: ["jobs.add", "jobs.left", "jobs.fail"] });
  assert.equal(await caller.call("jobs.add", [1, 2, 3]), 6);
  const left = (await caller.call("jobs.left", undefined, { timeoutMs: 5000 })) as number;
  assert.ok(left > 0 && left <= 5000, String(left));
  await assert.rejects(caller.call("jobs.fail"), { code: "failed_precondition", reason: "acme.closed", executed: "no" });
  const many = Array.from({ length: 500 }, (_, n) => caller.call("jobs.add", [n, 1]));
  assert.deepEqual(await Promise.all(many), Array.from({ length: 500 }, (_, n) => n + 1));
  close();
});

test("a cancellation reaches the handler behind the server", async () => {
  const { worker, caller, close } = pair();
  let began = false;
  let stopped = false;
  worker.serve("jobs.long", (_, { signal }) => {
    began = true;
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        stopped = true;
        resolve(null);
      });
    });
  });
  await worker.call("rpc.provide", { methods: ["jobs.long"] });
  const abort = new AbortController();
  const call = caller.call("jobs.long", undefined, { signal: abort.signal });
  await until(() => began);
  abort.abort();
  await assert.rejects(call, { code: "canceled" });
  await until(() => stopped);
  close();
});
