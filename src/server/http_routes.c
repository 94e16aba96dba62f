/* SPDX-License-Identifier: Apache-2.0 */
/* Routing of HTTP requests, and the files of the playground. */
#include "server/http_routes.h"

#include "base/assert.h"
#include "codec/base64.h"
#include "io/crypto.h"
#include "server/assets.h"
#include "server/http_answer.h"
#include "server/http_rpc.h"
#include "server/http_send.h"
#include "server/identity.h"
#include "server/pool_metrics.h"

#include <string.h>

enum { HTTP_NONCE_BYTES = 16, HTTP_HEAD_GUESS = 1024 };

/* What index.html has where the nonce of an answer belongs. */
static const char NONCE_MARK[] = "__WEFT_NONCE__";

struct http_request {
    struct weft_conn *conn;
    const struct weft_http1_head *head;
    struct weft_slice path;
    struct weft_slice query;
    bool head_only; /* HEAD: everything but the body */
};

/* Sends |answer| with |body|, which |owner| keeps alive (NULL: static). */
static void respond(const struct http_request *request, struct weft_http_answer *answer,
                    struct weft_slice body, struct weft_buf *owner)
{
    answer->length = body.len;
    weft__http_send(request->conn, answer, request->head_only ? weft__slice(NULL, 0) : body, owner);
}

static void respond_text(const struct http_request *request, int status, struct weft_slice text)
{
    struct weft_http_answer answer = {
        .status = status,
        .type = "text/plain; charset=utf-8",
        .allow = status == 405 ? "GET, HEAD" : NULL,
    };
    respond(request, &answer, text, NULL);
}

/* ---- Probes ---- */

/* `?verbose` asks for the reasons, as JSON. */
static bool wants_detail(const struct http_request *request)
{
    return weft__slice_eq_str(request->query, "verbose");
}

static void respond_json(const struct http_request *request, int status, struct weft_bytes *text)
{
    const struct weft_alloc *alloc = request->conn->worker->server->alloc;
    struct weft_http_answer answer = {.status = status, .type = "application/json"};
    struct weft_buf *body =
        weft__bytes_error(text) ? NULL : weft__buf_new_copy(alloc, weft__bytes_slice(text));
    weft__bytes_done(text);
    if (body)
        respond(request, &answer, weft__buf_slice(body), body);
    else
        respond_text(request, 503, WEFT_SLICE_LIT("out of memory\n"));
    weft__buf_unref(body);
}

static void put_text(struct weft_json_writer *w, const char *name, const char *text)
{
    weft__json_key(w, name);
    weft__json_put_str(w, text);
}

/* Whether the process does anything at all: one that does not has to be started anew. */
static void route_health(const struct http_request *request)
{
    const struct weft_server *server = request->conn->worker->server;
    bool alive = weft_server_is_alive(server);
    if (!wants_detail(request)) {
        respond_text(request, alive ? 200 : 503,
                     alive ? WEFT_SLICE_LIT("ok\n") : WEFT_SLICE_LIT("stuck\n"));
        return;
    }
    struct weft_bytes text;
    struct weft_json_writer w;
    weft__bytes_init(&text, server->alloc, SIZE_MAX);
    weft__json_writer_init(&w, &text);
    weft__json_begin_object(&w);
    put_text(&w, "status", alive ? "ok" : "stuck");
    weft__json_key(&w, "workers");
    weft__json_begin_array(&w);
    for (unsigned i = 0; i < server->worker_count; i++) {
        weft__json_begin_object(&w);
        weft__json_key(&w, "silent_ms");
        weft__json_put_u64(&w, weft__worker_silent_ms(server->workers[i]));
        weft__json_end_object(&w);
    }
    weft__json_end_array(&w);
    weft__json_end_object(&w);
    respond_json(request, alive ? 200 : 503, &text);
}

/* Whether new clients should be sent here. */
static void route_ready(const struct http_request *request)
{
    struct weft_server *server = request->conn->worker->server;
    bool draining = atomic_load(&server->draining);
    bool writable = !atomic_load_explicit(&server->store->refusing, memory_order_relaxed);
    const char *status = draining ? "draining" : writable ? "ready" : "store";
    int code = draining || !writable ? 503 : 200;
    if (!wants_detail(request)) {
        respond_text(request, code,
                     draining   ? WEFT_SLICE_LIT("draining\n")
                     : writable ? WEFT_SLICE_LIT("ready\n")
                                : WEFT_SLICE_LIT("the store refuses writes\n"));
        return;
    }
    struct weft_bytes text;
    struct weft_json_writer w;
    weft__bytes_init(&text, server->alloc, SIZE_MAX);
    weft__json_writer_init(&w, &text);
    weft__json_begin_object(&w);
    put_text(&w, "status", status);
    weft__json_key(&w, "store");
    weft__json_begin_object(&w);
    put_text(&w, "name", server->store->name);
    put_text(&w, "durability", server->store->durability);
    weft__json_key(&w, "writable");
    weft__json_put_bool(&w, writable);
    weft__json_end_object(&w);
    weft__json_end_object(&w);
    respond_json(request, code, &text);
}

