// SPDX-License-Identifier: Apache-2.0
/** `@weft/client`: connection, calls and live documents. Document types are entry points of their own. */
export { WeftClient } from "./client.js";
export type { ClientEvents, ClientOptions } from "./options.js";
export type { CallOptions } from "./connection/calls.js";
export type { TokenSource } from "./connection/credentials.js";
export type { ServedCall } from "./connection/served.js";
export type { CallHandler, ServeOptions } from "./connection/serving.js";
export { WeftStream } from "./connection/stream.js";
export type { StreamCall, StreamSink, StreamWindow } from "./connection/stream.js";
export type { ConnectionStatus, SessionInfo } from "./connection/status.js";
export { Replica } from "./doc/replica.js";
export type { ReplicaChange, ReplicaEvents, ReplicaOptions } from "./doc/events.js";
export type { ChangeOrigin, DocumentPeer, ReplicaState } from "./doc/peer.js";
export type { Participant } from "./doc/presence.js";
export type { UndoOptions } from "./doc/undo.js";
export type { Author, PresenceState, Selection } from "./doc/wire.js";
export { WeftError } from "./errors.js";
export type { Executed, WeftErrorCode, WeftErrorDetails } from "./errors.js";
export type { OtType, Side } from "./ot/type.js";
export type { Message } from "./protocol/frame.js";
export type { WireName } from "./protocol/wires.js";
export type { WebSocketConstructor, WebSocketLike } from "./platform/platform.js";
export type { TabChannel, TabLocks, TabPlatform } from "./shared/platform.js";
export type { Transport, TransportFactory, TransportHandlers } from "./transport/transport.js";
export type { Clock, Timer } from "./util/clock.js";
export { Emitter } from "./util/emitter.js";
export type { Unsubscribe } from "./util/emitter.js";
