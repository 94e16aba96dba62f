// SPDX-License-Identifier: Apache-2.0
// tools/embed-assets.mjs writes C that compiles and gives back the same bytes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { embed } from '../embed-assets.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'weft-assets-'));
after(() => rmSync(scratch, { recursive: true }));
const include = fileURLToPath(new URL('../../src', import.meta.url));

const PRINTER = `#include "server/assets.h"
#include <stdio.h>
int main(void)
{
    for (size_t i = 0; i < weft__web_assets_count; i++) {
        const struct weft_asset *a = &weft__web_assets[i];
        printf("%s|%s", a->path, a->type);
        for (size_t form = 0; form < WEFT_ASSET_FORMS; form++) {
            const struct weft_asset_form *f = &a->forms[form];
            printf("|%s|", f->data ? f->etag : "");
            for (size_t k = 0; k < f->len; k++)
                printf("%02x", f->data[k]);
        }
        printf("\\n");
    }
    return 0;
}
`;

function roundTrip(files) {
    const source = join(scratch, 'assets.c');
    const printer = join(scratch, 'printer.c');
    const program = join(scratch, 'printer');
    writeFileSync(source, embed(files));
    writeFileSync(printer, PRINTER);
    const warnings = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
    execFileSync('cc', ['-std=c17', ...warnings, `-I${include}`, source, printer, '-o', program]);
    const lines = execFileSync(program, { encoding: 'utf8' }).split('\n').slice(0, -1);
    return lines.map((line) => {
        const [path, type, brotliEtag, brotli, gzipEtag, gzip, etag, hex] = line.split('|');
        const bytes = (text) => Buffer.from(text, 'hex');
        const coded = { brotliEtag, brotli: bytes(brotli), gzipEtag, gzip: bytes(gzip) };
        return { path, type, ...coded, etag, data: bytes(hex) };
    });
}

test('bytes, order and types survive', () => {
    const data = randomBytes(1000);
    const [js, html] = roundTrip([
        { path: '/index.html', data: Buffer.alloc(0) },
        { path: '/assets/app.js', data },
    ]);
    assert.equal(js.path, '/assets/app.js');
    assert.equal(js.type, 'text/javascript; charset=utf-8');
    assert.deepEqual(js.data, data);
    assert.equal(html.path, '/index.html');
    assert.equal(html.data.length, 0);
    assert.match(js.etag, /^"[0-9a-f]{32}"$/);
    assert.notEqual(js.etag, html.etag);
});

test('what compresses well is there as Brotli and gzip too, with other etags', () => {
    const data = Buffer.from('weft '.repeat(1000));
    const [random, text] = roundTrip([
        { path: '/a.png', data: randomBytes(1000) },
        { path: '/b.txt', data },
    ]);
    assert.deepEqual(brotliDecompressSync(text.brotli), data);
    assert.deepEqual(gunzipSync(text.gzip), data);
    assert.equal(new Set([text.etag, text.brotliEtag, text.gzipEtag]).size, 3);
    assert.equal(random.brotliEtag + random.gzipEtag, '');
    assert.equal(random.brotli.length + random.gzip.length, 0);
});

test('an empty table compiles', () => {
    assert.deepEqual(roundTrip([]), []);
});

test('a file of unknown type is refused', () => {
    assert.throws(() => embed([{ path: '/a.xyz', data: Buffer.alloc(1) }]), /media type/);
});
