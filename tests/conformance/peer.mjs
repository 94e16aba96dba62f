#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Compression between `weft echo` and the `ws` package, which many servers and clients are made
// with: each as the server of the other, under all parameters that ws can ask for. Called like
// websocket.mjs:
//
//     node tests/conformance/peer.mjs --binary build/release/bin/weft [--loop epoll|uring]
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

import { messages } from './content.mjs';

const require = createRequire(new URL('../../clients/ts/package.json', import.meta.url));
const WebSocket = require('ws');

const LENGTHS = [0, 1, 100, 300, 1000, 4096, 20000, 100000];
const PARAMETERS = [
    {},
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true },
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    { serverMaxWindowBits: 9 },
    { serverMaxWindowBits: 12, clientMaxWindowBits: 10 },
    { clientMaxWindowBits: 9, clientNoContextTakeover: true },
];

function* conversation() {
    for (const name of ['json', 'bitmap', 'pdf'])
        for (const length of LENGTHS) yield messages(name, length).next().value;
    /* The same again: a context would pay. */
    for (const length of LENGTHS) yield messages('json', length).next().value;
}

/** Sends everything over `socket`, each message behind the echo of the one before. */
async function converse(socket) {
    for (const { opcode, payload } of conversation()) {
        const answer = once(socket, 'message');
        socket.send(payload, { binary: opcode === 2 });
        const [echo, isBinary] = await answer;
        assert.equal(isBinary, opcode === 2);
        assert(payload.equals(echo), `a message of ${payload.length} bytes comes back changed`);
    }
    const closed = once(socket, 'close');
    socket.close(1000);
    assert.equal((await closed)[0], 1000);
}

async function startServer(binary, flags) {
    const child = spawn(binary, ['echo', '--listen', '127.0.0.1:0', ...flags],
                        { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    while (!text.includes('\n')) text += (await once(child.stdout, 'data'))[0];
    return { child, url: /ws:\/\/\S+/.exec(text)[0] };
}

async function asServer(binary, flags, parameters) {
    const { child, url } = await startServer(binary, flags);
    const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...parameters } });
    await once(socket, 'open');
    assert.equal(socket.extensions, 'permessage-deflate');
    await converse(socket);
    child.kill();
    assert.equal((await once(child, 'exit'))[0], 0);
}

async function asClient(binary, flags, parameters) {
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1',
                                          perMessageDeflate: { threshold: 0, ...parameters } });
    await once(server, 'listening');
    const child = spawn(binary, ['echo', '--connect', `ws://127.0.0.1:${server.address().port}/`,
                                 ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
    const [socket] = await once(server, 'connection');
    assert.equal(socket.extensions, 'permessage-deflate');
    const exited = once(child, 'exit');
    await converse(socket);
    assert.equal((await exited)[0], 0);
    server.close();
}

async function main() {
    const { values } = parseArgs({
        options: {
            binary: { type: 'string', default: 'build/release/bin/weft' },
            loop: { type: 'string' },
        },
    });
    let passed = 0;
    let failed = 0;
    for (const mode of ['shared', 'takeover']) {
        const flags = ['--deflate', mode, ...(values.loop ? ['--loop', values.loop] : [])];
        for (const parameters of PARAMETERS) {
            for (const [role, play] of [['server', asServer], ['client', asClient]]) {
                try {
                    await play(values.binary, flags, parameters);
                    passed++;
                } catch (error) {
                    failed++;
                    console.log(`FAILED ${role} ${mode} ${JSON.stringify(parameters)}: ` +
                                error.message);
                }
            }
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed || !passed ? 1 : 0);
}

await main();
