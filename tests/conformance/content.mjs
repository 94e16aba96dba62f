// SPDX-License-Identifier: Apache-2.0
// What the compression cases send. The suite that the list comes from uses files (a JSON dump, a
// bitmap, a book, a web page, a PDF); these are made here, of the same kinds and sizes, always the
// same.

function generator(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state >>> 8;
    };
    return { below: (n) => next() % n, pick: (list) => list[next() % list.length] };
}

const WORDS = ('der die das und ein Geist der stets verneint von allem was entsteht zu Grunde geht ' +
               'Habe nun ach Philosophie Juristerei Medizin durchaus studiert mit heißem Bemühn ' +
               'Über Wälder Flüsse Höhen schwebt er fort größer schöner süßer').split(' ');

/** A string of exactly `size` bytes in UTF-8, put together by `part(random, index)`. */
function text(size, seed, part) {
    const random = generator(seed);
    const parts = [];
    for (let length = 0, i = 0; length < size; i++) {
        let piece = part(random, i);
        let bytes = Buffer.byteLength(piece);
        if (length + bytes > size) {
            piece = 'x'.repeat(size - length);
            bytes = piece.length;
        }
        parts.push(piece);
        length += bytes;
    }
    return parts.join('');
}

function json() {
    return text(194056, 1, (random, i) => JSON.stringify({
        id: i, name: `${random.pick(WORDS)} ${random.pick(WORDS)}`, price: random.below(100000) / 100,
        tags: [random.pick(WORDS), random.pick(WORDS)], active: random.below(2) === 1, note: '価格€',
        key: random.below(1 << 24).toString(16),
    }) + ',\n');
}

function bitmap() {
    const random = generator(2);
    const bytes = Buffer.alloc(263222);
    bytes.write('BM');
    for (let i = 0; i < 262144; i++) {
        const [x, y] = [i % 512, i >> 9];
        bytes[1078 + i] = 128 + 90 * Math.sin(x / 40) * Math.cos(y / 55) + random.below(9);
    }
    return bytes;
}

function book() {
    return Buffer.from(text(222218, 3, (random, i) => random.pick(WORDS) + (i % 9 ? ' ' : ',\n')));
}

function page() {
    return text(263647, 4, (random, i) => `<tr class="row${i % 2}"><td>${i}</td>` +
        `<td><a href="/item/${random.below(100000)}">${random.pick(WORDS)} ${random.pick(WORDS)}` +
        '</a></td></tr>\n');
}

function pdf() {
    const random = generator(5);
    const bytes = Buffer.alloc(1042328);
    for (let at = 0, i = 1; at < bytes.length; i++) {
        at += bytes.write(`${i} 0 obj\n<< /Type /XObject /Filter /FlateDecode >>\nstream\n`, at);
        for (const end = Math.min(at + 3000, bytes.length); at < end; at++)
            bytes[at] = random.below(256);
        at += bytes.write('\nendstream\nendobj\n', at);
    }
    return bytes;
}

const MAKERS = { json, bitmap, book, page, pdf };
const made = new Map();

/**
 * Messages of `length` characters (of a text) or bytes (of the others), one behind the other, from
 * the content called `name`, over and over. Each is { opcode, payload }.
 */
export function* messages(name, length) {
    if (!made.has(name)) made.set(name, MAKERS[name]());
    const content = made.get(name);
    const isText = typeof content === 'string';
    for (let at = 0;;) {
        let piece = isText ? '' : [];
        for (let left = length; left > 0;) {
            const part = isText ? content.slice(at, at + left) : content.subarray(at, at + left);
            at = (at + part.length) % content.length;
            left -= part.length;
            if (isText) piece += part;
            else piece.push(part);
        }
        yield isText ? { opcode: 1, payload: Buffer.from(piece) }
                     : { opcode: 2, payload: Buffer.concat(piece) };
    }
}
