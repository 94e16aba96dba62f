// SPDX-License-Identifier: Apache-2.0
// tools/check-layers.mjs refuses what it must: one small tree a rule, and the real table.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';

import { checkLayers } from '../check-layers.mjs';
import { moduleOf, parseLayers, readLayers } from '../lib/layers.mjs';

const fixtures = new URL('../fixtures/layers/', import.meta.url);
const layers = readLayers(new URL('../layers.txt', import.meta.url));

const trees = readdirSync(fixtures).filter((name) => statSync(new URL(name, fixtures)).isDirectory());

for (const name of trees.filter((tree) => tree !== 'good')) {
    test(`the tree "${name}" is refused`, () => {
        const tree = new URL(`${name}/`, fixtures);
        const expected = readFileSync(new URL('expected.txt', tree), 'utf8').trim().split('\n');
        assert.deepEqual(checkLayers(tree.pathname.replace(/\/$/, ''), layers), expected);
    });
}

test('a tree that keeps the rules passes', () => {
    assert.deepEqual(checkLayers(new URL('good', fixtures).pathname, layers), []);
});

test('a tree without sources is refused', () => {
    assert.equal(checkLayers(new URL('nothing-here', fixtures).pathname, layers).length, 1);
});

test('the longest module name wins', () => {
    assert.equal(moduleOf(layers, 'store/sqlite/log.c'), 'store/sqlite');
    assert.equal(moduleOf(layers, 'ws/frame.c'), 'ws');
    assert.equal(moduleOf(layers, 'store/log.c'), null);
});

test('a table with an unknown word or module is refused', () => {
    assert.throws(() => parseLayers('modul base:'), /not understood/);
    assert.throws(() => parseLayers('module ws: bas'), /unknown bas/);
});
