// SPDX-License-Identifier: Apache-2.0
// Fails when libweft.so exports something else than tools/abi.txt lists, or when a global symbol of
// libweft.a does not begin with weft_ (hidden visibility does not hide it in an archive):
//
//     node tools/check-abi.mjs BUILD [--write]      (--write: make abi.txt say what is exported)
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { isGlobal, nm } from './lib/symbols.mjs';

const HEADER = `# SPDX-License-Identifier: Apache-2.0
# What libweft.so exports. A change here is a change of the ABI: node tools/check-abi.mjs BUILD --write
`;

const globals = (library, options) =>
    [...new Set(
        nm([library], options)
            .get(library)
            .filter(({ type }) => isGlobal(type))
            .map(({ name }) => name),
    )].sort();

/** Complaints about names that are |exported| (shared) and |archived| (static) against |listed|. */
export function checkAbi({ exported, archived, listed }) {
    const complaints = [];
    for (const name of exported) {
        if (!/^weft_[^_]/.test(name)) complaints.push(`libweft.so exports ${name}`);
        else if (!listed.includes(name)) complaints.push(`${name} is exported but not in tools/abi.txt`);
    }
    for (const name of listed) {
        if (!exported.includes(name)) complaints.push(`${name} of tools/abi.txt is not exported`);
    }
    for (const name of archived) {
        if (!name.startsWith('weft_')) complaints.push(`libweft.a has the global symbol ${name}`);
    }
    return complaints;
}

export function parseAbi(text) {
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const build = resolve(process.argv[2]);
    const list = fileURLToPath(new URL('abi.txt', import.meta.url));
    const exported = globals(join(build, 'lib/libweft.so'), ['-D', '--defined-only']);
    if (process.argv[3] === '--write') writeFileSync(list, `${HEADER}${exported.join('\n')}\n`);
    const complaints = checkAbi({
        exported,
        archived: globals(join(build, 'lib/libweft.a'), ['--defined-only']),
        listed: parseAbi(readFileSync(list, 'utf8')),
    });
    complaints.forEach((complaint) => console.log(complaint));
    process.exitCode = complaints.length > 0 ? 1 : 0;
}
