// SPDX-License-Identifier: Apache-2.0
// weft's transport beside bun, deno, ws, libwebsockets, Boost.Beast and plain TCP, in alternating rounds.
//
//     ./dev bench transport [--only ID,ID] [--rounds 5] [--seconds 2] [--warmup 0.5]
//                           [--peers raw,bun,deno,ws,lws,beast] [--text] [--json FILE]
//
// Each server has one core, `weft bench` another. Within a scenario all servers run at once but only
// one has load: A B C, A B C, …; medians are compared. docs/guides/comparison.md explains the rest.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs, promisify } from 'node:util';

import { makeCertificate } from '../tests/conformance/certificate.mjs';
import { SCENARIOS } from './transport/scenarios.mjs';
import { installServers, probeServer, SERVERS, startServer, weft } from './transport/servers.mjs';
import { judge, printScenario, printTargets, summarize, WEFTS } from './transport/table.mjs';

const run = promisify(execFile);
const PEERS = Object.keys(SERVERS).filter((name) => !WEFTS.includes(name));
const OUTPUT_MAX = 1 << 20;
const QUIET_MS = 300;
const SETTLING_CONNECTIONS = '50';

/** The first two cores this process may use: one for the server, one for the load. */
function chooseCores() {
    const status = readFileSync('/proc/self/status', 'utf8');
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)[1];
    const cores = list.split(',').flatMap((part) => {
        const [first, last = first] = part.split('-').map(Number);
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
    return { server: cores[0], load: cores[1] ?? cores[0], shared: cores.length < 2 };
}

/** Which share of their time the two cores were busy within |ms| in which nobody measures. */
async function busyShare(cores, ms) {
    const read = () => [cores.server, cores.load].map((core) => os.cpus()[core].times);
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, ms));
    const shares = read().map((times, i) => {
        const spent = (key) => times[key] - before[i][key];
        const all = Object.keys(times).reduce((sum, key) => sum + spent(key), 0);
        return all ? 1 - spent('idle') / all : 0;
    });
    return Math.max(...shares);
}

class Runner {
    constructor(options) {
        this.options = options;
        this.cores = chooseCores();
        this.certificate = null;
        this.running = new Set();
        this.done = 0;
        this.planned = 0;
    }

    progress(text) {
        const share = this.planned ? `${String(Math.round((100 * this.done) / this.planned)).padStart(3)} %  ` : '';
        process.stderr.write(`» ${share}${text}\n`);
    }

    modeOf(scenario) {
        const { broadcast, deflate, large } = scenario;
        if (scenario.tls) this.certificate ??= makeCertificate('127.0.0.1');
        return { broadcast, deflate, large, certificate: scenario.tls ? this.certificate : null };
    }

    /** One call of `weft bench`; gives its JSON. */
    async load(server, mode, words) {
        const scheme = server.name === 'raw' ? 'tcp' : mode.certificate ? 'wss' : 'ws';
        const args = [
            '-c', String(this.cores.load), weft, 'bench', ...words.slice(0, 1),
            `${scheme}://127.0.0.1:${server.port}${scheme === 'tcp' ? '' : '/'}`, ...words.slice(1),
            '--json', '--quiet', '--server-pid', String(server.pid),
            ...(mode.certificate ? ['--insecure'] : []), ...(mode.deflate ? ['--deflate'] : []),
            ...(this.options.text && !mode.deflate && server.name !== 'raw' ? ['--text'] : []),
        ];
        const output = await run('taskset', args, { maxBuffer: OUTPUT_MAX }).catch((error) => error);
        let result;
        try {
            result = JSON.parse(output.stdout);
        } catch {
            throw new Error(`no result: ${String(output.stderr ?? output).trim().split('\n').pop()}`);
        }
        if (result.errors > 0) throw new Error(`${result.errors} errors: ${result.first_error}`);
        if (words[0] !== 'idle' && !result.messages) throw new Error('no message came');
        return result;
    }

    async measure(server, scenario, mode) {
        const { seconds, warmup } = this.options;
        if (scenario.fresh) {
            // What the first connections of a process cost is not what one costs.
            await this.load(server, mode, ['idle', '--connections', SETTLING_CONNECTIONS,
                                           '--duration', '0.2', '--warmup', '0']);
        }
        return this.load(server, mode,
                         [...scenario.bench, '--duration', String(seconds), '--warmup', String(warmup)]);
    }

    async start(name, scenario, mode) {
        const server = await startServer(name, mode, this.cores.server);
        this.running.add(server);
        const problem = await probeServer(server, mode);
        if (!problem) return server;
        await this.stop(server);
        throw new Error(problem);
    }

