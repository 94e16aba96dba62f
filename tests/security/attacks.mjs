// SPDX-License-Identifier: Apache-2.0
// The attackers, in a process of their own so that they do not disturb whoever measures:
//
//     node tests/security/attacks.mjs PORT STRENGTH [NAME,...]
//
// Each attack goes on, in some number of lanes times STRENGTH (1: all), until the process is ended. One that the server
// throws out comes back a moment later. Bounded: about 2,000 connections, all on loopback.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

import { call, connect, frame, PING, request, TEXT, upgrade } from './wire.mjs';

const port = Number(process.argv[2]);
const strength = Number(process.argv[3]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ended = (socket) => (socket.destroyed ? Promise.resolve() : once(socket, 'close'));

/** Lets `socket` take what waits for it, or end. */
async function flushed(socket) {
    if (socket.writableNeedDrain) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

/** Writes what `next` gives, as fast as it is taken, until the server ends it. */
async function pour(socket, next, everyMs = 0) {
    while (!socket.destroyed) {
        socket.write(next());
        await flushed(socket);
        if (everyMs) await pause(everyMs);
        else await new Promise(setImmediate);
    }
}

const text = (length) => 'x'.repeat(length);
const edit = (n) => ({ doc: `abuse-${n % 8}`, type: 'text', create: true, client: `c${n}` });
let serial = 0;

const attacks = {
    // Good calls, as many as the connection takes.
    flood: { lanes: 8, async run() {
        const socket = await upgrade(port);
        const batch = Buffer.concat(Array.from({ length: 64 }, (_, i) => call(i, 'subtract', [i, 1])));
        socket.resume();
        setTimeout(() => socket.destroy(), 2000);
        await pour(socket, () => batch);
    } },
    // Large answers that nobody reads.
    slowReader: { lanes: 60, async run() {
        const socket = await upgrade(port);
        socket.pause();
        const large = call(1, 'demo.echo', [text(60_000)]);
        setTimeout(() => socket.destroy(), 20_000);
        await pour(socket, () => large, 5);
    } },
    // Subscribers of busy documents that read nothing.
    deafSubscriber: { lanes: 40, async run() {
        const socket = await upgrade(port);
        socket.write(call(1, 'doc.open', edit(serial++)));
        socket.pause();
        setTimeout(() => socket.destroy(), 15_000);
        await ended(socket);
    } },
    // A message that comes byte by byte.
    slowWriter: { lanes: 150, async run() {
        const socket = await upgrade(port);
        socket.resume();
        socket.write(frame(TEXT, text(900_000)).subarray(0, 1000));
        await pour(socket, () => 'x', 100);
    } },
    // A head that comes byte by byte.
    slowHead: { lanes: 150, async run() {
        const socket = await connect(port);
        socket.resume();
        let at = 0;
        const head = request(port);
        await pour(socket, () => head[at++ % (head.length - 4)], 100);
    } },
    // Connections that say nothing at all.
    halfOpen: { lanes: 600, async run() {
        const socket = await connect(port);
        socket.resume();
        await ended(socket);
    } },
    // Half a head, and gone.
    halfHead: { lanes: 20, async run() {
        const socket = await connect(port);
        socket.write(request(port).slice(0, 40 + (serial++ % 60)));
        await pause(20);
        socket.destroy();
    } },
    // Noise, before and after the upgrade.
    noise: { lanes: 10, async run() {
        const socket = serial++ % 2 ? await upgrade(port) : await connect(port);
        socket.resume();
        setTimeout(() => socket.destroy(), 500);
        await pour(socket, () => randomBytes(1 + (serial % 16384)));
    } },
    // Resets in the middle of everything.
    kill: { lanes: 20, async run() {
        const n = serial++;
        const socket = await upgrade(port);
        socket.write(call(1, 'doc.open', edit(n)));
        socket.write(call(2, 'demo.echo', [text(n % 100_000)]));
        await pause(n % 30);
        socket.resetAndDestroy();
    } },
    // Hundreds of connections at one moment.
    storm: { lanes: 1, async run() {
        const sockets = await Promise.allSettled(Array.from({ length: 300 }, () => connect(port)));
        for (const { value } of sockets) value?.resetAndDestroy();
        await pause(200);
    } },
    pings: { lanes: 10, async run() {
        const socket = await upgrade(port);
        socket.resume();
        const many = Buffer.concat(Array.from({ length: 50 }, () => frame(PING, text(125))));
        setTimeout(() => socket.destroy(), 1000);
        await pour(socket, () => many);
    } },
    // A message in frames of one byte, without an end.
    fragments: { lanes: 6, async run() {
        const socket = await upgrade(port);
        socket.resume();
        socket.write(frame(0x01, 'x'));
        const many = Buffer.concat(Array.from({ length: 1000 }, () => frame(0x00, 'x')));
        setTimeout(() => socket.destroy(), 3000);
        await pour(socket, () => many);
    } },
    largeHead: { lanes: 10, async run() {
        const socket = await connect(port);
        socket.resume();
        setTimeout(() => socket.destroy(), 500);
        socket.write('GET / HTTP/1.1\r\n');
        await pour(socket, () => `X-${serial++}: ${text(1000)}\r\n`);
    } },
    // Messages over the limit, announced and sent.
    largeMessage: { lanes: 6, async run() {
        const socket = await upgrade(port);
        socket.resume();
        const lie = Buffer.from([0x82, 0xff, 0x3f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]);
        socket.write(serial++ % 2 ? lie : frame(TEXT, text(1_048_577)));
        setTimeout(() => socket.destroy(), 500);
        await ended(socket);
    } },
    // Batches of calls, and JSON as deep as it goes.
    hostileJson: { lanes: 4, async run() {
        const socket = await upgrade(port);
        socket.resume();
        const batch = Array.from({ length: 2000 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'no' }));
        socket.write(frame(TEXT, JSON.stringify(batch)));
        socket.write(frame(TEXT, '['.repeat(500_000)));
        await pause(300);
        socket.destroy();
    } },
};

async function lane({ run }) {
    for (;;) {
        await run().catch(() => {});
        await pause(10 + Math.random() * 40);
    }
}

const names = process.argv[4]?.split(',') ?? Object.keys(attacks);
for (const name of names) {
    if (!attacks[name]) throw new Error(`there is no attack "${name}"`);
    for (let i = 0; i < Math.ceil(attacks[name].lanes * strength); i++) lane(attacks[name]);
}
// A hundred connections a second would otherwise be listeners that nobody needs.
process.on('uncaughtException', (error) => console.error(error.stack));
process.on('disconnect', () => process.exit(0));
