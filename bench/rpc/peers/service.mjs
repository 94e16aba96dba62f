// SPDX-License-Identifier: Apache-2.0
// The service that every peer serves. Echo gives back what it gets.
import { create, createFileRegistry } from '@bufbuild/protobuf';
import { FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** bench.Bench/Echo as Connect wants it: a descriptor, made without a compiler. */
export function connectService() {
    const file = create(FileDescriptorProtoSchema, {
        name: 'bench.proto',
        package: 'bench',
        syntax: 'proto3',
        messageType: [{
            name: 'Echo',
            field: [
                { name: 'text', number: 1, type: FieldDescriptorProto_Type.STRING, label: FieldDescriptorProto_Label.OPTIONAL, jsonName: 'text' },
                { name: 'n', number: 2, type: FieldDescriptorProto_Type.INT32, label: FieldDescriptorProto_Label.OPTIONAL, jsonName: 'n' },
            ],
        }],
        service: [{ name: 'Bench', method: [{ name: 'Echo', inputType: '.bench.Echo', outputType: '.bench.Echo' }] }],
    });
    return createFileRegistry(file, () => undefined).getService('bench.Bench');
}

const json = { serialize: (value) => Buffer.from(JSON.stringify(value)), deserialize: (bytes) => JSON.parse(bytes.toString()) };

/** The same for gRPC, with JSON in place of protobuf. */
export const grpcService = {
    Echo: {
        path: '/bench.Bench/Echo',
        requestStream: false,
        responseStream: false,
        requestSerialize: json.serialize,
        requestDeserialize: json.deserialize,
        responseSerialize: json.serialize,
        responseDeserialize: json.deserialize,
    },
};

/** What the runner waits for. */
export function listening(port) {
    console.log(`listening on ${port}`);
}
