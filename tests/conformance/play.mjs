// SPDX-License-Identifier: Apache-2.0
// Plays one case on an open connection and judges what came of it. A verdict is '' or what is wrong.
import { playDeflate } from './deflate.mjs';

const PATIENCE_MS = 20000; // for echoes: machines may be slow, and some messages are 16 MiB
const CLOSE_MS = 2000; // for the end of a connection
const PAUSE_MS = 250; // in which a peer has to react, or must not

function matches(event, expected) {
    return event.kind === expected.kind && event.payload.equals(expected.payload);
}

function describe(event) {
    if (!event) return 'nothing';
    const { kind, payload } = event;
    return `${kind} ${payload.length > 32 ? `of ${payload.length} bytes` : payload.toString('hex')}`;
}

async function playStep(tester, step) {
    switch (step.verb) {
    case 'frame':
        if (step.flush || step.chop) await tester.flush();
        tester.writeFrame(step.byte0, step.payload);
        if (step.flush || step.chop) await tester.flush(step.chop);
        break;
    case 'message':
        tester.writeMessage(step.byte0, step.payload, step.size);
        break;
    case 'header':
        tester.writeHeader(step.byte0, step.length);
        break;
    case 'raw':
        tester.write(step.payload);
        await tester.flush();
        break;
    case 'close':
        tester.writeFrame(0x88, step.payload);
        tester.closeSent = true;
        break;
    case 'wait':
        await tester.flush();
        if (!(await tester.until(() => tester.over, PAUSE_MS)))
            tester.events.push({ kind: 'wait', payload: Buffer.alloc(0) });
        break;
    }
}

/** Sends everything and waits for what is expected; returns what was wrong meanwhile. */
async function playSteps(tester, test) {
    for (let round = 1; round <= (test.repeat || 1); round++) {
        for (const step of test.steps) await playStep(tester, step);
        await tester.flush();
        if (test.peerCloses || tester.closeSent) return;
        const count = round * test.expected.length;
        if (count) await tester.until(() => tester.over || tester.events.length >= count, PATIENCE_MS);
        else await tester.until(() => tester.over, PAUSE_MS);
    }
}

/** Ends the connection the way the case says. */
async function playClose(tester, test) {
    if (!test.peerCloses && !tester.closeSent && !tester.over) {
        tester.writeFrame(0x88, Buffer.from([0x03, 0xe8]));
        tester.closeSent = true;
        await tester.flush();
    }
    /* With a close among the steps, the echoes before it may take their time. */
    const patience = test.expected.length && tester.closeSent ? PATIENCE_MS : CLOSE_MS;
    await tester.until(() => tester.over, patience);
    /* RFC 6455 §7.1.1: the server drops the TCP connection first. */
    if (tester.asClient) await tester.until(() => tester.dropped, CLOSE_MS);
}

function judgeEvents(tester, test) {
    const rounds = test.repeat || 1;
    const want = test.expected.length * rounds;
    for (let i = 0; i < Math.max(want, tester.events.length); i++) {
        const expected = i < want ? test.expected[i % test.expected.length] : undefined;
        const event = tester.events[i];
        if (!event || !expected || !matches(event, expected))
            return `event ${i + 1}: ${describe(event)} instead of ${describe(expected)}`;
    }
    return '';
}

function judgeClose(tester, test) {
    const code = tester.closeCode;
    if (test.peerCloses && !tester.closedFirst) return 'the peer did not fail the connection';
    if (!test.peerCloses && tester.closedFirst) return 'the peer closed first';
    if (code !== undefined && code !== null && !test.codes.includes(code))
        return `closed with ${code} instead of ${test.codes.join(' or ')}`;
    if (test.clean && code === undefined) return 'no close frame came';
    if (code === undefined && !tester.dropped) return 'the peer neither closed nor dropped';
    if (tester.asClient && !tester.dropped) return 'the server did not drop the TCP connection';
    return '';
}

/** A case that only has to close cleanly once it is over. */
const CLOSE = { expected: [], codes: [1000], clean: true, peerCloses: false };

async function playCompressed(tester, test) {
    const verdict = await playDeflate(tester, test);
    await playClose(tester, CLOSE);
    return verdict || (tester.violation ?? judgeClose(tester, CLOSE));
}

export async function play(tester, test) {
    if (tester.compression) return playCompressed(tester, test);
    await playSteps(tester, test);
    await playClose(tester, test);
    return tester.violation ?? (judgeEvents(tester, test) || judgeClose(tester, test));
}
