// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebSocketLike } from "../platform/platform.js";
import type { Message } from "../protocol/frame.js";
import type { WireName } from "../protocol/wires.js";
import { settle } from "../testing/fake-clock.js";
import { webSocketTransport } from "./websocket.js";

/** A WebSocket that a test plays; `chosen` is what its server chooses. */
async function connect(wire: WireName | undefined, chosen: string) {
  const sockets: (WebSocketLike & { offered: string[] })[] = [];
  const sent: unknown[] = [];
  const closed: unknown[] = [];
  class Played implements WebSocketLike {
    bufferedAmount = 0;
    binaryType = "blob";
    protocol = chosen;
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    constructor(
      _url: string,
      readonly offered: string[],
    ) {
      sockets.push(this);
    }
    send(data: unknown): void {
      sent.push(data);
    }
    close(code?: number): void {
      closed.push(code);
    }
  }
  const opened: unknown[] = [];
  const messages: Message[] = [];
  const transport = webSocketTransport("ws://test/", Played, wire)({
    onOpen: (subprotocol) => opened.push(subprotocol),
    onMessage: (message) => messages.push(message),
    onClose: () => undefined,
  });
  await settle();
  const [socket] = sockets;
  assert.ok(socket);
  socket.onopen?.(undefined as never);
  return { transport, socket, sent, closed, opened, messages };
}

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

test("text is offered alone by default, the binary wire before it when asked for", async () => {
  assert.deepEqual((await connect(undefined, "weft.v1.json")).socket.offered, ["weft.v1.json"]);
  assert.deepEqual((await connect("text", "weft.v1.json")).socket.offered, ["weft.v1.json"]);
  assert.deepEqual((await connect("binary", "weft.v1.pb")).socket.offered, ["weft.v1.pb", "weft.v1.json"]);
});

test("the server's choice decides what messages are", async () => {
  const binary = await connect("binary", "weft.v1.pb");
  assert.deepEqual(binary.opened, ["weft.v1.pb"]);
  assert.equal(binary.socket.binaryType, "arraybuffer");
  binary.socket.onmessage?.({ data: bytes(3, 0xaa, 1, 0).buffer });
  assert.deepEqual(binary.messages, [bytes(3, 0xaa, 1, 0)]);
  binary.transport.send(bytes(1));
  assert.deepEqual(binary.sent, [bytes(1)]);

  const text = await connect("binary", "weft.v1.json");
  assert.deepEqual(text.opened, ["weft.v1.json"]);
  text.socket.onmessage?.({ data: "{}" });
  assert.deepEqual(text.messages, ["{}"]);
});

test("a message of the other kind closes the connection with 1003", async () => {
  for (const [chosen, data] of [
    ["weft.v1.pb", "{}"],
    ["weft.v1.json", bytes(0).buffer],
    ["", bytes(0).buffer],
  ] as const) {
    const { socket, closed, messages } = await connect("binary", chosen);
    socket.onmessage?.({ data });
    assert.deepEqual([closed, messages], [[1003], []], chosen);
  }
});
