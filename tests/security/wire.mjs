// SPDX-License-Identifier: Apache-2.0
// As much of HTTP and WebSocket as an attacker needs, and as a good client that is in a hurry.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

export const TEXT = 0x81;
export const PING = 0x89;

/** A frame, masked with zeroes, which costs nothing; `head` is its first byte. */
export function frame(head, payload = Buffer.alloc(0)) {
    const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
    let lead;
    if (data.length < 126) {
        lead = Buffer.from([head, 0x80 | data.length]);
    } else if (data.length < 65536) {
        lead = Buffer.from([head, 0xfe, data.length >> 8, data.length & 255]);
    } else {
        lead = Buffer.alloc(10);
        lead[0] = head;
        lead[1] = 0xff;
        lead.writeBigUInt64BE(BigInt(data.length), 2);
    }
    return Buffer.concat([lead, Buffer.alloc(4), data]);
}

export const call = (id, method, params) =>
    frame(TEXT, JSON.stringify({ jsonrpc: '2.0', id, method, params }));

/** A connected socket. Its errors are its own affair: what it was used for sees them as an end. */
export async function connect(port) {
    const socket = net.connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('error', () => {});
    await new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('close', () => reject(new Error('refused')));
    });
    return socket;
}

export const request = (port) =>
    'GET /ws HTTP/1.1\r\n' +
    `Host: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

/** Reads from `socket` until `done` is content with all that came; fails when it ends before. */
export async function readUntil(socket, done, bytes = Buffer.alloc(0)) {
    let got = bytes;
    while (!done(got)) {
        if (socket.destroyed || socket.readableEnded) throw new Error('the server ended it');
        const chunk = socket.read();
        if (chunk) got = Buffer.concat([got, chunk]);
        else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    }
    return got;
}

/** A WebSocket: the socket after the answer to the upgrade. What came behind it is lost. */
export async function upgrade(port) {
    const socket = await connect(port);
    socket.write(request(port));
    const answer = await readUntil(socket, (bytes) => bytes.includes('\r\n\r\n'));
    if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) {
        socket.destroy();
        throw new Error(answer.toString('latin1').split('\r\n')[0]);
    }
    return socket;
}

/** GET `path`: the body of the answer. */
export async function get(port, path) {
    const socket = await connect(port);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
    const chunks = [];
    for await (const chunk of socket) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    return text.slice(text.indexOf('\r\n\r\n') + 4);
}
