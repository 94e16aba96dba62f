// SPDX-License-Identifier: Apache-2.0
// Calls: weft on both wires beside its own echo, jayson, rpc-websockets, Socket.IO, Connect and gRPC.
//
//     ./dev bench rpc [--rounds 5] [--seconds 2] [--warmup 0.5] [--depths 1,64] [--connections 16] [--rate 1000]
//                     [--peers jayson,…] [--json FILE]
//
// Every server echoes one small object and has one core, the client another; all have their turn in each
// round. Where a server speaks JSON-RPC over WebSocket the client is `weft bench rpc`, which fills it; the
// others have clients of their own, in Node, which are slower than weft. What a server can do is judged by
// the processor time that it takes for a call.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { measure } from './rpc/measure.mjs';
import { folder, LOAD_CORE, OWN, PEERS, SERVER_CORE, start, SUBJECTS } from './rpc/servers.mjs';
import { printTargets, summarize, tableOf, targets } from './rpc/table.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

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

/** All of |names| have their turn in each round. Prints the table |title| and gives the results by name. */
async function measureAll(title, unit, names, what, options) {
    const results = Object.fromEntries(names.map((name) => [name, { runs: [] }]));
    const servers = {};
    try {
        for (let round = 1; round <= options.rounds; round++) {
            say(`${title}, round ${round} of ${options.rounds}`);
            for (const name of names) {
                if (results[name].problem) continue;
                try {
                    const { server } = SUBJECTS[name];
                    servers[server] ??= await start(server);
                    results[name].runs.push(await measure(name, servers[server], what, options));
                } catch (error) {
                    results[name].problem = error.message;
                }
            }
        }
    } finally {
        await Promise.all(Object.values(servers).map((server) => server.stop()));
    }
    for (const result of Object.values(results)) if (!result.problem) result.summary = summarize(result.runs);
    console.log(tableOf(title, unit, results));
    return results;
}

function read() {
    const { values } = parseArgs({
        options: {
            rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' },
            warmup: { type: 'string', default: '0.5' }, depths: { type: 'string', default: '1,64' },
            connections: { type: 'string', default: '16' }, rate: { type: 'string', default: '1000' },
            peers: { type: 'string', default: PEERS.join(',') }, json: { type: 'string' },
        },
    });
    const options = {
        ...values, rounds: Number(values.rounds), connections: Number(values.connections), rate: Number(values.rate),
        depths: values.depths.split(',').map(Number), peers: values.peers.split(',').filter(Boolean),
    };
    const strange = options.peers.find((name) => !PEERS.includes(name));
    if (strange) throw new Error(`there is no peer "${strange}"; there are: ${PEERS.join(', ')}`);
    if (![options.rounds, options.connections, ...options.depths].every((value) => Number.isInteger(value) && value >= 1) ||
        !(Number(values.seconds) > 0) || !(Number(values.warmup) >= 0) || !(options.rate > 0))
        throw new Error('--rounds, --depths and --connections take numbers from 1, --rate one above 0, --seconds and --warmup times');
    return options;
}

async function main() {
    const options = read();
    install();
    const { rounds, seconds, connections, rate } = options;
    const names = [...OWN, ...options.peers];
    console.log(`${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.version}; server on core ${SERVER_CORE}, ` +
                `client on core ${LOAD_CORE}; ${rounds} rounds of ${seconds} s`);
    if (SERVER_CORE === LOAD_CORE) console.log('! there is one core only: server and client share it');
    const all = { depths: {} };
    for (const depth of options.depths)
        all.depths[depth] = await measureAll(`${connections} connections with ${depth} call${depth === 1 ? '' : 's'} at a time`,
                                             'calls', names, { depth, connections }, options);
    const fast = names.filter((name) => SUBJECTS[name].bench);
    all.paced = await measureAll(`${rate} calls a second, latency from when each was due`, 'calls', fast,
                                 { rate, connections }, options);
    all.stream = await measureAll('one stream of items', 'items', ['weft-json', 'weft-pb'],
                                  { stream: true, depth: 1, connections: 1 }, options);
    const rows = targets(all);
    printTargets(rows);
    if (options.json) writeFileSync(options.json, `${JSON.stringify({ options, ...all, targets: rows }, null, 1)}\n`);
}

main().catch((error) => {
    console.error(`✗ ${error.message}`);
    process.exitCode = 1;
});
