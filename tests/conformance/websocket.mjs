#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Judges `weft echo` by the cases of tests/vectors/websocket, as a server and as a client:
//
//     node tests/conformance/websocket.mjs --binary build/release/bin/weft
//         [--role server|client|both] [--loop epoll|uring] [--tls] [--case PREFIX] [--verbose]
//         [--deflate off|shared|takeover] [--full]
//
// The compression cases send a part of their messages, with --full all of them (10 GB in each role).
// With --tls everything is encrypted, with a certificate that the openssl command makes for the run.
// Prints a table by group, what failed and why, and `N passed, N failed`; exits 1 on any failure.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { parseArgs } from 'node:util';

import { listCases } from './cases.mjs';
import { makeCertificate } from './certificate.mjs';
import { agreeAsClient, agreeAsServer, listDeflateCases, offerOf } from './deflate.mjs';
import { play } from './play.mjs';
import { acceptValue, Tester } from './tester.mjs';

const HANDSHAKE_MS = 5000;
const EXIT_MS = 5000;
const AT_ONCE = 12;
const GROUPS = { 1: 'Framing', 2: 'Pings and pongs', 3: 'Reserved bits', 4: 'Opcodes',
                 5: 'Fragmentation', 6: 'UTF-8', 7: 'Close', 9: 'Limits', 10: 'Fragment sizes',
                 12: 'Compression, contents', 13: 'Compression, offers' };

function timeout(ms, what) {
    return new Promise((_, reject) => {
        setTimeout(() => reject(new Error(what)), ms).unref();
    });
}

/** Reads an HTTP head off `socket`: its lines, and the bytes that came behind it. */
async function readHead(socket) {
    let bytes = Buffer.alloc(0);
    for (;;) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end >= 0) {
            const lines = bytes.subarray(0, end).toString('latin1').split('\r\n');
            return { lines, rest: bytes.subarray(end + 4) };
        }
        const chunk = socket.read();
        if (chunk) bytes = Buffer.concat([bytes, chunk]);
        else if (socket.readableEnded || socket.destroyed) throw new Error('no HTTP head came');
        else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    }
}

function headerValue(lines, name) {
    const found = lines.find((line) => line.toLowerCase().startsWith(`${name}:`));
    return found?.slice(name.length + 1).trim();
}

/** Opens a WebSocket to the server under test. */
async function openToServer(port, certificate, wishes) {
    const socket = certificate
        ? tls.connect({ port, host: '127.0.0.1', ca: certificate.cert })
        : net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, certificate ? 'secureConnect' : 'connect');
    const key = randomBytes(16).toString('base64');
    socket.write('GET / HTTP/1.1\r\n' + `Host: 127.0.0.1:${port}\r\n` +
                 'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
                 `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n` +
                 (wishes ? `Sec-WebSocket-Extensions: ${offerOf(wishes)}\r\n` : '') + '\r\n');
    const { lines, rest } = await readHead(socket);
    if (!lines[0].startsWith('HTTP/1.1 101')) throw new Error(`handshake: ${lines[0]}`);
    if (headerValue(lines, 'sec-websocket-accept') !== acceptValue(key))
        throw new Error('handshake: wrong Sec-WebSocket-Accept');
    const extensions = headerValue(lines, 'sec-websocket-extensions');
    if (extensions && !wishes) throw new Error('handshake: an extension that nobody asked for');
    return new Tester(socket, true, rest, wishes ? agreeAsClient(extensions, wishes) : null);
}

/** Answers the handshake of the client under test, which has connected on `socket`. */
async function openToClient(socket, wishes) {
    socket.on('error', () => {});
    const { lines, rest } = await readHead(socket);
    const key = headerValue(lines, 'sec-websocket-key');
    if (!/^GET \/\S* HTTP\/1\.1$/.test(lines[0]) || !key) throw new Error(`handshake: ${lines[0]}`);
    if (Buffer.from(key, 'base64').length !== 16) throw new Error('handshake: bad key');
    const [extensions, compression] = wishes
        ? agreeAsServer(headerValue(lines, 'sec-websocket-extensions'), wishes) : [null, null];
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n' +
                 `Connection: Upgrade\r\nSec-WebSocket-Accept: ${acceptValue(key)}\r\n` +
                 (extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : '') + '\r\n');
    return new Tester(socket, false, rest, compression);
}

function exited(child) {
    return child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve() : once(child, 'exit');
}

