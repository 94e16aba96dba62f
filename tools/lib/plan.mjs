// SPDX-License-Identifier: Apache-2.0
// Reads tests/plan.txt: the tests that the plan names and which of them must exist by now.
import { readFileSync } from 'node:fs';

/** The entries of a plan's text: { name, state, work }. Throws on a line that is none. */
export function parsePlan(text) {
    const entries = [];
    for (const [index, line] of text.split('\n').entries()) {
        if (line.trim() === '' || line.startsWith('#')) continue;
        const match = /^(test_\w+)\s+(brought|planned)\s+(\S.*)$/.exec(line.trim());
        if (!match) throw new Error(`tests/plan.txt:${index + 1}: not an entry: ${line}`);
        const [, name, state, work] = match;
        if (entries.some((entry) => entry.name === name)) {
            throw new Error(`tests/plan.txt:${index + 1}: ${name} is listed twice`);
        }
        entries.push({ name, state, work });
    }
    return entries;
}

export function readPlan(path) {
    return parsePlan(readFileSync(path, 'utf8'));
}
