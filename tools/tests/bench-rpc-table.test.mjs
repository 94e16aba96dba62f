// SPDX-License-Identifier: Apache-2.0
// bench/rpc/table.mjs: medians, ratios to the best peer and to the echo; bench/rpc/measure.mjs: results.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { resultOf } from '../../bench/rpc/measure.mjs';
import { median, summarize, tableOf, targets, verdictOf } from '../../bench/rpc/table.mjs';

const of = (cpu, p50 = 1, p99 = 2) => ({ summary: summarize([{ rate: 1e6 / cpu, cpu_us: cpu, p50_us: p50, p99_us: p99 }]) });
const found = (rows, text) => rows.find(({ title }) => title.includes(text));

test('medians are of the sorted values', () => {
    assert.equal(median([5, 1, 9]), 5);
    assert.equal(median([4, 1, 2, 9]), 3);
    assert.ok(Number.isNaN(median([])));
});

test('weft is compared with the best peer of its kind, and with its echo', () => {
    const results = {
        'weft-json': of(2), 'weft-pb': of(1), 'echo-json': of(1), 'echo-pb': of(0.8),
        jayson: of(30), 'rpc-websockets': of(16), connect: of(500), grpc: of(200),
    };
    const rows = targets({ depths: { 64: results } });
    const json = found(rows, 'best of jayson');
    assert.deepEqual([json.best, json.value, verdictOf(json)], ['rpc-websockets', 8, 'NOT MET']);
    const binary = found(rows, 'Connect and gRPC');
    assert.deepEqual([binary.best, binary.value, verdictOf(binary)], ['grpc', 200, 'met']);
    const echoes = rows.filter(({ title }) => title.includes('same bytes'));
    assert.deepEqual(echoes.map((row) => [row.value, row.least, verdictOf(row)]),
                     [[0.5, 0.6, 'NOT MET'], [0.8, 0.75, 'met']]);
});

test('latencies are compared by their difference, and may be below the echo', () => {
    const paced = { 'weft-json': of(2, 40, 200), 'echo-json': of(1, 31, 100), 'weft-pb': of(2, 30, 90), 'echo-pb': of(1, 31, 100) };
    const rows = targets({ paced }).filter(({ unit }) => unit === 'µs');
    assert.deepEqual(rows.map((row) => [row.value, verdictOf(row)]),
                     [[9, 'met'], [100, 'NOT MET'], [-1, 'met'], [-10, 'met']]);
});

test('items are counted in millions', () => {
    const [row] = targets({ stream: { 'weft-pb': of(0.4) } }).filter(({ unit }) => unit === 'M');
    assert.deepEqual([row.value, verdictOf(row)], [2.5, 'met']);
});

test('without peers nothing is said to be met', () => {
    for (const row of targets({ depths: { 64: { 'weft-json': of(2) } } })) assert.equal(verdictOf(row), 'not measured');
});

test('what went wrong stands in the table', () => {
    const table = tableOf('1 call at a time', 'calls', { 'weft-json': of(2), jayson: { problem: 'does not start' } });
    assert.match(table, /^1 call at a time$/m);
    assert.match(table, /^server +calls\/s /m);
    assert.match(table, /^weft-json +500000 +2\.00 /m);
    assert.match(table, /^jayson +does not start$/m);
});

test('a result with errors is none', () => {
    const bench = {
        messages: 10, messages_per_s: 5, server_cpu_ns_per_message: 1500, latency_us: { p50: 3, p99: 4 }, errors: 0, first_error: null,
    };
    assert.deepEqual(resultOf(bench), { calls: 10, rate: 5, cpu_us: 1.5, p50_us: 3, p99_us: 4 });
    assert.throws(() => resultOf({ ...bench, errors: 2, first_error: 'an answer to no call' }), /2 errors: an answer to no call/);
});
