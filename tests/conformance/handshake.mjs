#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The opening handshake, which the case list leaves out: RFC 6455 §4.1 and §4.2, and what RFC 9112 says
// about the requests and answers that carry it.
//
//     node tests/conformance/handshake.mjs [--binary FILE] [--loop epoll|uring] [--case TEXT] [--verbose]
//
// handshake_requests.mjs has what the server is sent and must answer, handshake_answers.mjs what the
// client is answered and whether it may open.
import { once } from 'node:events';
import net from 'node:net';

import { answers } from './handshake_answers.mjs';
import { requests } from './handshake_requests.mjs';
import { ClientStarter, Collector, conclude, inTime, Random, readOptions, runCases,
         startServer } from './subject.mjs';
import { acceptValue } from './tester.mjs';

const AT_ONCE = 8;

const pause = () => new Promise(setImmediate);

/** Writes |bytes| in pieces whose lengths |next| gives. */
async function writePieces(socket, bytes, next) {
    for (let at = 0; at < bytes.length && socket.writable;) {
        const length = next();
        socket.write(bytes.subarray(at, at + length));
        at += length;
        await pause();
    }
}

async function send(socket, bytes, pieces, random) {
    if (pieces === 'bytes') await writePieces(socket, bytes, () => 1);
    else if (pieces === 'random') await writePieces(socket, bytes, () => random.between(1, 40));
    else socket.write(bytes);
}

/** Takes an HTTP message of |bytes| apart; null when its head is not complete. */
function parseAnswer(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    const headers = {};
    for (const line of lines) {
        const colon = line.indexOf(':');
        const name = line.slice(0, colon).toLowerCase();
        headers[name] = name in headers ? `${headers[name]}\n${line.slice(colon + 1).trim()}`
            : line.slice(colon + 1).trim();
    }
    const status = /^HTTP\/1\.1 (\d{3})( .*)?$/.exec(first);
    return { status: status ? Number(status[1]) : first, headers, rest: bytes.subarray(end + 4) };
}

// ---- The server is judged ----

function judgeAccepted({ headers, rest }, test) {
    if (headers['sec-websocket-accept'] !== acceptValue(test.key)) return 'wrong Sec-WebSocket-Accept';
    if (headers.upgrade?.toLowerCase() !== 'websocket') return `Upgrade: ${headers.upgrade}`;
    if (headers.connection?.toLowerCase() !== 'upgrade') return `Connection: ${headers.connection}`;
    if ('sec-websocket-extensions' in headers) return 'an extension that nobody knows';
    if ('sec-websocket-protocol' in headers) return 'a protocol that nobody knows';
    if ('content-length' in headers || 'transfer-encoding' in headers) return 'a body behind 101';
    if (!rest.equals(test.frames)) return `behind the head: ${rest.toString('hex')}`;
    return '';
}

function judgeRefused({ status, headers, rest }, test, over) {
    if (!over) return 'the connection was not ended';
    if (headers.connection === undefined || !/\bclose\b/.test(headers.connection))
        return `Connection: ${headers.connection}`;
    if (rest.length !== Number(headers['content-length'])) return 'the body is not as long as it says';
    if (status === 405 && headers.allow !== 'GET') return `Allow: ${headers.allow}`;
    if (status === 426 && headers['sec-websocket-version'] !== '13') return 'the version is not told';
    if (status === 426 && headers.upgrade !== 'websocket') return `Upgrade: ${headers.upgrade}`;
    if (test.never && rest.includes(test.never)) return 'more than one answer';
    return '';
}

async function judgeServer(port, test, random) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await inTime(once(socket, 'connect'), 'cannot connect');
    socket.setNoDelay(true);
    const got = new Collector(socket);
    const wanted = test.status === 101;
    try {
        await send(socket, test.bytes, test.pieces, random);
        const complete = () => {
            const answer = parseAnswer(got.bytes);
            return answer && (!wanted || answer.rest.length >= test.frames.length);
        };
        await got.until(() => got.over || (wanted && complete()));
        const answer = parseAnswer(got.bytes);
        if (!answer) return got.bytes.length ? `no HTTP: ${got.bytes.toString('latin1', 0, 60)}` : 'no answer';
        if (answer.status !== test.status) return `${answer.status} instead of ${test.status}`;
        return wanted ? judgeAccepted(answer, test) : judgeRefused(answer, test, got.over);
    } finally {
        socket.destroy();
    }
}

// ---- The client is judged ----

