// SPDX-License-Identifier: Apache-2.0
// bench/rpc/table.mjs: medians, and ratios to the best peer.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { median, summarize, tableOf, targets } from '../../bench/rpc/table.mjs';

const of = (cpu) => ({ summary: summarize([{ rate: 1e6 / cpu, cpu_us: cpu, p50_us: 1, p99_us: 2 }]) });

test('medians are of the sorted values', () => {
    assert.equal(median([5, 1, 9]), 5);
    assert.equal(median([4, 1, 2, 9]), 3);
    assert.ok(Number.isNaN(median([])));
});

test('weft is compared with the best peer of its kind', () => {
    const results = { 'weft-json': of(2), 'weft-pb': of(1), jayson: of(30), 'rpc-websockets': of(16), connect: of(500), grpc: of(200) };
    const [json, binary] = targets(results);
    assert.deepEqual([json.best, json.ratio], ['rpc-websockets', 8]);
    assert.deepEqual([binary.best, binary.ratio], ['grpc', 200]);
});

test('without peers nothing is said to be met', () => {
    for (const { ratio } of targets({ 'weft-json': of(2) })) assert.ok(Number.isNaN(ratio));
});

test('what went wrong stands in the table', () => {
    const table = tableOf(1, { 'weft-json': of(2), jayson: { problem: 'does not start' } });
    assert.match(table, /^1 call at a time$/m);
    assert.match(table, /^weft-json +500000 +2\.0 /m);
    assert.match(table, /^jayson +does not start$/m);
});
