// SPDX-License-Identifier: Apache-2.0
// Fails on an include that tools/layers.txt does not allow:
//
//     node tools/check-layers.mjs [ROOT [LAYERS]]
//
// Checked in every file of ROOT/src: the module is known; "quoted" includes name an existing file
// of src/ by its full path, in a module that may be used; <angled> includes of cores are weft/… or
// in the list of headers without I/O.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { walk } from './lib/files.mjs';
import { mayUse, moduleOf, readLayers } from './lib/layers.mjs';

const INCLUDE = /^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>|(\S+))/;

/** The includes of a C text: { line, quoted } or { line, angled }; macros give { line, other }. */
function includesOf(text) {
    const found = [];
    // A commented-out include is none; newlines stay so that line numbers do.
    const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
    for (const [index, content] of code.split('\n').entries()) {
        const match = INCLUDE.exec(content);
        if (match) found.push({ line: index + 1, quoted: match[1], angled: match[2], other: match[3] });
    }
    return found;
}

function checkQuoted(layers, source, module, path) {
    if (!existsSync(join(source, path))) {
        return `"${path}" is not a path below src/ (write "module/file.h")`;
    }
    const used = moduleOf(layers, path);
    if (used === null) return `"${path}" is in no module of layers.txt`;
    if (!mayUse(layers, module, used)) return `${module} may not include ${used} ("${path}")`;
    return null;
}

function checkAngled(layers, file, module, header) {
    if (header.startsWith('weft/') || !layers.modules.get(module).core) return null;
    if (layers.headers.has(header) || layers.extraHeaders.get(file)?.has(header)) return null;
    return `${module} is a core and may not include <${header}>`;
}

/** All complaints about the sources of |root|, as "file:line: text". */
export function checkLayers(root, layers) {
    const source = join(root, 'src');
    const complaints = [];
    const files = walk(source).filter((path) => /\.[ch]$/.test(path));
    if (files.length === 0) complaints.push(`${source}: no C file`);
    for (const path of files) {
        const file = relative(root, path);
        const module = moduleOf(layers, relative(source, path));
        if (module === null) {
            complaints.push(`${file}:1: this folder is no module of layers.txt`);
            continue;
        }
        for (const { line, quoted, angled, other } of includesOf(readFileSync(path, 'utf8'))) {
            let complaint = `an include by a macro (${other}) cannot be checked`;
            if (quoted !== undefined) complaint = checkQuoted(layers, source, module, quoted);
            else if (angled !== undefined) complaint = checkAngled(layers, file, module, angled);
            if (complaint) complaints.push(`${file}:${line}: ${complaint}`);
        }
    }
    return complaints;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const here = fileURLToPath(new URL('.', import.meta.url));
    const root = resolve(process.argv[2] ?? join(here, '..'));
    const layers = readLayers(process.argv[3] ?? join(here, 'layers.txt'));
    const complaints = checkLayers(root, layers);
    complaints.forEach((complaint) => console.log(complaint));
    process.exitCode = complaints.length > 0 ? 1 : 0;
}
