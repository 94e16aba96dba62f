// SPDX-License-Identifier: Apache-2.0
// The suites of ./dev test: which programs each consists of and how they are run.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

import { walk } from './files.mjs';

/** What the modules with threads are called; their unit tests run under ThreadSanitizer. */
const THREADED = ['base', 'io', 'peer', 'server', 'client', 'store', 'hub', 'bus'];

/** Sanitizers make programs slower; the limits are for the slowest machine we use. */
const UNIT_TIMEOUT_MS = 60_000;
const INTEGRATION_TIMEOUT_MS = 120_000;
const CONFORMANCE_TIMEOUT_MS = 300_000;
const TS_TIMEOUT_MS = 300_000;
const VALGRIND_TIMEOUT_MS = 120_000;

/** The C tests of the sources, so that one that was not built is a failure and not an absence. */
function cTests(root, build, kind, pattern) {
    return walk(join(root, 'tests', kind))
        .filter((path) => pattern.test(path))
        .map((path) => {
            const place = relative(join(root, 'tests'), path).replace(/\.c$/, '');
            return { name: place, path: join(build, 'tests', place) };
        });
}

/** "thread", "address,undefined" or "": what the build tree was configured with. */
function sanitizerOf(build) {
    const cache = readFileSync(join(build, 'CMakeCache.txt'), 'utf8');
    return /^WEFT_SANITIZE:STRING=(.*)$/m.exec(cache)?.[1] ?? '';
}

function cSuite(title, build, programs, { timeoutMs, env = {}, parallel = 1 }) {
    const sanitizer = sanitizerOf(build);
    // ThreadSanitizer of gcc 12 cannot place its shadow under the address layout of new kernels.
    const wrapper = sanitizer === 'thread' ? ['setarch', '-R'] : [];
    const tests = programs.map(({ name, path }) => {
        const [command, ...args] = [...wrapper, path];
        return {
            name,
            command,
            args,
            exists: existsSync(path),
            cwd: build,
            timeoutMs,
            sanitizer,
            env: { WEFT_TEST_BINARY: join(build, 'bin', 'weft'), ...env },
        };
    });
    return { title, tests, parallel };
}

/** Test files of the TypeScript side: the name that ./dev test NAME knows each by. */
function npmTestNames(root, script) {
    const [folders, pattern] = {
        test: [['clients/ts/packages', 'web'], /^(?!.*\.server\.test\.ts$)(.*)\.test\.tsx?$/],
        'test:server': [['clients/ts/packages'], /^(.*)\.server\.test\.ts$/],
        'test:e2e': [['tests/e2e'], /^(.*)\.test\.mjs$/],
    }[script];
    return folders
        .flatMap((folder) => walk(join(root, folder)))
        .filter((path) => !path.includes('/node_modules/') && !path.includes('/dist/'))
        .map((path) => pattern.exec(basename(path))?.[1])
        .filter((name) => name !== undefined);
}

function npmTest(root, build, script) {
    return {
        name: script,
        command: 'npm',
        args: ['--prefix', join(root, 'clients/ts'), 'run', '--silent', script],
        // One file of the suite: npm run SCRIPT -- NAME.
        contains: npmTestNames(root, script),
        exists: existsSync(join(root, 'clients/ts/package.json')),
        cwd: root,
        timeoutMs: TS_TIMEOUT_MS,
        sanitizer: sanitizerOf(build),
        env: {
            WEFT_BIN: join(build, 'bin', 'weft'),
            // The same seed repeats a run on both sides.
            ...(process.env.WEFT_TEST_SEED ? { WEFT_SEED: process.env.WEFT_TEST_SEED } : {}),
            NO_COLOR: '1',
        },
    };
}

function npmSuite(title, root, build, ...scripts) {
    return { title, tests: scripts.map((script) => npmTest(root, build, script)), parallel: 2 };
}

function toolSuite(root) {
    const files = walk(join(root, 'tools/tests')).filter((path) => path.endsWith('.test.mjs'));
    const tests = files.map((path) => ({
        name: relative(root, path),
        command: process.execPath,
        args: ['--test', path],
        exists: true,
        cwd: root,
        timeoutMs: UNIT_TIMEOUT_MS,
        env: { NO_COLOR: '1' },
    }));
    return { title: 'build tools', tests, parallel: 2 };
}

/** The case list in whole, plain on every loop and encrypted on one: TLS lies above the loop. */
const CONFORMANCE = [
    ['websocket', 'websocket.mjs'],
    ['websocket-tls', 'websocket.mjs', '--tls'],
    ['peer', 'peer.mjs'],
    ['handshake', 'handshake.mjs'],
    ['messages', 'messages.mjs'],
    /* The last group once more, with contexts that are kept. */
    ['takeover', 'websocket.mjs', '--case', '13.', '--deflate', 'takeover'],
];
/** Those that run on epoll only. */
const CONFORMANCE_ONCE = ['websocket-tls', 'takeover'];
/** With sanitizers each way through the code is taken once: they make everything slower. */
const CONFORMANCE_SANITIZED = ['websocket-tls-epoll', 'handshake-uring', 'messages-uring'];

/** The WebSocket case list and what it leaves out, judged in both roles; and compression with a
 *  peer that is not ours. */
