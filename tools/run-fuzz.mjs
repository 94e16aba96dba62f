// SPDX-License-Identifier: Apache-2.0
// Runs the fuzz targets, two at a time. Called by ./dev fuzz:
//
//     node tools/run-fuzz.mjs --build build/fuzz --seconds 5 [TARGET]
//
// New inputs are kept in <build>/corpus/<name>/, which grows from run to run; the committed ones in
// tests/fuzz/corpus/<name>/ are read only. What crashes is written to <build>/crashes/ and named.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const INPUT_BYTES_MAX = 65536;
const ONE_INPUT_SECONDS = 10;
const MEMORY_MB = 2048;
const AT_ONCE = 2;

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
    options: { build: { type: 'string' }, seconds: { type: 'string', default: '60' } },
    allowPositionals: true,
});
const build = resolve(values.build);
const folder = join(build, 'fuzz');
const crashes = join(build, 'crashes');

/** Resolves to { ok, output } of one target. */
function fuzz(target) {
    const name = target.replace(/^fuzz_/, '');
    const grown = join(build, 'corpus', name);
    mkdirSync(grown, { recursive: true });
    mkdirSync(crashes, { recursive: true });
    const committed = join(root, 'tests/fuzz/corpus', name);
    const dictionary = join(root, 'tests/fuzz/corpus', `${name}.dict`);
    const args = [
        `-max_total_time=${values.seconds}`,
        `-max_len=${INPUT_BYTES_MAX}`,
        `-timeout=${ONE_INPUT_SECONDS}`,
        `-rss_limit_mb=${MEMORY_MB}`,
        `-artifact_prefix=${crashes}/${name}-`,
        '-print_final_stats=1',
        ...(existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
        grown,
        ...(existsSync(committed) ? [committed] : []),
    ];
    return new Promise((done) => {
        const child = spawn(join(folder, target), args, { stdio: ['ignore', 'pipe', 'pipe'] });
        let output = '';
        const keep = (chunk) => (output = (output + chunk).slice(-20_000));
        child.stdout.on('data', keep);
        child.stderr.on('data', keep);
        child.on('error', (error) => done({ ok: false, output: error.message }));
        child.on('close', (code) => done({ ok: code === 0, output }));
    });
}

const all = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('fuzz_')) : [];
const [wanted] = positionals;
const targets = all.filter((name) => !wanted || name === wanted || name === `fuzz_${wanted}`);
if (targets.length === 0) {
    console.log(`✗ no fuzz target${wanted ? ` "${wanted}"` : ''}; there are: ${all.join(' ')}`);
    process.exitCode = 1;
}
let passed = 0;
const waiting = [...targets];
async function work() {
    for (let target; (target = waiting.shift()) !== undefined; ) {
        console.log(`» ${target}: ${values.seconds} s`);
        const { ok, output } = await fuzz(target);
        const units = /stat::number_of_executed_units: *(\d+)/.exec(output)?.[1] ?? 0;
        if (ok) passed++;
        else process.exitCode = 1;
        if (!ok) console.log(output.trimEnd());
        console.log(`${ok ? '✓' : '✗'} ${target}: ${units} inputs`);
    }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(`${passed} passed, ${targets.length - passed} failed`);
