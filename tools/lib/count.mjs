// SPDX-License-Identifier: Apache-2.0
// Reads the number of passed and failed cases out of what a test program printed.

const numbers = (text, pattern) => [...text.matchAll(pattern)].map((match) => Number(match[1]));
const sum = (list) => list.reduce((total, n) => total + n, 0);

/** cmocka: one line a case. A case that began but has no result died with the program. */
function countCmocka(text) {
    const declared = sum(numbers(text, /^\[=+\] (?:\S+: )?Running (\d+) test\(s\)\.?$/gm));
    const passed = [...text.matchAll(/^\[ +OK +\] /gm)].length;
    const skipped = sum(numbers(text, /^\[ +SKIPPED +\] (?:\S+: )?(\d+) test\(s\)/gm));
    const failed = Math.max(declared - passed - skipped, 0);
    return { passed, failed, skipped };
}

/** node:test, both reporters ("# pass 3", "ℹ pass 3"); several runs in one output are added up. */
function countNode(text) {
    const field = (name) => sum(numbers(text, new RegExp(`^(?:#|ℹ) ${name} (\\d+)$`, 'gm')));
    return {
        passed: field('pass'),
        failed: field('fail') + field('cancelled'),
        skipped: field('skipped') + field('todo'),
    };
}

/** A closing line of our own kind. */
function countPlain(text) {
    return {
        passed: sum(numbers(text, /^(\d+) passed, \d+ failed$/gm)),
        failed: sum(numbers(text, /^\d+ passed, (\d+) failed$/gm)),
        skipped: 0,
    };
}

/**
 * { passed, failed, skipped } of a finished program. One that ended badly without a failed case
 * (crash, time-out, leak found at exit) counts as one failure; so does one that ran no case at all.
 */
export function countCases(text, { ok }) {
    let counts = { passed: 0, failed: 0, skipped: 0 };
    if (/^\[=+\] .*Running \d+ test\(s\)/m.test(text)) counts = countCmocka(text);
    else if (/^(?:#|ℹ) tests \d+$/m.test(text)) counts = countNode(text);
    else counts = countPlain(text);
    if (counts.failed === 0 && (!ok || counts.passed === 0)) counts.failed = 1;
    return counts;
}