static void write_store(struct weft_bytes *out, struct weft_store *store)
{
    weft__metrics_write_one(out, "weft_store_commits_total", "counter", "Transactions made durable",
                            atomic_load(&store->commits));
    weft__metrics_write_one(out, "weft_store_records_total", "counter", "Records appended",
                            atomic_load(&store->records));
    weft__metrics_write_one(out, "weft_store_bytes_total", "counter", "Bytes of those records",
                            atomic_load(&store->bytes));
    weft__metrics_write_one(out, "weft_store_failed_total", "counter",
                            "Appends that ended with an error", atomic_load(&store->failed));
    weft__metrics_write_one(out, "weft_store_seals_total", "counter",
                            "Segments that replaced records", atomic_load(&store->seals));
    weft__metrics_write_one(out, "weft_store_sealed_from_bytes_total", "counter",
                            "Bytes of the records that segments replaced",
                            atomic_load(&store->sealed_from));
    weft__metrics_write_one(out, "weft_store_sealed_to_bytes_total", "counter",
                            "Bytes of those segments", atomic_load(&store->sealed_to));
}

static void write_tls(struct weft_bytes *out, struct weft_tls_context *tls)
{
    struct weft_tls_context_stats stats = weft__tls_context_stats(tls);
    weft__metrics_write_one(out, "weft_tls_certificate_expiry_seconds", "gauge",
                            "Unix time when the first certificate expires",
                            stats.expires_s > 0 ? (uint64_t)stats.expires_s : 0);
    weft__metrics_write_one(out, "weft_tls_reloads_total", "counter", "Certificates read again",
                            stats.reloads);
    weft__metrics_write_one(out, "weft_tls_reloads_failed_total", "counter",
                            "Reloads that changed nothing because of an error",
                            stats.reloads_failed);
}

static void route_metrics(const struct http_request *request)
{
    struct weft_server *server = request->conn->worker->server;
    struct weft_http_answer answer = {
        .status = 200,
        .type = "text/plain; version=0.0.4; charset=utf-8",
    };
    struct weft_bytes text;
    weft__bytes_init(&text, server->alloc, SIZE_MAX);
    weft__metrics_write(&text, server->metrics, server->worker_count);
    write_store(&text, server->store);
    weft__metrics_write_one(&text, "weft_draining", "gauge", "1 while the server stops",
                            atomic_load(&server->draining));
    if (server->tls)
        write_tls(&text, server->tls);
    weft__metrics_write_answers(&text, server->metrics, server->worker_count);
    weft__method_metrics_write(&text, server->method_metrics, server->worker_count);
    weft__idempotency_write(&text, &server->idempotency);
    weft__provide_write(&text, &server->provide);
    weft__pool_metrics_write(&text, server->pool);
    weft__metrics_write_limits(&text, server->metrics, server->worker_count);
    weft__metrics_write_one(&text, "weft_memory_connection_bytes", "gauge",
                            "Memory of connections, their queues and calls",
                            weft__budget_account_used(&server->connection_memory));
    weft__metrics_write_one(&text, "weft_memory_shared_bytes", "gauge",
                            "Memory of documents and everything else",
                            weft__budget_account_used(&server->shared_memory));
    weft__metrics_write_one(&text, "weft_memory_budget_bytes", "gauge", "What may be used of it",
                            server->limits.budget.limit);
    weft__metrics_write_one(&text, "weft_connections_max", "gauge", "Connections that may be open",
                            server->limits.set.max_connections);
    struct weft_buf *body = weft__bytes_error(&text)
                                ? NULL
                                : weft__buf_new_copy(server->alloc, weft__bytes_slice(&text));
    weft__bytes_done(&text);
    if (body)
        respond(request, &answer, weft__buf_slice(body), body);
    else
        respond_text(request, 503, WEFT_SLICE_LIT("out of memory\n"));
    weft__buf_unref(body);
}

/* ---- Files ---- */

static const struct weft_asset *find_asset(struct weft_slice path)
{
    if (weft__slice_eq_str(path, "/"))
        path = WEFT_SLICE_LIT("/index.html");
    for (size_t i = 0; i < weft__web_assets_count; i++)
        if (weft__slice_eq_str(path, weft__web_assets[i].path))
            return &weft__web_assets[i];
    return NULL;
}

