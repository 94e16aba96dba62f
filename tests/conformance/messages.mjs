#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What the case list looks at only by length or not at all: the bytes of large, fragmented and chopped
// messages, and limits to the byte. Both roles: `weft echo` as a server, and as a client of ours.
//
//     node tests/conformance/messages.mjs [--binary FILE] [--loop epoll|uring] [--case TEXT]
//         [--seed N] [--verbose]
import { once } from 'node:events';
import net from 'node:net';

import { ClientStarter, conclude, inTime, PATIENCE_MS, Random, readOptions, runCases,
         startServer } from './subject.mjs';
import { acceptValue, Tester } from './tester.mjs';

const MIB = 1 << 20;
const LIMIT = 100_000; // of the cases about limits
const ECHO_MS = 30_000; // for what is large on a slow machine
const TEXT = 1;
const BINARY = 2;
const PING = 9;
const KINDS = { [TEXT]: 'text', [BINARY]: 'binary' };

// ---- Connections ----

async function headOf(socket) {
    let bytes = Buffer.alloc(0);
    while (!bytes.includes('\r\n\r\n')) {
        const [chunk] = await inTime(once(socket, 'data'), 'no handshake');
        bytes = Buffer.concat([bytes, chunk]);
    }
    socket.pause();
    const end = bytes.indexOf('\r\n\r\n') + 4;
    return { head: bytes.toString('latin1', 0, end), rest: bytes.subarray(end) };
}

