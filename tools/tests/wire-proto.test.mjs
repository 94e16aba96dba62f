// SPDX-License-Identifier: Apache-2.0
// proto/weft/v1/wire.proto compiles, and protoc reads and writes the messages of tests/vectors/binary
// as they say: so anybody can speak the binary wire with code generated from it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const proto = 'weft/v1/wire.proto';

/** What protoc prints for |input|; its absence is a failure, as nothing would have been checked. */
function protoc(args, input = '') {
    const run = spawnSync('protoc', ['-I', join(root, 'proto'), ...args, proto], { input });
    assert.notEqual(run.error?.code, 'ENOENT', 'protoc is missing: ./dev packages c-tests installs it');
    assert.equal(run.status, 0, `protoc ${args.join(' ')}: ${run.stderr ?? run.error}`);
    return run.stdout;
}

/** The frames of a message, without the lengths before them. */
function framesOf(message) {
    const frames = [];
    for (let at = 0; at < message.length; ) {
        let length = 0;
        let byte;
        let shift = 0;
        do {
            byte = message[at++];
            length += (byte & 127) * 2 ** shift;
            shift += 7;
        } while (byte > 127);
        frames.push(message.subarray(at, at + length));
        at += length;
    }
    return frames;
}

const onOneLine = (text) => text.toString().replaceAll(/\s*\n\s*/g, ' ').trim();

const vectors = readFileSync(join(root, 'tests/vectors/binary/messages.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('the normative description of frames compiles, without a warning', () => {
    const run = spawnSync('protoc', ['-I', join(root, 'proto'), '--descriptor_set_out=/dev/null', proto]);
    assert.notEqual(run.error?.code, 'ENOENT', 'protoc is missing: ./dev packages c-tests installs it');
    assert.deepEqual([run.status, run.stdout.toString(), run.stderr.toString()], [0, '', '']);
});

test('protoc reads the bytes as the text that stands beside them', () => {
    const known = vectors.filter((vector) => vector.proto);
    assert.ok(known.length >= 25);
    for (const { name, hex, proto: texts } of known) {
        const frames = framesOf(Buffer.from(hex, 'hex'));
        const read = frames.map((frame) => onOneLine(protoc(['--decode=weft.v1.Frame'], frame)));
        assert.deepEqual(read, texts, name);
    }
});

test('protoc writes the text as the bytes that stand beside it', () => {
    for (const { name, hex, proto: texts } of vectors.filter((vector) => vector.proto)) {
        const frames = framesOf(Buffer.from(hex, 'hex')).map((frame) => frame.toString('hex'));
        const written = texts.map((text) => protoc(['--encode=weft.v1.Frame'], text).toString('hex'));
        assert.deepEqual(written, frames, name);
    }
});

test('protoc can read every message that we understand', () => {
    for (const { hex } of vectors.filter((vector) => !vector.refused)) {
        for (const frame of framesOf(Buffer.from(hex, 'hex'))) protoc(['--decode=weft.v1.Frame'], frame);
    }
});
