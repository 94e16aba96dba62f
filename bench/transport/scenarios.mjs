// SPDX-License-Identifier: Apache-2.0
// What is measured, and which ratio is aimed at.
//
// A scenario is a call of `weft bench`. `shows` names the columns, the first of them is the one that
// is compared; a target is about that one unless it names another:
//
//     { of: 'bun', least: 1.4 }       weft's value divided by bun's is at least 1.4
//     { metric: 'bytes', most: 450 }  weft's own value is at most 450
//     { like: 'memory', most: 1.1 }   weft's value divided by its own in that scenario

/** The columns: where `weft bench --json` has each, its unit, and whether more is better. */
export const METRICS = {
    rate: { title: 'msg/s', more: true, read: (run) => run.messages_per_s },
    cpu: { title: 'CPU ns', more: false, read: (run) => run.server_cpu_ns_per_message },
    p50: { title: 'p50 µs', more: false, read: (run) => run.latency_us.p50 },
    p99: { title: 'p99 µs', more: false, read: (run) => run.latency_us.p99 },
    bytes: { title: 'bytes', more: false, read: (run) => run.bytes_in / run.messages },
    memory: { title: 'B/conn', more: false, read: (run) => run.server_bytes_per_connection },
};

const echo = (size, depth) =>
    ['echo', '--connections', '100', '--size', String(size), '--depth', String(depth)];
const broadcast = (size, inFlight) =>
    ['broadcast', '--connections', '1000', '--size', String(size), '--in-flight', String(inFlight)];
const idle = (count) => ['idle', '--connections', String(count)];

const FLOW = ['rate', 'cpu', 'p50', 'p99'];
const KIB = 1024;

export const SCENARIOS = [
    {
        id: 'echo', title: 'echo, 20 B, depth 1', bench: echo(20, 1), raw: true, shows: FLOW,
        targets: [{ of: 'raw', least: 0.97 }, { of: 'bun', least: 1.05 }],
    },
    {
        id: 'echo-16', title: 'echo, 20 B, depth 16', bench: echo(20, 16), raw: true, shows: FLOW,
        targets: [{ of: 'raw', least: 0.97 }, { of: 'bun', least: 1.4 }, { of: 'ws', least: 15 },
                  { of: 'lws', least: 15 }, { of: 'beast', least: 15 }],
    },
    {
        id: 'echo-16k', title: 'echo, 16 KiB, depth 1', bench: echo(16 * KIB, 1), raw: true,
        shows: FLOW, large: true,
        targets: [{ of: 'raw', least: 0.97 }, { of: 'bun', least: 1.7 }],
    },
    {
        id: 'light', title: 'light load, echo 20 B, 1,000/s in all', shows: ['p50', 'p99'],
        bench: [...echo(20, 1), '--rate', '1000'],
        targets: [{ of: 'bun', most: 1 }, { of: 'bun', metric: 'p99', most: 1 }],
    },
    {
        id: 'broadcast', title: 'broadcast, 100 B to 1,000, 1 in flight', bench: broadcast(100, 1),
        broadcast: true, shows: FLOW, targets: [{ of: 'bun', least: 1.2 }],
    },
    {
        id: 'broadcast-8', title: 'broadcast, 100 B to 1,000, 8 in flight', bench: broadcast(100, 8),
        broadcast: true, shows: FLOW, targets: [{ of: 'bun', least: 1.2 }],
    },
    {
        id: 'broadcast-deflate', title: 'compressed broadcast, 1 KiB to 1,000, 1 in flight',
        bench: broadcast(KIB, 1), broadcast: true, deflate: true,
        shows: ['rate', 'cpu', 'bytes', 'p50'], targets: [{ of: 'bun', least: 3 }],
    },
    {
        id: 'deflate', title: 'deflate echo, 1 KiB, no context takeover', bench: echo(KIB, 1),
        deflate: true, shows: ['rate', 'cpu', 'bytes', 'p50'],
        targets: [{ of: 'bun', least: 1.5 }, { metric: 'bytes', most: 450 }],
    },
    {
        id: 'tls', title: 'TLS 1.3 echo, 20 B, depth 1', bench: echo(20, 1), tls: true,
        shows: ['cpu', 'rate', 'p50', 'p99'], targets: [{ of: 'bun', most: 1 }],
    },
    {
        id: 'tls-16', title: 'TLS 1.3 echo, 20 B, depth 16', bench: echo(20, 16), tls: true,
        shows: ['cpu', 'rate', 'p50', 'p99'], targets: [{ of: 'bun', most: 1 }],
    },
    {
        id: 'tls-16k', title: 'TLS 1.3 echo, 16 KiB, depth 1', bench: echo(16 * KIB, 1), tls: true,
        large: true, shows: ['cpu', 'rate', 'p50', 'p99'], targets: [{ of: 'bun', most: 1 }],
    },
    {
        id: 'memory', title: 'idle connections', bench: idle(5000), fresh: true, shows: ['memory'],
        targets: [{ metric: 'memory', most: 512 }],
    },
    {
        id: 'memory-tls', title: 'idle connections, TLS', bench: idle(2000), tls: true, fresh: true,
        shows: ['memory'], targets: [{ metric: 'memory', most: 16 * KIB }],
    },
    {
        id: 'memory-deflate', title: 'idle connections, deflate negotiated, no context takeover',
        bench: idle(5000), deflate: true, fresh: true, shows: ['memory'],
        targets: [{ like: 'memory', most: 1.1 }],
    },
];
