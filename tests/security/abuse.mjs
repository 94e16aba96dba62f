// SPDX-License-Identifier: Apache-2.0
// A day of abuse in a short time: attackers of every kind at once against a server of its own, while
// a fresh good client comes every 100 ms. Called by ./dev bench abuse and by ./dev test:
//
//     node tests/security/abuse.mjs [SECONDS] [--binary PATH] [--loop epoll|uring]
//         [--attacks NAME,...] [--strength SHARE] [--patience MS] [--margin MIB]
//
// Fails when a good client waited longer than --patience or was not served, when the memory of the
// process is not back within --margin of where it was, or when the server did not survive. Prints
// one line a check and `N passed, N failed`.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { call, get, readUntil, upgrade } from './wire.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const GOOD_EVERY_MS = 100;
const START_MS = 20_000;
const SETTLE_MS = 60_000;
const END_MS = 20_000;
const MIB = 1024 * 1024;
const COUNTED_MIB = 4;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Starts a server on a free port: { child, port, log, end }. */
async function startServer(binary, loop, data) {
    const child = spawn(binary, ['dev', '--listen', '127.0.0.1:0', '--data', data, '--loop', loop],
                        { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = { child, log: '', errors: '' };
    child.stdout.on('data', (chunk) => (server.log += chunk));
    child.stderr.on('data', (chunk) => (server.errors += chunk));
    const end = Date.now() + START_MS;
    while (!server.port) {
        if (child.exitCode !== null || Date.now() > end) throw new Error(`no start: ${server.errors}`);
        server.port = Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(server.log)?.[1] ?? 0);
        await pause(10);
    }
    return server;
}

const rssMib = (pid) =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** The numbers of /metrics by name, summed over workers; limits under `limit:NAME`. */
async function metrics(port) {
    const sums = {};
    for (const line of (await get(port, '/metrics')).split('\n')) {
        const [, name, labels, value] = /^(\w+)(\{[^}]*\})? (\d+)$/.exec(line) ?? [];
        if (!name) continue;
        const limit = /limit="(\w+)"/.exec(labels ?? '')?.[1];
        const key = limit ? `limit:${limit}` : name;
        sums[key] = (sums[key] ?? 0) + Number(value);
    }
    return sums;
}

/** One good client: connects, calls, gets its answer, leaves. How long that took. */
async function goodClient(port, patience) {
    const begin = performance.now();
    let socket;
    const late = new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`not served within ${patience} ms`)), patience).unref();
    });
    const served = (async () => {
        socket = await upgrade(port);
        socket.write(call(7, 'subtract', [42, 23]));
        await readUntil(socket, (bytes) => bytes.includes('"result":19'));
    })();
    try {
        await Promise.race([served, late]);
    } finally {
        served.catch(() => {}).then(() => socket?.destroy());
    }
    return performance.now() - begin;
}

/** Good clients until `until`, one every 100 ms whatever became of those before. */
async function goodClients(port, patience, until) {
    const times = [];
    const failures = [];
    const running = [];
    while (Date.now() < until) {
        running.push(goodClient(port, patience).then((ms) => times.push(ms),
                                                     (error) => failures.push(error.message)));
        await pause(GOOD_EVERY_MS);
    }
    await Promise.all(running);
    times.sort((a, b) => a - b);
    return { times, failures };
}

/** Samples `read` every 200 ms until stopped; the largest. */
function watchPeak(read) {
    const peak = { value: read() };
    const timer = setInterval(() => (peak.value = Math.max(peak.value, read())), 200);
    return () => (clearInterval(timer), peak.value);
}

/** Waits until the connections are gone, the memory is below `goal` and what the server counts below
 *  `counted` bytes, at most SETTLE_MS: memory kept for reuse is given back second by second. */
async function settle(server, goal, counted) {
    const end = Date.now() + SETTLE_MS;
    for (;;) {
        const { weft_connections: open, weft_memory_connection_bytes: bytes } = await metrics(server.port);
        const calm = open <= 1 && bytes <= counted && rssMib(server.child.pid) <= goal;
        if (calm || Date.now() > end) return open;
        await pause(500);
    }
}

async function endServer({ child }) {
    if (child.exitCode !== null || child.signalCode !== null) return `ended with ${child.exitCode}`;
    const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
    child.kill('SIGTERM');
    await once(child, 'exit');
    clearTimeout(late);
    return child.exitCode === 0 ? null : `exit status ${child.exitCode ?? child.signalCode}`;
}

