// SPDX-License-Identifier: Apache-2.0
// bun: Bun.serve with its `websocket` handlers, and its own topics for broadcasts (`publish`), as its
// documentation recommends. bun compresses only what is sent with the `compress` flag, so that is set
// when deflate was asked for; "shared" is its compressor without context takeover.
import { listening, MAX_MESSAGE, readOptions } from './options.mjs';

const { port, broadcast, deflate, tls } = readOptions();
const TOPIC = 'all';

const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    ...(tls ? { tls } : {}),
    fetch(request, self) {
        return self.upgrade(request) ? undefined : new Response('WebSocket only\n', { status: 426 });
    },
    websocket: {
        perMessageDeflate: deflate ? { compress: 'shared', decompress: 'shared' } : false,
        maxPayloadLength: MAX_MESSAGE,
        // A receiver that is behind keeps all of its messages: a lost one would end the run.
        backpressureLimit: 64 * 1024 * 1024,
        ...(broadcast ? {
            open: (ws) => ws.subscribe(TOPIC),
            message: (ws, message) => { server.publish(TOPIC, message, deflate); },
        } : {
            message: (ws, message) => { ws.send(message, deflate); },
        }),
    },
});
listening(server.port);
