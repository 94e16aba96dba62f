// SPDX-License-Identifier: Apache-2.0
// Requests for handshake.mjs: { name, bytes, status, key, frames, pieces, never }. With status 101
// `frames` is what the server answers to the frames that the request's bytes end with.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const HOST = 'localhost';

const GOOD = {
    Host: HOST,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
};

/** The good request with |changes|: a value of null takes the header away, a list gives it more than
 *  once. `line` replaces the request line, `raw` is appended to the header lines as it is. */
function head(changes = {}, { line = 'GET / HTTP/1.1', raw = '' } = {}) {
    const headers = { ...GOOD, ...changes };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
        value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`));
    return Buffer.from(`${line}\r\n${lines.join('')}${raw}\r\n`, 'latin1');
}

const NOTHING = Buffer.alloc(0);
const MASK = [1, 2, 3, 4];

/** A masked text frame and what echoes it. */
function frame(text) {
    const payload = Buffer.from(text);
    return {
        sent: Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, ...MASK]),
                             Buffer.from(payload.map((byte, i) => byte ^ MASK[i & 3]))]),
        echoed: Buffer.concat([Buffer.from([0x81, payload.length]), payload]),
    };
}

const taken = (name, bytes, extra = {}) => ({ name, bytes, status: 101, key: KEY, frames: NOTHING, ...extra });
const refused = (status, name, bytes, extra = {}) => ({ name, bytes, status, ...extra });
const one = frame('Hello');
const two = frame('wörld');
const behind = (...buffers) => Buffer.concat(buffers);
const filler = (count, length) =>
    Array.from({ length: count }, (_, i) => `X-${i}: ${'x'.repeat(length)}\r\n`).join('');

const accepted = [
    taken('the request of RFC 6455 §1.2', head()),
    taken('names of headers in any case', Buffer.from(head().toString('latin1').replace(
        /^[A-Z][\w-]*(?=:)/gm, (name) => name.toUpperCase()), 'latin1')),
    taken('values of Upgrade and Connection in any case',
          head({ Upgrade: 'WebSocket', Connection: 'UPGRADE' })),
    taken('Connection is a list', head({ Connection: 'keep-alive, Upgrade' })),
    taken('Connection is given twice', head({ Connection: ['keep-alive', 'Upgrade'] })),
    taken('Connection has empty elements', head({ Connection: ', ,Upgrade,, ' })),
    taken('Upgrade is a list', head({ Upgrade: 'h2c, websocket' })),
    taken('white space around values', head({ Upgrade: ' \t websocket \t ', 'Sec-WebSocket-Version': '\t13 ' })),
    taken('no white space behind the colon', Buffer.from(head().toString('latin1').replaceAll(': ', ':'), 'latin1')),
    taken('an origin', head({ Origin: 'http://example.org' })),
    taken('headers that nobody knows, with bytes beyond ASCII', head({ Cookie: 'a=b; c=\xe9', 'X-A': '' })),
    taken('an extension that nobody knows', head({ 'Sec-WebSocket-Extensions': 'x-unknown; a=1; b="cd"' })),
    taken('subprotocols that nobody speaks', head({ 'Sec-WebSocket-Protocol': ['chat, superchat', 'third'] })),
    taken('a target with a query', head({}, { line: 'GET /a/b%20c?d=e&f=%ff HTTP/1.1' })),
    taken('a target in absolute form', head({}, { line: `GET http://${HOST}/x HTTP/1.1` })),
    taken('a target of 8,192 bytes', head({}, { line: `GET /${'a'.repeat(8191)} HTTP/1.1` })),
    taken('a host with a port', head({ Host: 'example.org:8080' })),
    taken('a host that is an IPv6 address', head({ Host: '[::1]:80' })),
    taken('a body of no bytes', head({ 'Content-Length': '0' })),
    taken('a head of 15 KiB', head({}, { raw: filler(15, 1000) })),
    taken('a head byte by byte', head(), { pieces: 'bytes' }),
    taken('a head in random pieces', head({}, { raw: filler(4, 100) }), { pieces: 'random' }),
    taken('frames directly behind the head', behind(head(), one.sent, two.sent),
          { frames: behind(one.echoed, two.echoed) }),
    taken('head and frames byte by byte', behind(head(), one.sent, two.sent),
          { frames: behind(one.echoed, two.echoed), pieces: 'bytes' }),
    taken('head and frames in random pieces', behind(head(), one.sent, two.sent, one.sent),
          { frames: behind(one.echoed, two.echoed, one.echoed), pieces: 'random' }),
];

