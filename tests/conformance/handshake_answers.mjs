// SPDX-License-Identifier: Apache-2.0
// Answers for handshake.mjs: { name, answer(key), taken, frames, pieces, ends }. `taken`: the client must
// open; `frames` stands behind the answer and must be echoed. `ends`: the server ends the stream.
import { acceptValue } from './tester.mjs';

const NOTHING = Buffer.alloc(0);
const HELLO = Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('Hello')]);

/** The good answer with |changes|, as `head` of handshake_requests.mjs does it for requests. */
function head(key, changes = {}, { line = 'HTTP/1.1 101 Switching Protocols', raw = '' } = {}) {
    const headers = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': acceptValue(key),
                      ...changes };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
        value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`));
    return Buffer.from(`${line}\r\n${lines.join('')}${raw}\r\n`, 'latin1');
}

const good = (key) => head(key);
const before = (text) => (key) => Buffer.concat([Buffer.from(text), good(key)]);
const withHello = (key) => Buffer.concat([good(key), HELLO]);
const changed = (changes, options) => (key) => head(key, changes, options);
const fixed = (text) => () => Buffer.from(text, 'latin1');
const taken = (name, answer, extra = {}) => ({ name, answer, taken: true, frames: NOTHING, ...extra });
const refused = (name, answer, extra = {}) => ({ name, answer, taken: false, ...extra });
const fullBody = '\r\nContent-Length: 2\r\n\r\nno';

export const answers = [
    taken('the answer of RFC 6455 §1.2', good),
    taken('names and values in any case', (key) => Buffer.from(
        head(key, { Upgrade: 'WebSocket', Connection: 'UPGRADE' }).toString('latin1')
            .replace(/^[A-Z][\w-]*(?=:)/gm, (name) => name.toLowerCase()), 'latin1')),
    taken('Connection is a list', changed({ Connection: 'keep-alive, Upgrade' })),
    taken('another reason', changed({}, { line: 'HTTP/1.1 101 Web Socket Protocol Handshake' })),
    taken('no reason', changed({}, { line: 'HTTP/1.1 101 ' })),
    taken('headers that nobody knows', changed({ Server: 'x', Date: 'today', 'Set-Cookie': ['a=b', 'c=d'] })),
    taken('white space around values', changed({ Upgrade: ' \t websocket \t' })),
    taken('an answer byte by byte', good, { pieces: 'bytes' }),
    taken('a frame directly behind the answer', withHello, { frames: HELLO }),
    taken('answer and frame byte by byte', withHello, { frames: HELLO, pieces: 'bytes' }),
    taken('answer and frame in random pieces', withHello, { frames: HELLO, pieces: 'random' }),
    // RFC 9110 §15.2: any number of interim answers may come before the final one.
    taken('100 before 101', before('HTTP/1.1 100 Continue\r\n\r\n')),
    taken('102 and 103 before 101', before(
        'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'), { pieces: 'random' }),

    refused('no accept value', changed({ 'Sec-WebSocket-Accept': null })),
    refused('the accept value of another key', changed({ 'Sec-WebSocket-Accept': acceptValue('AAAAAAAAAAAAAAAAAAAAAA==') })),
    refused('the key as the accept value', (key) => head(key, { 'Sec-WebSocket-Accept': key })),
    refused('the accept value in other case', (key) => head(key, {
        'Sec-WebSocket-Accept': acceptValue(key).replace(/[a-z]/gi, (letter) =>
            letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) })),
    refused('the accept value twice', (key) => head(key, { 'Sec-WebSocket-Accept': [acceptValue(key), acceptValue(key)] })),
    refused('the accept value cut off', (key) => head(key, { 'Sec-WebSocket-Accept': acceptValue(key).slice(0, -1) })),
    refused('no Upgrade', changed({ Upgrade: null })),
    refused('Upgrade to something else', changed({ Upgrade: 'h2c' })),
    refused('no Connection', changed({ Connection: null })),
    refused('Connection: close', changed({ Connection: 'close' })),
    refused('an extension that was not offered', changed({ 'Sec-WebSocket-Extensions': 'x-unknown' })),
    refused('a subprotocol that was not asked for', changed({ 'Sec-WebSocket-Protocol': 'chat' })),
    refused('HTTP/1.0', changed({}, { line: 'HTTP/1.0 101 Switching Protocols' })),
    refused('HTTP/2.0', changed({}, { line: 'HTTP/2.0 101 Switching Protocols' })),
    ...['200 OK', '204 No Content', '301 Moved', '302 Found', '307 Temporary Redirect', '400 Bad Request',
        '401 Unauthorized', '403 Forbidden', '404 Not Found', '407 Proxy', '426 Upgrade Required',
        '429 Too Many', '500 Broken', '503 Service Unavailable', '999 Strange'].map((status) =>
        refused(`status ${status}`, fixed(`HTTP/1.1 ${status}\r\nLocation: ws://127.0.0.1:1/${fullBody}`))),
    refused('a good answer with status 200', changed({}, { line: 'HTTP/1.1 200 OK' })),
    ...['HTTP/1.1 1O1 x', 'HTTP/1.1 0101 x', 'HTTP/1.1 10 x', 'HTTP/1.1  101 x', 'http/1.1 101 x', 'ICY 101 x',
        '101 x', ''].map((line) => refused(`status line "${line}"`, changed({}, { line }))),
    refused('no HTTP at all', fixed('+OK ready\r\n\r\n')),
    refused('frames without an answer', () => Buffer.concat(Array.from({ length: 40 }, () => HELLO)), { ends: true }),
    refused('a folded header', changed({}, { raw: 'X-A: b\r\n c\r\n' })),
    refused('a header without a colon', changed({}, { raw: 'X-A\r\n' })),
    refused('a space before the colon', changed({}, { raw: 'X-A : b\r\n' })),
    refused('a bare LF', changed({}, { raw: 'X-A: b\nX-B: c\r\n' })),
    refused('a zero byte', changed({}, { raw: 'X-A: b\0\r\n' })),
    refused('200 headers', changed({}, { raw: 'X-A: b\r\n'.repeat(200) })),
    refused('a head of 100 KiB', changed({}, { raw: `X-A: ${'x'.repeat(100 * 1024)}\r\n` })),
    refused('a head that does not end', fixed(`HTTP/1.1 101 x\r\nX-A: ${'x'.repeat(70000)}`)),
    refused('the end of the stream instead of an answer', () => NOTHING, { ends: true }),
    refused('the end of the stream within the answer', (key) => good(key).subarray(0, 40), { ends: true }),
    refused('the end of the stream before the last byte', (key) => good(key).subarray(0, -1), { ends: true }),
    refused('100 and nothing else', fixed('HTTP/1.1 100 Continue\r\n\r\n'), { ends: true }),
    refused('404 behind 100', fixed(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found${fullBody}`)),
];
