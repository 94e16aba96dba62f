// SPDX-License-Identifier: Apache-2.0
// Medians, ratios, verdicts on targets, and how all of it is printed.
import { METRICS, SCENARIOS } from './scenarios.mjs';

/** With more of the cores' time taken by others, a table says so. */
const BUSY_MOST = 0.05;

export const WEFTS = ['weft-uring', 'weft-epoll'];

export function median(values) {
    const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (sorted.length === 0) return NaN;
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The medians of one server's |runs| by metric, and how far the runs are apart (of the median). */
export function summarize(scenario, runs) {
    const medians = {};
    for (const metric of scenario.shows) medians[metric] = median(runs.map(METRICS[metric].read));
    const values = runs.map(METRICS[scenario.shows[0]].read);
    const spread = (Math.max(...values) - Math.min(...values)) / medians[scenario.shows[0]];
    return { medians, spread };
}

/** weft's value divided by the other's. */
function ratio(results, weftName, other, metric) {
    return results[weftName]?.summary?.medians[metric] / results[other]?.summary?.medians[metric];
}

function verdict(value, { least, most }) {
    if (!Number.isFinite(value)) return 'not measured';
    return (least === undefined || value >= least) && (most === undefined || value <= most)
        ? 'met' : 'NOT MET';
}

/** The value that |target| is about, of one weft. |all|: the results of every scenario by id. */
function targetValue(target, scenario, all, weftName) {
    const results = all[scenario.id].servers;
    const metric = target.metric ?? scenario.shows[0];
    if (target.of) return ratio(results, weftName, target.of, metric);
    const own = results[weftName]?.summary?.medians[metric];
    if (!target.like) return own;
    return own / all[target.like]?.servers[weftName]?.summary?.medians[metric];
}

function targetText(target, scenario) {
    const metric = METRICS[target.metric ?? scenario.shows[0]].title;
    const bound = target.least === undefined ? `≤ ${target.most}` : `≥ ${target.least}`;
    if (target.of) return `${metric} ${bound} × ${target.of}`;
    if (target.like) return `${metric} ${bound} × its own in "${target.like}"`;
    return `${metric} ${bound}`;
}

/** A ratio of rates as the servers' CPU time gives it, which a slow generator does not spoil. */
function rateByCpu(target, scenario, all, weftName) {
    if (!target.of || (target.metric ?? scenario.shows[0]) !== 'rate') return undefined;
    return 1 / ratio(all[scenario.id].servers, weftName, target.of, 'cpu');
}

/** [{ scenario, target, values: { weft: { value, byCpu, verdict } } }] of what was measured. */
export function judge(all) {
    const measured = SCENARIOS.filter(({ id }) => all[id]);
    return measured.flatMap((scenario) => scenario.targets.map((target) => ({
        scenario: scenario.id,
        target: targetText(target, scenario),
        values: Object.fromEntries(WEFTS.filter((name) => all[scenario.id].servers[name]).map((name) => {
            const value = targetValue(target, scenario, all, name);
            const byCpu = rateByCpu(target, scenario, all, name);
            return [name, { value, byCpu, verdict: verdict(value, target) }];
        })),
    })));
}

// ---- Printing ----

function number(value) {
    if (!Number.isFinite(value)) return '–';
    const digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 1 : 2;
    return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function cells(first, rest) {
    return `  ${first.padEnd(12)}${rest.map((cell) => cell.padStart(13)).join('')}`;
}

/** Which of |results| came from a generator that had no time left: its core was the limit. */
function loadBound(runs) {
    return median(runs.map((run) => run.client_cpu_s / run.duration_s)) > 0.97 &&
        median(runs.map((run) => run.messages_per_s * run.server_cpu_ns_per_message / 1e9)) < 0.9;
}

/** The table of one scenario; |results| by server: { runs, summary } or { problem }; |busy|: the share
 *  of time that other programs took from the two cores, at worst. */
export function printScenario(scenario, results, busy) {
    const ours = WEFTS.filter((name) => results[name]?.summary);
    const [main] = scenario.shows;
    const ratioTitles = ours.map((name) => `${name.slice('weft-'.length)} ÷`);
    const disturbed = busy > BUSY_MOST
        ? `  (! ${Math.round(busy * 100)} % of the cores' time went elsewhere: trust CPU ns, if anything)` : '';
    console.log(`\n${scenario.title}${disturbed}`);
    console.log(cells('', [...scenario.shows.map((metric) => METRICS[metric].title), 'spread', ...ratioTitles,
                           ...(main === 'rate' ? ratioTitles.map((title) => `${title} CPU`) : [])]));
    for (const [name, { summary, runs, problem }] of Object.entries(results)) {
        if (problem) {
            console.log(`  ${name.padEnd(12)}${' '.repeat(7)}– ${problem}`);
            continue;
        }
        const per = (metric) => ours.map((weftName) =>
            name === weftName ? '' : `${ratio(results, weftName, name, metric).toFixed(2)}×`);
        console.log(cells(name, [
            ...scenario.shows.map((metric) => number(summary.medians[metric])),
            `${(summary.spread * 100).toFixed(0)} %`,
            ...per(main), ...(main === 'rate' ? per('cpu') : []),
        ]) + (scenario.shows.includes('rate') && loadBound(runs) ? '  (limited by the generator)' : ''));
    }
}

export function printTargets(judged) {
    if (judged.length === 0) return;
    console.log('\nTargets: weft ÷ the peer, medians of this run; in brackets the same by CPU time a message');
    for (const { scenario, target, values } of judged) {
        const verdicts = Object.entries(values).map(([name, { value, byCpu, verdict: said }]) => {
            const shown = value < 10 ? value.toFixed(3) : number(value);
            const beside = byCpu === undefined || said === 'not measured' ? '' : ` (CPU ${byCpu.toFixed(3)})`;
            return `${name.slice('weft-'.length)} ${shown} ${said}${beside}`.padEnd(36);
        });
        console.log(`  ${scenario.padEnd(18)}${target.padEnd(38)}${verdicts.join('').trimEnd()}`);
    }
}
