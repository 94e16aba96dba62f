// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStreamReader } from "./event-stream.js";

const text = [
  ": a comment\n\n",
  'event: open\nid: 1\ndata: {"connection":"x"}\n\n',
  "data: no name\r\n\r\n",
  "event: message\ndata:one\ndata: two\nretry: 5\nnonsense\n\n",
  "event: empty\n\n",
  "event: message\ndata: after\n\n",
  "event: cut\ndata: off",
].join("");
const wanted = [
  { name: "open", data: '{"connection":"x"}' },
  { name: "message", data: "no name" },
  { name: "message", data: "one\ntwo" },
  { name: "message", data: "after" },
];

test("events are read whole, character by character, and cut anywhere", () => {
  assert.deepEqual(new EventStreamReader().push(text), wanted);
  const slow = new EventStreamReader();
  assert.deepEqual([...text].flatMap((char) => slow.push(char)), wanted);
  for (let at = 0; at <= text.length; at++) {
    const reader = new EventStreamReader();
    assert.deepEqual([...reader.push(text.slice(0, at)), ...reader.push(text.slice(at))], wanted);
  }
});
