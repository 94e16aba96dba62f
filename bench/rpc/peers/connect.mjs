// SPDX-License-Identifier: Apache-2.0
// Connect on Node's HTTP/2, cleartext.
import { createServer } from 'node:http2';

import { connectNodeAdapter } from '@connectrpc/connect-node';

import { connectService, listening } from './service.mjs';

const routes = (router) => router.service(connectService(), { echo: (request) => request });
const server = createServer(connectNodeAdapter({ routes }));
server.listen(0, '127.0.0.1', () => listening(server.address().port));