/** Our end of a connection to the server under test. */
async function connectServer(port) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await inTime(once(socket, 'connect'), 'cannot connect');
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
                 `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
    const { head, rest } = await headOf(socket);
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`handshake: ${head.split('\r\n')[0]}`);
    const tester = new Tester(socket, true, rest);
    socket.resume();
    return { tester, end: async () => 0 };
}

/** Our end of a connection that the client under test has made. */
async function awaitClient(options, args) {
    const starter = new ClientStarter(options);
    await starter.listen();
    const client = await starter.start(args);
    starter.close();
    const { head, rest } = await headOf(client.socket);
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
    client.socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n' +
                        `Connection: Upgrade\r\nSec-WebSocket-Accept: ${acceptValue(key)}\r\n\r\n`);
    const tester = new Tester(client.socket, false, rest);
    client.socket.resume();
    return { tester, end: client.end };
}

// ---- Sending ----

/** Hands what was written to the kernel in pieces of random lengths up to |most|. */
async function flushChopped(tester, random, most) {
    const bytes = Buffer.concat(tester.pending);
    tester.pending = [];
    for (let at = 0, count = 1; at < bytes.length && tester.socket.writable; count++) {
        const length = random.between(1, most);
        tester.socket.write(bytes.subarray(at, at + length));
        at += length;
        if (count % 16 === 0) await new Promise(setImmediate);
    }
}

/** Writes |payload| as fragments whose lengths |next| gives. |between| is called behind each. */
function writeFragments(tester, kind, payload, next, between = () => {}) {
    let opcode = kind;
    for (let at = 0; ;) {
        const end = Math.min(at + next(), payload.length);
        const last = end === payload.length;
        tester.writeFrame(opcode | (last ? 0x80 : 0), payload.subarray(at, end));
        opcode = 0;
        at = end;
        if (last) return;
        between();
    }
}

const event = (kind, payload) => ({ kind, payload });

/** '' or how |got| differs from |wanted|. */
function difference(got, wanted, what) {
    if (!got) return `${what} did not come`;
    if (got.kind !== wanted.kind) return `${what}: ${got.kind} instead of ${wanted.kind}`;
    if (got.payload.length !== wanted.payload.length)
        return `${what}: ${got.payload.length} bytes instead of ${wanted.payload.length}`;
    if (got.payload.equals(wanted.payload)) return '';
    return `${what}: differs at byte ${got.payload.findIndex((byte, at) => byte !== wanted.payload[at])}`;
}

/** Pongs come in the order of the pings. RFC 6455 §5.5.3: one may stand for several pings, but the
 *  last ping has its own. */
function judgePongs(pongs, pings) {
    let at = 0;
    for (const { payload } of pongs) {
        while (at < pings.length && !pings[at].payload.equals(payload)) at++;
        if (at++ === pings.length) return 'a pong to no ping, or out of order';
    }
    return at === pings.length ? '' : 'the last ping was not answered';
}

/** Waits for |expected| and compares; '' or the first difference. */
async function compare(tester, expected) {
    const isPong = ({ kind }) => kind === 'pong';
    const isMessage = (one) => !isPong(one);
    const wanted = expected.filter(isMessage);
    const pings = expected.filter(isPong);
    const last = pings.at(-1);
    let messages = 0;
    let looked = 0;
    let ponged = !last;
    await tester.until(() => {
        for (; looked < tester.events.length; looked++) {
            const one = tester.events[looked];
            messages += isMessage(one);
            ponged ||= isPong(one) && one.payload.equals(last.payload);
        }
        return tester.over || (ponged && messages >= wanted.length);
    }, ECHO_MS);
    if (tester.violation) return tester.violation;
    const got = tester.events.filter(isMessage);
    for (const [i, one] of wanted.entries()) {
        const verdict = difference(got[i], one, `message ${i + 1} of ${wanted.length}`);
        if (verdict) return tester.over ? `${verdict}; closed with ${tester.closeCode}` : verdict;
    }
    if (got.length > wanted.length) return 'more came than was sent';
    return judgePongs(tester.events.filter(isPong), pings);
}

/** Closes with 1000 and looks at how the other side takes it. */
async function closeNormally(tester) {
    tester.writeFrame(0x88, Buffer.from([0x03, 0xe8]));
    tester.closeSent = true;
    await tester.flush();
    await tester.until(() => tester.over, PATIENCE_MS);
    return tester.closeCode === 1000 ? '' : `closed with ${tester.closeCode} instead of 1000`;
}

// ---- Content: each gives what must come back, a pong for each ping among it ----

const message = (random, kind, length) => kind === TEXT ? random.text(length) : random.bytes(length);

async function sendSizes(tester, random, sizes, kind) {
    const expected = sizes.map((size) => event(KINDS[kind], message(random, kind, size)));
    for (const { payload } of expected) tester.writeFrame(0x80 | kind, payload);
    await tester.flush();
    return expected;
}

async function sendOnce(tester, random, { kind = BINARY, length, next, chop, pings = 0 }) {
    const payload = message(random, kind, length);
    const pongs = [];
    let fragments = 0;
    writeFragments(tester, kind, payload, next ?? (() => length), () => {
        if (!pings || ++fragments % pings) return;
        const ping = random.bytes(random.between(0, 125));
        tester.writeFrame(0x80 | PING, ping);
        pongs.push(event('pong', ping));
    });
    if (chop) await flushChopped(tester, random, chop);
    else await tester.flush();
    return [...pongs, event(KINDS[kind], payload)];
}

async function sendMany(tester, random) {
    const expected = [];
    for (let i = 0; i < 30; i++) {
        const length = random.size(MIB / 2);
        const most = random.between(1, 50) + (length >> random.between(0, 8));
        expected.push(...await sendOnce(tester, random, {
            kind: random.between(TEXT, BINARY), length, next: () => random.between(0, most),
            pings: random.between(1, 50), chop: length < 20_000 ? random.between(1, 2000) : 100_000,
        }));
    }
    return expected;
}

const around = (...sizes) => sizes.flatMap((size) => [size - 1, size, size + 1]);
const EDGES = [0, 1, ...around(125, 126, 127, 4096, 16384, 32768, 65521, 65535, 65536, 131072, 262144)];

const CONTENT = [
    { name: 'edges of lengths, binary', send: (tester, random) => sendSizes(tester, random, EDGES, BINARY) },
    { name: 'edges of lengths, text', send: (tester, random) => sendSizes(tester, random, EDGES, TEXT) },
    { name: 'messages of random lengths to 1 MiB', send: (tester, random) => sendSizes(
        tester, random, Array.from({ length: 60 }, () => random.size(MIB)), BINARY) },
    { name: 'messages in random fragments and pieces, with pings between', send: sendMany },
    { name: '16 MiB in one frame', send: (tester, random) => sendOnce(tester, random, { length: 16 * MIB }) },
    { name: '16 MiB of text in random fragments', send: (tester, random) => sendOnce(tester, random, {
        kind: TEXT, length: 16 * MIB, next: () => random.between(0, 200_000), pings: 10 }) },
    { name: 'a random length to 16 MiB in random fragments and pieces',
      send: (tester, random) => sendOnce(tester, random, {
          length: random.between(8 * MIB, 16 * MIB), next: () => random.between(0, 100_000), pings: 10,
          chop: 300_000 }) },
    ...[BINARY, TEXT].map((kind) => ({
        name: `65,536 fragments of one byte, ${KINDS[kind]}`,
        send: (tester, random) => sendOnce(tester, random, {
            kind, length: 65_536, next: () => 1, pings: 1000, chop: 60_000 }),
    })),
    { name: '65,536 fragments that are nearly all empty', send: (tester, random) => {
        let left = 65_535;
        return sendOnce(tester, random, { length: 10, next: () => (--left > 9 ? 0 : 1) });
    } },
    { name: 'text in fragments that split every character', send: (tester, random) =>
        sendOnce(tester, random, { kind: TEXT, length: 5000, next: () => 1 }) },
    { name: '200,000 bytes, a few at a time', send: (tester, random) =>
        sendOnce(tester, random, { kind: TEXT, length: 200_000, chop: 200 }) },
];

// ---- Limits: `code` is what the other side must close with; without one the message must come back ----

const frames = (...list) => (tester) => {
    for (const [byte0, payload] of list) tester.writeFrame(byte0, payload);
};
const zeroes = (length) => Buffer.alloc(length);
const closing = (code, reason = '') => Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);

const LIMITS = [
    { name: 'a message as long as the limit', write: frames([0x82, zeroes(LIMIT)]), size: LIMIT },
    { name: 'one byte more', write: frames([0x82, zeroes(LIMIT + 1)]), code: 1009 },
    { name: 'fragments as long as the limit',
      write: frames([0x02, zeroes(1)], [0, zeroes(LIMIT - 2)], [0x80, zeroes(1)]), size: LIMIT },
    { name: 'fragments of one byte more', code: 1009,
      write: frames([0x02, zeroes(1)], [0, zeroes(LIMIT - 1)], [0x80, zeroes(1)]) },
    { name: 'a first fragment that is too long already', write: frames([0x02, zeroes(LIMIT + 1)]), code: 1009 },
    { name: 'empty fragments behind as many bytes as allowed', size: LIMIT,
      write: frames([0x02, zeroes(LIMIT)], [0, zeroes(0)], [0x80, zeroes(0)]) },
    { name: 'the header alone of a frame of 2⁶² bytes', write: (tester) => tester.writeHeader(0x82, 2 ** 62), code: 1009 },
    { name: 'a header of a frame one byte too long', write: (tester) => tester.writeHeader(0x82, LIMIT + 1), code: 1009 },
    { name: 'a header of a last fragment one byte too long', code: 1009, write: (tester) => {
        tester.writeFrame(0x02, zeroes(LIMIT));
        tester.writeHeader(0x80, 1);
    } },
    { name: 'a length with the highest bit', code: 1002, write: (tester) => tester.write(
        Buffer.from([0x82, tester.asClient ? 0xff : 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])) },
    { name: '16 bits for a length of 125', code: 1002, write: (tester) => tester.write(
        Buffer.from([0x82, tester.asClient ? 0xfe : 0x7e, 0, 125, 0, 0, 0, 0])) },
    { name: '64 bits for a length of 65,535', code: 1002, write: (tester) => tester.write(
        Buffer.from([0x82, tester.asClient ? 0xff : 0x7f, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0])) },
    { name: 'a ping of 125 bytes', write: frames([0x89, zeroes(125)]), size: 125, kind: 'pong' },
    { name: 'a ping of 126 bytes', write: frames([0x89, zeroes(126)]), code: 1002 },
    { name: 'a pong of 126 bytes', write: frames([0x8a, zeroes(126)]), code: 1002 },
    { name: 'a close of 126 bytes', write: frames([0x88, closing(1000, 'x'.repeat(124))]), code: 1002 },
    { name: 'a ping in fragments', write: frames([0x09, zeroes(1)]), code: 1002 },
    { name: 'a continuation of nothing', write: frames([0x80, zeroes(1)]), code: 1002 },
    { name: 'a message within another', write: frames([0x02, zeroes(1)], [0x82, zeroes(1)]), code: 1002 },
    { name: 'text that is not UTF-8', write: frames([0x81, Buffer.from([0x61, 0xc3, 0x28])]), code: 1007 },
    { name: 'text that is not UTF-8 in a message without an end',
      write: frames([0x01, Buffer.from([0xed, 0xa0, 0x80])]), code: 1007 },
    { name: 'text that ends within a character', write: frames([0x81, Buffer.from([0xe2, 0x82])]), code: 1007 },
    { name: 'a message behind a broken one is not echoed', code: 1009,
      write: frames([0x82, zeroes(LIMIT + 1)], [0x82, Buffer.from('late')]) },
    { name: 'a wrong mask', code: 1002, write: (tester) => tester.write(tester.asClient
        ? Buffer.from([0x82, 1, 0]) : Buffer.from([0x82, 0x81, 1, 2, 3, 4, 0])) },
];

// ---- The run ----

async function playContent(connect, test, random) {
    const { tester, end } = await connect();
    try {
        const expected = await test.send(tester, random);
        const verdict = (await compare(tester, expected)) || (await closeNormally(tester));
        tester.socket.end();
        return verdict || judgeEnd(await end());
    } finally {
        tester.socket.destroy();
        await end();
    }
}

const judgeEnd = (status) => status === 0 ? '' : `the program ended with ${status}`;

async function playLimit(connect, test) {
    const { tester, end } = await connect();
    try {
        test.write(tester);
        await tester.flush();
        if (test.code === undefined) {
            const expected = [event(test.kind ?? 'binary', zeroes(test.size))];
            return (await compare(tester, expected)) || (await closeNormally(tester));
        }
        await tester.until(() => tester.over, PATIENCE_MS);
        if (tester.violation) return tester.violation;
        if (tester.events.length) return `${tester.events[0].kind} came back`;
        if (tester.closeCode !== test.code) return `closed with ${tester.closeCode} instead of ${test.code}`;
        tester.socket.end();
        await tester.until(() => tester.dropped, PATIENCE_MS);
        return tester.dropped ? judgeEnd(await end()) : 'the connection was not ended';
    } finally {
        tester.socket.destroy();
        await end();
    }
}

async function main() {
    const options = readOptions();
    console.log(`seed ${options.seed}`);
    const limited = ['--max-message', String(LIMIT)];
    const large = await startServer(options);
    const small = await startServer(options, limited);
    const sides = {
        server: [() => connectServer(large.port), () => connectServer(small.port)],
        client: [() => awaitClient(options, []), () => awaitClient(options, limited)],
    };
    const chosen = (tests) => tests.filter(({ name }) => name.includes(options.case));
    const results = [];
    for (const [role, [open, openLimited]] of Object.entries(sides)) {
        // A generator for each case: what one case draws does not depend on the others.
        const content = chosen(CONTENT).map((test) => ({
            name: test.name,
            run: () => playContent(open, test, new Random(options.seed + CONTENT.indexOf(test))),
        }));
        const limits = chosen(LIMITS).map((test) => ({
            name: test.name, run: () => playLimit(openLimited, test),
        }));
        results.push(await runCases(`${role}, content`, content, 2, options.verbose));
        results.push(await runCases(`${role}, limits`, limits, 8, options.verbose));
    }
    for (const server of [large, small]) {
        const verdict = await server.stop();
        if (verdict) console.log(`FAILED ${verdict}`);
        if (verdict) results.push({ passed: 0, failed: 1 });
    }
    conclude(results);
}

await main();
