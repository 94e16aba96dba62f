// SPDX-License-Identifier: Apache-2.0
// Fails when docs/guides/configuration.md or docs/man/weft.1 list other settings than the binary has:
//
//     node tools/check-settings.mjs BUILD [--write]      (--write: make them say what it has)
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILES = [
    { path: 'docs/guides/configuration.md', format: 'markdown', open: '<!-- reference -->\n', close: '<!-- /reference -->' },
    { path: 'docs/man/weft.1', format: 'man', open: '.\\" reference\n', close: '.\\" /reference' },
];

/** |text| with what is between |open| and |close| replaced. */
export function replaceBetween(text, open, close, content) {
    const start = text.indexOf(open);
    const end = text.indexOf(close);
    if (start < 0 || end < start) throw new Error(`no ${open.trim()} … ${close}`);
    return text.slice(0, start + open.length) + content + text.slice(end);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const weft = join(resolve(process.argv[2]), 'bin/weft');
    for (const { path, format, open, close } of FILES) {
        const run = spawnSync(weft, ['config', '--reference', format], { encoding: 'utf8' });
        if (run.status !== 0) throw new Error(`${weft} config --reference ${format} failed`);
        const file = join(root, path);
        const is = readFileSync(file, 'utf8');
        const wanted = replaceBetween(is, open, close, run.stdout);
        if (is === wanted) continue;
        if (process.argv[3] === '--write') {
            writeFileSync(file, wanted);
        } else {
            console.log(`${relative(root, file)} does not list the settings of ${weft}: node tools/check-settings.mjs BUILD --write`);
            process.exitCode = 1;
        }
    }
}