    async stop(server) {
        if (!server) return;
        this.running.delete(server);
        await server.stop();
    }

    /** One server's turn in a round; what goes wrong ends its part in the scenario. */
    async turn(name, scenario, mode, result) {
        try {
            result.server ??= await this.start(name, scenario, mode);
            result.runs.push(await this.measure(result.server, scenario, mode));
        } catch (error) {
            result.problem = error.message;
        }
        if (scenario.fresh || result.problem) {
            await this.stop(result.server);
            result.server = null;
        }
    }

    async scenario(scenario, names) {
        const mode = this.modeOf(scenario);
        const results = {};
        for (const name of names) if (name !== 'raw' || scenario.raw) results[name] = { runs: [] };
        const { rounds } = this.options;
        let busy = 0;
        for (let round = 1; round <= rounds; round++) {
            this.progress(`${scenario.id}, round ${round} of ${rounds}`);
            busy = Math.max(busy, await busyShare(this.cores, QUIET_MS));
            for (const [name, result] of Object.entries(results)) {
                if (!result.problem) await this.turn(name, scenario, mode, result);
                this.done++;
            }
        }
        for (const result of Object.values(results)) {
            await this.stop(result.server);
            delete result.server;
            if (!result.problem) result.summary = summarize(scenario, result.runs);
        }
        printScenario(scenario, results, busy);
        return { title: scenario.title, busy, servers: results };
    }

    async all(scenarios, names) {
        const count = (scenario) => names.length - (names.includes('raw') && !scenario.raw ? 1 : 0);
        this.planned = scenarios.reduce((sum, one) => sum + count(one) * this.options.rounds, 0);
        const minutes = (this.planned * (this.options.seconds + this.options.warmup + 0.3)) / 60;
        this.progress(`${this.planned} measurements, about ${Math.ceil(minutes)} min`);
        const all = {};
        try {
            for (const scenario of scenarios) all[scenario.id] = await this.scenario(scenario, names);
        } finally {
            await Promise.all([...this.running].map((server) => this.stop(server)));
            this.certificate?.remove();
        }
        return all;
    }
}

function choose(text, known, what) {
    const wanted = text.split(',').filter(Boolean);
    const strange = wanted.find((one) => !known.includes(one));
    if (strange) throw new Error(`there is no ${what} "${strange}"; there are: ${known.join(', ')}`);
    return wanted;
}

function readOptions() {
    const { values } = parseArgs({
        options: {
            only: { type: 'string' }, rounds: { type: 'string', default: '5' },
            seconds: { type: 'string', default: '2' }, warmup: { type: 'string', default: '0.5' },
            peers: { type: 'string', default: PEERS.join(',') }, json: { type: 'string' },
            text: { type: 'boolean', default: false },
        },
    });
    const ids = SCENARIOS.map(({ id }) => id);
    const options = {
        only: choose(values.only ?? ids.join(','), ids, 'scenario'),
        peers: choose(values.peers, PEERS, 'peer'),
        rounds: Number(values.rounds), seconds: Number(values.seconds), warmup: Number(values.warmup),
        text: values.text, json: values.json,
    };
    if (!(Number.isInteger(options.rounds) && options.rounds >= 1 && options.seconds > 0 && options.warmup >= 0))
        throw new Error('--rounds takes a number from 1, --seconds and --warmup times in seconds');
    return options;
}

async function main() {
    const options = readOptions();
    const runner = new Runner(options);
    const machine = { cpu: os.cpus()[0].model, kernel: os.release(), node: process.version, cores: runner.cores };
    const names = [...WEFTS, ...installServers(PEERS.filter((name) => options.peers.includes(name)))];
    console.log(`${machine.cpu}, Linux ${machine.kernel}; server on core ${machine.cores.server}, ` +
                `load on core ${machine.cores.load}; ${options.rounds} rounds of ${options.seconds} s`);
    if (machine.cores.shared) console.log('! there is one core only: server and load share it');
    for (const signal of ['SIGINT', 'SIGTERM']) {
        process.once(signal, () => {
            Promise.all([...runner.running].map((server) => server.stop())).finally(() => process.exit(130));
        });
    }
    const all = await runner.all(SCENARIOS.filter(({ id }) => options.only.includes(id)), names);
    const targets = judge(all);
    printTargets(targets);
    if (options.json) {
        writeFileSync(options.json, `${JSON.stringify({ machine, options, scenarios: all, targets }, null, 1)}\n`);
        console.log(`\nwritten: ${options.json}`);
    }
}

main().catch((error) => {
    console.error(`✗ ${error.message}`);
    process.exitCode = 1;
});