/** What a request of our client must be, to the letter. */
function judgeRequest(head, port, keys) {
    const { lines } = head;
    if (lines[0] !== 'GET /echo?a=b HTTP/1.1') return `request line: ${lines[0]}`;
    const names = lines.slice(1).map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
    if (new Set(names).size !== names.length) return 'a header occurs twice';
    const value = (name) => lines.find((line) => line.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1).trim();
    if (value('host') !== `127.0.0.1:${port}`) return `Host: ${value('host')}`;
    if (value('upgrade')?.toLowerCase() !== 'websocket') return `Upgrade: ${value('upgrade')}`;
    if (value('connection')?.toLowerCase() !== 'upgrade') return `Connection: ${value('connection')}`;
    if (value('sec-websocket-version') !== '13') return 'Sec-WebSocket-Version is not 13';
    const key = value('sec-websocket-key') ?? '';
    if (Buffer.from(key, 'base64').toString('base64') !== key || Buffer.from(key, 'base64').length !== 16)
        return `Sec-WebSocket-Key: ${key}`;
    if (keys.has(key)) return 'the key was used before'; // §4.1: chosen anew for each connection
    keys.add(key);
    head.key = key;
    return '';
}

/** Reads the close frame's code behind |skip| bytes of what a client sent; masked, so it is undone. */
function closeCode(bytes) {
    if (bytes.length < 8 || bytes[0] !== 0x88 || bytes[1] !== 0x82) return undefined;
    return ((bytes[6] ^ bytes[2]) << 8) | (bytes[7] ^ bytes[3]);
}

async function judgeTaken(got, before, socket, test) {
    const echoed = test.frames.length ? test.frames.length + 4 : 0; // masked: four bytes more
    if (!(await got.until(() => got.over || got.bytes.length >= before + echoed))) return 'no echo';
    if (test.frames.length) {
        const frame = got.bytes.subarray(before, before + echoed);
        const payload = frame.subarray(6).map((byte, i) => byte ^ frame[2 + (i & 3)]);
        if (frame[0] !== test.frames[0] || !Buffer.from(payload).equals(test.frames.subarray(2)))
            return 'what came behind the head was not echoed';
    }
    socket.write(Buffer.from([0x88, 0x02, 0x03, 0xe8]));
    if (!(await got.until(() => got.bytes.length >= before + echoed + 8))) return 'no close frame';
    if (closeCode(got.bytes.subarray(before + echoed)) !== 1000) return 'the close was not answered';
    socket.end();
    return '';
}

async function judgeClient(options, test, random, keys) {
    const starter = new ClientStarter(options);
    await starter.listen();
    try {
        return await judgeStarted(starter, await starter.start(), test, random, keys);
    } finally {
        starter.close();
    }
}

async function judgeStarted(starter, client, test, random, keys) {
    const { socket } = client;
    const got = new Collector(socket);
    socket.setNoDelay(true);
    try {
        await got.until(() => got.over || got.bytes.includes('\r\n\r\n'));
        const before = got.bytes.indexOf('\r\n\r\n') + 4;
        const head = { lines: got.bytes.toString('latin1', 0, before - 4).split('\r\n') };
        let verdict = judgeRequest(head, starter.port, keys);
        if (verdict) return verdict;
        await send(socket, test.answer(head.key), test.pieces, random);
        if (test.ends) socket.end();
        if (test.taken) {
            verdict = await judgeTaken(got, before, socket, test);
        } else {
            if (!(await got.until(() => got.over))) return 'the client did not drop the connection';
            if (got.bytes.length !== before) verdict = 'the client sent something behind its request';
        }
        const status = await client.end();
        if (verdict) return verdict;
        if (status !== (test.taken ? 0 : 1)) return `the client ended with ${status}`;
        return test.taken || client.stderr().startsWith('weft echo: ') ? '' : 'the client said nothing';
    } finally {
        socket.destroy();
        await client.end();
    }
}

async function main() {
    const options = readOptions();
    const random = new Random(options.seed);
    const chosen = (tests) => tests.filter(({ name }) => name.includes(options.case));
    console.log(`seed ${options.seed}`);
    const results = [];

    const server = await startServer(options);
    const good = requests[0];
    const servers = chosen(requests).map((test) => ({
        name: test.name,
        // A good client is served after whatever came before.
        run: async () => (await judgeServer(server.port, test, random)) ||
            judgeServer(server.port, good, random).then((verdict) => verdict && `afterwards: ${verdict}`),
    }));
    results.push(await runCases('server', servers, AT_ONCE, options.verbose));
    const verdict = await server.stop();
    if (verdict) {
        console.log(`FAILED server: ${verdict}`);
        results.push({ passed: 0, failed: 1 });
    }

    const keys = new Set();
    const clients = chosen(answers).map((test) => ({
        name: test.name, run: () => judgeClient(options, test, random, keys),
    }));
    results.push(await runCases('client', clients, AT_ONCE, options.verbose));
    conclude(results);
}

await main();
