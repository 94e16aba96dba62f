/* SPDX-License-Identifier: Apache-2.0 */
/* `weft bench`: its command line. */
#include "args.h"
#include "bench.h"
#include "codec/json.h"
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    CONNECTIONS_MAX = 1000000,
    DEPTH_MAX = BENCH_DEPTH_MAX,
    WINDOW_DEFAULT = 1024,
    WINDOW_MAX = 1 << 30,
    RATE_DEPTH = 64, /* of --depth, with --rate */
    STORM_DEFAULT = 32,
    SIZE_MAX_BYTES = 64 << 20,
    IN_FLIGHT_MAX = 256 << 20,
    WORKERS_MAX = 256,
    SECONDS_MAX = 86400,
    OTHER_FILES = 64, /* descriptors besides those of connections */
};

static const struct args_option table[] = {
    {"connections", "N", NULL, "connections (100)"},
    {"depth", "N", NULL, "messages in flight on each (1); with --rate at most so many (64)"},
    {"size", "BYTES", NULL, "payload of a message (20)"},
    {"text", NULL, NULL, "text messages"},
    {"binary", NULL, NULL, "binary messages (the default)"},
    {"rate", "R", NULL, "messages a second in all, due whatever comes back"},
    {"duration", "SECONDS", NULL, "time of measuring (5)"},
    {"warmup", "SECONDS", NULL, "time before that (1)"},
    {"check", NULL, NULL, "compare what comes back with what was sent; rpc: results, parameters"},
    {"method", "NAME", NULL, "rpc, storm: the method to call (rpc: demo.echo)"},
    {"params", "JSON", NULL, "its parameters; otherwise a string of --size bytes in an array"},
    {"wire", "WIRE", NULL, "rpc: text (JSON-RPC 2.0), or binary (weft.v1.pb) (text)"},
    {"stream", NULL, NULL, "rpc: count the items that calls give (demo.count, [100000])"},
    {"window", "N", NULL, "rpc, --stream: items under way on each stream (1024)"},
    {"senders", "N", NULL, "broadcast: connections that send (1)"},
    {"in-flight", "N", NULL, "broadcast: messages that have not reached everybody (1)"},
    {"concurrency", "N", NULL, "storm: connections at a time (32)"},
    {"deflate", NULL, NULL, "offer permessage-deflate, and send text that compresses"},
    {"insecure", NULL, NULL, "wss: accept any certificate"},
    {"ca", "FILE", NULL, "wss: who signs the server's certificate, PEM"},
    {"path", "PATH", NULL, "path and query, instead of the URL's"},
    {"header", "NAME:VALUE", NULL, "more headers of the request, one a line"},
    {"protocol", "NAME", NULL, "ask for this subprotocol"},
    {"source", "ADDR,...", NULL, "addresses to connect from, in turn"},
    {"workers", "N", NULL, "threads (1)"},
    {"loop", "LOOP", "WEFT_LOOP", "uring, epoll or auto (auto)"},
    {"server-pid", "PID", NULL, "measure CPU and memory of this process"},
    {"json", NULL, NULL, "print the result as JSON"},
    {"quiet", NULL, NULL, "show no progress"},
};

static const struct args_command command = {
    .name = "bench",
    .usage = "SCENARIO URL",
    .summary = "Puts load on a WebSocket server and measures. SCENARIO is one of\n"
               "  echo       messages that the server sends back\n"
               "  rpc        calls, in JSON-RPC 2.0 or on weft's binary wire\n"
               "  broadcast  messages that the server sends to every connection\n"
               "  idle       connections that do nothing\n"
               "  storm      connect, one round trip, close, and again",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .rest_min = 2,
    .rest_max = 2,
};

static bool bad(const char *name, const char *what)
{
    (void)args_fail(&command, "--%s must be %s", name, what);
    return false;
}

/* ---- Values ---- */