function conformanceSuite(root, build, uring) {
    const sanitizer = sanitizerOf(build);
    const loops = uring.available ? ['epoll', 'uring'] : ['epoll'];
    const runs = loops
        .flatMap((loop) =>
            CONFORMANCE.map(([name, script, ...args]) => ({
                name: `${name}-${loop}`,
                script,
                args: ['--loop', loop, ...args],
                once: loop !== 'epoll' && CONFORMANCE_ONCE.includes(name),
            })),
        )
        .filter(({ name, once }) =>
            sanitizer ? CONFORMANCE_SANITIZED.includes(name) : !once,
        );
    const tests = runs.map(({ name, script, args }) => ({
        name: `conformance/${name}`,
        command: process.execPath,
        args: [
            join(root, 'tests/conformance', script),
            '--binary',
            join(build, 'bin', 'weft'),
            ...args,
        ],
        exists: existsSync(join(build, 'bin', 'weft')),
        cwd: root,
        timeoutMs: CONFORMANCE_TIMEOUT_MS,
        sanitizer,
        env: {},
    }));
    // Each is two processes that wait for each other.
    return { title: 'WebSocket conformance', tests, parallel: 2 };
}

/** Every kind of abuse at once for a few seconds; ./dev bench abuse does it for longer. */
function securitySuite(root, build, uring) {
    const sanitizer = sanitizerOf(build);
    // Sanitizers take time, and keep what is freed: then only what the server counts is judged.
    const strength = sanitizer === 'thread' ? '0.05' : '0.2';
    const slow = ['--strength', strength, '--patience', '10000', '--margin', '4000'];
    const judged = sanitizer === '' ? [] : slow;
    const wrapper = sanitizer === 'thread' ? ['setarch', '-R'] : [];
    const loops = uring.available ? ['epoll', 'uring'] : ['epoll'];
    const tests = loops.map((loop) => {
        const [command, ...args] = [
            ...wrapper,
            process.execPath,
            join(root, 'tests/security/abuse.mjs'),
            '6',
            '--binary',
            join(build, 'bin', 'weft'),
            '--loop',
            loop,
            ...judged,
        ];
        return {
            name: `security/abuse-${loop}`,
            command,
            args,
            exists: existsSync(join(build, 'bin', 'weft')),
            cwd: root,
            timeoutMs: INTEGRATION_TIMEOUT_MS,
            sanitizer,
            env: {},
        };
    });
    return { title: 'abuse', tests, parallel: 1 };
}

function integrationSuites(root, build, uring) {
    const programs = cTests(root, build, 'integration', /\.c$/);
    const suite = (loop) => ({
        ...cSuite(`C integration, ${loop}`, build, programs, {
            timeoutMs: INTEGRATION_TIMEOUT_MS,
            // Most of their time they wait.
            parallel: 3,
            env: { WEFT_TEST_LOOP: loop },
        }),
        loop,
    });
    const refused = uring.available ? null : `the kernel refuses io_uring (${uring.reason})`;
    return [suite('epoll'), { ...suite('uring'), notRun: refused }];
}

/** What valgrind runs of the integration tests: every layer from sockets up, in seconds. */
const VALGRIND_INTEGRATION = ['io_buffers', 'io_transport', 'io_echo', 'server_http'];

/** Unit tests that valgrind leaves out: exhaustive ones, which would take minutes each. */
const VALGRIND_OMITTED = ['utf8_test', 'cases_test', 'powercut_test'];

/** Memcheck over C tests, on epoll: valgrind cannot follow io_uring, so it is refused to them. */
function valgrindSuite(root, build) {
    const chosen = [
        ...cTests(root, build, 'unit', /_test\.c$/).filter(
            ({ name }) => !VALGRIND_OMITTED.includes(basename(name)),
        ),
        ...cTests(root, build, 'integration', /\.c$/).filter(({ name }) =>
            VALGRIND_INTEGRATION.includes(basename(name)),
        ),
    ];
    const suite = cSuite('C under valgrind', build, chosen, {
        timeoutMs: VALGRIND_TIMEOUT_MS,
        parallel: 2,
        env: { WEFT_TEST_LOOP: 'epoll' },
    });
    const tests = suite.tests.map((test) => ({
        ...test,
        command: join(build, 'tests/no_uring'),
        args: ['valgrind', test.command, ...test.args],
        sanitizer: 'valgrind',
    }));
    return { ...suite, tests };
}

/**
 * The suites called |names| ("all", or a list of: tools unit threads valgrind integration
 * conformance security ts ts-server e2e, web: these three at once).
 * |uring| says whether the kernel lets us test io_uring: { available, reason }.
 */
export function makeSuites(names, { root, build, uring }) {
    const unit = cTests(root, build, 'unit', /_test\.c$/);
    const threaded = unit.filter(({ name }) => THREADED.includes(name.split('/')[1]));
    const options = { timeoutMs: UNIT_TIMEOUT_MS, parallel: 2 };
    const makers = {
        tools: () => [toolSuite(root)],
        unit: () => [cSuite('C unit', build, unit, options)],
        threads: () => [cSuite('C unit, threaded modules', build, threaded, options)],
        valgrind: () => [valgrindSuite(root, build)],
        integration: () => integrationSuites(root, build, uring),
        conformance: () => [conformanceSuite(root, build, uring)],
        security: () => [securitySuite(root, build, uring)],
        ts: () => [npmSuite('TypeScript unit', root, build, 'test')],
        'ts-server': () => [npmSuite('TypeScript with server', root, build, 'test:server')],
        e2e: () => [npmSuite('browser', root, build, 'test:e2e')],
        web: () => [
            npmSuite('TypeScript, browser', root, build, 'test:e2e', 'test', 'test:server'),
        ],
    };
    const all = ['tools', 'unit', 'integration', 'conformance', 'security', 'web'];
    const wanted = names === 'all' ? all : names.split(',');
    return wanted.flatMap((name) => {
        if (!makers[name]) throw new Error(`there is no suite "${name}"`);
        return makers[name]();
    });
}
