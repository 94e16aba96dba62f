// SPDX-License-Identifier: Apache-2.0
import { Server } from 'rpc-websockets';

import { listening } from './service.mjs';

const server = new Server({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.register('demo.echo', (params) => params);
server.on('listening', () => listening(server.wss.address().port));
