// SPDX-License-Identifier: Apache-2.0
// The runner ends what hangs, names what killed a program, and leaves no process behind.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { countCases } from '../lib/count.mjs';
import { runProgram } from '../lib/process.mjs';
import { sanitizerEnv, withReports } from '../lib/sanitizers.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'weft-process-'));
after(() => rmSync(scratch, { recursive: true }));

const shell = (script, timeoutMs = 10_000) =>
    runProgram('/bin/sh', ['-c', script], { cwd: scratch, timeoutMs });

test('a program that ends well', async () => {
    const result = await shell('echo out; echo err >&2');
    assert.equal(result.ok, true);
    assert.match(result.output, /out/);
    assert.match(result.output, /err/);
});

test('an exit status and a signal are failures with a name', async () => {
    assert.match((await shell('exit 3')).output, /exit status 3/);
    const killed = await shell('kill -SEGV $$');
    assert.equal(killed.ok, false);
    assert.match(killed.output, /died of SIGSEGV/);
    assert.equal(countCases(killed.output, killed).failed, 1);
});

test('a program that hangs is ended with all it started', async () => {
    const begin = Date.now();
    const result = await shell('sleep 60 & echo "child $!"; sleep 60', 300);
    assert.ok(Date.now() - begin < 5000);
    assert.equal(result.timedOut, true);
    assert.equal(result.ok, false);
});

test('what a program leaves running is killed', async () => {
    const result = await shell('sleep 60 & echo "child $!"');
    const child = Number(/child (\d+)/.exec(result.output)[1]);
    // The kill is sent at once; the kernel may need a moment.
    for (let i = 0; i < 100; i++) {
        try {
            process.kill(child, 0);
        } catch {
            return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // A killed child without a parent that reaps it stays a zombie, which runs nothing any more.
    const { output } = await shell(`cat /proc/${child}/stat`);
    assert.match(output, /\) Z /);
});

test('a program that is not there', async () => {
    const result = await runProgram('/nonexistent', [], { cwd: scratch, timeoutMs: 1000 });
    assert.equal(result.ok, false);
});

test('a sanitizer report of any process makes the run a failure', () => {
    const log = join(scratch, 'case.log');
    assert.deepEqual(sanitizerEnv('', log), {});
    assert.ok(sanitizerEnv('thread', log).TSAN_OPTIONS.includes(`log_path=${log}.report`));
    assert.equal(withReports({ ok: true, output: 'x' }, log).ok, true);
    assert.ok(sanitizerEnv('valgrind', log).VALGRIND_OPTS.includes(`--log-file=${log}.report`));
    writeFileSync(`${log}.report.4710`, '');
    assert.equal(withReports({ ok: true, output: 'x' }, log).ok, true);
    writeFileSync(`${log}.report.4711`, 'data race');
    const result = withReports({ ok: true, output: 'x' }, log);
    assert.equal(result.ok, false);
    assert.match(result.output, /data race/);
});
