// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http';

import { Server } from 'socket.io';

import { listening } from './service.mjs';

const http = createServer();
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false });
io.on('connection', (socket) => socket.on('demo.echo', (params, done) => done(params)));
http.listen(0, '127.0.0.1', () => listening(http.address().port));