class ServerJudge {
    async start(options) {
        this.certificate = options.certificate;
        const encrypted = this.certificate
            ? ['--tls', this.certificate.certFile, this.certificate.keyFile] : [];
        this.child = spawn(options.binary,
                           ['echo', '--listen', '127.0.0.1:0', ...options.flags, ...encrypted],
                           { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        const found = new Promise((resolve, reject) => {
            this.child.on('error', reject);
            this.child.on('exit', () => reject(new Error(`the server ended: ${text}`)));
            this.child.stdout.on('data', (chunk) => {
                text += chunk;
                const match = /listening on wss?:\/\/127\.0\.0\.1:(\d+)(.*)/.exec(text);
                if (match) resolve(match);
            });
        });
        const match = await Promise.race([found, timeout(HANDSHAKE_MS, 'the server did not start')]);
        this.port = Number(match[1]);
        return match[0];
    }

    async judge(test) {
        const tester = await Promise.race(
            [openToServer(this.port, this.certificate, test.wishes), timeout(HANDSHAKE_MS, 'handshake: too slow')]);
        const verdict = await play(tester, test);
        tester.compression?.done();
        tester.socket.destroy();
        if (this.child.exitCode !== null || this.child.signalCode) throw new Error('server is gone');
        return verdict;
    }

    /** Stops the server; resolves to what was wrong about that. */
    async stop() {
        this.child.kill('SIGTERM');
        await Promise.race([exited(this.child), timeout(EXIT_MS, 'SIGTERM did not end the server')]);
        return this.child.exitCode === 0 ? '' : `the server ended with ${this.child.exitCode}`;
    }
}

class ClientJudge {
    async start(options) {
        this.options = options;
        return 'a process for each case';
    }

    /** Starts a client for one case and waits for its connection. */
    async connect(server) {
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { certificate } = this.options;
        const url = `${certificate ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}/echo`;
        const trusted = certificate ? ['--ca', certificate.certFile] : [];
        const child = spawn(this.options.binary,
                            ['echo', '--connect', url, ...this.options.flags, ...trusted],
                            { stdio: ['ignore', 'ignore', 'inherit'] });
        const connected = certificate ? 'secureConnection' : 'connection';
        const [socket] = await Promise.race(
            [once(server, connected), timeout(HANDSHAKE_MS, 'the client did not connect')]);
        return { child, socket };
    }

    async judge(test) {
        const { certificate } = this.options;
        const server = certificate ? tls.createServer(certificate) : net.createServer();
        try {
            const { child, socket } = await this.connect(server);
            const tester = await Promise.race(
                [openToClient(socket, test.wishes), timeout(HANDSHAKE_MS, 'handshake: too slow')]);
            let verdict = await play(tester, test);
            socket.end();
            const slow = timeout(EXIT_MS, 'the client did not end').catch(() => child.kill());
            await Promise.race([exited(child), slow]);
            if (child.exitCode !== 0)
                verdict ||= `the client ended with ${child.exitCode ?? child.signalCode}`;
            tester.compression?.done();
            socket.destroy();
            return verdict;
        } finally {
            server.close();
        }
    }

    async stop() {
        return '';
    }
}

/** Judges all `cases`, a few at once; gives the verdicts by id. */
async function judgeAll(judge, cases, verbose) {
    const verdicts = new Map();
    const queue = [...cases];
    async function worker() {
        for (let next = queue.shift(); next; next = queue.shift()) {
            const began = Date.now();
            let verdict;
            try {
                verdict = await judge.judge(next.load());
            } catch (error) {
                verdict = error.message;
            }
            verdicts.set(next.id, verdict);
            if (verbose) console.log(`  ${next.id}: ${verdict || 'ok'} (${Date.now() - began} ms)`);
        }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return verdicts;
}

function printTable(cases, results) {
    const roles = [...results.keys()];
    const groups = [...new Set(cases.map(({ id }) => id.split('.')[0]))];
    console.log(['group'.padEnd(22), ...roles.map((role) => role.padStart(14))].join(''));
    for (const group of groups) {
        const ids = cases.map(({ id }) => id).filter((id) => id.startsWith(`${group}.`));
        const cells = roles.map((role) => {
            const passed = ids.filter((id) => results.get(role).get(id) === '').length;
            return `${passed} of ${ids.length}`.padStart(14);
        });
        console.log([`${group} ${GROUPS[group] ?? ''}`.padEnd(22), ...cells].join(''));
    }
}

async function judgeRole(role, options, cases) {
    const judge = role === 'server' ? new ServerJudge() : new ClientJudge();
    console.log(`${role}: ${await judge.start(options)}`);
    const began = Date.now();
    const verdicts = await judgeAll(judge, cases, options.verbose);
    const verdict = await judge.stop().catch((error) => error.message);
    if (verdict) verdicts.set('end', verdict);
    console.log(`${role}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return verdicts;
}

async function main() {
    const { values } = parseArgs({
        options: {
            binary: { type: 'string', default: 'build/release/bin/weft' },
            role: { type: 'string', default: 'both' },
            loop: { type: 'string' },
            tls: { type: 'boolean', default: false },
            case: { type: 'string', default: '' },
            deflate: { type: 'string' },
            full: { type: 'boolean', default: false },
            verbose: { type: 'boolean', default: false },
        },
    });
    const flags = [...(values.loop ? ['--loop', values.loop] : []),
                   ...(values.deflate ? ['--deflate', values.deflate] : [])];
    const options = { ...values, flags };
    const certificate = values.tls ? makeCertificate('127.0.0.1') : null;
    options.certificate = certificate;
    const cases = [...listCases(), ...listDeflateCases(values.full)].filter(({ id }) => id.startsWith(values.case));
    const results = new Map();
    for (const role of values.role === 'both' ? ['server', 'client'] : [values.role])
        results.set(role, await judgeRole(role, options, cases));

    certificate?.remove();
    printTable(cases, results);
    let passed = 0;
    let failed = 0;
    for (const [role, verdicts] of results) {
        for (const [id, verdict] of verdicts) {
            if (verdict) {
                failed++;
                console.log(`FAILED ${role} ${id}: ${verdict}`);
            } else {
                passed++;
            }
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed || !passed ? 1 : 0;
}

await main();
