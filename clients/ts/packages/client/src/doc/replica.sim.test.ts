// SPDX-License-Identifier: Apache-2.0
/**
 * Many replicas and one server over a bad network: random edits, delays, cuts, silences, duplicate
 * answers, server restarts. In the end everybody agrees and every edit is there exactly once.
 */
import assert from "node:assert/strict";
import { WeftClient } from "../client.js";
import { WeftError } from "../errors.js";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeServer } from "../testing/fake-server.js";
import { Rng, runSeed } from "../testing/random.js";
import { test } from "../testing/over-wires.js";
import { replaceText, splitsPair, text, type TextOp } from "../text/index.js";
import type { Replica } from "./replica.js";

const seed = runSeed();

interface World {
  clock: FakeClock;
  server: FakeServer;
  clients: WeftClient[];
  replicas: Replica<string, TextOp>[];
}

async function makeWorld(rng: Rng, count: number): Promise<World> {
  const clock = new FakeClock();
  const server = new FakeServer(clock, rng.next);
  server.duplicates = 0.1;
  const clients = Array.from({ length: count }, () => {
    return new WeftClient({ url: "", transport: server.network.transport, clock, random: rng.next });
  });
  const replicas = clients.map((client) => client.open("d", text));
  await clock.advance(2000);
  await Promise.all(replicas.map((replica) => replica.ready()));
  return { clock, server, clients, replicas };
}

function offset(rng: Rng, value: string): number {
  const at = rng.below(value.length + 1);
  return splitsPair(value, at) ? at - 1 : at;
}

function disturb(rng: Rng, server: FakeServer): void {
  const some = (): boolean => rng.chance(0.4);
  const kind = rng.below(40);
  if (kind === 0) server.network.cut(some);
  else if (kind === 1) server.network.silence(some);
  else if (kind === 2) server.restart();
  else if (kind === 3) server.network.up = !server.network.up;
  else if (kind === 4) server.document("d").longest = rng.below(4);
  else if (kind === 5) server.document("d").longest = 100_000;
}

async function heal({ clock, server, replicas }: World): Promise<void> {
  server.network.up = true;
  await clock.advance(120_000);
  for (const replica of replicas) {
    assert.equal(replica.state.kind, "live");
    assert.equal(replica.pendingEdits, 0);
    assert.equal(replica.value, server.document("d").value);
    assert.equal(replica.version, server.document("d").version);
  }
}

for (let world = 0; world < 12; world++) {
  test(`replicas converge over a bad network, undo included (seed ${seed}, world ${world})`, async () => {
    const rng = new Rng(seed + world);
    const it = await makeWorld(rng, 2 + rng.below(4));
    const copies = it.replicas.map((replica) => follow(replica));
    for (let step = 0; step < 150; step++) {
      const replica = rng.pick(it.replicas);
      const kind = rng.below(10);
      if (kind === 0) replica.undo();
      else if (kind === 1) replica.redo();
      else {
        const [a, b] = [offset(rng, replica.value), offset(rng, replica.value)];
        const from = Math.min(a, b);
        const to = rng.chance(0.4) ? Math.max(a, b) : from;
        replica.edit(replaceText(replica.value, from, to, rng.chance(0.8) ? rng.text(6) : ""));
      }
      disturb(rng, it.server);
      await it.clock.advance(rng.below(60));
    }
    await heal(it);
    for (const [i, copy] of copies.entries()) assert.equal(copy(), it.replicas[i]?.value);
    for (const client of it.clients) client.close();
  });
}

/** Follows a replica by its change events alone, as an editor does. */
function follow(replica: Replica<string, TextOp>): () => string {
  let copy = replica.value;
  replica.on("change", ({ op }) => {
    copy = text.apply(copy, op);
    assert.equal(copy, replica.value);
  });
  return () => copy;
}

/**
 * The marks of a text. A replica that gets a snapshot in place of operations finds its place by
 * comparing texts, so one person's mark may come to stand inside another's; none is lost or doubled.
 */
function unnest(value: string): string[] {
  const marks: string[] = [];
  let rest = value;
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replaceAll(/<\d+\.\d+>/g, (mark) => {
      marks.push(mark);
      return "";
    });
  }
  assert.equal(rest, "");
  return marks;
}

/** Turns away some submits, as a server in trouble does; some of them took effect all the same. */
function turnAway(server: FakeServer, rng: Rng): void {
  const cured = ["fenced", "closed", "too_far_behind"].map((reason) => {
    return new WeftError("aborted", "open again", { reason: `weft.doc.${reason}` });
  });
  const errors = [...cured, new WeftError("unavailable", "later", { reason: "weft.doc.not_committed" })];
  server.refuse = (submit) => {
    if (!rng.chance(0.15)) return null;
    if (rng.chance(0.7)) return rng.pick(errors);
    const entry = server.document("d").submit(submit, 0);
    if (!("repeated" in entry)) server.broadcast("d", "doc.op", { epoch: submit.epoch, ...entry }, submit.client);
    return new WeftError("unavailable", "who knows", { reason: "weft.doc.not_committed", executed: "unknown" });
  };
}

/** Names and seeds of worlds, and whether submits are turned away; the first one once failed. */
const markWorlds: [string, number, boolean][] = [
  ["a snapshot that displaces pending edits loses and doubles none (fixed seed)", 409_812_618 * 31 + 3, false],
  ...Array.from({ length: 8 }, (_, world): [string, number, boolean] => {
    return [`every edit arrives exactly once (seed ${seed}, world ${world})`, seed * 31 + world, world >= 4];
  }),
];

for (const [name, worldSeed, turnedAway] of markWorlds) {
  test(name, async () => {
    const rng = new Rng(worldSeed);
    const it = await makeWorld(rng, 3);
    if (turnedAway) turnAway(it.server, new Rng(worldSeed + 1));
    const written = it.replicas.map((): string[] => []);
    for (let step = 0; step < 120; step++) {
      const index = rng.below(it.replicas.length);
      const replica = it.replicas[index];
      const list = written[index];
      assert.ok(replica && list);
      const mark = `<${index}.${list.length}>`;
      list.push(mark);
      // Always at the end, where the wildest ties are.
      replica.edit(replaceText(replica.value, replica.value.length, replica.value.length, mark));
      disturb(rng, it.server);
      await it.clock.advance(rng.below(60));
    }
    await heal(it);
    const final = it.server.document("d").value;
    const marks = unnest(final);
    for (const [index, list] of written.entries()) {
      assert.deepEqual(marks.filter((mark) => mark.startsWith(`<${index}.`)).sort(), [...list].sort());
    }
    for (const client of it.clients) client.close();
  });
}
