// SPDX-License-Identifier: Apache-2.0
// Fails when a public header does not compile by itself, as C99 and as C++17, or is too long:
//
//     node tools/check-headers.mjs [INCLUDE]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { walk } from './lib/files.mjs';

const LINES_MAX = 800;
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only'];
const LANGUAGES = [
    { title: 'C99', command: 'cc', args: ['-std=c99', '-Wstrict-prototypes', '-x', 'c'] },
    { title: 'C++17', command: 'c++', args: ['-std=c++17', '-x', 'c++'] },
];

/** All complaints about the headers below |include|. */
export function checkHeaders(include) {
    const headers = walk(include).filter((path) => path.endsWith('.h'));
    const complaints = headers.length === 0 ? [`${include}: no header`] : [];
    for (const path of headers) {
        const name = relative(include, path);
        const lines = readFileSync(path, 'utf8').split('\n').length;
        if (lines > LINES_MAX) complaints.push(`${name} has ${lines} lines; ${LINES_MAX} are allowed`);
        for (const { title, command, args } of LANGUAGES) {
            // Included twice, so that its guard is tried too; from stdin, so that nothing is near.
            const input = `#include <${name}>\n#include <${name}>\nint weft_header_check;\n`;
            const options = { input, encoding: 'utf8' };
            const run = spawnSync(command, [...args, ...WARNINGS, `-I${include}`, '-'], options);
            if (run.error) complaints.push(`${command}: ${run.error.message}`);
            else if (run.status !== 0) complaints.push(`<${name}> is not ${title}:\n${run.stderr}`);
        }
    }
    return complaints;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const complaints = checkHeaders(resolve(process.argv[2] ?? `${root}/include`));
    complaints.forEach((complaint) => console.log(complaint));
    process.exitCode = complaints.length > 0 ? 1 : 0;
}
