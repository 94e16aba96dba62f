// SPDX-License-Identifier: Apache-2.0
// Reads symbols out of object files and libraries with nm.
import { execFileSync } from 'node:child_process';

/** |paths| → Map path → [{ name, type }]; |options| are nm's. An archive's members are one entry. */
export function nm(paths, options = []) {
    const args = ['--format=posix', ...options, '--', ...paths];
    const output = execFileSync('nm', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    const found = new Map(paths.map((path) => [path, []]));
    let current = paths[0];
    for (const line of output.split('\n')) {
        const header = /^(.*?)(?:\[.*\])?:$/.exec(line);
        if (header && found.has(header[1])) {
            current = header[1];
            continue;
        }
        const symbol = /^(\S+) ([A-Za-z])(?: |$)/.exec(line);
        if (symbol) found.get(current).push({ name: symbol[1], type: symbol[2] });
    }
    return found;
}

/** Whether |type| is that of a symbol which other files see. */
export function isGlobal(type) {
    return 'TDBRSGVWCu'.includes(type);
}
