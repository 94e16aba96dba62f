// SPDX-License-Identifier: Apache-2.0
// jayson over its WebSocket interface.
import jayson from 'jayson';
import { WebSocketServer } from 'ws';

import { listening } from './service.mjs';

const server = new jayson.Server({ 'demo.echo': (params, done) => done(null, params) });
const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
wss.on('listening', () => listening(wss.address().port));
server.websocket({ wss });
