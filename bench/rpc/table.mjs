// SPDX-License-Identifier: Apache-2.0
// Medians of rounds, weft's ratios to its peers and to its own echo, and how they are printed.

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

/** A table: by server, its summary or what went wrong. */
export function tableOf(title, unit, results) {
    const lines = [
        '',
        title,
        `${'server'.padEnd(16)}${`${unit}/s`.padStart(10)}${'CPU µs'.padStart(9)}${'p50 µs'.padStart(9)}${'p99 µs'.padStart(9)}${'spread'.padStart(8)}`,
    ];
    for (const [name, { summary, problem }] of Object.entries(results)) {
        if (!summary) {
            lines.push(`${name.padEnd(16)}  ${problem}`);
            continue;
        }
        lines.push(name.padEnd(16) + number(summary.rate, 0).padStart(10) + number(summary.cpu_us, 2).padStart(9) +
                   number(summary.p50_us, 0).padStart(9) + number(summary.p99_us, 0).padStart(9) +
                   `${number(summary.spread * 100, 0)} %`.padStart(8));
    }
    return lines.join('\n');
}

const JSON_PEERS = ['jayson', 'rpc-websockets', 'socketio'];
const BINARY_PEERS = ['connect', 'grpc'];

/** weft's ratio to the best of |peers| in |results|; null when none was measured. */
function toBest(results, own, peers) {
    const measured = peers.filter((name) => results?.[name]?.summary);
    if (!results?.[own]?.summary || measured.length === 0) return null;
    const best = measured.reduce((a, b) => (results[a].summary.cpu_us <= results[b].summary.cpu_us ? a : b));
    return { best, value: compare(results[own].summary, results[best].summary) };
}

/** How many µs later than the echo |own| answers, at |metric|. */
function behindEcho(results, own, echo, metric) {
    if (!results?.[own]?.summary || !results?.[echo]?.summary) return null;
    return { best: '', value: results[own].summary[metric] - results[echo].summary[metric] };
}

function itemsOf(results, own) {
    const summary = results?.[own]?.summary;
    return summary ? { best: '', value: summary.rate / 1e6 } : null;
}

/** What TARGETS.md asks for, as far as these results say it: { title, value, unit, least or most }. */
export function targets({ depths, paced, stream }) {
    const at64 = depths?.[64];
    const rows = [
        ['calls of a core, JSON-RPC, to the best of jayson, rpc-websockets and Socket.IO', '×', { least: 10 },
         toBest(at64, 'weft-json', JSON_PEERS)],
        ['calls of a core, JSON-RPC, to echoes of the same bytes', '×', { least: 0.6 }, toBest(at64, 'weft-json', ['echo-json'])],
        ['calls of a core, binary, to the better of Connect and gRPC', '×', { least: 10 }, toBest(at64, 'weft-pb', BINARY_PEERS)],
        ['calls of a core, binary, to echoes of the same bytes', '×', { least: 0.75 }, toBest(at64, 'weft-pb', ['echo-pb'])],
        ...['json', 'pb'].flatMap((wire) => [
            [`p50 behind the echo, paced, weft-${wire}`, 'µs', { most: 10 }, behindEcho(paced, `weft-${wire}`, `echo-${wire}`, 'p50_us')],
            [`p99 behind the echo, paced, weft-${wire}`, 'µs', { most: 50 }, behindEcho(paced, `weft-${wire}`, `echo-${wire}`, 'p99_us')],
        ]),
        ['million items a second, binary, one stream', 'M', { least: 2 }, itemsOf(stream, 'weft-pb')],
    ];
    return rows.map(([title, unit, wanted, found]) => ({ title, unit, ...wanted, ...(found ?? { value: NaN, best: '' }) }));
}

/** "met", "NOT MET" or "not measured". */
export function verdictOf({ value, least = -Infinity, most = Infinity }) {
    if (!Number.isFinite(value)) return 'not measured';
    return value >= least && value <= most ? 'met' : 'NOT MET';
}

export function printTargets(rows) {
    console.log('\nTargets (ratios at depth 64, by processor time of the server)');
    for (const row of rows) {
        const wanted = row.least === undefined ? `≤ ${row.most}` : `≥ ${row.least}`;
        console.log(`${verdictOf(row).padEnd(13)}${number(row.value, 2).padStart(7)} ${row.unit.padEnd(2)} (wanted ${wanted}) ` +
                    `${row.title}${row.best ? `: ${row.best}` : ''}`);
    }
    console.log('not measured here: typed messages (payloads are JSON so far), parsers');
}