/* A decimal number from |min| to |max|; |*ret_number| stays when the option was not given. */
static bool take_decimal(const struct args *args, const char *name, double min, double max,
                         double *ret_number)
{
    const char *text = args_get(args, name, NULL);
    char *end;
    if (!text)
        return true;
    errno = 0;
    double number = strtod(text, &end);
    if (errno || end == text || *end || !(number >= min && number <= max)) {
        (void)args_fail(&command, "--%s must be a number from %g to %g, not '%s'", name, min, max,
                        text);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool take_u32(const struct args *args, const char *name, uint32_t max, uint32_t fallback,
                     uint32_t *ret_number)
{
    unsigned long long number;
    if (!args_number(args, name, 1, max, fallback, &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool take_scenario(const struct args *args, struct bench_options *options)
{
    static const char *const names[] = {"echo", "rpc", "broadcast", "idle", "storm"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
        if (strcmp(args->rest[0], names[i]) == 0) {
            options->scenario = (enum bench_scenario_id)i;
            options->scenario_name = names[i];
            return true;
        }
    }
    (void)args_fail(&command, "no scenario '%s'", args->rest[0]);
    return false;
}

static bool take_numbers(const struct args *args, struct bench_options *options)
{
    unsigned long long size;
    unsigned long long pid;
    double duration = 5;
    double warmup = 1;
    bool storm = options->scenario == BENCH_STORM;
    if (!take_decimal(args, "rate", 0.001, 1e9, &options->rate) ||
        !take_decimal(args, "duration", 0.01, SECONDS_MAX, &duration) ||
        !take_decimal(args, "warmup", 0, SECONDS_MAX, &warmup) ||
        !take_u32(args, storm ? "concurrency" : "connections", CONNECTIONS_MAX,
                  storm ? STORM_DEFAULT : 100, &options->connections) ||
        !take_u32(args, "depth", DEPTH_MAX, options->rate > 0 ? RATE_DEPTH : 1, &options->depth) ||
        !take_u32(args, "senders", CONNECTIONS_MAX, 1, &options->senders) ||
        !take_u32(args, "in-flight", DEPTH_MAX, 1, &options->in_flight) ||
        !take_u32(args, "workers", WORKERS_MAX, 1, &options->workers) ||
        !take_u32(args, "window", WINDOW_MAX, WINDOW_DEFAULT, &options->window) ||
        !args_number(args, "size", 0, SIZE_MAX_BYTES, 20, &size) ||
        !args_number(args, "server-pid", 1, 1 << 30, 0, &pid))
        return false;
    options->duration_ns = (uint64_t)(duration * (double)WEFT_NS_PER_S);
    options->warmup_ns = (uint64_t)(warmup * (double)WEFT_NS_PER_S);
    options->size = size;
    options->server_pid = (pid_t)pid;
    if (options->scenario == BENCH_BROADCAST)
        options->depth = options->in_flight;
    else if (options->scenario == BENCH_STORM || options->scenario == BENCH_IDLE)
        options->depth = 1;
    return true;
}

static bool take_sources(const struct args *args, struct bench_options *options)
{
    const char *text = args_get(args, "source", NULL);
    while (text && *text) {
        char host[WEFT_ADDRESS_TEXT_SIZE];
        size_t len = strcspn(text, ",");
        if (len >= sizeof(host) || options->source_count == BENCH_SOURCES_MAX)
            return bad("source", "at most 64 addresses of this machine");
        memcpy(host, text, len);
        host[len] = '\0';
        if (weft__address_from_numeric(host, 0, &options->sources[options->source_count++]))
            return bad("source", "addresses: 127.0.0.2,127.0.0.3");
        text += len + (text[len] == ',');
    }
    return true;
}

static bool take_headers(const struct args *args, struct bench_options *options)
{
    const char *text = args_get(args, "header", NULL);
    struct weft_ws_request *request = &options->request;
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        size_t name = strcspn(text, ":\n");
        size_t value = name + 1;
        if (name == len || request->extra_count == BENCH_HEADERS_MAX)
            return bad("header", "NAME:VALUE, at most 16 of them");
        value += strspn(text + value, " \t");
        options->headers[request->extra_count++] = (struct weft_http1_header){
            weft__slice(text, name), weft__slice(text + value, value < len ? len - value : 0)};
        text += len + (text[len] == '\n');
    }
    request->extra = options->headers;
    return true;
}

/* "tcp://HOST:PORT" is taken as "ws://HOST:PORT" without the handshake. */
static bool take_url(const char *text, struct bench_options *options)
{
    static const char scheme[] = "tcp://";
    char url[WEFT_HOST_SIZE + 16];
    const char *parsed = text;
    options->url_text = text;
    options->raw = strncmp(text, scheme, sizeof(scheme) - 1) == 0;
    if (options->raw) {
        int len = snprintf(url, sizeof(url), "ws://%s", text + sizeof(scheme) - 1);
        parsed = (size_t)len < sizeof(url) ? url : "";
    }
    if (!weft__url_parse(parsed, &options->url))
        return true;
    (void)args_fail(&command,
                    "'%s' is no URL to connect to: ws://HOST[:PORT]/PATH, wss://…, or "
                    "tcp://HOST:PORT for a plain TCP echo",
                    text);
    return false;
}

static bool take_request(const struct args *args, struct bench_options *options)
{
    struct weft_ws_request *request = &options->request;
    const char *protocol = args_get(args, "protocol", NULL);
    if (!take_url(args->rest[1], options))
        return false;
    request->host = weft__slice_str(options->url.authority);
    request->target = weft__slice_str(args_get(args, "path", options->url.target));
    if (!weft__http1_is_target(request->target))
        return bad("path", "a path that begins with '/'");
    if (!protocol && options->wire)
        protocol = options->wire->protocol;
    if (protocol) {
        options->protocol = weft__slice_str(protocol);
        request->protocols = &options->protocol;
        request->protocol_count = 1;
    }
    if (!take_headers(args, options))
        return false;
    /* What is wrong with the rest is found out by writing it once. */
    struct weft_bytes out;
    char key[WEFT_WS_KEY_LEN + 1];
    uint8_t nonce[WEFT_WS_NONCE_LEN] = {0};
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    int err = weft__ws_request_write(&out, request, nonce, key);
    weft__bytes_done(&out);
    if (err)
        (void)args_fail(&command, "the request cannot be written: look at --header and --protocol");
    return !err;
}

/* Whether there are calls, and in which form. */
static bool take_wire(const struct args *args, struct bench_options *options)
{
    const char *name = args_get(args, "wire", bench_wire_text.name);
    bool binary = strcmp(name, bench_wire_binary.name) == 0;
    bool rpc = options->scenario == BENCH_RPC;
    options->rpc = rpc || (options->scenario == BENCH_STORM && args_has(args, "method"));
    options->stream = args_has(args, "stream");
    if (!binary && strcmp(name, bench_wire_text.name) != 0)
        return bad("wire", "text or binary");
    if (!rpc && (binary || options->stream))
        return bad(binary ? "wire" : "stream", "given with rpc");
    if (!options->stream && args_has(args, "window"))
        return bad("window", "given with --stream");
    if (options->stream && options->check)
        return bad("check", "given without --stream");
    if (options->rpc)
        options->wire = binary ? &bench_wire_binary : &bench_wire_text;
    options->greets = binary || options->stream;
    return true;
}

/* What is called. */
static bool take_call(const struct args *args, struct bench_options *options)
{
    options->method = args_get(args, "method", options->stream ? "demo.count" : "demo.echo");
    options->params = args_get(args, "params", options->stream ? "[100000]" : NULL);
    for (const char *c = options->method; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            return bad("method", "a name without quotes and backslashes");
    if (!options->params)
        return true;
    struct weft_arena arena;
    struct weft_json_error error;
    const struct weft_json *value = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(options->params), &arena, NULL, &error, &value);
    bool fits =
        !err && (weft__json_is(value, WEFT_JSON_ARRAY) || weft__json_is(value, WEFT_JSON_OBJECT));
    weft__arena_done(&arena);
    return fits ? true : bad("params", "a JSON array or object");
}

/* ---- What options mean together ---- */

static bool check_together(const struct args *args, struct bench_options *options)
{
    bool wrong = false;
    uint64_t memory;
    if ((options->text || options->deflate) && args_has(args, "binary"))
        return bad("binary", "given without --text and --deflate");
    if (options->raw && (options->check || options->deflate ||
                         (options->scenario != BENCH_ECHO && options->scenario != BENCH_IDLE))) {
        (void)args_fail(&command, "tcp:// is for echo and idle, without --check and --deflate");
        return false;
    }
    if ((uint64_t)options->depth * options->size > IN_FLIGHT_MAX)
        return bad("depth", "small enough for at most 256 MiB in flight on a connection");
    if (options->workers > options->connections)
        options->workers = options->connections;
    uint32_t first = options->connections / options->workers;
    if (options->scenario == BENCH_BROADCAST && options->senders > first)
        return bad("senders", "at most the connections of one worker");
    if (options->scenario == BENCH_IDLE && options->rate > 0)
        return bad("rate", "given with a scenario that sends");
    if ((options->ca || options->insecure) && !options->url.secure)
        return bad(options->ca ? "ca" : "insecure", "given with a wss:// URL");
    for (size_t i = 0; i < options->source_count; i++)
        wrong |= options->sources[i].u.any.sa_family != options->address.u.any.sa_family;
    if (wrong)
        return bad("source", "addresses of the same kind as the server's");
    if (options->server_pid && !bench_process_memory(options->server_pid, &memory))
        return bad("server-pid", "a process that runs");
    return true;
}

/* Lets the process have as many descriptors as it may. */
static bool take_descriptors(const struct bench_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return true;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= (rlim_t)options->connections + OTHER_FILES)
        return true;
    (void)fprintf(
        stderr, "weft bench: this process may have %llu descriptors, too few for %u connections\n",
        (unsigned long long)limit.rlim_cur, options->connections);
    return false;
}

static int resolve(struct bench_options *options)
{
    int count = weft__url_resolve(&options->url, 1, &options->address);
    if (count > 0)
        return 0;
    (void)fprintf(stderr, "weft bench: %s: %s\n", options->url_text,
                  weft_err_message(count ? count : WEFT_ERR_NOT_FOUND));
    return 1;
}

int weft_cmd_bench(int argc, char **argv)
{
    static struct bench_options options; /* too large for a stack */
    struct args args;
    int done = args_parse(&args, argc, argv, &command);
    if (done >= 0)
        return done;
    options.text = args_has(&args, "text");
    options.deflate = args_has(&args, "deflate");
    options.check = args_has(&args, "check");
    options.json = args_has(&args, "json");
    options.quiet = args_has(&args, "quiet");
    options.insecure = args_has(&args, "insecure");
    options.ca = args_get(&args, "ca", NULL);
    if (weft__loop_backend_parse(args_get(&args, "loop", "auto"), &options.backend))
        return args_fail(&command, "--loop must be auto, uring or epoll");
    if (!take_scenario(&args, &options) || !take_numbers(&args, &options) ||
        !take_sources(&args, &options) || !take_wire(&args, &options) ||
        !take_request(&args, &options) || !take_call(&args, &options))
        return ARGS_USAGE;
    if (resolve(&options))
        return 1;
    if (!check_together(&args, &options))
        return ARGS_USAGE;
    return take_descriptors(&options) ? bench_run(&options) : 1;
}
