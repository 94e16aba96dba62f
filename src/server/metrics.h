/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers at /metrics. Each worker counts in plain fields of its own objects and publishes them
 * once a tick into its struct weft_metrics, from where any worker may read them for an answer in
 * the Prometheus text format (prometheus.io, "Exposition formats", version 0.0.4).
 */
#ifndef WEFT_SERVER_METRICS_H
#define WEFT_SERVER_METRICS_H

#include "base/bytes.h"
#include "server/notices.h"

#include <stdatomic.h>

/* X(identifier, name, type, help). Names are frozen: dashboards depend on them. */
#define WEFT_METRIC_TABLE(X)                                                                       \
    X(CONNECTIONS, "weft_connections", "gauge", "Open TCP connections")                            \
    X(ACCEPTED, "weft_connections_accepted_total", "counter", "Connections accepted")              \
    X(WEBSOCKETS, "weft_websockets_total", "counter", "WebSocket handshakes completed")            \
    X(REFUSED, "weft_handshakes_refused_total", "counter", "Upgrades refused: host, origin, form") \
    X(HTTP, "weft_http_requests_total", "counter", "Plain HTTP requests answered")                 \
    X(SSE_STREAMS, "weft_sse_streams", "gauge", "Open streams of server-sent events")              \
    X(TUNNELS, "weft_tunnels", "gauge", "Connections without a WebSocket")                         \
    X(MESSAGES_IN, "weft_messages_received_total", "counter", "WebSocket messages received")       \
    X(MESSAGES_OUT, "weft_messages_sent_total", "counter", "WebSocket messages sent")              \
    X(BYTES_IN, "weft_received_bytes_total", "counter", "Bytes received")                          \
    X(BYTES_OUT, "weft_sent_bytes_total", "counter", "Bytes sent")                                 \
    X(PROTOCOL_ERRORS, "weft_protocol_errors_total", "counter", "Connections failed by the peer")  \
    X(TIMEOUTS, "weft_liveness_timeouts_total", "counter", "Connections closed as dead")           \
    X(TLS_HANDSHAKES, "weft_tls_handshakes_total", "counter", "TLS handshakes completed")          \
    X(TLS_RESUMED, "weft_tls_resumptions_total", "counter", "TLS sessions resumed")                \
    X(TLS_FAILED, "weft_tls_failures_total", "counter", "TLS handshakes that failed")              \
    X(DEFLATE_WEBSOCKETS, "weft_deflate_websockets_total", "counter",                              \
      "WebSockets with permessage-deflate")                                                        \
    X(DEFLATED, "weft_deflated_messages_total", "counter", "Messages compressed")                  \
    X(DEFLATED_FROM, "weft_deflated_before_bytes_total", "counter", "Their bytes before")          \
    X(DEFLATED_TO, "weft_deflated_after_bytes_total", "counter", "Their bytes afterwards")         \
    X(INFLATED, "weft_inflated_messages_total", "counter", "Messages inflated")                    \
    X(INFLATED_FROM, "weft_inflated_before_bytes_total", "counter", "Their bytes before")          \
    X(INFLATED_TO, "weft_inflated_after_bytes_total", "counter", "Their bytes afterwards")         \
    X(CALLS, "weft_rpc_calls_total", "counter", "Calls started")                                   \
    X(CALL_ERRORS, "weft_rpc_errors_total", "counter", "Calls answered with an error")             \
    X(DOCUMENTS, "weft_documents_open", "gauge", "Documents in memory")                            \
    X(DOC_OPENS, "weft_doc_opens_total", "counter", "doc.open answered")                           \
    X(DOC_SUBMITS, "weft_doc_submits_total", "counter", "Operations received by the owner")        \
    X(DOC_COMMITS, "weft_doc_operations_total", "counter", "Operations made durable")              \
    X(DOC_REFUSED, "weft_doc_refused_total", "counter", "Operations refused")                      \
    X(DOC_DELIVERED, "weft_doc_deliveries_total", "counter", "Messages handed to subscribers")     \
    X(DOC_PRESENCE, "weft_doc_presence_total", "counter", "Presence updates received")             \
    X(DOC_LAGGED, "weft_doc_lagged_total", "counter", "Subscribers dropped for lagging")           \
    X(DOC_DELETES, "weft_doc_deletes_total", "counter", "Documents deleted for good")              \
    X(MESH_SENT, "weft_worker_messages_sent_total", "counter", "Messages to other workers")        \
    X(MESH_RECEIVED, "weft_worker_messages_received_total", "counter",                             \
      "Messages from other workers")                                                               \
    X(MESH_SPILLED, "weft_worker_messages_spilled_total", "counter",                               \
      "Messages that met a full ring between workers")                                             \
    X(SESSIONS, "weft_sessions", "gauge", "Sessions that can be resumed")                          \
    X(SESSIONS_WAITING, "weft_sessions_waiting", "gauge", "Of these, without a connection")        \
    X(SESSION_LINKS, "weft_session_links", "gauge",                                                \
      "Connections that serve a session of another worker")                                        \
    X(SESSIONS_RESUMED, "weft_sessions_resumed_total", "counter", "Sessions taken up again")       \
    X(SESSIONS_REFUSED, "weft_sessions_refused_total", "counter",                                  \
      "Greetings for a session that could not be resumed")                                         \
    X(SESSIONS_EXPIRED, "weft_sessions_expired_total", "counter",                                  \
      "Sessions that waited in vain or had to go")                                                 \
    X(REPLAYED, "weft_session_messages_replayed_total", "counter", "Messages sent again")          \
    X(AUTH_ACCEPTED, "weft_auth_accepted_total", "counter",                                        \
      "Tokens accepted, and clients let in without one")                                           \
    X(AUTH_REFUSED, "weft_auth_refused_total", "counter", "Tokens refused")                        \
    X(AUTH_EXPIRED, "weft_auth_expired_total", "counter",                                          \
      "Connections whose token came to its end")                                                   \
    X(DUPLICATES, "weft_session_duplicates_total", "counter", "Frames that came again")            \
    X(GOAWAYS, "weft_goaways_total", "counter", "Sessions told that the server stops")             \
    X(PROXY_ERRORS, "weft_proxy_errors_total", "counter", "Connections without a PROXY header")    \
    X(CUT_OFF, "weft_calls_cut_off_total", "counter", "Calls ended because a drain ended")         \
    X(TICKS, "weft_loop_ticks_total", "counter", "Turns of the loop")                              \
    X(ACCEPT_PAUSES, "weft_accept_pauses_total", "counter",                                        \
      "Times that new connections were left in the backlog")                                       \
    X(MEMORY_LEVEL, "weft_memory_level", "gauge", "0 calm, 1 tight, 2 scarce, 3 spent")

