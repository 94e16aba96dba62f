// SPDX-License-Identifier: Apache-2.0
// deno: Deno.serve and Deno.upgradeWebSocket, the way its manual shows. Binary messages come as
// ArrayBuffer and not as Blob, which would have to be read first.
import { listening, readOptions } from './options.mjs';

const { port, broadcast, tls } = readOptions();
const sockets = new Set();

function serve(request) {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = 'arraybuffer';
    if (broadcast) {
        socket.onopen = () => sockets.add(socket);
        socket.onclose = () => sockets.delete(socket);
        socket.onmessage = ({ data }) => {
            for (const one of sockets) {
                if (one.readyState === WebSocket.OPEN) one.send(data);
            }
        };
    } else {
        socket.onmessage = ({ data }) => socket.send(data);
    }
    return response;
}

Deno.serve({
    hostname: '127.0.0.1',
    port,
    ...(tls ?? {}),
    onListen: ({ port: chosen }) => listening(chosen),
}, serve);