static void make_nonce(char ret_nonce[WEFT_HTTP_NONCE_SIZE])
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint8_t random[HTTP_NONCE_BYTES];
    crypto->random(crypto->ctx, random, sizeof(random));
    size_t len = weft__base64_encode(WEFT_BASE64_URL, random, sizeof(random), ret_nonce);
    WEFT_ASSERT(len == WEFT_HTTP_NONCE_LEN);
    ret_nonce[len] = '\0';
}

/* The page with a fresh nonce in place of each mark. NULL when out of memory. */
static struct weft_buf *fill_page(const struct weft_alloc *alloc, const struct weft_asset *asset,
                                  const char *nonce)
{
    struct weft_bytes page;
    const struct weft_asset_form *plain = &asset->forms[WEFT_ASSET_PLAIN];
    struct weft_slice rest = weft__slice(plain->data, plain->len);
    const uint8_t *mark;
    weft__bytes_init(&page, alloc, SIZE_MAX);
    while ((mark = memmem(rest.ptr, rest.len, NONCE_MARK, sizeof(NONCE_MARK) - 1))) {
        size_t before = (size_t)(mark - rest.ptr);
        weft__bytes_append(&page, rest.ptr, before);
        weft__bytes_append_str(&page, nonce);
        rest.ptr += before + sizeof(NONCE_MARK) - 1;
        rest.len -= before + sizeof(NONCE_MARK) - 1;
    }
    weft__bytes_append_slice(&page, rest);
    struct weft_buf *buf =
        weft__bytes_error(&page) ? NULL : weft__buf_new_copy(alloc, weft__bytes_slice(&page));
    weft__bytes_done(&page);
    return buf;
}

static void serve_page(const struct http_request *request, const struct weft_asset *asset)
{
    char nonce[WEFT_HTTP_NONCE_SIZE];
    make_nonce(nonce);
    struct weft_http_answer answer = {.status = 200, .type = asset->type, .nonce = nonce};
    struct weft_buf *page = fill_page(request->conn->worker->server->alloc, asset, nonce);
    if (page)
        respond(request, &answer, weft__buf_slice(page), page);
    else
        respond_text(request, 503, WEFT_SLICE_LIT("out of memory\n"));
    weft__buf_unref(page);
}

static bool has_etag(const struct weft_http1_head *head, const char *etag)
{
    struct weft_http1_list at = {0};
    struct weft_slice element;
    while (weft__http1_list_next(head, "If-None-Match", &at, &element))
        if (weft__slice_eq_str(element, etag) || weft__slice_eq_str(element, "*"))
            return true;
    return false;
}

static const char *const CODINGS[WEFT_ASSET_FORMS] = {"br", "gzip", NULL};

/* The best form of |asset| that the request accepts. */
static unsigned choose_form(const struct weft_http1_head *head, const struct weft_asset *asset)
{
    for (unsigned form = 0; form < WEFT_ASSET_PLAIN; form++)
        if (asset->forms[form].data && weft__http1_accepts_coding(head, CODINGS[form]))
            return form;
    return WEFT_ASSET_PLAIN;
}

static void serve_file(const struct http_request *request, const struct weft_asset *asset)
{
    unsigned choice = choose_form(request->head, asset);
    const struct weft_asset_form *form = &asset->forms[choice];
    struct weft_http_answer answer = {
        .status = 200,
        .type = asset->type,
        .etag = form->etag,
        .cache = "no-cache",
        .coding = CODINGS[choice],
        .vary = true,
    };
    struct weft_slice body = weft__slice(form->data, form->len);
    if (has_etag(request->head, form->etag)) {
        answer.status = 304;
        answer.type = answer.coding = NULL;
        body = weft__slice(NULL, 0);
    }
    respond(request, &answer, body, NULL);
}

static void route_file(const struct http_request *request)
{
    const struct weft_asset *asset =
        request->conn->worker->server->options.development ? find_asset(request->path) : NULL;
    if (!asset) {
        respond_text(request, 404, WEFT_SLICE_LIT("not found\n"));
        return;
    }
    if (strcmp(asset->path, "/index.html") == 0)
        serve_page(request, asset);
    else
        serve_file(request, asset);
}

/* ---- Upgrade ---- */

static void log_refusal(const struct http_request *request, int status)
{
    const struct weft_log *log = &request->conn->worker->server->log;
    struct weft_address peer;
    char host[WEFT_ADDRESS_TEXT_SIZE] = "";
    if (!weft__log_wants(log, WEFT_LOG_DEBUG))
        return;
    if (weft__conn_peer(&request->conn->transport, &peer))
        weft__address_format_host(&peer, host);
    const struct weft_http1_header *origin = weft__http1_find(request->head, "Origin");
    WEFT_LOG(log, WEFT_LOG_DEBUG, "handshake.refused", weft__log_i64("status", status),
             weft__log_str("peer", host), weft__log_slice("path", request->path),
             weft__log_slice("host", request->head->host),
             weft__log_slice("origin", origin ? origin->value : weft__slice(NULL, 0)));
}

