/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two wires of `weft bench rpc`: what is sent, and reading what comes without building a tree.
 *
 * Calls have numbers from 0 on, which each wire makes ids of. A connection has a call in each of
 * its slots, and a slot's calls take turns between two numbers: an answer that comes twice, or too
 * late, has the number that is not in flight.
 *
 * **Thread:** any; no state is kept.
 */
#ifndef WEFT_BIN_BENCH_WIRE_H
#define WEFT_BIN_BENCH_WIRE_H

#include "base/bytes.h"

enum {
    BENCH_DEPTH_MAX = 65536,
    BENCH_TURNS = 2,
    BENCH_HELLO = BENCH_DEPTH_MAX * BENCH_TURNS, /* the number of the greeting */
};

enum bench_event_kind {
    BENCH_EVENT_OTHER, /* nothing to do with our calls */
    BENCH_EVENT_RESULT,
    BENCH_EVENT_ERROR,
    BENCH_EVENT_ITEM,
    BENCH_EVENT_PING,
    BENCH_EVENT_BROKEN, /* cannot be read; nothing behind it is */
};

/* A thing that a server says. */
struct bench_event {
    enum bench_event_kind kind;
    uint64_t number;           /* of the call; beyond all numbers when it was never ours */
    struct weft_slice payload; /* the result, the item, or what says more about the error */
};

/* Where a call's words stand: the call is made of these. */
struct bench_call {
    uint64_t number;
    const char *method; /* needs no escapes */
    struct weft_slice params;
};

struct bench_wire {
    const char *name;
    const char *protocol; /* NULL: none */
    bool binary;          /* messages are */
    /* These append one message each. **Errors:** sticky in |out|. */
    void (*call)(struct weft_bytes *out, const struct bench_call *call);
    void (*credit)(struct weft_bytes *out, uint64_t number, uint64_t items, uint64_t bytes);
    void (*pong)(struct weft_bytes *out);
    /* Takes the next of |*rest|, which is a message at first; false at its end. */
    bool (*next)(struct weft_slice *rest, struct bench_event *ret_event);
};

/* JSON-RPC 2.0, as any server speaks it, and weft's frames in protobuf. */
extern const struct bench_wire bench_wire_text;
extern const struct bench_wire bench_wire_binary;

#endif
