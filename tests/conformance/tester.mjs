// SPDX-License-Identifier: Apache-2.0
// The tester's end of a WebSocket connection: sends what a case says, valid or not, and records
// what comes back. It shares no code with weft, so that an error of ours is not repeated here, and
// it is strict: a peer that breaks a rule of RFC 6455 fails the case, whatever the case is about.
import { createHash, randomBytes } from 'node:crypto';

const OPCODES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

export function acceptValue(key) {
    return createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
}

function masked(payload, key) {
    const result = Buffer.from(payload);
    for (let i = 0; i < result.length; i++) result[i] ^= key[i & 3];
    return result;
}

/** The header of a frame of `length` bytes; `key` is its mask or null. */
function header(byte0, length, key) {
    const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
    const head = Buffer.alloc(2 + extended);
    head[0] = byte0;
    head[1] = (key ? 0x80 : 0) | (extended === 8 ? 127 : extended === 2 ? 126 : length);
    if (extended === 2) head.writeUInt16BE(length, 2);
    if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
    return key ? Buffer.concat([head, key]) : head;
}

/** Bytes that arrive in chunks and leave in runs of a known length. */
class Inbox {
    constructor() {
        this.chunks = [];
        this.length = 0;
    }
    push(chunk) {
        if (chunk.length === 0) return;
        this.chunks.push(chunk);
        this.length += chunk.length;
    }
    /** The first `n` bytes without taking them; `n` is at most length. */
    peek(n) {
        if (this.chunks[0].length < n) this.chunks = [Buffer.concat(this.chunks)];
        return this.chunks[0].subarray(0, n);
    }
    take(n) {
        if (n === 0) return Buffer.alloc(0);
        const result = this.peek(n);
        const rest = this.chunks[0].subarray(n);
        if (rest.length) this.chunks[0] = rest;
        else this.chunks.shift();
        this.length -= n;
        return result;
    }
}

export class Tester {
    /** `asClient`: this end is the client, so it masks and the peer must not. `early` are bytes that
     *  came behind the handshake; `compression` is that of deflate.mjs, or null. */
    constructor(socket, asClient, early, compression = null) {
        this.compression = compression;
        this.socket = socket;
        this.asClient = asClient;
        this.events = []; // {kind, payload, compressed}: compressed payloads as they came
        this.violation = null; // what the peer did wrong, if anything
        this.closeCode = undefined; // of the peer's close frame; null: it had none
        this.closeSent = false;
        this.closedFirst = false; // the peer's close frame or drop came before our close frame
        this.dropped = false;
        this.inbox = new Inbox();
        this.fragments = null;
        this.pending = [];
        this.waiters = new Set();
        socket.setNoDelay(true);
        socket.on('data', (chunk) => this.received(chunk));
        socket.on('error', () => this.drop());
        socket.on('end', () => this.drop());
        socket.on('close', () => this.drop());
        this.received(early);
    }

    drop() {
        if (this.dropped) return;
        this.dropped = true;
        this.finish();
    }

    /** The peer ended the connection, one way or the other. */
    finish() {
        if (!this.closeSent) this.closedFirst = true;
        this.wake();
    }

    wake() {
        for (const waiter of [...this.waiters]) waiter();
    }

    received(chunk) {
        this.inbox.push(chunk);
        while (!this.violation && this.closeCode === undefined && this.readFrame());
        this.wake();
    }

    /** Takes one frame off the inbox; false when it is not complete. */
    readFrame() {
        if (this.inbox.length < 2) return false;
        const [byte0, byte1] = this.inbox.peek(2);
        const extended = (byte1 & 127) === 127 ? 8 : (byte1 & 127) === 126 ? 2 : 0;
        const headLength = 2 + extended + (byte1 & 128 ? 4 : 0);
        if (this.inbox.length < headLength) return false;
        const head = this.inbox.peek(headLength);
        let length = byte1 & 127;
        if (extended === 2) length = head.readUInt16BE(2);
        if (extended === 8) length = Number(head.readBigUInt64BE(2));
        const least = extended === 8 ? 65536 : extended === 2 ? 126 : 0;
        if (length < least) return this.violated('length not in its shortest form');
        if (Boolean(byte1 & 128) === this.asClient) return this.violated('wrong masking');
        if (this.inbox.length < headLength + length) return false;
        const key = Buffer.from(head.subarray(headLength - 4));
        this.inbox.take(headLength);
        const payload = this.inbox.take(length);
        return this.frame(byte0, byte1 & 128 ? masked(payload, key) : payload);
    }

