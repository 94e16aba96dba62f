// SPDX-License-Identifier: Apache-2.0
// Reports of sanitizers and valgrind about every process a test starts. A server's report would be lost with its
// output, or its exit status with a test that does not look at it; so reports go to files beside
// the test's log, and a file there is a failure.
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const prefixOf = (log) => `${log}.report`;

const VALGRIND_OPTIONS = [
    '--quiet',
    '--vgdb=no',
    '--trace-children=yes',
    '--error-exitcode=99',
    '--leak-check=full',
    '--errors-for-leak-kinds=definite',
];

/**
 * The environment that makes |sanitizer| ("thread", "address,undefined", "valgrind", "") report
 * beside |log|.
 */
export function sanitizerEnv(sanitizer, log) {
    if (sanitizer === '') return {};
    if (sanitizer === 'valgrind') {
        return { VALGRIND_OPTS: [...VALGRIND_OPTIONS, `--log-file=${prefixOf(log)}.%p`].join(' ') };
    }
    const place = `log_path=${prefixOf(log)}`;
    return {
        ASAN_OPTIONS: `${place}:detect_stack_use_after_return=1:strict_string_checks=1`,
        UBSAN_OPTIONS: `${place}:print_stacktrace=1`,
        TSAN_OPTIONS: `${place}:halt_on_error=1:second_deadlock_stack=1`,
    };
}

/** |result| of a run, with the reports written beside |log| in its output; any makes it not ok. */
export function withReports(result, log) {
    const prefix = `${basename(prefixOf(log))}.`;
    const reports = readdirSync(dirname(log)).filter((name) => name.startsWith(prefix));
    // Valgrind makes its files also when it finds nothing.
    const texts = reports
        .map((name) => readFileSync(join(dirname(log), name), 'utf8'))
        .filter((text) => text !== '');
    if (texts.length === 0) return result;
    return { ...result, ok: false, output: `${result.output}\n${texts.join('\n')}` };
}
