/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text wire: one JSON-RPC 2.0 message ⇄ frames. Decoding judges form alone (what is a call,
 * an answer, neither); what to do about a frame is rpc/peer.h's. Nothing here keeps state.
 *
 *   text ─► weft__json_parse ─► weft_rpc_message { batch, frames[count] }
 *
 * **Thread:** any; no state is kept.
 */
#ifndef WEFT_RPC_JSONRPC_H
#define WEFT_RPC_JSONRPC_H

#include "codec/json.h"

enum {
    WEFT_RPC_ID_MAX = 128, /* bytes of a string id, decoded */
    WEFT_RPC_BATCH_MAX = 100,
};

/* Numbers of JSON-RPC 2.0 §5.1 that no canonical status has. */
enum { WEFT_RPC_PARSE_ERROR = -32700, WEFT_RPC_INVALID_REQUEST = -32600 };

/* The id of a call: a string, or an integer within ±2^53. */
struct weft_rpc_id {
    struct weft_slice raw; /* as received, echoed byte for byte; empty = no id */
    struct weft_slice
        key; /* what makes two ids the same one: digits, or `"` and the decoded text */
};

enum weft_rpc_kind {
    WEFT_RPC_KIND_INVALID, /* to be answered with |failure| */
    WEFT_RPC_KIND_CALL,
    WEFT_RPC_KIND_NOTIFY,
    WEFT_RPC_KIND_RESULT,
    WEFT_RPC_KIND_ERROR,
};

/* What a call says about itself beside the parameters (PROTOCOL §3, `meta`). */
struct weft_rpc_meta {
    bool has_timeout;
    bool malformed; /* a known member has a wrong type */
    uint64_t timeout_ms;
    struct weft_slice idem; /* empty = absent */
    struct weft_slice traceparent;
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
};

/* One member of a message. Which fields are set depends on |kind|. */
struct weft_rpc_frame {
    enum weft_rpc_kind kind;
    struct weft_rpc_id id;          /* CALL, RESULT; INVALID and ERROR: empty when it is null */
    struct weft_slice method;       /* CALL, NOTIFY: decoded */
    const struct weft_json *params; /* CALL, NOTIFY: an array or object; NULL when absent or null */
    struct weft_rpc_meta meta;      /* CALL, NOTIFY */
    const struct weft_json *value;  /* RESULT: the result; ERROR: the error object */
    struct weft_rpc_failure failure; /* INVALID */
};

struct weft_rpc_message {
    bool batch; /* answers go back as one array */
    size_t count;
    struct weft_rpc_frame *frames; /* in the arena */
};

struct weft_rpc_decode_options {
    struct weft_hash_key hash_key; /* see struct weft_json_options */
    bool text_is_utf8;             /* the transport has checked it */
    size_t max_batch;              /* 0 = WEFT_RPC_BATCH_MAX */
};

/*
 * Decodes |text|. What is malformed becomes a frame of kind INVALID, as JSON-RPC 2.0 §6 wants it:
 * one for text that is no JSON, for an empty array and for a batch that is too large; one for each
 * bad member of a batch.
 * **Lifetime:** frames live as long as |arena| and |text|. **Errors:** WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__jsonrpc_decode(struct weft_slice text, struct weft_arena *arena,
                                       const struct weft_rpc_decode_options *options,
                                       struct weft_rpc_message *ret_message);

/* Reads an id, as calls and `$/cancel` carry it. False for what is no id; the key of a string with
 * escapes comes from |arena|, and |*ret_nomem| says when that failed. */
WEFT_MUST_USE bool weft__jsonrpc_read_id(const struct weft_json *value, struct weft_arena *arena,
                                         struct weft_rpc_id *ret_id, bool *ret_nomem);

/* An error answer as received. */
struct weft_rpc_error {
    int status;                      /* from data.code, else from the number; never OK */
    int64_t number;                  /* 0 when there was none */
    struct weft_slice message;       /* decoded; may be empty */
    struct weft_slice reason;        /* decoded; empty when there was none */
    enum weft_rpc_executed executed; /* never AUTO; UNKNOWN when not said */
    bool retryable;
    uint64_t retry_after_ms;
    const struct weft_json *data; /* NULL when absent */
};

/* Reads the error object of an ERROR frame; whatever is missing or odd gets a default. */
void weft__jsonrpc_read_error(const struct weft_json *error, struct weft_rpc_error *ret_error);

/* ---- encoding: each writes one complete object; failures stick to |out| ---- */

/* The part of a result before and behind its value, for a writer that goes on in between. |id| is
 * raw JSON. */
void weft__jsonrpc_begin_result(struct weft_bytes *out, struct weft_slice id);
void weft__jsonrpc_end_result(struct weft_bytes *out);

/* An error answer. |id| is raw JSON; empty is written as null. */
void weft__jsonrpc_put_error(struct weft_bytes *out, struct weft_slice id,
                             const struct weft_rpc_failure *failure);

/* A call, or with an empty |id| a notification. |params| is a raw array or object, or empty. |meta|
 * may be NULL. */
void weft__jsonrpc_put_request(struct weft_bytes *out, struct weft_slice id,
                               struct weft_slice method, struct weft_slice params,
                               const struct weft_rpc_meta *meta);

#endif
