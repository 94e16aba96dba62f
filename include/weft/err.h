/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes. Every fallible function of weft returns 0 (or a count) on success and one of these
 * negative codes on failure. The hundreds say what may still be done:
 *
 *   -1xx  usage      the caller broke a documented rule; nothing changed
 *   -2xx  protocol   the peer sent something invalid; the connection may only be closed
 *   -3xx  refused    a limit or a rule said no; everything else goes on
 *   -4xx  environment  memory, disk, network or kernel; may work later
 *   -9xx  fatal      the object is broken and may only be freed
 *
 * The sixteen canonical status codes that travel to a caller in an error answer are a second table,
 * `enum weft_status`, because a status says what became of a call, not what went wrong inside.
 * Thread: everything here may be called from any thread. Since: 0.1.
 */
#ifndef WEFT_ERR_H
#define WEFT_ERR_H

#include <weft/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, text) */
#define WEFT_ERR_TABLE(X)                                                                          \
    X(USAGE, -101, "a parameter is out of its documented range")                                   \
    X(STATE, -102, "not allowed in the object's present state")                                    \
    X(PROTOCOL, -201, "the peer broke the protocol")                                               \
    X(UTF8, -202, "text is not valid UTF-8")                                                       \
    X(TOO_BIG, -203, "a message or value is larger than its limit")                                \
    X(JSON, -204, "text is not valid JSON")                                                        \
    X(HTTP, -205, "the HTTP head is malformed")                                                    \
    X(HANDSHAKE, -206, "the WebSocket opening handshake was refused")                              \
    X(UNSUPPORTED, -207, "this kind of data is not accepted here")                                 \
    X(OP, -208, "the operation is malformed or does not fit the document")                         \
    X(TLS, -209, "the peer could not be verified, or broke TLS")                                   \
    X(LIMIT, -301, "a limit was reached")                                                          \
    X(DENIED, -302, "not permitted")                                                               \
    X(NOT_FOUND, -303, "no such thing")                                                            \
    X(EXISTS, -304, "it exists already")                                                           \
    X(CONFLICT, -305, "somebody else changed it first")                                            \
    X(ABORTED, -306, "given up because of something else that happened")                           \
    X(CANCELED, -307, "canceled by the caller")                                                    \
    X(AGAIN, -308, "it would have to wait")                                                        \
    X(NOMEM, -401, "out of memory")                                                                \
    X(SYSTEM, -402, "a system call failed")                                                        \
    X(UNAVAILABLE, -403, "not available on this machine or at this moment")                        \
    X(TIMEOUT, -404, "the time allowed is over")                                                   \
    X(STORE, -405, "the store failed")                                                             \
    X(BUSY, -406, "in use by another process")                                                     \
    X(CLOSED, -407, "the connection is closed")                                                    \
    X(CORRUPT, -901, "stored data is damaged")                                                     \
    X(INTERNAL, -902, "an internal invariant does not hold")

enum weft_err {
    WEFT_OK = 0,
#define WEFT_ERR_ENUM(name, number, text) WEFT_ERR_##name = number,
    WEFT_ERR_TABLE(WEFT_ERR_ENUM)
#undef WEFT_ERR_ENUM
};

/*
 * The sixteen canonical codes of an answered call, after google.rpc.Code.
 * X(name, number, wire name, JSON-RPC 2.0 number). PROTOCOL: numbers and names are frozen.
 */
#define WEFT_STATUS_TABLE(X)                                                                       \
    X(CANCELED, 1, "canceled", -32800)                                                             \
    X(UNKNOWN, 2, "unknown", -32002)                                                               \
    X(INVALID_ARGUMENT, 3, "invalid_argument", -32602)                                             \
    X(DEADLINE_EXCEEDED, 4, "deadline_exceeded", -32004)                                           \
    X(NOT_FOUND, 5, "not_found", -32005)                                                           \
    X(ALREADY_EXISTS, 6, "already_exists", -32006)                                                 \
    X(PERMISSION_DENIED, 7, "permission_denied", -32007)                                           \
    X(RESOURCE_EXHAUSTED, 8, "resource_exhausted", -32008)                                         \
    X(FAILED_PRECONDITION, 9, "failed_precondition", -32009)                                       \
    X(ABORTED, 10, "aborted", -32010)                                                              \
    X(OUT_OF_RANGE, 11, "out_of_range", -32011)                                                    \
    X(UNIMPLEMENTED, 12, "unimplemented", -32601)                                                  \
    X(INTERNAL, 13, "internal", -32603)                                                            \
    X(UNAVAILABLE, 14, "unavailable", -32014)                                                      \
    X(DATA_LOSS, 15, "data_loss", -32015)                                                          \
    X(UNAUTHENTICATED, 16, "unauthenticated", -32016)

enum weft_status {
    WEFT_STATUS_OK = 0,
#define WEFT_STATUS_ENUM(name, number, text, rpc) WEFT_STATUS_##name = number,
    WEFT_STATUS_TABLE(WEFT_STATUS_ENUM)
#undef WEFT_STATUS_ENUM
};

/* The symbolic name of |err|, for example "TOO_BIG". "OK" for 0 and counts, "?" for an unknown
 * code. **Lifetime:** static. */
WEFT_API const char *weft_err_name(int err);

/* One sentence about |err| for people, without a full stop. **Lifetime:** static. */
WEFT_API const char *weft_err_message(int err);

/* The name of |status| as it travels in `data.code`, for example "not_found"; "ok" for 0, "unknown"
 * for a number outside the table. **Lifetime:** static. */
WEFT_API const char *weft_status_name(int status);

/* The JSON-RPC 2.0 error number of |status|; -32002 (unknown) for a number outside the table. */
WEFT_API int weft_status_jsonrpc(int status);

/* The status with wire name |name| of |len| bytes, or WEFT_STATUS_UNKNOWN. */
WEFT_API int weft_status_from_name(const char *name, unsigned long len);

/* The status that tells a caller about |err|, for example WEFT_ERR_OP → invalid_argument. */
WEFT_API int weft_status_from_err(int err);

#ifdef __cplusplus
}
#endif

#endif
