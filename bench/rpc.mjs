// SPDX-License-Identifier: Apache-2.0
// Calls: weft on both wires beside jayson, rpc-websockets, Socket.IO, Connect and gRPC, in alternating rounds.
//
//     ./dev bench rpc [--rounds 5] [--seconds 2] [--warmup 0.5] [--depths 1,64] [--peers jayson,…] [--json FILE]
//
// Every server echoes one small object and has one core; a client of its own protocol, in Node, has
// another and calls over one connection, so many calls at a time. The clients are slower than weft:
// what a server can do is judged by the processor time that it takes for a call.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { printTargets, summarize, tableOf, targets } from './rpc/table.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const folder = join(root, 'bench/rpc/peers');
const weft = join(root, 'build/release/bin/weft');
const WEFTS = ['weft-json', 'weft-pb'];
const PEERS = ['jayson', 'rpc-websockets', 'socketio', 'connect', 'grpc'];
const START_MS = 10_000;
const SERVER_CORE = '0';
const LOAD_CORE = os.cpus().length > 1 ? '1' : '0';

function say(text) {
    process.stderr.write(`» ${text}\n`);
}

/** The peers' packages, in the versions of the lock file. */
function install() {
    const stamp = join(root, 'build/stamps/bench-rpc-peers');
    const lock = readFileSync(join(folder, 'package-lock.json'));
    const now = `${createHash('sha256').update(lock).digest('hex')} ${process.version}`;
    if (existsSync(join(folder, 'node_modules')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
    say('installing jayson, rpc-websockets, Socket.IO, Connect and gRPC from npm');
    const result = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`npm ci: ${result.stderr.trim().split('\n').pop()}`);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, now);
}

const commandOf = (name) =>
    WEFTS.includes(name)
        ? [weft, 'dev', '--listen', '127.0.0.1:0', '--workers', '1', '--data', ':memory:', '--log-level', 'error']
        : [process.execPath, join(folder, `${name}.mjs`)];

/** A running server: { pid, port, stop }. */
function start(name) {
    const child = spawn('taskset', ['-c', SERVER_CORE, ...commandOf(name)], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = () => new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', resolve).kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
        let output = '';
        const fail = () => {
            clearTimeout(timer);
            stop().then(() => reject(new Error(`${name} does not start: ${output.trim().split('\n').pop()}`)));
        };
        const timer = setTimeout(fail, START_MS);
        const read = (chunk) => {
            output += chunk;
            const match = /listening on (?:\S*:)?(\d+)\b/.exec(output);
            if (!match) return;
            clearTimeout(timer);
            child.off('exit', fail);
            resolve({ pid: child.pid, port: match[1], stop });
        };
        child.on('exit', fail);
        child.on('error', fail);
        child.stdout.on('data', read);
        child.stderr.on('data', read);
    });
}

async function measure(name, server, depth, { seconds, warmup }) {
    const args = ['-c', LOAD_CORE, process.execPath, join(folder, 'load.mjs'), name, server.port,
                  String(depth), seconds, warmup, String(server.pid)];
    const { stdout, stderr } = await run('taskset', args).catch((error) => error);
    try {
        return JSON.parse(stdout);
    } catch {
        throw new Error(String(stderr).trim().split('\n').pop() || 'no result');
    }
}

/** All servers have their turn in each round. */
async function measureDepth(depth, names, options) {
    const results = Object.fromEntries(names.map((name) => [name, { runs: [] }]));
    const servers = {};
    try {
        for (let round = 1; round <= options.rounds; round++) {
            say(`${depth} at a time, round ${round} of ${options.rounds}`);
            for (const name of names) {
                if (results[name].problem) continue;
                try {
                    servers[name] ??= await start(name);
                    results[name].runs.push(await measure(name, servers[name], depth, options));
                } catch (error) {
                    results[name].problem = error.message;
                }
            }
        }
    } finally {
        await Promise.all(Object.values(servers).map((server) => server.stop()));
    }
    for (const result of Object.values(results)) if (!result.problem) result.summary = summarize(result.runs);
    console.log(tableOf(depth, results));
    return results;
}

async function main() {
    const { values } = parseArgs({
        options: {
            rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' },
            warmup: { type: 'string', default: '0.5' }, depths: { type: 'string', default: '1,64' },
            peers: { type: 'string', default: PEERS.join(',') }, json: { type: 'string' },
        },
    });
    const options = { ...values, rounds: Number(values.rounds) };
    const depths = values.depths.split(',').map(Number);
    const peers = values.peers.split(',').filter(Boolean);
    const strange = peers.find((name) => !PEERS.includes(name));
    if (strange) throw new Error(`there is no peer "${strange}"; there are: ${PEERS.join(', ')}`);
    if (![options.rounds, ...depths].every((value) => Number.isInteger(value) && value >= 1) ||
        !(Number(values.seconds) > 0) || !(Number(values.warmup) >= 0))
        throw new Error('--rounds and --depths take numbers from 1, --seconds and --warmup times in seconds');
    install();
    console.log(`${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}; server on core ${SERVER_CORE}, ` +
                `client on core ${LOAD_CORE}; ${options.rounds} rounds of ${values.seconds} s`);
    if (SERVER_CORE === LOAD_CORE) console.log('! there is one core only: server and client share it');
    const all = {};
    for (const depth of depths) all[depth] = await measureDepth(depth, [...WEFTS, ...peers], options);
    const rows = all[64] ? targets(all[64]) : [];
    if (rows.length) printTargets(rows);
    if (values.json) writeFileSync(values.json, `${JSON.stringify({ options, depths: all, targets: rows }, null, 1)}\n`);
}

main().catch((error) => {
    console.error(`✗ ${error.message}`);
    process.exitCode = 1;
});
