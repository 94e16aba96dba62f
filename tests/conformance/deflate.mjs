// SPDX-License-Identifier: Apache-2.0
// Groups 12 and 13 of the case list, the 216 about permessage-deflate (RFC 7692): what each sends,
// what is negotiated, and the tester's own compression, which is Node's zlib.
import { strict as assert } from 'node:assert';
import zlib from 'node:zlib';

import { messages } from './content.mjs';

const PATIENCE_MS = 20000;
const COUNT = 1000; // messages of a case
/* Unless all messages of the cases are asked for (--full, 10 GB in all): so many bytes of a case,
 * and so many messages. */
const BUDGET = 512 * 1024;
const COUNT_MIN = 12;
const COUNT_MAX = 250;
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

// [characters or bytes of a message, payload bytes of a frame or 0: one frame]
const SIZES = [
    [16, 0], [64, 0], [256, 0], [1024, 0], [4096, 0], [8192, 0], [16384, 0], [32768, 0], [65536, 0],
    [131072, 0], [8192, 256], [16384, 256], [32768, 256], [65536, 256], [131072, 256],
    [131072, 1024], [131072, 4096], [131072, 32768],
];

// What the tester asks for, in order of preference: [no context takeover, largest window or 0].
const ANYTHING = [[false, 0]];
const SECTIONS = {
    12.1: ['json', ANYTHING],
    12.2: ['bitmap', ANYTHING],
    12.3: ['book', ANYTHING],
    12.4: ['page', ANYTHING],
    12.5: ['pdf', ANYTHING],
    13.1: ['json', ANYTHING],
    13.2: ['json', [[true, 0]]],
    13.3: ['json', [[false, 9]]],
    13.4: ['json', [[false, 15]]],
    13.5: ['json', [[true, 9]]],
    13.6: ['json', [[true, 15]]],
    13.7: ['json', [[true, 9], [true, 0], [false, 0]]],
};

/** The cases, as listCases of cases.mjs gives them. `full`: with all their messages. */
export function listDeflateCases(full) {
    return Object.entries(SECTIONS).flatMap(([section, [content, wishes]]) => SIZES.map(
        ([length, frame], i) => ({
            id: `${section}.${i + 1}`,
            load: () => ({
                id: `${section}.${i + 1}`, wishes, content, length, frame,
                count: full ? COUNT : Math.min(COUNT_MAX, Math.max(COUNT_MIN, BUDGET / length)),
            }),
        })));
}

// ---- Negotiation ----

/** The value of Sec-WebSocket-Extensions that a testing client sends. */
export function offerOf(wishes) {
    return wishes.map(([noTakeover, bits]) =>
        'permessage-deflate; client_no_context_takeover; client_max_window_bits' +
        (noTakeover ? '; server_no_context_takeover' : '') +
        (bits ? `; server_max_window_bits=${bits}` : '')).join(', ');
}

/** Reads one extension; the parameters by name, `true` for those without a value. */
function readParams(value) {
    const [name, ...rest] = value.split(';').map((part) => part.trim());
    assert.equal(name, 'permessage-deflate', `extension ${name}`);
    const params = {};
    for (const part of rest) {
        const match = /^([a-z_]+)(?:=(\d+))?$/.exec(part);
        assert(match && !(match[1] in params), `parameter ${part}`);
        params[match[1]] = match[2] === undefined ? true : Number(match[2]);
    }
    return params;
}

function checkBits(bits) {
    assert(bits === undefined || (bits >= 8 && bits <= 15), `a window of ${bits} bits`);
    return bits ?? 15;
}

/** What the server's answer to offerOf(wishes) means for the testing client; throws if it may not be
 *  given. It must fit one of the wishes. */
export function agreeAsClient(answer, wishes) {
    assert(answer, 'permessage-deflate was declined');
    const params = readParams(answer);
    const known = ['server_no_context_takeover', 'client_no_context_takeover',
                   'server_max_window_bits', 'client_max_window_bits'];
    for (const name of Object.keys(params)) assert(known.includes(name), `parameter ${name}`);
    const fits = wishes.some(([noTakeover, bits]) =>
        (!noTakeover || params.server_no_context_takeover === true) &&
        (!bits || params.server_max_window_bits <= bits));
    assert(fits, `the answer "${answer}" fits no offer`);
    return new Compression({
        outTakeover: false, // as the offer says
        outBits: checkBits(params.client_max_window_bits),
        inTakeover: !params.server_no_context_takeover,
        inBits: checkBits(params.server_max_window_bits),
    });
}

