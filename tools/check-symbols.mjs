// SPDX-License-Identifier: Apache-2.0
// Fails when the object file of a core refers to something that tools/symbols.txt does not allow,
// or to a function of a module that tools/layers.txt keeps from it:
//
//     node tools/check-symbols.mjs BUILD      (a build tree without sanitizers)
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { walk } from './lib/files.mjs';
import { mayUse, moduleOf, readLayers } from './lib/layers.mjs';
import { isGlobal, nm } from './lib/symbols.mjs';

/** { all: Set, deny: Set, files: Map file → Set } from the text of symbols.txt. */
export function parseAllowed(text) {
    const allowed = { all: new Set(), deny: new Set(), files: new Map() };
    for (const [index, raw] of text.split('\n').entries()) {
        const line = raw.trim();
        if (line === '' || line.startsWith('#')) continue;
        const match = /^(allow|deny)(?: (\S+))?:(.*)$/.exec(line);
        if (!match) throw new Error(`symbols.txt:${index + 1}: not understood: ${line}`);
        const [, kind, file, names] = match;
        let set = kind === 'deny' ? allowed.deny : allowed.all;
        if (kind === 'allow' && file) {
            set = allowed.files.get(file) ?? new Set();
            allowed.files.set(file, set);
        }
        names.split(/\s+/).forEach((name) => name !== '' && set.add(name));
    }
    return allowed;
}

/**
 * All complaints about |objects|, a Map "module/file.c" → [{ name, type }], as "src/file: text".
 */
export function checkSymbols(objects, layers, allowed) {
    const definedIn = new Map();
    for (const [file, symbols] of objects) {
        for (const { name, type } of symbols) if (isGlobal(type)) definedIn.set(name, file);
    }
    const complaints = [];
    const check = (file, module, name) => {
        const owner = definedIn.get(name);
        if (owner !== undefined) {
            const used = moduleOf(layers, owner);
            if (allowed.deny.has(name)) return `a core may not use ${name}`;
            if (used && !mayUse(layers, module, used)) return `${module} may not use ${name} of ${used}`;
            return null;
        }
        // A name of ours that nothing defines is the linker's business.
        if (name.startsWith('weft_')) return null;
        if (allowed.all.has(name) || allowed.files.get(file)?.has(name)) return null;
        return `a core may not use ${name} (tools/symbols.txt)`;
    };
    let cores = 0;
    for (const [file, symbols] of objects) {
        const module = moduleOf(layers, file);
        if (module === null || !layers.modules.get(module).core) continue;
        cores++;
        for (const { name, type } of symbols) {
            const complaint = type === 'U' || type === 'w' ? check(file, module, name) : null;
            if (complaint) complaints.push(`src/${file}: ${complaint}`);
        }
    }
    if (cores === 0) complaints.push('there is no object file of a core');
    return complaints;
}

/** The object files of a build tree: Map "module/file.c" → [{ name, type }]. */
export function readObjects(build) {
    const folder = join(build, 'CMakeFiles/weft_objects.dir/src');
    const paths = walk(folder).filter((path) => path.endsWith('.c.o'));
    if (paths.length === 0) return new Map();
    return new Map(
        [...nm(paths)].map(([path, symbols]) => [relative(folder, path).slice(0, -2), symbols]),
    );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const here = fileURLToPath(new URL('.', import.meta.url));
    const complaints = checkSymbols(
        readObjects(resolve(process.argv[2])),
        readLayers(join(here, 'layers.txt')),
        parseAllowed(readFileSync(join(here, 'symbols.txt'), 'utf8')),
    );
    complaints.forEach((complaint) => console.log(complaint));
    process.exitCode = complaints.length > 0 ? 1 : 0;
}
