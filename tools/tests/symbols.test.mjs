// SPDX-License-Identifier: Apache-2.0
// tools/check-symbols.mjs and tools/check-abi.mjs refuse what they must: real object files made
// from tools/fixtures/symbols.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { checkAbi } from '../check-abi.mjs';
import { checkSymbols, parseAllowed, readObjects } from '../check-symbols.mjs';
import { readLayers } from '../lib/layers.mjs';

const tools = new URL('../', import.meta.url);
const layers = readLayers(new URL('layers.txt', tools));
const allowed = parseAllowed(readFileSync(new URL('symbols.txt', tools), 'utf8'));
const scratch = mkdtempSync(join(tmpdir(), 'weft-symbols-'));
after(() => rmSync(scratch, { recursive: true }));

let count = 0;

/** Complaints about a build tree with |fixtures|, an object { "module/file.c": fixture }. */
function complaintsAbout(fixtures) {
    const build = join(scratch, String(count++));
    for (const [file, fixture] of Object.entries(fixtures)) {
        const object = join(build, 'CMakeFiles/weft_objects.dir/src', `${file}.o`);
        mkdirSync(dirname(object), { recursive: true });
        const source = fileURLToPath(new URL(`fixtures/symbols/${fixture}`, tools));
        execFileSync('cc', ['-std=c17', '-D_GNU_SOURCE', '-O2', '-c', source, '-o', object]);
    }
    return checkSymbols(readObjects(build), layers, allowed);
}

const refused = {
    'socket.c': 'socket',
    'malloc.c': 'malloc',
    'clock.c': 'clock_gettime',
    'thread.c': 'pthread_mutex_lock',
    'file.c': 'fopen',
};

for (const [fixture, symbol] of Object.entries(refused)) {
    test(`a core that uses ${symbol} is refused`, () => {
        const complaints = complaintsAbout({ 'ws/fixture.c': fixture });
        const wanted = `src/ws/fixture.c: a core may not use ${symbol} (tools/symbols.txt)`;
        assert.ok(complaints.includes(wanted), complaints.join('\n'));
    });
}

test('what is no core may use sockets', () => {
    assert.deepEqual(complaintsAbout({ 'io/fixture.c': 'socket.c', 'ws/pure.c': 'pure.c' }), []);
});

test('a core that keeps the rules passes', () => {
    assert.deepEqual(complaintsAbout({ 'session/fixture.c': 'pure.c' }), []);
});

test('an allowance for one file holds for that file only', () => {
    assert.deepEqual(complaintsAbout({ 'base/alloc.c': 'malloc.c' }), []);
    assert.equal(complaintsAbout({ 'base/map.c': 'malloc.c' }).length, 1);
});

test('a call into a module that may not be included is refused', () => {
    const fixtures = { 'ws/fixture.c': 'sibling.c', 'rpc/fixture.c': 'sibling_callee.c' };
    assert.deepEqual(complaintsAbout(fixtures), [
        'src/ws/fixture.c: ws may not use weft__rpc_fixture of rpc',
    ]);
});

test('a build tree without cores is refused', () => {
    assert.equal(complaintsAbout({ 'io/fixture.c': 'socket.c' }).length, 1);
});

test('the exported symbols must be those of the list, and all be called weft_', () => {
    const good = { exported: ['weft_a'], archived: ['weft_a', 'weft__b'], listed: ['weft_a'] };
    assert.deepEqual(checkAbi(good), []);
    assert.equal(checkAbi({ ...good, exported: ['weft_a', 'weft_new'] }).length, 1);
    assert.equal(checkAbi({ ...good, exported: [] }).length, 1);
    assert.equal(checkAbi({ ...good, exported: ['weft_a', 'weft__b'] }).length, 1);
    assert.equal(checkAbi({ ...good, archived: ['helper'] }).length, 1);
});
