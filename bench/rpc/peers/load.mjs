// SPDX-License-Identifier: Apache-2.0
// Calls in a closed loop, for peers that do not speak JSON-RPC over WebSocket, each with its own client: so
// many at a time on each of so many connections, for so long. Prints one line of JSON.
//
//     node load.mjs CLIENT PORT DEPTH CONNECTIONS SECONDS WARMUP SERVER_PID
import { readFileSync } from 'node:fs';

import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import grpc from '@grpc/grpc-js';
import { io } from 'socket.io-client';

import { PAYLOAD } from './payload.mjs';
import { connectService, grpcService } from './service.mjs';

const opened = (socket, event) => new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
});

async function socketio(port) {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
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
    const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    await new Promise((resolve, reject) =>
        client.waitForReady(Date.now() + 5000, (error) => (error ? reject(error) : resolve())));
    return (params) => new Promise((resolve, reject) =>
        client.Echo(params, (error, value) => (error ? reject(error) : resolve(value))));
}

const CLIENTS = { socketio, connect, grpc: grpcClient };

/** Processor time of a process so far, in seconds. */
function cpuSeconds(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function main([client, port, depth, connections, seconds, warmup, pid]) {
    const clients = await Promise.all(Array.from({ length: Number(connections) }, () => CLIENTS[client](Number(port))));
    const latencies = [];
    let measuring = false;
    let running = true;
    const one = async (call) => {
        while (running) {
            const begin = performance.now();
            const { text, n } = await call(PAYLOAD);
            if (text !== PAYLOAD.text || n !== PAYLOAD.n) throw new Error('a wrong answer');
            if (measuring) latencies.push(performance.now() - begin);
        }
    };
    const loops = clients.flatMap((call) => Array.from({ length: Number(depth) }, () => one(call)));
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
