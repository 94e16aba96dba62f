/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: what the two wires have in common. A message holds frames; a wire turns messages into
 * frames and back (docs/protocol/rpc.md, docs/protocol/binary.md), and what to do about a frame is
 * rpc/peer.h's.
 *
 *   message ─► wire->decode ─► weft_rpc_message { batch, frames[count] }
 *   head ─► wire->begin ─► payload, written by anybody ─► wire->end ─► message
 *
 * Payloads are JSON on both wires. **Thread:** any; a wire keeps no state.
 */
#ifndef WEFT_RPC_FRAME_H
#define WEFT_RPC_FRAME_H

#include "codec/json.h"

enum {
    WEFT_RPC_ID_MAX = 128, /* bytes of a string id, decoded */
    WEFT_RPC_BATCH_MAX = 100,
    WEFT_RPC_OWN_ID_MAX = 24, /* bytes of an id that weft__rpc_correlation gives out */
};

/* Numbers of JSON-RPC 2.0 §5.1 that no canonical status has. */
enum { WEFT_RPC_PARSE_ERROR = -32700, WEFT_RPC_INVALID_REQUEST = -32600 };

/* The id of a call. Text: a string, or an integer within ±2^53. Binary: four bytes, little endian.
 */
struct weft_rpc_id {
    struct weft_slice raw; /* as received, echoed byte for byte; empty = no id */
    struct weft_slice key; /* what makes two ids the same one */
};

enum weft_rpc_kind {
    WEFT_RPC_KIND_INVALID, /* to be answered with |failure| */
    WEFT_RPC_KIND_IGNORED, /* well-formed and of no meaning here */
    /* Data: numbered within a session, except methods `$/…` and their answers. */
    WEFT_RPC_KIND_CALL,
    WEFT_RPC_KIND_NOTIFY,
    WEFT_RPC_KIND_RESULT,
    WEFT_RPC_KIND_ERROR,
    WEFT_RPC_KIND_ITEM, /* of the stream that call |id| opened */
    WEFT_RPC_KIND_END,  /* no more items from this side */
    /* Control: never numbered. It goes out before data, all but a cancellation. */
    WEFT_RPC_KIND_CANCEL,
    WEFT_RPC_KIND_CREDIT,
    WEFT_RPC_KIND_ACK,
    WEFT_RPC_KIND_PING,
    WEFT_RPC_KIND_PONG,
};

/* What a call says about itself beside the parameters (PROTOCOL §3, `meta`). */
struct weft_rpc_meta {
    bool has_timeout;
    bool malformed; /* a known member has a wrong type */
    uint64_t timeout_ms;
    struct weft_slice idem; /* empty = absent */
    struct weft_slice traceparent;
    struct weft_slice order; /* calls with the same one run one after the other */
};

/* Whether the called method ran; decides what may be retried. */
enum weft_rpc_executed {
    WEFT_RPC_EXECUTED_AUTO, /* "no" for a status that means a refusal, else "unknown" */
    WEFT_RPC_EXECUTED_NO,
    WEFT_RPC_EXECUTED_YES,
    WEFT_RPC_EXECUTED_UNKNOWN,
};

/* One rule that a parameter breaks. Strings are valid UTF-8. */
struct weft_rpc_violation {
    const char *field;
    const char *rule;
};

/* An error answer to be written. All zeroes but |status| is complete. */
struct weft_rpc_failure {
    int status;          /* enum weft_status, not OK */
    int number;          /* WEFT_RPC_PARSE_ERROR, WEFT_RPC_INVALID_REQUEST; 0 = that of |status| */
    const char *message; /* for people; NULL = the name of the status */
    const char *reason;  /* stable detail, `weft.…`; NULL = none */
    enum weft_rpc_executed executed;
    bool retryable;          /* also true by itself for unavailable and resource_exhausted */
    uint32_t retry_after_ms; /* 0 = no hint */
    const struct weft_rpc_violation *violations;
    size_t violation_count;
    struct weft_slice details; /* one JSON value for the application; empty = none */
};

/* What |failure| says once its defaults are filled in. */
int weft__rpc_failure_number(const struct weft_rpc_failure *failure);
enum weft_rpc_executed weft__rpc_failure_executed(const struct weft_rpc_failure *failure);
bool weft__rpc_failure_retryable(const struct weft_rpc_failure *failure);

/* A rule that a parameter broke, as received. */
struct weft_rpc_broken_rule {
    struct weft_slice field;
    struct weft_slice rule;
};

