// SPDX-License-Identifier: Apache-2.0
// tools/check-codes.mjs reads the table of codes as C has it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readCodes, writeCodes } from '../check-codes.mjs';

test('the rows of the table are read', () => {
    const header = '#define WEFT_STATUS_TABLE(X)  \\\n    X(CANCELED, 1, "canceled", -32800)  \\\n    X(UNKNOWN, 2, "unknown", -32002)\n\nenum x';
    assert.deepEqual(readCodes(header), [
        { number: 1, name: 'canceled', jsonrpc: -32800 },
        { number: 2, name: 'unknown', jsonrpc: -32002 },
    ]);
});

test('the real table has the sixteen codes', () => {
    const codes = readCodes(readFileSync(new URL('../../include/weft/err.h', import.meta.url), 'utf8'));
    assert.deepEqual(codes.map(({ number }) => number), Array.from({ length: 16 }, (_, i) => i + 1));
    assert.match(writeCodes(codes), /^ {2}not_found: -32005,$/m);
});

test('a row that is not understood, and no table, are refused', () => {
    assert.throws(() => readCodes('#define WEFT_STATUS_TABLE(X) X(A, 1, "a", -1) X(B, two, "b", -2)\n'), /not understood/);
    assert.throws(() => readCodes('enum weft_status { OK };'), /no WEFT_STATUS_TABLE/);
});