static void refuse_upgrade(const struct http_request *request, int status, const char *text)
{
    size_t count;
    const struct weft_http1_header *headers = weft__http_security_headers(&count);
    request->conn->worker->refused++;
    log_refusal(request, status);
    if (weft__transport_refuse(&request->conn->transport, status, text, headers, count))
        weft__transport_abort(&request->conn->transport, WEFT_ERR_NOMEM);
}

/* No new sessions while memory is tight; probes and metrics are still answered. */
static bool refuse_when_tight(const struct http_request *request)
{
    struct weft_worker *worker = request->conn->worker;
    size_t count;
    const struct weft_http1_header *headers = weft__http_busy_headers(&count);
    if (worker->memory == WEFT_MEMORY_CALM)
        return false;
    if (weft__notice(&worker->notices, WEFT_LIMIT_MEMORY_CONNECT, 1,
                     weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_MEMORY_CONNECT, NULL);
    if (weft__transport_refuse(&request->conn->transport, 503, "memory is short\n", headers, count))
        weft__transport_abort(&request->conn->transport, WEFT_ERR_NOMEM);
    return true;
}

static void accept_upgrade(const struct http_request *request,
                           const struct weft_ws_upgrade *upgrade)
{
    request->conn->outlet.wire = weft__session_wire(upgrade->protocol);
    if (weft__transport_accept(&request->conn->transport, upgrade, NULL, 0))
        weft__transport_abort(&request->conn->transport, WEFT_ERR_NOMEM);
}

/* No token: it may come with the greeting. */
static bool refuse_identity(const struct http_request *request)
{
    switch (weft__identity_of_request(request->conn, request->head)) {
    case WEFT_IDENTITY_REFUSED:
        refuse_upgrade(request, 401, "this token is not accepted\n");
        return true;
    case WEFT_IDENTITY_UNABLE:
        refuse_upgrade(request, 503, "tokens cannot be checked now\n");
        return true;
    default:
        return false;
    }
}

static void route_upgrade(const struct http_request *request)
{
    const struct weft_origin_policy *policy = &request->conn->worker->server->origins;
    struct weft_slice protocols[4];
    struct weft_ws_upgrade upgrade;
    size_t count = 0;
    int status;
    for (; weft__session_protocols[count]; count++)
        protocols[count] = weft__slice_str(weft__session_protocols[count]);
    if (!weft__slice_eq_str(request->path, "/ws"))
        refuse_upgrade(request, 404, "WebSockets are at /ws\n");
    else if (weft__ws_upgrade_check(request->head, protocols, count, &upgrade, &status))
        refuse_upgrade(request, status, NULL);
    else if (upgrade.has_origin && !weft__origin_allowed(policy, upgrade.origin, upgrade.host))
        refuse_upgrade(request, 403, "this origin may not connect\n");
    else if (!refuse_when_tight(request) && !refuse_identity(request))
        accept_upgrade(request, &upgrade);
}

void weft__http_route(struct weft_conn *conn, const struct weft_http1_head *head)
{
    struct http_request request = {.conn = conn, .head = head};
    bool upgrade = weft__ws_upgrade_wanted(head);
    weft__buf_unref(conn->origin);
    conn->origin = NULL;
    weft__http1_target_split(head->target, &request.path, &request.query);
    request.head_only = weft__slice_eq_str(head->method, "HEAD");
    if (!upgrade)
        conn->worker->http++;
    if (!weft__origin_host_allowed(&conn->worker->server->origins, head->host)) {
        if (upgrade)
            refuse_upgrade(&request, 403, "this host name is not served here\n");
        else
            respond_text(&request, 403, WEFT_SLICE_LIT("this host name is not served here\n"));
    } else if (upgrade) {
        route_upgrade(&request);
    } else if (weft__http_rpc_has(request.path)) {
        weft__http_rpc_route(conn, head, request.path, request.query);
    } else if (!request.head_only && !weft__slice_eq_str(head->method, "GET")) {
        respond_text(&request, 405, WEFT_SLICE_LIT("only GET and HEAD are allowed\n"));
    } else if (weft__slice_eq_str(request.path, "/healthz")) {
        route_health(&request);
    } else if (weft__slice_eq_str(request.path, "/readyz")) {
        route_ready(&request);
    } else if (weft__slice_eq_str(request.path, "/metrics")) {
        route_metrics(&request);
    } else if (weft__slice_eq_str(request.path, "/ws")) {
        respond_text(&request, 426, WEFT_SLICE_LIT("this is a WebSocket: upgrade\n"));
    } else {
        route_file(&request);
    }
}
