// SPDX-License-Identifier: Apache-2.0
// Reads tools/layers.txt: which module may use which.
import { readFileSync } from 'node:fs';

const words = (text) => text.split(/\s+/).filter((word) => word !== '');

/**
 * { modules: Map name → { core, uses: Set | null (anything) }, headers: Set,
 *   extraHeaders: Map file → Set }. Throws on a line it does not understand.
 */
export function parseLayers(text) {
    const layers = { modules: new Map(), headers: new Set(), extraHeaders: new Map() };
    for (const [index, raw] of text.split('\n').entries()) {
        const line = raw.trim();
        if (line === '' || line.startsWith('#')) continue;
        const match = /^(module|headers)(?: ([\w/.]+))?(?: (core))?:(.*)$/.exec(line);
        if (!match) throw new Error(`layers.txt:${index + 1}: not understood: ${line}`);
        const [, kind, name, core, rest] = match;
        if (kind === 'module') {
            const uses = rest.trim() === '*' ? null : new Set(words(rest));
            layers.modules.set(name, { core: core !== undefined, uses });
        } else if (name) {
            layers.extraHeaders.set(name, new Set(words(rest)));
        } else {
            words(rest).forEach((header) => layers.headers.add(header));
        }
    }
    for (const [name, { uses }] of layers.modules) {
        for (const used of uses ?? []) {
            if (!layers.modules.has(used)) throw new Error(`layers.txt: ${name} uses unknown ${used}`);
        }
    }
    return layers;
}

export function readLayers(path) {
    return parseLayers(readFileSync(path, 'utf8'));
}

/** The module of a path below src/ ("store/sqlite/log.c" → "store/sqlite"), or null. */
export function moduleOf(layers, path) {
    const parts = path.split('/');
    for (let count = parts.length - 1; count > 0; count--) {
        const name = parts.slice(0, count).join('/');
        if (layers.modules.has(name)) return name;
    }
    return null;
}

/** Whether |from| may use |to|. */
export function mayUse(layers, from, to) {
    const { uses } = layers.modules.get(from);
    return from === to || uses === null || uses.has(to);
}