/* An error answer as received. Slices are decoded and may be empty. */
struct weft_rpc_error {
    int status;     /* never OK */
    int64_t number; /* of JSON-RPC 2.0; 0 when there was none */
    struct weft_slice message;
    struct weft_slice reason;
    enum weft_rpc_executed executed; /* never AUTO; UNKNOWN when not said */
    bool retryable;
    uint64_t retry_after_ms;
    const struct weft_rpc_broken_rule *violations;
    size_t violation_count;
    const struct weft_json *details; /* NULL when absent */
    const struct weft_json *data;    /* the text wire's member, whole; NULL when absent */
};

/* One frame. Which fields are set depends on |kind|. */
struct weft_rpc_frame {
    enum weft_rpc_kind kind;
    struct weft_rpc_id id;          /* all but NOTIFY, ACK, PING, PONG; INVALID and ERROR: empty
                                       when it is not known */
    uint64_t seq;                   /* data frames of a session; 0 = not numbered */
    uint64_t ack;                   /* any frame: the other side has seen so many; 0 = not said */
    struct weft_slice method;       /* CALL, NOTIFY: decoded */
    const struct weft_json *params; /* CALL, NOTIFY: an array or object; NULL when absent or null */
    struct weft_rpc_meta meta;      /* CALL, NOTIFY */
    const struct weft_json *value;  /* RESULT, ITEM */
    uint64_t items_total;           /* CREDIT */
    uint64_t bytes_total;           /* CREDIT */
    union {
        struct weft_rpc_error error;     /* ERROR */
        struct weft_rpc_failure failure; /* INVALID */
    };
};

/* Clears all of |frame| but |error| and |failure|, of which one is set as a whole or none is read.
 */
static inline void weft__rpc_frame_clear(struct weft_rpc_frame *frame)
{
    memset(frame, 0, offsetof(struct weft_rpc_frame, error));
}

struct weft_rpc_message {
    bool batch; /* answers go back as one array */
    size_t count;
    struct weft_rpc_frame *frames; /* in the arena */
};

struct weft_rpc_decode_options {
    struct weft_hash_key hash_key; /* see struct weft_json_options */
    bool text_is_utf8;             /* the transport has checked it */
    size_t max_batch;              /* frames of a message; 0 = WEFT_RPC_BATCH_MAX */
};

/* A frame to be written, all but its payload. Which fields count depends on |kind|. */
struct weft_rpc_head {
    enum weft_rpc_kind kind;
    struct weft_slice id;                   /* raw; empty: a NOTIFY, or an ERROR to nobody */
    struct weft_slice method;               /* CALL, NOTIFY */
    const struct weft_rpc_meta *meta;       /* CALL, NOTIFY; may be NULL */
    const struct weft_rpc_failure *failure; /* ERROR */
    uint64_t seq;                           /* 0 = not numbered; may be set between begin and end */
    uint64_t ack;                           /* ACK; others: 0 = not said */
    uint64_t items_total;                   /* CREDIT */
    uint64_t bytes_total;                   /* CREDIT */
    bool in_order;                          /* CREDIT: not to pass data, the call may be among it */
    bool has_payload;                       /* CALL, NOTIFY: parameters follow */
};

struct weft_rpc_wire {
    const char *name; /* of the subprotocol */
    bool is_text;     /* else messages are binary */
    /*
     * Decodes one message. What is malformed becomes a frame of kind INVALID, as JSON-RPC 2.0 §6
     * wants it. **Lifetime:** frames live as long as |arena| and |message|. **Errors:**
     * WEFT_ERR_NOMEM; WEFT_ERR_PROTOCOL when the message has no meaning that could be answered: the
     * connection is to be closed (binary wire alone).
     */
    int (*decode)(struct weft_slice message, struct weft_arena *arena,
                  const struct weft_rpc_decode_options *options,
                  struct weft_rpc_message *ret_message);
    /* Begins a message of one frame in |out|, which is empty. For CALL and NOTIFY with
     * |has_payload|, RESULT and ITEM the payload is appended next: one JSON value. */
    void (*begin)(struct weft_bytes *out, const struct weft_rpc_head *head);
    /* Ends it and returns the message, a part of |out|; failures stick to |out|. |head| is that of
     * begin, but for |seq| and |ack|. */
    struct weft_slice (*end)(struct weft_bytes *out, const struct weft_rpc_head *head);
    /* Writes the raw id of the |number|th call that a server or client makes, from 1. Returns its
     * length. Ids may come again after 2^31 calls. */
    size_t (*write_id)(uint64_t number, bool by_server, uint8_t room[WEFT_RPC_OWN_ID_MAX]);
    /* Whether the call with |key| was made by the server. */
    bool (*is_server_id)(struct weft_slice key);
};

#endif
