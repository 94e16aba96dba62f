// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import { WeftError, type WeftErrorCode } from "../errors.js";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeServer } from "../testing/fake-server.js";
import { Rng } from "../testing/random.js";
import { test } from "../testing/over-wires.js";
import { text, type TextOp } from "../text/index.js";
import type { Replica } from "./replica.js";

interface World {
  clock: FakeClock;
  server: FakeServer;
  a: Replica<string, TextOp>;
  b: Replica<string, TextOp>;
}

async function world(): Promise<World> {
  const clock = new FakeClock();
  const rng = new Rng(7);
  const server = new FakeServer(clock, rng.next);
  const open = (): Replica<string, TextOp> =>
    new WeftClient({ url: "", transport: server.network.transport, clock, random: rng.next }).open("d", text);
  const [a, b] = [open(), open()];
  await clock.advance(1000);
  return { clock, server, a, b };
}

const me = (name: string, head: number) => ({
  selections: [{ anchor: head, head }],
  name,
  color: "#112233",
  status: "active",
});
const headOf = (replica: Replica<string, TextOp>): number | undefined =>
  [...replica.participants.values()][0]?.state.selections[0]?.head;

test("edits before the first opening are refused", async () => {
  const clock = new FakeClock();
  const server = new FakeServer(clock, Math.random);
  server.network.up = false;
  const client = new WeftClient({ url: "", transport: server.network.transport, clock });
  const replica = client.open("d", text);
  assert.throws(() => replica.edit(["x"]), { code: "failed_precondition" });
  client.close();
  await assert.rejects(replica.ready(), { code: "canceled" });
});

test("malformed local edits change nothing", async () => {
  const { a } = await world();
  assert.throws(() => a.edit(["\ud800"]), { code: "invalid_argument" });
  assert.throws(() => a.edit([3, "x"]), { code: "out_of_range" });
  assert.equal(a.value, "");
  assert.equal(a.pendingEdits, 0);
});

test("undo takes back one's own edits only, and redo brings them again", async () => {
  const { clock, a, b } = await world();
  a.edit(["hello"]);
  await clock.advance(1000);
  b.edit([5, " world"]);
  await clock.advance(1000);
  b.edit([1, "E", { d: 1 }]);
  await clock.advance(1000);
  assert.equal(a.value, "hEllo world");
  assert.equal(a.undo(), true);
  await clock.advance(1000);
  assert.equal(b.value, "E world");
  assert.equal(a.undo(), false);
  assert.equal(a.redo(), true);
  await clock.advance(1000);
  assert.equal(b.value.replace("E", ""), "hllo world");
  assert.equal(a.value, b.value);
});

test("edits that follow closely are one step, a pause begins the next", async () => {
  const { clock, a } = await world();
  a.edit(["a"]);
  a.edit([1, "b"]);
  await clock.advance(600);
  a.edit([2, "c"]);
  a.splitUndo();
  a.edit([3, "d"]);
  a.undo();
  assert.equal(a.value, "abc");
  a.undo();
  assert.equal(a.value, "ab");
  a.undo();
  assert.equal(a.value, "");
  a.redo();
  assert.equal(a.value, "ab");
  a.edit(["x"]);
  assert.equal(a.canRedo, false);
});

test("a refused operation is taken back, later edits stay, and the application gets it", async () => {
  const { clock, server, a, b } = await world();
  const refused: unknown[] = [];
  a.on("refused", ({ op, error }) => refused.push([op, error.code]));
  server.refuse = ({ op }) => (JSON.stringify(op).includes("bad") ? new WeftError("permission_denied", "no") : null);
  a.edit(["bad"]);
  a.edit(["good "]);
  b.edit(["other "]);
  await clock.advance(2000);
  assert.deepEqual(refused, [[["bad"], "permission_denied"]]);
  assert.equal(a.value, b.value);
  assert.equal(a.value.includes("bad"), false);
  assert.equal(a.value.includes("good ") && a.value.includes("other "), true);
  assert.equal(a.pendingEdits, 0);
});

test("an operation the server cannot take now is sent again", async () => {
  const { clock, server, a, b } = await world();
  let failures = 3;
  server.refuse = () => (failures-- > 0 ? new WeftError("unavailable", "later", { executed: "no" }) : null);
  a.edit(["x"]);
  await clock.advance(5000);
  assert.equal(b.value, "x");
});

test("an operation the server always finds out of order counts as refused in the end", async () => {
  const { clock, server, a } = await world();
  let refused = 0;
  a.on("refused", () => refused++);
  server.refuse = () => new WeftError("failed_precondition", "never");
  a.edit(["x"]);
  await clock.advance(60_000);
  assert.equal(refused, 1);
  assert.equal(a.value, "");
});

