// SPDX-License-Identifier: Apache-2.0
// Medians, ratios and verdicts of ./dev bench transport.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SCENARIOS } from '../../bench/transport/scenarios.mjs';
import { SERVERS } from '../../bench/transport/servers.mjs';
import { judge, median, summarize } from '../../bench/transport/table.mjs';

const run = (rate, cpu) => ({
    messages_per_s: rate,
    server_cpu_ns_per_message: cpu,
    latency_us: { p50: 1, p99: 2 },
});
const scenario = SCENARIOS.find(({ id }) => id === 'echo');
const server = (...runs) => ({ runs, summary: summarize(scenario, runs) });

test('the median of an even count lies between the middle two', () => {
    assert.equal(median([4, 1, 3]), 3);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.ok(Number.isNaN(median([])));
});

test('a slow round does not move the medians, but the spread tells of it', () => {
    const { summary } = server(run(100, 10), run(10, 100), run(104, 9));
    assert.deepEqual(summary.medians, { rate: 100, cpu: 10, p50: 1, p99: 2 });
    assert.equal(summary.spread, 0.94);
});

test('a target is met from its bound on, and judged for each loop', () => {
    const servers = {
        'weft-uring': server(run(105, 10)),
        'weft-epoll': server(run(104, 8)),
        bun: server(run(100, 20)),
    };
    const judged = judge({ echo: { servers } }).find(({ target }) => target.includes('bun'));
    assert.deepEqual(judged.values['weft-uring'], { value: 1.05, byCpu: 2, verdict: 'met' });
    assert.equal(judged.values['weft-epoll'].verdict, 'NOT MET');
});

test('a peer that was left out is a target not measured, never one that is met', () => {
    const servers = { 'weft-uring': server(run(1, 1)), bun: { runs: [], problem: 'gone' } };
    for (const { values } of judge({ echo: { servers } }))
        assert.equal(values['weft-uring'].verdict, 'not measured');
});

test('every target names a server that is measured', () => {
    for (const { targets } of SCENARIOS)
        for (const { of } of targets) assert.ok(of === undefined || SERVERS[of], of);
});