async function attack(server, { seconds, attacks, strength, patience, margin }) {
    const { pid } = server.child;
    await goodClients(server.port, patience, Date.now() + 1000);
    const before = rssMib(pid);
    const counted = (await metrics(server.port)).weft_memory_connection_bytes;
    const stopPeak = watchPeak(() => rssMib(pid));
    const attackers = fork(join(here, 'attacks.mjs'), [server.port, strength, ...(attacks ? [attacks] : [])]);
    const { times, failures } = await goodClients(server.port, patience, Date.now() + seconds * 1000);
    attackers.kill('SIGKILL');
    const peak = stopPeak();
    const begin = Date.now();
    const open = await settle(server, before + margin, counted + COUNTED_MIB * MIB);
    const settled = (Date.now() - begin) / 1000;
    const counts = await metrics(server.port);
    const grown = counts.weft_memory_connection_bytes - counted;
    return { times, failures, before, peak, open, after: rssMib(pid), counts, grown, settled };
}

function report(result, { patience, margin }, died, errors) {
    const { times, failures, before, peak, after, open, counts, grown, settled } = result;
    const at = (share) => (times[Math.floor(share * (times.length - 1))] ?? NaN).toFixed(0);
    const mib = (value) => value.toFixed(1);
    console.log(`good clients   ${times.length} served, ${failures.length} not; ` +
                `ms p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`);
    console.log(`memory MiB     before ${mib(before)}, peak ${mib(peak)}, after ${mib(after)}; ` +
                `connections ${mib((counts.weft_memory_connection_bytes ?? 0) / MIB)}, ` +
                `shared ${mib((counts.weft_memory_shared_bytes ?? 0) / MIB)}`);
    console.log(`connections    ${counts.weft_connections_accepted_total} accepted, ${open} left ` +
                `${settled.toFixed(1)} s later`);
    const reached = Object.entries(counts).filter(([key, value]) => key.startsWith('limit:') && value);
    console.log(`limits         ${reached.map(([key, n]) => `${key.slice(6)} ${n}`).join(', ')}`);
    const checks = [
        [`every good client was served within ${patience} ms`, failures.length === 0 && times.length > 0,
         [...new Set(failures)].join('; ')],
        [`memory is back within ${margin} MiB`, after <= before + margin, `${mib(after - before)} MiB more`],
        [`what the server counts is back within ${COUNTED_MIB} MiB`, grown <= COUNTED_MIB * MIB,
         `${mib(grown / MIB)} MiB more`],
        ['nobody is left', open <= 1, `${open} connections`],
        ['the server survived and ended properly', !died, `${died}\n${errors}`],
    ];
    for (const [what, ok, why] of checks) console.log(ok ? `✓ ${what}` : `✗ ${what}: ${why}`);
    const failed = checks.filter(([, ok]) => !ok).length;
    console.log(`${checks.length - failed} passed, ${failed} failed`);
    return failed;
}

async function run(options) {
    const data = mkdtempSync(join(tmpdir(), 'weft-abuse-'));
    let server;
    try {
        server = await startServer(options.binary, options.loop, data);
        console.log(`weft dev, ${options.loop}, ${options.seconds} s of abuse`);
        const result = await attack(server, options);
        const died = await endServer(server);
        return report(result, options, died, server.errors.slice(-20_000));
    } finally {
        server?.child.kill('SIGKILL');
        rmSync(data, { recursive: true, force: true });
    }
}

export async function main(argv) {
    const { values, positionals } = parseArgs({
        args: argv,
        allowPositionals: true,
        options: {
            binary: { type: 'string', default: join(here, '../../build/release/bin/weft') },
            loop: { type: 'string' },
            attacks: { type: 'string' },
            strength: { type: 'string', default: '1' },
            patience: { type: 'string', default: '2000' },
            margin: { type: 'string', default: '32' },
        },
    });
    const options = {
        binary: resolve(values.binary),
        attacks: values.attacks,
        strength: values.strength,
        seconds: Number(positionals[0] ?? 60),
        patience: Number(values.patience),
        margin: Number(values.margin),
    };
    let failed = 0;
    for (const loop of values.loop ? [values.loop] : ['epoll', 'uring']) {
        failed += await run({ ...options, loop });
    }
    return failed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    process.exitCode = (await main(process.argv.slice(2))) ? 1 : 0;
}