enum weft_metric {
#define WEFT_METRIC_ENUM(id, name, type, help) WEFT_METRIC_##id,
    WEFT_METRIC_TABLE(WEFT_METRIC_ENUM)
#undef WEFT_METRIC_ENUM
        WEFT_METRIC_COUNT
};

enum { WEFT_METRICS_ANSWERS = 6 /* classes of HTTP statuses, "0xx" and "1xx" unused */ };

/* One worker's published numbers. **Thread:** written by the worker, read by any. */
struct weft_metrics {
    _Atomic uint64_t values[WEFT_METRIC_COUNT];
    _Atomic uint64_t limits[WEFT_LIMIT_COUNT]; /* times that each limit was reached */
    _Atomic uint64_t answers[WEFT_METRICS_ANSWERS];
};

static inline void weft__metrics_set(struct weft_metrics *metrics, enum weft_metric metric,
                                     uint64_t value)
{
    atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

static inline void weft__metrics_set_limit(struct weft_metrics *metrics, enum weft_limit limit,
                                           uint64_t value)
{
    atomic_store_explicit(&metrics->limits[limit], value, memory_order_relaxed);
}

static inline void weft__metrics_set_answers(struct weft_metrics *metrics, size_t class,
                                             uint64_t value)
{
    atomic_store_explicit(&metrics->answers[class], value, memory_order_relaxed);
}

/* Appends all numbers of |workers| workers, labelled worker="0" and so on. |metrics| is an array of
 * pointers. **Errors:** sticky in |out|. */
void weft__metrics_write(struct weft_bytes *out, struct weft_metrics *const *metrics,
                         unsigned workers);

/* Appends how often each limit was reached, labelled limit="max_message" and so on and worker.
 * **Errors:** sticky in |out|. */
void weft__metrics_write_limits(struct weft_bytes *out, struct weft_metrics *const *metrics,
                                unsigned workers);

/* Appends how many HTTP answers there were, labelled class="2xx" and so on and worker.
 * **Errors:** sticky in |out|. */
void weft__metrics_write_answers(struct weft_bytes *out, struct weft_metrics *const *metrics,
                                 unsigned workers);

/* Appends one number that belongs to the whole process. **Errors:** sticky in |out|. */
void weft__metrics_write_one(struct weft_bytes *out, const char *name, const char *type,
                             const char *help, uint64_t value);

/* Appends |ns| as a decimal number of seconds. **Errors:** sticky in |out|. */
void weft__metrics_append_seconds(struct weft_bytes *out, uint64_t ns);

#endif
