// SPDX-License-Identifier: Apache-2.0
// Runs the test programs of one build tree and adds up their cases. Called by ./dev test:
//
//     node tools/run-tests.mjs --build build/release --suites all [NAME]
//
// A failing program's output is shown, every program's is in <build>/test-logs/. The last line is
// "N passed, N failed". Status 1: a case failed, a program crashed, hung, was not built or ran no
// case, or a test that tests/plan.txt calls brought did not run in a full run.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { countCases } from './lib/count.mjs';
import { readPlan } from './lib/plan.mjs';
import { runProgram } from './lib/process.mjs';
import { sanitizerEnv, withReports } from './lib/sanitizers.mjs';
import { makeSuites } from './lib/suites.mjs';
import { probeUring } from './lib/uring.mjs';

const SHOWN_OUTPUT_MAX = 40_000;

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

function showFailure(test, output, log) {
    const cut = output.length > SHOWN_OUTPUT_MAX;
    const shown = cut ? `… (the beginning is in ${log})\n${output.slice(-SHOWN_OUTPUT_MAX)}` : output;
    process.stdout.write(`\n--- ${test.name} failed; ${log}\n${shown.trimEnd()}\n---\n\n`);
}

async function runTest(test, logFolder) {
    const log = join(logFolder, `${test.name.replaceAll(/[/:]/g, '-')}.log`);
    let result = { ok: false, output: `${test.name}: it was not built\n` };
    if (test.exists) {
        const env = { ...sanitizerEnv(test.sanitizer, log), ...test.env };
        result = withReports(await runProgram(test.command, test.args, { ...test, env }), log);
    }
    const counts = countCases(result.output, result);
    if (result.ok && counts.passed === 0) result.output += '\n*** no case was run\n';
    writeFileSync(log, result.output);
    if (counts.failed > 0) showFailure(test, result.output, log);
    return { name: test.name, ...counts };
}

/** Runs the tests of |suite|, |suite.parallel| at a time; the results keep the order of the tests. */
async function runSuite(suite, logFolder) {
    const begin = Date.now();
    mkdirSync(logFolder, { recursive: true });
    const results = new Array(suite.tests.length);
    let next = 0;
    const worker = async () => {
        while (next < suite.tests.length) {
            const index = next++;
            results[index] = await runTest(suite.tests[index], logFolder);
        }
    };
    await Promise.all(Array.from({ length: suite.parallel }, worker));
    const total = (field) => results.reduce((sum, result) => sum + result[field], 0);
    return {
        title: suite.title,
        seconds: (Date.now() - begin) / 1000,
        passed: total('passed'),
        failed: total('failed'),
        skipped: total('skipped'),
        results,
    };
}

function suiteLine({ title, passed, failed, skipped, seconds }) {
    const mark = failed > 0 ? '✗' : '✓';
    const left = skipped > 0 ? `, ${skipped} skipped` : '';
    return `${mark} ${title.padEnd(26)} ${passed} passed, ${failed} failed${left}  (${seconds.toFixed(1)} s)`;
}

/** The brought tests of the plan that no suite ran: one failure each. */
function missingFromPlan(suites) {
    const ran = new Set(
        suites.flatMap(({ results }) =>
            results.filter(({ passed }) => passed > 0).map(({ name }) => basename(name)),
        ),
    );
    return readPlan(join(root, 'tests/plan.txt'))
        .filter(({ name, state }) => state === 'brought' && !ran.has(name))
        .map(({ name }) => name);
}

/** |test| if it is called |name|, the part of it that is, or null. */
function pick(test, name) {
    if (test.name === name || basename(test.name) === name) return test;
    if (!test.contains?.includes(name)) return null;
    return { ...test, name, args: [...test.args, '--', name] };
}

/** Of all suites, only the tests called |name|: a file's name with or without its folder. */
function only(suites, name) {
    const chosen = suites
        .map((suite) => ({ ...suite, tests: suite.tests.map((test) => pick(test, name)) }))
        .map((suite) => ({ ...suite, tests: suite.tests.filter((test) => test !== null) }))
        .filter((suite) => suite.tests.length > 0);
    if (chosen.length > 0) return chosen;
    const entry = readPlan(join(root, 'tests/plan.txt')).find((planned) => planned.name === name);
    if (entry?.state === 'planned') {
        throw new Error(`${name} does not exist yet; "${entry.work}" brings it`);
    }
    throw new Error(`there is no test "${name}"`);
}

async function runAll(suites, build) {
    const logs = join(build, 'test-logs');
    rmSync(logs, { recursive: true, force: true });
    const done = [];
    for (const suite of suites) {
        if (suite.notRun) {
            console.log(`! ${suite.title}: NOT RUN, ${suite.notRun}`);
            done.push({ ...suite, results: [], passed: 0, failed: 0, skipped: 0 });
            continue;
        }
        if (suite.tests.length === 0) {
            console.log(`✗ ${suite.title}: there is no test`);
            done.push({ title: suite.title, results: [], passed: 0, failed: 1, skipped: 0, seconds: 0 });
            continue;
        }
        console.log(`» ${suite.title} (${suite.tests.length})`);
        const folder = join(logs, suite.title.replaceAll(/[^A-Za-z]+/g, '-'));
        done.push(await runSuite(suite, folder));
    }
    return done;
}

function report(done, missing) {
    console.log('');
    for (const suite of done) {
        console.log(suite.notRun ? `! ${suite.title.padEnd(26)} NOT RUN` : suiteLine(suite));
    }
    for (const name of missing) console.log(`✗ ${name} of tests/plan.txt did not run`);
    const total = (field) => done.reduce((sum, suite) => sum + suite[field], 0);
    const passed = total('passed');
    const failed = total('failed') + missing.length;
    const skipped = total('skipped');
    if (skipped > 0) console.log(`! ${skipped} cases were skipped`);
    console.log(`${passed} passed, ${failed} failed`);
    return { passed, failed, skipped };
}

async function main() {
    const { values, positionals } = parseArgs({
        options: { build: { type: 'string' }, suites: { type: 'string', default: 'all' } },
        allowPositionals: true,
    });
    const build = resolve(values.build);
    const uring = await probeUring(build);
    let suites = makeSuites(values.suites, { root, build, uring });
    const [name] = positionals;
    if (name) suites = only(suites, name);
    const done = await runAll(suites, build);
    const full = values.suites === 'all' && !name;
    const totals = report(done, full ? missingFromPlan(done) : []);
    writeFileSync(join(build, 'test-results.json'), `${JSON.stringify(totals)}\n`);
    process.exitCode = totals.failed > 0 ? 1 : 0;
}

main().catch((error) => {
    console.error(`✗ ${error.message}`);
    console.log('0 passed, 1 failed');
    process.exitCode = 1;
});
