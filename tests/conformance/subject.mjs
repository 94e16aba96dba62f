// SPDX-License-Identifier: Apache-2.0
// The program under test as a process, in either role, for the tests beyond the case list; and what
// their results look like.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { parseArgs } from 'node:util';

export const PATIENCE_MS = 5000;

/** Rejects after |ms|; the process may end before that. */
export function timeout(ms, what) {
    return new Promise((_, reject) => {
        setTimeout(() => reject(new Error(what)), ms).unref();
    });
}

export function inTime(promise, what, ms = PATIENCE_MS) {
    return Promise.race([promise, timeout(ms, what)]);
}

function exitOf(child) {
    return child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve() : once(child, 'exit');
}

/** Starts `weft echo --listen`; gives { port, stop }. `stop` gives what was wrong about its end. */
export async function startServer({ binary, loop }, args = []) {
    const child = spawn(binary, ['echo', '--listen', '127.0.0.1:0', ...loop, ...args],
                        { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    const found = new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('exit', () => reject(new Error(`the server ended: ${text}`)));
        child.stdout.on('data', (chunk) => {
            text += chunk;
            const match = /listening on wss?:\/\/127\.0\.0\.1:(\d+)/.exec(text);
            if (match) resolve(Number(match[1]));
        });
    });
    const port = await inTime(found, 'the server did not start');
    const stop = async () => {
        if (child.exitCode !== null || child.signalCode !== null)
            return `the server ended with ${child.exitCode ?? child.signalCode}`;
        child.kill('SIGTERM');
        await inTime(exitOf(child), 'SIGTERM did not end the server').catch(() => child.kill('SIGKILL'));
        await exitOf(child);
        return child.exitCode === 0 ? '' : `the server ended with ${child.exitCode ?? child.signalCode}`;
    };
    return { port, stop };
}

/** A listener that starts clients which connect to it, one at a time. */
export class ClientStarter {
    constructor({ binary, loop }) {
        Object.assign(this, { binary, loop });
        this.server = net.createServer();
    }

    async listen() {
        this.server.listen(0, '127.0.0.1');
        await once(this.server, 'listening');
        this.port = this.server.address().port;
    }

    /** A client that has connected: { socket, stderr(), ended }; `ended` resolves to its exit status. */
    async start(args = [], path = '/echo?a=b') {
        const url = `ws://127.0.0.1:${this.port}${path}`;
        const child = spawn(this.binary, ['echo', '--connect', url, ...this.loop, ...args],
                            { stdio: ['ignore', 'ignore', 'pipe'] });
        let stderr = '';
        child.stderr.on('data', (chunk) => { stderr += chunk; });
        const ended = once(child, 'close').then(([status, signal]) => status ?? signal);
        const [socket] = await inTime(once(this.server, 'connection'), 'the client did not connect');
        socket.on('error', () => {});
        const slow = async () => {
            child.kill('SIGKILL');
            await ended;
            return 'the client did not end';
        };
        return {
            socket,
            stderr: () => stderr,
            end: () => inTime(ended, 'slow').catch(slow),
        };
    }

    close() {
        this.server.close();
    }
}

/** Everything that comes on |socket| until it ends; `over` tells that it ended. */
export class Collector {
    constructor(socket) {
        this.bytes = Buffer.alloc(0);
        this.over = false;
        this.waiters = new Set();
        const wake = () => [...this.waiters].forEach((waiter) => waiter());
        const finish = () => {
            this.over = true;
            wake();
        };
        socket.on('data', (chunk) => {
            this.bytes = Buffer.concat([this.bytes, chunk]);
            wake();
        });
        for (const event of ['end', 'close', 'error']) socket.on(event, finish);
    }

    /** Waits until |condition|() holds; false when that took too long. */
    until(condition, ms = PATIENCE_MS) {
        if (condition()) return Promise.resolve(true);
        return new Promise((resolve) => {
            const done = (result) => {
                clearTimeout(timer);
                this.waiters.delete(check);
                resolve(result);
            };
            const check = () => condition() && done(true);
            const timer = setTimeout(() => done(false), ms);
            this.waiters.add(check);
        });
    }
}

/** xorshift32: the same seed repeats a run. */
export class Random {
    constructor(seed) {
        this.state = seed >>> 0 || 1;
    }
    next() {
        this.state ^= this.state << 13;
        this.state ^= this.state >>> 17;
        this.state ^= this.state << 5;
        return this.state >>> 0;
    }
    /** From |min| to |max|, both possible. */
    between(min, max) {
        return min + (this.next() % (max - min + 1));
    }
    /** Small numbers as likely as large ones. */
    size(max) {
        return this.next() % (1 + (this.next() % (2 ** this.between(0, Math.log2(max)))));
    }
    bytes(length) {
        const result = Buffer.alloc(length);
        for (let i = 0; i + 4 <= length; i += 4) result.writeUInt32LE(this.next(), i);
        for (let i = length & ~3; i < length; i++) result[i] = this.next();
        return result;
    }
    /** Valid UTF-8 of |length| bytes, of characters of all lengths: known words in random order. */
    text(length) {
        const words = Array.from({ length: 256 }, () => Buffer.from(Array.from(
            { length: this.between(1, 40) }, () => ['a', 'é', '€', '𝄞', 'z'][this.between(0, 4)]).join('')));
        const result = Buffer.alloc(length, '.');
        for (let at = 0; ;) {
            const word = words[this.next() & 255];
            if (at + word.length > length) return result;
            at += word.copy(result, at);
        }
    }
}

/** Runs |cases| ({ name, run }), some at a time; a `run` gives '' or what is wrong, or throws that. */
export async function runCases(title, cases, atOnce, verbose) {
    const began = Date.now();
    const queue = [...cases];
    const failures = [];
    async function worker() {
        for (let next = queue.shift(); next; next = queue.shift()) {
            const verdict = await Promise.resolve(next.run()).catch((error) => error.message);
            if (verdict) failures.push(`FAILED ${title}: ${next.name}: ${verdict}`);
            else if (verbose) console.log(`  ${title}: ${next.name}: ok`);
        }
    }
    await Promise.all(Array.from({ length: atOnce }, worker));
    console.log(`${title}: ${cases.length} cases, ${((Date.now() - began) / 1000).toFixed(1)} s`);
    for (const failure of failures) console.log(failure);
    return { passed: cases.length - failures.length, failed: failures.length };
}

/** --binary, --loop, --case, --verbose; and --seed, by default that of WEFT_TEST_SEED or a new one. */
export function readOptions() {
    const { values } = parseArgs({
        options: {
            binary: { type: 'string', default: 'build/release/bin/weft' },
            loop: { type: 'string' },
            case: { type: 'string', default: '' },
            seed: { type: 'string' },
            verbose: { type: 'boolean', default: false },
        },
    });
    const seed = Number(values.seed ?? process.env.WEFT_TEST_SEED ?? (Date.now() & 0x7fffffff));
    return { ...values, seed, loop: values.loop ? ['--loop', values.loop] : [] };
}

/** Prints the sum and sets the exit status. */
export function conclude(results) {
    const sum = (field) => results.reduce((total, result) => total + result[field], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
    process.exitCode = sum('failed') || !sum('passed') ? 1 : 0;
}
