// SPDX-License-Identifier: Apache-2.0
// What every peer written in JavaScript takes, on Node, bun and deno alike:
//
//     --port N        0: any free one
//     --broadcast     each message goes to every connection, its sender included
//     --deflate       accept permessage-deflate, without context takeover
//     --tls CERT KEY  PEM files
//
// A peer prints "listening on PORT" when it serves; the C and C++ ones do the same.
import { readFileSync } from 'node:fs';
import process from 'node:process';

/** The largest message of any scenario, and more than a default of a peer would allow. */
export const MAX_MESSAGE = 16 * 1024 * 1024;

export function readOptions() {
    const options = { port: 0, broadcast: false, deflate: false, tls: null };
    const words = process.argv.slice(2);
    while (words.length > 0) {
        const word = words.shift();
        if (word === '--port') options.port = Number(words.shift());
        else if (word === '--broadcast') options.broadcast = true;
        else if (word === '--deflate') options.deflate = true;
        else if (word === '--tls') {
            const [cert, key] = [words.shift(), words.shift()];
            options.tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
        } else throw new Error(`unknown option: ${word}`);
    }
    return options;
}

export function listening(port) {
    console.log(`listening on ${port}`);
}