/** A testing server's answer to the client's `offer`: [value of the header, compression]. */
export function agreeAsServer(offer, wishes) {
    assert(offer, 'permessage-deflate was not offered');
    for (const params of offer.split(',').map(readParams)) {
        for (const [noTakeover, bits] of wishes) {
            if (bits && params.client_max_window_bits === undefined) continue;
            const answer = 'permessage-deflate' +
                (params.server_no_context_takeover ? '; server_no_context_takeover' : '') +
                (noTakeover ? '; client_no_context_takeover' : '') +
                (bits ? `; client_max_window_bits=${bits}` : '');
            return [answer, new Compression({
                outTakeover: !params.server_no_context_takeover,
                outBits: checkBits(params.server_max_window_bits),
                inTakeover: !noTakeover,
                inBits: bits || 15,
            })];
        }
    }
    throw new Error(`nothing in the offer "${offer}" suits the case`);
}

// ---- Compression ----

/** Bytes through one of Node's zlib streams, message by message. */
class Machine {
    constructor(stream) {
        this.stream = stream;
        this.chunks = [];
        this.failure = null;
        this.wake = () => {};
        stream.on('data', (chunk) => this.chunks.push(chunk));
        stream.on('error', (error) => {
            this.failure = error;
            this.wake();
        });
    }
    async run(bytes) {
        await new Promise((resolve) => {
            this.wake = resolve;
            this.stream.write(bytes);
            this.stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve);
        });
        if (this.failure) throw this.failure;
        return Buffer.concat(this.chunks.splice(0));
    }
}

/** The tester's end: contexts are kept between messages only where that was agreed on, so that a
 *  peer's reference to what it should have forgotten is an error. */
class Compression {
    constructor({ outTakeover, outBits, inTakeover, inBits }) {
        this.outTakeover = outTakeover;
        this.inTakeover = inTakeover;
        this.deflater = new Machine(zlib.createDeflateRaw({ windowBits: outBits, level: 1 }));
        /* What still is in the room for output may be referred to from any distance: with little
         * room zlib finds the references beyond the window. */
        this.inflater = new Machine(zlib.createInflateRaw({ windowBits: inBits,
                                                            chunkSize: inBits < 15 ? 256 : 16384 }));
        this.compressed = 0; // messages that came compressed
    }
    async deflate(payload) {
        const bytes = await this.deflater.run(payload);
        assert(bytes.subarray(-4).equals(TAIL));
        if (!this.outTakeover) this.deflater.stream.reset();
        return bytes.subarray(0, -4);
    }
    async inflate(payload) {
        this.compressed++;
        const bytes = await this.inflater.run(Buffer.concat([payload, TAIL]));
        if (!this.inTakeover) this.inflater.stream.reset();
        return bytes;
    }
    done() {
        this.deflater.stream.close();
        this.inflater.stream.close();
    }
}

/** Plays a case of these groups; '' or what is wrong. */
export async function playDeflate(tester, test) {
    const source = messages(test.content, test.length);
    for (let i = 1; i <= test.count; i++) {
        const { opcode, payload } = source.next().value;
        tester.writeMessage(0x40 | opcode, await tester.compression.deflate(payload), test.frame);
        await tester.flush();
        await tester.until(() => tester.over || tester.events.length, PATIENCE_MS);
        const event = tester.events.shift();
        if (tester.violation) return `message ${i}: ${tester.violation}`;
        if (!event) return `message ${i}: no echo`;
        if (event.compressed) {
            try {
                event.payload = await tester.compression.inflate(event.payload);
            } catch (error) {
                return `message ${i}: the echo does not inflate: ${error.message}`;
            }
        }
        if (event.kind !== (opcode === 1 ? 'text' : 'binary') || !event.payload.equals(payload))
            return `message ${i}: the echo differs`;
    }
    /* Noise may come back as it is, and what is short; nothing else. */
    if (test.length >= 1024 && test.content !== 'pdf' &&
        tester.compression.compressed !== test.count)
        return 'the peer did not compress';
    return '';
}
