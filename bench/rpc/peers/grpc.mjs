// SPDX-License-Identifier: Apache-2.0
import grpc from '@grpc/grpc-js';

import { grpcService, listening } from './service.mjs';

const server = new grpc.Server();
server.addService(grpcService, { Echo: ({ request }, done) => done(null, request) });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    listening(port);
});