/** Refuses the first submits, each with an error of its own; returns what the application gets back. */
function refusing(server: FakeServer, a: Replica<string, TextOp>, errors: WeftError[]): unknown[] {
  const refused: unknown[] = [];
  a.on("refused", ({ op, error }) => refused.push([op, error.reason]));
  server.refuse = () => errors.shift() ?? null;
  return refused;
}

const because = (code: WeftErrorCode, reason: string): WeftError =>
  new WeftError(code, "refused", { reason: `weft.doc.${reason}`, executed: "no" });

const curedByOpening: [WeftErrorCode, string][] = [
  ["aborted", "fenced"],
  ["aborted", "closed"],
  ["failed_precondition", "closed"],
  ["aborted", "too_far_behind"],
  ["unavailable", "not_committed"],
];
for (const [code, reason] of curedByOpening) {
  test(`${code} ${reason}: the document is opened again and the operation sent again, however often`, async () => {
    const { clock, server, a, b } = await world();
    const refused = refusing(server, a, Array.from({ length: 10 }, () => because(code, reason)));
    const opened = server.calls.filter(({ method }) => method === "doc.open").length;
    a.edit(["x"]);
    await clock.advance(120_000);
    assert.deepEqual(refused, []);
    assert.equal(b.value, "x");
    assert.equal(server.calls.filter(({ method }) => method === "doc.open").length, opened + 10);
  });
}

const refusedAtOnce: [WeftErrorCode, string][] = [
  ["out_of_range", "too_large"],
  ["out_of_range", "version_unknown"],
  ["out_of_range", "op_invalid"],
  ["invalid_argument", "op_invalid"],
];
for (const [code, reason] of refusedAtOnce) {
  test(`${code} ${reason}: the application gets the operation back, later edits arrive`, async () => {
    const { clock, server, a, b } = await world();
    const refused = refusing(server, a, [because(code, reason)]);
    a.edit(["bad"]);
    a.edit(["good "]);
    await clock.advance(5000);
    assert.deepEqual(refused, [[["bad"], `weft.doc.${reason}`]]);
    assert.equal(a.value, "good ");
    assert.equal(b.value, "good ");
    assert.equal(a.pendingEdits, 0);
  });
}

test("an outage before does not count among the tries of an operation out of order", async () => {
  const { clock, server, a, b } = await world();
  const errors = Array.from({ length: 8 }, () => because("unavailable", "not_committed"));
  const refused = refusing(server, a, [...errors, because("failed_precondition", "seq_gap")]);
  a.edit(["x"]);
  await clock.advance(120_000);
  assert.deepEqual(refused, []);
  assert.equal(b.value, "x");
});

test("an operation of unknown outcome is not given back before the log was asked", async () => {
  const { clock, server, a, b } = await world();
  const doc = server.document("d");
  const refused = refusing(server, a, []);
  let answers = 0;
  server.refuse = (submit) => {
    if (answers++ > 0) return null;
    doc.submit(submit, 0);
    return new WeftError("internal", "the answer could not be made", { executed: "unknown" });
  };
  a.edit(["x"]);
  await clock.advance(5000);
  b.edit(["y"]);
  await clock.advance(5000);
  assert.deepEqual(refused, []);
  assert.equal(a.pendingEdits, 0);
  assert.equal(doc.value, "yx");
  assert.equal(a.value, "yx");
});

test("a refusal that shows another content at the server leads to a fresh snapshot", async () => {
  const { clock, server, a } = await world();
  const doc = server.document("d");
  a.edit(["old"]);
  await clock.advance(1000);
  doc.value = "truth";
  a.edit([3, "!"]);
  refusing(server, a, [because("out_of_range", "op_invalid")]);
  await clock.advance(5000);
  assert.equal(a.value, "truth");
});

test("a replica closed by a listener while it opens again stays closed", async () => {
  const { clock, server, a } = await world();
  server.network.up = false;
  server.network.cut();
  const doc = server.document("d");
  doc.submit({ epoch: doc.epoch, client: "x", seq: 1, version: 0, op: ["theirs"] }, 0);
  a.on("change", () => a.close());
  server.network.up = true;
  await clock.advance(20_000);
  assert.equal(a.value, "theirs");
  assert.equal(a.state.kind, "closed");
});

test("a new epoch keeps pending edits and begins a new client", async () => {
  const { clock, server, a, b } = await world();
  a.edit(["old "]);
  await clock.advance(1000);
  const before = a.client;
  const reasons: string[] = [];
  a.on("replaced", ({ reason }) => reasons.push(reason));
  server.network.up = false;
  server.network.cut();
  await clock.advance(100);
  a.edit([4, "mine"]);
  server.document("d").begin("e-new", "imported ");
  server.network.up = true;
  await clock.advance(20_000);
  assert.deepEqual(reasons, ["epoch"]);
  assert.notEqual(a.client, before);
  assert.equal(a.value, b.value);
  assert.equal(a.value, server.document("d").value);
  assert.equal(a.value.includes("imported ") && a.value.includes("mine"), true);
});

