// SPDX-License-Identifier: Apache-2.0
// The servers that are measured: what they need, how each is started, and a look at whether it really
// does what a scenario is about.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const weft = join(root, 'build/release/bin/weft');
const peers = join(root, 'bench/peers');
const built = join(root, 'build/release/bench');
const START_MS = 20_000;
const PROBE_MS = 5_000;

function say(text) {
    process.stderr.write(`» ${text}\n`);
}

/** Runs a command that prepares something; throws with the end of its output when it fails. */
function prepare(command, args, cwd = root) {
    const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
    if (result.status === 0) return;
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
    const lines = output.trim().split('\n');
    const reason = lines.filter((line) => /error/i.test(line))[0] ?? lines.at(-1);
    throw new Error(`${command} ${args[0]}: ${reason}`);
}

let npmProblem;

/** Once for all of them; the second that needs it fails as the first did. */
function installNpmPeers() {
    if (npmProblem) throw npmProblem;
    try {
        installLocked();
    } catch (error) {
        npmProblem = error;
        throw error;
    }
}

function installLocked() {
    const stamp = join(root, 'build/stamps/bench-peers');
    const lock = readFileSync(join(peers, 'package-lock.json'));
    const now = `${createHash('sha256').update(lock).digest('hex')} ${process.version}`;
    if (existsSync(join(peers, 'node_modules')) && existsSync(stamp) &&
        readFileSync(stamp, 'utf8') === now)
        return;
    say('installing bun, deno and ws from npm');
    // Not "npm ci": some mirrors lack the builds of deno for other platforms, and then the lock file
    // cannot name them. The versions of what it names are those of the lock file all the same.
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    prepare('npm', ['install', ...flags], peers);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, now);
}

/** Compiles bench/peers/`source`, unless that was done; gives the program. */
function compile(compiler, source, flags) {
    const from = join(peers, source);
    const to = join(built, source.replace(/\.\w+$/, ''));
    if (existsSync(to) && statSync(to).mtimeMs > statSync(from).mtimeMs) return to;
    say(`compiling bench/peers/${source}`);
    mkdirSync(built, { recursive: true });
    prepare(compiler, ['-O3', '-DNDEBUG', '-o', to, from, ...flags]);
    return to;
}

function platformBinary(...candidates) {
    const found = candidates.map((path) => join(peers, 'node_modules', path)).find(existsSync);
    if (!found) throw new Error('npm has no build of it for this platform');
    return found;
}

function peerArgs({ broadcast, deflate, certificate }) {
    return [
        '--port', '0',
        ...(broadcast ? ['--broadcast'] : []),
        ...(deflate ? ['--deflate'] : []),
        ...(certificate ? ['--tls', certificate.certFile, certificate.keyFile] : []),
    ];
}

const script = (file) => join(peers, file);

function weftServer(loop) {
    return {
        command: (mode) => [
            weft, 'echo', '--listen', '127.0.0.1:0', '--workers', '1', '--loop', loop,
            ...(mode.broadcast ? ['--broadcast'] : []),
            ...(mode.deflate ? ['--deflate', 'shared'] : []),
            ...(mode.certificate ? ['--tls', mode.certificate.certFile, mode.certificate.keyFile] : []),
        ],
    };
}

const bunPackage = `@oven/bun-${process.platform}-${process.arch}/bin/bun`;
const denoPackage = `@deno/${process.platform}-${process.arch}-glibc/deno`;

/**
 * By name. `install` throws when the server cannot be had; `command` gives the command line of a
 * mode: { broadcast, deflate, certificate, large }.
 */