    violated(what) {
        this.violation = what;
        this.wake();
        return false;
    }

    frame(byte0, payload) {
        const kind = OPCODES[byte0 & 15];
        const fin = (byte0 & 128) !== 0;
        const compressed = (byte0 & 0x70) === 0x40 && this.compression !== null &&
            (kind === 'text' || kind === 'binary');
        if ((byte0 & 0x70 && !compressed) || !kind)
            return this.violated('reserved bits or opcode');
        if (byte0 & 8) {
            if (!fin || payload.length > 125) return this.violated('malformed control frame');
            return this.control(kind, payload);
        }
        if ((kind === 'continuation') !== (this.fragments !== null))
            return this.violated('fragments out of order');
        this.fragments ??= { kind, compressed, parts: [] };
        this.fragments.parts.push(payload);
        return fin ? this.message(this.fragments) : true;
    }

    /** All fragments are there. */
    message({ kind, compressed, parts }) {
        this.fragments = null;
        this.events.push({ kind, payload: Buffer.concat(parts), compressed });
        return true;
    }

    control(kind, payload) {
        if (kind !== 'close') {
            this.events.push({ kind, payload });
            return true;
        }
        if (payload.length === 1) return this.violated('close frame with one byte');
        this.closeCode = payload.length ? payload.readUInt16BE(0) : null;
        this.finish();
        return true;
    }

    /** The peer closed, dropped or misbehaved: nothing more will come. */
    get over() {
        return this.dropped || this.violation !== null || this.closeCode !== undefined;
    }

    /** Resolves to true when `condition` holds, to false after `ms`. */
    until(condition, ms) {
        if (condition()) return Promise.resolve(true);
        return new Promise((resolve) => {
            const done = (result) => {
                clearTimeout(timer);
                this.waiters.delete(check);
                resolve(result);
            };
            const check = () => condition() && done(true);
            const timer = setTimeout(() => done(false), ms);
            this.waiters.add(check);
        });
    }

    write(...buffers) {
        this.pending.push(...buffers);
    }

    writeFrame(byte0, payload) {
        const key = this.asClient ? randomBytes(4) : null;
        this.write(header(byte0, payload.length, key), key ? masked(payload, key) : payload);
    }

    /** One message: in one frame, or in frames of at most `size` bytes when that is not 0. */
    writeMessage(byte0, payload, size) {
        let at = 0;
        do {
            const part = payload.subarray(at, size ? at + size : payload.length);
            at += part.length;
            this.writeFrame(byte0 | (at === payload.length ? 0x80 : 0), part);
            byte0 = 0;
        } while (at < payload.length);
    }

    /** A header alone, with a mask of zeroes, so that its payload can follow as it is. */
    writeHeader(byte0, length) {
        this.write(header(byte0, length, this.asClient ? Buffer.alloc(4) : null));
    }

    /** Hands what was written to the kernel: in one write, or in writes of `chop` bytes. */
    async flush(chop = Infinity) {
        const bytes = Buffer.concat(this.pending);
        this.pending = [];
        if (bytes.length <= chop) {
            if (bytes.length && this.socket.writable) this.socket.write(bytes);
            return;
        }
        for (let at = 0, count = 1; at < bytes.length && this.socket.writable; at += chop, count++) {
            this.socket.write(bytes.subarray(at, at + chop));
            /* Let the peer see the pieces one by one, at least in the short cases. */
            if (bytes.length < 4096 || count % 64 === 0) await new Promise(setImmediate);
        }
    }
}
