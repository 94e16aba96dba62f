// SPDX-License-Identifier: Apache-2.0
// Fails when the TypeScript client's error codes are not those of WEFT_STATUS_TABLE in
// include/weft/err.h, the one source of them:
//
//     node tools/check-codes.mjs [--write]      (--write: make them so)
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const header = new URL('../include/weft/err.h', import.meta.url);
const target = new URL('../clients/ts/packages/client/src/protocol/codes.ts', import.meta.url);

/** The rows of the table in |text|, a C header: [{ number, name, jsonrpc }]. */
export function readCodes(text) {
    const table = /#define WEFT_STATUS_TABLE\(X\)((?:[^\n]*\\\n)*[^\n]*)/.exec(text);
    if (!table) throw new Error('no WEFT_STATUS_TABLE');
    const rows = [...table[1].matchAll(/X\((\w+),\s*(\d+),\s*"(\w+)",\s*(-?\d+)\)/g)];
    const codes = rows.map(([, , number, name, jsonrpc]) => ({ number: Number(number), name, jsonrpc: Number(jsonrpc) }));
    if (codes.length !== (table[1].match(/X\(/g) ?? []).length) throw new Error('a row that is not understood');
    return codes;
}

/** The TypeScript file for |codes|. */
export function writeCodes(codes) {
    const rows = codes.map(({ name, jsonrpc }) => `  ${name}: ${jsonrpc},\n`).join('');
    return `// SPDX-License-Identifier: Apache-2.0
/** Made by tools/check-codes.mjs from WEFT_STATUS_TABLE of include/weft/err.h. */

/** The canonical codes, with the JSON-RPC 2.0 number each has on the text wire. */
export const errorNumbers = {
${rows}} as const;
`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const wanted = writeCodes(readCodes(readFileSync(header, 'utf8')));
    let is = '';
    try {
        is = readFileSync(target, 'utf8');
    } catch {
        // not there yet
    }
    if (is !== wanted && process.argv[2] === '--write') {
        writeFileSync(target, wanted);
    } else if (is !== wanted) {
        console.log(`${fileURLToPath(target)} is not up to date: node tools/check-codes.mjs --write`);
        process.exitCode = 1;
    }
}
