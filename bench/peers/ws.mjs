// SPDX-License-Identifier: Apache-2.0
// ws on Node, with the native `bufferutil` that its documentation recommends for speed. Broadcasts
// are the loop over `clients` of its examples. Compression has no threshold, as small messages are
// not compressed by anybody else either; level and memory are zlib's.
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';

import { WebSocketServer } from 'ws';

import { listening, MAX_MESSAGE, readOptions } from './options.mjs';

const { port, broadcast, deflate, tls } = readOptions();

const http = tls ? createHttpsServer(tls) : createHttpServer();
const server = new WebSocketServer({
    server: http,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: deflate
        ? { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }
        : false,
});

server.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    if (broadcast) {
        socket.on('message', (data, binary) => {
            for (const client of server.clients) client.send(data, { binary });
        });
    } else {
        socket.on('message', (data, binary) => socket.send(data, { binary }));
    }
});
http.listen({ host: '127.0.0.1', port, backlog: 4096 }, () => listening(http.address().port));
