// SPDX-License-Identifier: Apache-2.0
// Medians of rounds, weft's ratios to its peers, and how they are printed.

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    if (sorted.length === 0) return NaN;
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const METRICS = ['rate', 'cpu_us', 'p50_us', 'p99_us'];

/** The medians of |runs|, and how far the processor times are apart, of their median. */
export function summarize(runs) {
    const medians = Object.fromEntries(METRICS.map((metric) => [metric, median(runs.map((one) => one[metric]))]));
    const times = runs.map(({ cpu_us: time }) => time);
    return { ...medians, spread: (Math.max(...times) - Math.min(...times)) / medians.cpu_us };
}

/** How many times the calls of |other| weft makes of the same processor time. */
export function compare(own, other) {
    return other.cpu_us / own.cpu_us;
}

const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '–');

/** The table of one depth: by server, its summary or what went wrong. */
export function tableOf(depth, results) {
    const lines = [
        '',
        `${depth} call${depth === 1 ? '' : 's'} at a time`,
        `${'server'.padEnd(16)}${'calls/s'.padStart(10)}${'CPU µs'.padStart(9)}${'p50 µs'.padStart(9)}${'p99 µs'.padStart(9)}${'spread'.padStart(8)}`,
    ];
    for (const [name, { summary, problem }] of Object.entries(results)) {
        if (!summary) {
            lines.push(`${name.padEnd(16)}  ${problem}`);
            continue;
        }
        lines.push(name.padEnd(16) + number(summary.rate, 0).padStart(10) + number(summary.cpu_us, 1).padStart(9) +
                   number(summary.p50_us, 0).padStart(9) + number(summary.p99_us, 0).padStart(9) +
                   `${number(summary.spread * 100, 0)} %`.padStart(8));
    }
    return lines.join('\n');
}

const JSON_PEERS = ['jayson', 'rpc-websockets', 'socketio'];
const BINARY_PEERS = ['connect', 'grpc'];

/** weft's ratio to the best of |peers| in |results|; null when none was measured. */
function toBest(results, own, peers) {
    const measured = peers.filter((name) => results[name]?.summary);
    if (!results[own]?.summary || measured.length === 0) return null;
    const best = measured.reduce((a, b) => (results[a].summary.cpu_us <= results[b].summary.cpu_us ? a : b));
    return { best, ratio: compare(results[own].summary, results[best].summary) };
}

/** What TARGETS.md asks for, as far as these results say it. */
export function targets(results) {
    const rows = [
        ['calls of a core, JSON-RPC, to the best of jayson, rpc-websockets and Socket.IO', 'weft-json', JSON_PEERS],
        ['calls of a core, binary, to the better of Connect and gRPC', 'weft-pb', BINARY_PEERS],
    ];
    return rows.map(([title, own, peers]) => ({ title, least: 10, ...(toBest(results, own, peers) ?? { ratio: NaN, best: '' }) }));
}

export function printTargets(rows) {
    console.log('\nTargets (64 calls at a time, by processor time of the server)');
    for (const { title, least, ratio, best } of rows) {
        const verdict = !Number.isFinite(ratio) ? 'not measured' : ratio >= least ? 'met' : 'NOT MET';
        console.log(`${verdict.padEnd(13)}${number(ratio, 2).padStart(7)} ×  (wanted ≥ ${least}) ${title}${best ? `: ${best}` : ''}`);
    }
    console.log('not measured: to weft\'s own echo, paced latency, typed messages, parsers: see docs/guides/comparison.md');
}