export const SERVERS = {
    'weft-uring': weftServer('uring'),
    'weft-epoll': weftServer('epoll'),
    raw: {
        install: () => prepare('cmake', ['--build', 'build/release', '--target', 'bench-raw_echo']),
        command: () => [join(built, 'raw_echo'), '0'],
    },
    bun: {
        install: installNpmPeers,
        command: (mode) =>
            [platformBinary(bunPackage, 'bun/bin/bun.exe'), script('bun.mjs'), ...peerArgs(mode)],
    },
    deno: {
        install: installNpmPeers,
        command: (mode) => [platformBinary(denoPackage, 'deno/deno'), 'run', '--no-config',
                            '--allow-net', '--allow-read', script('deno.mjs'), ...peerArgs(mode)],
    },
    ws: {
        install: installNpmPeers,
        command: (mode) => [process.execPath, script('ws.mjs'), ...peerArgs(mode)],
    },
    lws: {
        install: () => compile('cc', 'lws.c', ['-lwebsockets']),
        command: (mode) => [join(built, 'lws'), ...peerArgs(mode),
                            ...(mode.large ? ['--receive', '65536'] : [])],
    },
    beast: {
        install: () => compile('c++', 'beast.cpp', ['-std=c++17', '-lssl', '-lcrypto', '-pthread']),
        command: (mode) => [join(built, 'beast'), ...peerArgs(mode)],
    },
};

/** What of |names| can be had; the reasons of the others are printed. */
export function installServers(names) {
    const packages = spawnSync(join(root, 'dev'), ['packages', 'bench'], { stdio: 'inherit' });
    if (packages.status !== 0) say('some Debian packages are missing: peers that need them are left out');
    return names.filter((name) => {
        try {
            SERVERS[name].install?.();
            return true;
        } catch (error) {
            console.log(`! ${name} is left out: ${error.message}`);
            return false;
        }
    });
}

/** A running server: { name, pid, port, stop }. */
export function startServer(name, mode, core) {
    const command = SERVERS[name].command(mode);
    const child = spawn('taskset', ['-c', String(core), ...command], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NO_COLOR: '1' },
    });
    const stop = () => new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', resolve).kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
        let output = '';
        const fail = (why) => {
            clearTimeout(timer);
            stop().then(() => reject(new Error(`${why} ${output.trim().split('\n').pop()}`.trim())));
        };
        const timer = setTimeout(() => fail('does not start:'), START_MS);
        const early = () => fail('ended:');
        const read = (chunk) => {
            if (output.length > 65536) return;
            output += chunk;
            const match = /listening on (?:\S*:)?(\d+)\b/.exec(output);
            if (!match) return;
            clearTimeout(timer);
            child.off('exit', early);
            resolve({ name, pid: child.pid, port: Number(match[1]), stop });
        };
        child.on('error', (error) => fail(error.message));
        child.on('exit', early);
        child.stdout.on('data', read);
        child.stderr.on('data', read);
    });
}

/** '' or why |server| does not do what |mode| asks for: found out by a handshake. */
export function probeServer(server, mode) {
    if (server.name === 'raw') return Promise.resolve('');
    return new Promise((resolve) => {
        const options = { host: '127.0.0.1', port: server.port };
        const socket = mode.certificate
            ? tls.connect({ ...options, rejectUnauthorized: false }, ask)
            : net.connect(options, ask);
        let head = '';
        const done = (verdict) => {
            socket.destroy();
            resolve(verdict);
        };
        socket.setTimeout(PROBE_MS, () => done('does not answer the handshake'));
        socket.on('error', (error) => done(error.message));
        socket.on('close', () => done('closes in the handshake'));
        socket.on('data', (chunk) => {
            head += chunk.toString('latin1');
            if (!head.includes('\r\n\r\n')) return;
            if (!head.startsWith('HTTP/1.1 101')) done(`answers ${head.split('\r\n')[0]}`);
            else if (mode.certificate && socket.getProtocol() !== 'TLSv1.3') done('has no TLS 1.3');
            else if (!mode.deflate) done('');
            else if (!/permessage-deflate/i.test(head)) done('has no permessage-deflate');
            else done(/server_no_context_takeover/i.test(head) ? '' : 'keeps contexts');
        });
        function ask() {
            socket.write('GET / HTTP/1.1\r\n' +
                `Host: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
                `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
                (mode.deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; ' +
                    'server_no_context_takeover; client_no_context_takeover\r\n' : '') + '\r\n');
        }
    });
}