test("early versions are held and old ones dropped; a hole is filled by opening again", async () => {
  const { clock, server, a } = await world();
  const { epoch } = server.document("d");
  const op = (version: number, insert: string): void =>
    server.broadcast("d", "doc.op", { epoch, version, op: [insert], by: { sub: "", client: "x", seq: 1, time: 0 } });
  op(2, "two ");
  op(1, "one ");
  op(1, "again ");
  await clock.advance(500);
  assert.equal(a.value, "two one ");
  const doc = server.document("d");
  for (let seq = 1; seq <= 4; seq++) doc.submit({ epoch, client: "x", seq, version: 0, op: ["y"] }, 0);
  const content = doc.value;
  op(4, "z");
  await clock.advance(5000);
  assert.equal(a.version, 4);
  assert.equal(content.length, 4);
});

test("a malformed operation from the server leads to a fresh snapshot", async () => {
  const { clock, server, a } = await world();
  const doc = server.document("d");
  doc.submit({ epoch: doc.epoch, client: "x", seq: 1, version: 0, op: ["truth"] }, 0);
  server.broadcast("d", "doc.op", { epoch: doc.epoch, version: 1, op: [99, "x"] });
  await clock.advance(1000);
  assert.equal(a.value, "truth");
});

test("cursors follow everybody's edits, the author's own with what is typed", async () => {
  const { clock, a, b } = await world();
  a.edit(["hello"]);
  await clock.advance(1000);
  a.setPresence(me("Ann", 5));
  await clock.advance(200);
  assert.equal(headOf(b), 5);
  a.edit([5, "!"]);
  await clock.advance(1000);
  assert.equal(headOf(b), 6, "typing moves one's cursor at the others");
  b.edit(["😀"]);
  assert.equal(headOf(b), 7);
  b.edit([7, "b"]);
  assert.equal(headOf(b), 7, "what others insert at the cursor comes behind it");
});

test("presence waits for the confirmation of one's own edits", async () => {
  const { clock, server, a, b } = await world();
  server.refuse = () => null;
  a.edit(["abc"]);
  a.setPresence(me("Ann", 3));
  assert.equal(server.calls.some(({ method }) => method === "doc.presence"), false);
  await clock.advance(1000);
  assert.equal(headOf(b), 3);
});

test("presence ends when its owner leaves, and comes back after a cut", async () => {
  const { clock, server, a, b } = await world();
  a.setPresence(me("Ann", 0));
  await clock.advance(200);
  assert.equal(b.participants.size, 1);
  server.network.cut();
  await clock.advance(100);
  assert.equal(b.participants.size, 0, "nobody is here while we are offline");
  await clock.advance(20_000);
  assert.equal(b.participants.size, 1);
  a.setPresence(null);
  await clock.advance(200);
  assert.equal(b.participants.size, 0);
});

test("a participant's odd state does no harm", async () => {
  const { clock, server, a } = await world();
  const { epoch } = server.document("d");
  const by = { sub: "", client: "zz" };
  server.broadcast("d", "doc.presence", { epoch, version: 0, state: { selections: [{ anchor: -1 }, 5], color: "red;" }, by });
  server.broadcast("d", "doc.presence", { epoch: 5 });
  await clock.advance(200);
  assert.deepEqual([...a.participants.values()], [
    { client: "zz", sub: "", state: { selections: [], name: "", color: "#808080", status: "" } },
  ]);
  assert.equal(a.state.kind, "live");
});

test("a document closed by the server is opened again when it says so", async () => {
  const { clock, server, a } = await world();
  server.broadcast("d", "doc.closed", { reason: "lagged", reopen: true });
  await clock.advance(2000);
  assert.equal(a.state.kind, "live");
  server.broadcast("d", "doc.closed", { reason: "deleted", reopen: false });
  await clock.advance(200);
  assert.equal(a.state.kind, "failed");
});

test("edits larger than a message are sent in parts", async () => {
  const { clock, server, a, b } = await world();
  const big = "0123456789😀\u0000".repeat(200_000);
  a.edit([big]);
  assert.equal(a.pendingEdits, 1);
  await clock.advance(5000);
  assert.equal(a.pendingEdits, 0);
  assert.equal(b.value === big, true);
  assert.equal(server.document("d").version > 2, true);
  for (const { op } of server.document("d").log) {
    assert.equal(Buffer.byteLength(JSON.stringify(op)) < 1 << 20, true);
  }
});

test("closing settles everything that waits", async () => {
  const { clock, a } = await world();
  a.edit(["x"]);
  const synced = a.synced();
  await clock.advance(1000);
  await synced;
  a.close();
  assert.throws(() => a.edit(["y"]), { code: "failed_precondition" });
  await assert.rejects(a.synced(), { code: "canceled" });
});