const lines = [
    ...['POST', 'PUT', 'OPTIONS', 'get'].map((method) =>
        refused(405, `method ${method}`, head({}, { line: `${method} / HTTP/1.1` }))),
    refused(501, 'a method of 200 letters', head({}, { line: `${'G'.repeat(200)} / HTTP/1.1` })),
    refused(400, 'HTTP/1.0', head({}, { line: 'GET / HTTP/1.0' })),
    ...['HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/3.1'].map((version) =>
        refused(505, version, head({}, { line: `GET / ${version}` }))),
    ...['http/1.1', 'HTTP/1', 'HTTP/11', 'HTTP/1.10', 'HTTP 1.1', 'ICY/1.1', ''].map((version) =>
        refused(400, `version "${version}"`, head({}, { line: `GET / ${version}` }))),
    refused(400, 'no version', head({}, { line: 'GET /' })),
    refused(400, 'no target', head({}, { line: 'GET  HTTP/1.1' })),
    refused(400, 'two spaces behind the method', head({}, { line: 'GET  / HTTP/1.1' })),
    refused(400, 'a space at the end of the line', head({}, { line: 'GET / HTTP/1.1 ' })),
    refused(400, 'a space before the method', head({}, { line: ' GET / HTTP/1.1' })),
    refused(400, 'a tab instead of a space', head({}, { line: 'GET\t/ HTTP/1.1' })),
    ...['*', 'localhost:80', 'a', '/a b', '/a#b', '/\xe9', 'http://', 'ftp://localhost/'].map((target) =>
        refused(400, `target "${target}"`, head({}, { line: `GET ${target} HTTP/1.1` }))),
    refused(400, 'a target of another host than Host says', head({}, { line: 'GET http://other/ HTTP/1.1' })),
    refused(414, 'a target of 8,193 bytes', head({}, { line: `GET /${'a'.repeat(8192)} HTTP/1.1` })),
    refused(505, 'the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
    refused(400, 'a TLS ClientHello', Buffer.from('16030100a5010000a10303000102030405060708', 'hex')),
    refused(400, 'random bytes', Buffer.from('8f03e1c2550d0a0d0a', 'hex')),
    refused(400, 'frames without a handshake', behind(one.sent, two.sent)),
];

const headers = [
    refused(400, 'no Host', head({ Host: null })),
    refused(400, 'two Hosts', head({ Host: [HOST, HOST] })),
    ...['', 'a b', '[::1', 'a:b', 'a:99999', 'u@a', 'a/b', 'a,b c', '\xe9'].map((host) =>
        refused(400, `Host "${host}"`, head({ Host: host }))),
    refused(426, 'no Upgrade', head({ Upgrade: null })),
    ...['h2c', 'websocket2', 'web socket', '"websocket"', 'websocket/13'].map((upgrade) =>
        refused(426, `Upgrade: ${upgrade}`, head({ Upgrade: upgrade }))),
    refused(400, 'no Connection', head({ Connection: null })),
    ...['close', 'keep-alive', 'Upgraded', 'up grade'].map((connection) =>
        refused(400, `Connection: ${connection}`, head({ Connection: connection }))),
    refused(426, 'no version', head({ 'Sec-WebSocket-Version': null })),
    ...['0', '7', '8', '12', '14', '25', '013', '13, 8', '8, 13', '13.0', 'a', '', '-13'].map((version) =>
        refused(426, `Sec-WebSocket-Version: ${version}`, head({ 'Sec-WebSocket-Version': version }))),
    refused(400, 'two versions', head({ 'Sec-WebSocket-Version': ['13', '13'] })),
    refused(400, 'no key', head({ 'Sec-WebSocket-Key': null })),
    refused(400, 'two keys', head({ 'Sec-WebSocket-Key': [KEY, KEY] })),
    ...['', 'a', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ=', 'dGhlIHNhbXBsZSBub25jZ===',
        'dGhlIHNhbXBsZSBub25j', 'dGhlIHNhbXBsZSBub25jZTE=', 'dGhl IHNhbXBsZSBub25jZQ==',
        'dGhlIHNhbXBsZSBub25jZ!==', 'dGhlIHNhbXBsZSBub25jZQ==,', 'dGhlIHNhbXBsZSBub25jZTEyMzQ1Njc4'].map((key) =>
        refused(400, `key "${key}"`, head({ 'Sec-WebSocket-Key': key }))),
    refused(400, 'a subprotocol that is no token', head({ 'Sec-WebSocket-Protocol': 'a b' })),
    refused(400, 'a subprotocol twice', head({ 'Sec-WebSocket-Protocol': 'chat, chat' })),
    refused(400, 'a subprotocol twice, in two headers', head({ 'Sec-WebSocket-Protocol': ['chat', 'chat'] })),
    refused(400, 'two origins', head({ Origin: ['http://a', 'http://b'] })),
];

const syntax = [
    refused(400, 'a folded header', head({}, { raw: 'X-A: b\r\n c\r\n' })),
    refused(400, 'a folded first header', Buffer.from(`GET / HTTP/1.1\r\n ${head().toString('latin1', 16)}`, 'latin1')),
    refused(400, 'a space before the colon', head({}, { raw: 'X-A : b\r\n' })),
    refused(400, 'a header without a colon', head({}, { raw: 'X-A\r\n' })),
    refused(400, 'a header without a name', head({}, { raw: ': b\r\n' })),
    refused(400, 'a header name with a space', head({}, { raw: 'X A: b\r\n' })),
    refused(400, 'a header name beyond ASCII', head({}, { raw: 'X-\xe9: b\r\n' })),
    ...[0, 1, 8, 11, 12, 27, 127].map((code) => refused(
        400, `byte ${code} in a value`, head({}, { raw: `X-A: b${String.fromCharCode(code)}c\r\n` }))),
    refused(400, 'a bare CR in a value', head({}, { raw: 'X-A: b\rc\r\n' })),
    refused(400, 'a bare LF in a value', head({}, { raw: 'X-A: b\nc\r\n' })),
    refused(400, 'lines ended by LF alone', Buffer.from(head().toString('latin1').replaceAll('\r\n', '\n'), 'latin1')),
    refused(400, 'an LF alone before the last CRLF', head({}, { raw: 'X-A: b\n' })),
    refused(431, '200 headers', head({}, { raw: filler(200, 1) })),
    refused(431, 'a head of 64 KiB', head({}, { raw: filler(8, 8192) })),
    refused(431, 'a head that does not end', Buffer.from(`GET / HTTP/1.1\r\nX-A: ${'x'.repeat(70000)}`)),
];

const smuggled = head({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' });
const hidden = { never: 'HTTP/1.1' };
const chunk = behind(Buffer.from(`${smuggled.length.toString(16)}\r\n`), smuggled, Buffer.from('\r\n0\r\n\r\n'));

const bodies = [
    refused(400, 'a body', behind(head({ 'Content-Length': '5' }), Buffer.from('12345'))),
    refused(400, 'a body that is a handshake', behind(head({ 'Content-Length': String(smuggled.length) }), smuggled), hidden),
    refused(400, 'a chunked body that is a handshake',
            behind(head({ 'Transfer-Encoding': 'chunked' }), chunk), hidden),
    refused(400, 'a handshake behind a refused one', behind(head({ 'Sec-WebSocket-Key': null }), smuggled), hidden),
    refused(405, 'a handshake behind another method', behind(head({}, { line: 'POST / HTTP/1.1' }), smuggled), hidden),
    refused(400, 'both a length and a coding', behind(
        head({ 'Content-Length': '4', 'Transfer-Encoding': 'chunked' }), chunk), hidden),
    refused(400, 'two equal lengths', head({ 'Content-Length': ['0', '0'] })),
    refused(400, 'two lengths', behind(head({ 'Content-Length': ['0', String(smuggled.length)] }), smuggled), hidden),
    ...['-1', '+0', '0x0', '0, 0', '', '1e1', ' ', '99999999999999999999'].map((length) =>
        refused(400, `Content-Length "${length}"`, head({ 'Content-Length': length }))),
    ...['identity', 'gzip, chunked', 'xchunked', 'chunked, identity'].map((coding) =>
        refused(501, `Transfer-Encoding: ${coding}`, head({ 'Transfer-Encoding': coding }))),
    refused(400, 'two codings', head({ 'Transfer-Encoding': ['chunked', 'chunked'] })),
    refused(400, 'a coding with HTTP/1.0', head({ 'Transfer-Encoding': 'chunked' }, { line: 'GET / HTTP/1.0' })),
];

/** The first is the one that always has to work. */
export const requests = [...accepted, ...lines, ...headers, ...syntax, ...bodies];
