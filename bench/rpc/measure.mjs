// SPDX-License-Identifier: Apache-2.0
// One measurement: `weft bench` where a server speaks JSON-RPC over WebSocket, else a client in Node.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { PAYLOAD } from './peers/payload.mjs';
import { folder, LOAD_CORE, SUBJECTS, weft } from './servers.mjs';

const run = promisify(execFile);
const sizes = {};

async function load(command) {
    const { stdout, stderr } = await run('taskset', ['-c', LOAD_CORE, ...command]).catch((error) => error);
    try {
        return JSON.parse(stdout);
    } catch {
        throw new Error(String(stderr).trim().split('\n').pop() || 'no result');
    }
}

/** What `weft bench` says, in the form of the other client. */
export function resultOf(bench) {
    if (bench.errors > 0) throw new Error(`${bench.errors} errors: ${bench.first_error}`);
    return {
        calls: bench.messages,
        rate: bench.messages_per_s,
        cpu_us: bench.server_cpu_ns_per_message / 1000,
        p50_us: bench.latency_us.p50,
        p99_us: bench.latency_us.p99,
    };
}

/** Arguments of `weft bench` for |name|: |what| is { depth, connections }, { rate, … } or { stream, … }. */
function argumentsOf(name, server, what, { seconds, warmup }) {
    const { path, bench, bytesOf } = SUBJECTS[name];
    const args = [...bench, `ws://127.0.0.1:${server.port}${path}`, '--json', '--quiet', '--server-pid', String(server.pid),
                  '--duration', seconds, '--warmup', warmup, '--connections', String(what.connections)];
    if (bytesOf) args.push('--size', String(sizes[bytesOf]));
    else if (what.stream) args.push('--stream');
    else args.push('--method', 'demo.echo', '--params', JSON.stringify(PAYLOAD), '--check');
    if (what.rate) args.push('--rate', String(what.rate));
    else args.push('--depth', String(what.depth));
    return args;
}

/** An echo has as many bytes as the call it is compared with, which was measured before. */
export async function measure(name, server, what, options) {
    if (!SUBJECTS[name].bench)
        return load([process.execPath, join(folder, 'load.mjs'), name, server.port, String(what.depth),
                     String(what.connections), options.seconds, options.warmup, String(server.pid)]);
    const bench = await load([weft, 'bench', ...argumentsOf(name, server, what, options)]);
    sizes[name] = bench.size;
    return resultOf(bench);
}
