// SPDX-License-Identifier: Apache-2.0
// Calls of one connection in a closed loop: so many at a time, for so long. Prints one line of JSON.
//
//     node load.mjs CLIENT PORT DEPTH SECONDS WARMUP SERVER_PID
import { readFileSync } from 'node:fs';

import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import grpc from '@grpc/grpc-js';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

import { connectService, grpcService, PAYLOAD } from './service.mjs';

const opened = (socket, event) => new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
});

/** JSON-RPC 2.0 over a WebSocket, for weft, jayson and rpc-websockets: nothing but correlation. */
async function jsonrpc(port, path, protocol) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocol, { perMessageDeflate: false });
    const waiting = new Map();
    let next = 1;
    socket.on('message', (data) => {
        const { id, result, error } = JSON.parse(data.toString());
        const settle = waiting.get(id);
        waiting.delete(id);
        if (error) settle?.reject(new Error(error.message));
        else settle?.resolve(result);
    });
    await opened(socket, 'open');
    return (params) => new Promise((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'demo.echo', params }));
    });
}

function varint(value) {
    const bytes = [];
    for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
    return [...bytes, value];
}

function readVarint(bytes, at) {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return [value, at];
    }
}

/** weft's binary wire (docs/protocol/binary.md), no more of it than a call of JSON needs. */
async function binary(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'weft.v1.pb', { perMessageDeflate: false });
    const waiting = new Map();
    const method = Buffer.from('demo.echo');
    const call = Buffer.from([2 << 3 | 2, method.length, ...method]);
    let next = 1;
    socket.on('message', (data) => {
        let at = 0;
        while (at < data.length) {
            let length;
            [length, at] = readVarint(data, at);
            const end = at + length;
            let id = 0, payload = null, isResult = false;
            while (at < end) {
                let tag, value;
                [tag, at] = readVarint(data, at);
                [value, at] = readVarint(data, at);
                if (tag === (1 << 3)) id = value;
                if ((tag & 7) !== 2) continue;
                if (tag >> 3 === 5) payload = data.subarray(at, at + value);
                if (tag >> 3 === 7) isResult = true;
                at += value;
            }
            const settle = waiting.get(id);
            waiting.delete(id);
            if (isResult && payload) settle?.resolve(JSON.parse(payload.toString()));
            else settle?.reject(new Error('an error came'));
        }
    });
    await opened(socket, 'open');
    return (params) => new Promise((resolve, reject) => {
        const id = next;
        next += 2;
        waiting.set(id, { resolve, reject });
        const payload = Buffer.from(JSON.stringify(params));
        const frame = Buffer.concat([
            Buffer.from([1 << 3, ...varint(id), 2 << 3, JSON_FLAG]),
            Buffer.from([6 << 3 | 2, call.length]), call,
            Buffer.from([5 << 3 | 2, ...varint(payload.length)]), payload,
        ]);
        socket.send(Buffer.concat([Buffer.from(varint(frame.length)), frame]));
    });
}
const JSON_FLAG = 8;

async function socketio(port) {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] });
    await opened(socket, 'connect');
    return (params) => socket.emitWithAck('demo.echo', params);
}

async function connect(port) {
    const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '2', useBinaryFormat: true });
    const client = createClient(connectService(), transport);
    return (params) => client.echo(params);
}

async function grpcClient(port) {
    const Client = grpc.makeGenericClientConstructor(grpcService, 'Bench');
    const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    await new Promise((resolve, reject) =>
        client.waitForReady(Date.now() + 5000, (error) => (error ? reject(error) : resolve())));
    return (params) => new Promise((resolve, reject) =>
        client.Echo(params, (error, value) => (error ? reject(error) : resolve(value))));
}

const CLIENTS = {
    'weft-json': (port) => jsonrpc(port, '/ws', []),
    'weft-pb': binary,
    jayson: (port) => jsonrpc(port, '/', []),
    'rpc-websockets': (port) => jsonrpc(port, '/', []),
    socketio,
    connect,
    grpc: grpcClient,
};

/** Processor time of a process so far, in seconds. */
function cpuSeconds(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function main([client, port, depth, seconds, warmup, pid]) {
    const call = await CLIENTS[client](Number(port));
    const latencies = [];
    let measuring = false;
    let running = true;
    const one = async () => {
        while (running) {
            const begin = performance.now();
            const { text, n } = await call(PAYLOAD);
            if (text !== PAYLOAD.text || n !== PAYLOAD.n) throw new Error('a wrong answer');
            if (measuring) latencies.push(performance.now() - begin);
        }
    };
    const loops = Array.from({ length: Number(depth) }, one);
    await new Promise((resolve) => setTimeout(resolve, Number(warmup) * 1000));
    measuring = true;
    const begin = performance.now();
    const before = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
    const cpu = cpuSeconds(pid) - before;
    const elapsed = (performance.now() - begin) / 1000;
    running = false;
    measuring = false;
    await Promise.all(loops);
    latencies.sort((a, b) => a - b);
    const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] * 1000;
    console.log(JSON.stringify({
        calls: latencies.length,
        rate: latencies.length / elapsed,
        cpu_us: (cpu * 1e6) / latencies.length,
        p50_us: at(0.5),
        p99_us: at(0.99),
    }));
    process.exit(0);
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
