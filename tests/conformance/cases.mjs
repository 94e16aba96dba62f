// SPDX-License-Identifier: Apache-2.0
// Reads tests/vectors/websocket/cases.txt; its README explains the format.
import { readFileSync } from 'node:fs';

const file = new URL('../vectors/websocket/cases.txt', import.meta.url);

function readPayload(text) {
    if (text === '-') return Buffer.alloc(0);
    const [hex, length] = text.split('*');
    const unit = Buffer.from(hex, 'hex');
    return length === undefined ? unit : Buffer.alloc(Number(length), unit);
}

function readStep(verb, words) {
    switch (verb) {
    case 'frame': {
        const step = { verb, byte0: parseInt(words[0], 16), payload: readPayload(words[1]) };
        for (const option of words.slice(2)) {
            if (option === 'flush') step.flush = true;
            else step.chop = Number(option.slice('chop='.length));
        }
        return step;
    }
    case 'message':
        return { verb, byte0: Number(words[0]), size: Number(words[1]),
                 payload: readPayload(words[2]) };
    case 'header':
        return { verb, byte0: parseInt(words[0], 16), length: Number(words[1]) };
    case 'raw':
    case 'close':
        return { verb, payload: readPayload(words[0]) };
    case 'wait':
        return { verb };
    default:
        throw new Error(`cases.txt: unknown line: ${verb}`);
    }
}

function readCase(lines) {
    const test = { id: '', steps: [], expected: [], repeat: 0, codes: [], peerCloses: false,
                   clean: false };
    for (const line of lines) {
        const [verb, ...words] = line.split(' ');
        if (verb === 'case') test.id = words[0];
        else if (verb === 'repeat') test.repeat = Number(words[0]);
        else if (verb === 'closer') test.peerCloses = words[0] === 'peer';
        else if (verb === 'codes') test.codes = words.map(Number);
        else if (verb === 'clean') test.clean = true;
        else if (verb === 'expect')
            test.expected.push({ kind: words[0], payload: readPayload(words[1] ?? '-') });
        else test.steps.push(readStep(verb, words));
    }
    return test;
}

/** The cases in the file's order, without their payloads: `load()` gives those, for as long as they
 *  are needed (some are 16 MiB long). */
export function listCases() {
    const blocks = readFileSync(file, 'utf8').split('\n\n').map(
        (block) => block.split('\n').filter((line) => line && !line.startsWith('#')));
    return blocks.filter((lines) => lines.length > 0).map((lines) => ({
        id: lines[0].slice('case '.length),
        load: () => readCase(lines),
    }));
}
