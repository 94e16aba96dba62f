// SPDX-License-Identifier: Apache-2.0
// The servers that are compared, who calls them, and starting them on their core.
import { spawn } from 'node:child_process';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const folder = join(root, 'bench/rpc/peers');
export const weft = join(root, 'build/release/bin/weft');
export const SERVER_CORE = '0';
export const LOAD_CORE = os.cpus().length > 1 ? '1' : '0';
const START_MS = 10_000;

/** What is measured: on which server, and how `weft bench` calls it; without |bench| a client in Node does. */
export const SUBJECTS = {
    'weft-json': { server: 'weft', path: '/ws', bench: ['rpc', '--wire', 'text'] },
    'weft-pb': { server: 'weft', path: '/ws', bench: ['rpc', '--wire', 'binary'] },
    'echo-json': { server: 'echo', path: '/', bench: ['echo', '--text'], bytesOf: 'weft-json' },
    'echo-pb': { server: 'echo', path: '/', bench: ['echo', '--binary'], bytesOf: 'weft-pb' },
    jayson: { server: 'jayson', path: '/', bench: ['rpc', '--wire', 'text'] },
    'rpc-websockets': { server: 'rpc-websockets', path: '/', bench: ['rpc', '--wire', 'text'] },
    socketio: { server: 'socketio' },
    connect: { server: 'connect' },
    grpc: { server: 'grpc' },
};

export const OWN = ['weft-json', 'weft-pb', 'echo-json', 'echo-pb'];
export const PEERS = Object.keys(SUBJECTS).filter((name) => !OWN.includes(name));

const common = ['--listen', '127.0.0.1:0', '--workers', '1'];
const COMMANDS = {
    weft: [weft, 'dev', ...common, '--data', ':memory:', '--log-level', 'error'],
    echo: [weft, 'echo', ...common],
};

/** A running server: { pid, port, stop }. */
export function start(name) {
    const command = COMMANDS[name] ?? [process.execPath, join(folder, `${name}.mjs`)];
    const child = spawn('taskset', ['-c', SERVER_CORE, ...command], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
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
