// SPDX-License-Identifier: Apache-2.0
// The runner counts what programs print, and never takes silence or a crash for success.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countCases } from '../lib/count.mjs';
import { parsePlan } from '../lib/plan.mjs';

const CMOCKA = `[==========] Running 3 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  ERROR   ] --- 1 != 2
[  FAILED  ] two
[ RUN      ] three
[       OK ] three
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] two

 1 FAILED TEST(S)
`;

test('cmocka: passed and failed cases', () => {
    assert.deepEqual(countCases(CMOCKA, { ok: false }), { passed: 2, failed: 1, skipped: 0 });
});

test('cmocka: cases that a crash kept from running are failures', () => {
    const text = '[==========] Running 3 test(s).\n[ RUN      ] one\n[       OK ] one\n';
    assert.deepEqual(countCases(text, { ok: false }), { passed: 1, failed: 2, skipped: 0 });
});

test('cmocka: a bad end after all cases passed is a failure', () => {
    const text = '[==========] Running 1 test(s).\n[       OK ] one\n[  PASSED  ] 1 test(s).\n';
    assert.deepEqual(countCases(text, { ok: false }), { passed: 1, failed: 1, skipped: 0 });
    assert.deepEqual(countCases(text, { ok: true }), { passed: 1, failed: 0, skipped: 0 });
});

test('node: both reporters, several runs, cancelled cases', () => {
    const tap = '# tests 3\n# pass 2\n# fail 0\n# cancelled 1\n# skipped 0\n# todo 0\n';
    const spec = 'ℹ tests 4\nℹ pass 3\nℹ fail 0\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\n';
    assert.deepEqual(countCases(tap + spec, { ok: true }), { passed: 5, failed: 1, skipped: 1 });
});

test('a program that ran nothing has failed', () => {
    assert.equal(countCases('', { ok: true }).failed, 1);
    assert.equal(countCases('# tests 0\n# pass 0\n# fail 0\n', { ok: true }).failed, 1);
});

test('our own closing line', () => {
    assert.deepEqual(countCases('5 passed, 0 failed\n', { ok: true }), {
        passed: 5,
        failed: 0,
        skipped: 0,
    });
});

test('the plan: entries, and what is none', () => {
    assert.deepEqual(parsePlan('# text\ntest_a  brought  First light\n'), [
        { name: 'test_a', state: 'brought', work: 'First light' },
    ]);
    assert.throws(() => parsePlan('test_a done First light\n'), /not an entry/);
    assert.throws(() => parsePlan('test_a planned X\ntest_a planned X\n'), /twice/);
});
