// SPDX-License-Identifier: Apache-2.0
// All that can be checked without running weft. Called by ./dev lint:
//
//     node tools/lint.mjs --build build/release [STEP…]
//
// Steps: format layers symbols abi settings codes headers sizes types tidy; without a name all of them. Every step runs,
// whatever the others said; the last line is "N passed, N failed".
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { walk } from './lib/files.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const SOURCE_FOLDERS = ['include', 'src', 'bin', 'tests', 'examples', 'bench'];

/** Resolves to { ok, output }. */
function run(command, args) {
    return new Promise((done) => {
        const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
        let output = '';
        child.stdout.on('data', (chunk) => (output += chunk));
        child.stderr.on('data', (chunk) => (output += chunk));
        child.on('error', (error) => done({ ok: false, output: `${command}: ${error.message}\n` }));
        child.on('close', (code) => done({ ok: code === 0, output }));
    });
}

/** clang-format or clang-tidy of version 14: what other versions want differs. */
function clangTool(name) {
    if (spawnSync(`${name}-14`, ['--version']).status === 0) return `${name}-14`;
    return name;
}

const cFiles = () =>
    SOURCE_FOLDERS.flatMap((folder) => walk(join(root, folder)))
        .filter((path) => /\.[ch]$/.test(path))
        .map((path) => relative(root, path));

const node = (script, ...args) => run(process.execPath, [join(root, 'tools', script), ...args]);

/** Our own files in the compilation database of |build|, as they are named there. */
function compiledFiles(build) {
    const entries = JSON.parse(readFileSync(join(build, 'compile_commands.json'), 'utf8'));
    const files = entries.map(({ file }) => file).filter((file) => !file.startsWith(build));
    return [...new Set(files)].sort();
}

/** The compilation database of |build| without what clang takes for an error; its folder. */
function clangDatabase(build) {
    const folder = join(build, 'clang-tidy');
    const text = readFileSync(join(build, 'compile_commands.json'), 'utf8');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'compile_commands.json'), text.replaceAll(/ -mmemset-strategy=[^ "]*/g, ''));
    return folder;
}

/** clang-tidy, one file a process and as many processes as there are processors. */
async function tidy(build) {
    const files = compiledFiles(build);
    const database = clangDatabase(build);
    const failures = [];
    let next = 0;
    const worker = async () => {
        while (next < files.length) {
            const file = files[next++];
            // The database holds gcc's flags; those that clang does not know are no finding.
            const flags = ['--quiet', '--extra-arg=-Wno-unknown-warning-option', '-p', database];
            const { ok, output } = await run(clangTool('clang-tidy'), [...flags, file]);
            if (!ok) failures.push(output.replaceAll(/^\d+ warnings? generated\.\n/gm, ''));
        }
    };
    await Promise.all(cpus().map(worker));
    return { ok: failures.length === 0 && files.length > 0, output: failures.join('\n') };
}

const steps = {
    format: () => run(clangTool('clang-format'), ['--dry-run', '--Werror', ...cFiles()]),
    layers: () => node('check-layers.mjs'),
    symbols: (build) => node('check-symbols.mjs', build),
    abi: (build) => node('check-abi.mjs', build),
    settings: (build) => node('check-settings.mjs', build),
    codes: () => node('check-codes.mjs'),
    headers: () => node('check-headers.mjs'),
    sizes: () => node('check-sizes.mjs'),
    types: () => run('npm', ['--prefix', 'clients/ts', 'run', '--silent', 'check']),
    tidy,
};

const { values, positionals } = parseArgs({
    options: { build: { type: 'string' } },
    allowPositionals: true,
});
const build = resolve(values.build);
let passed = 0;
let failed = 0;
for (const name of positionals.length > 0 ? positionals : Object.keys(steps)) {
    const begin = Date.now();
    const { ok, output } = await steps[name](build);
    const seconds = ((Date.now() - begin) / 1000).toFixed(1);
    if (ok) passed++;
    else failed++;
    if (!ok) console.log(output.trimEnd());
    console.log(`${ok ? '✓' : '✗'} ${name.padEnd(10)} (${seconds} s)`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
