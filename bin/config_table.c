/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all settings. A field of struct weft_server_options that is neither here nor in the
 * list of exceptions of tests/unit/bin/config_test.c fails that test. */
#include "config.h"

#define NAMES(name, key, variable) .path = (key), .flag = (name), .environment = "WEFT_" variable
#define FIELD(member)                                                                              \
    .field = #member, .offset = offsetof(struct weft_server_options, member),                      \
    .width = sizeof(((struct weft_server_options *)NULL)->member)

enum {
    SECOND = 1000,
    HOUR = 3600 * SECOND,
    WEEK = 7 * 24 * HOUR,
    COUNT_MAX = 1000000000,
    FRAME_MIN = 125, /* a control frame's payload: any endpoint can take that much */
};

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (MIB * MIB)

static const struct config_choice LOOPS[] = {
    {"auto", WEFT_SERVER_LOOP_AUTO},
    {"epoll", WEFT_SERVER_LOOP_EPOLL},
    {"uring", WEFT_SERVER_LOOP_URING},
    {NULL, 0},
};
static const struct config_choice LOG_LEVELS[] = {
    {"error", WEFT_SERVER_LOG_ERROR},
    {"warn", WEFT_SERVER_LOG_WARN},
    {"info", WEFT_SERVER_LOG_INFO},
    {"debug", WEFT_SERVER_LOG_DEBUG},
    {NULL, 0},
};
static const struct config_choice LOG_FORMATS[] = {
    {"text", WEFT_SERVER_LOG_TEXT},
    {"json", WEFT_SERVER_LOG_JSON},
    {NULL, 0},
};
static const struct config_choice DEFLATES[] = {
    {"shared", WEFT_SERVER_DEFLATE_SHARED},
    {"off", WEFT_SERVER_DEFLATE_OFF},
    {"takeover", WEFT_SERVER_DEFLATE_TAKEOVER},
    {NULL, 0},
};
static const struct config_choice CLIENT_CERTS[] = {
    {"none", WEFT_SERVER_CLIENT_CERT_NONE},
    {"optional", WEFT_SERVER_CLIENT_CERT_OPTIONAL},
    {"required", WEFT_SERVER_CLIENT_CERT_REQUIRED},
    {NULL, 0},
};
static const struct config_choice TLS_VERSIONS[] = {{"1.2", 12}, {"1.3", 13}, {NULL, 0}};
static const struct config_choice PROXY_PROTOCOLS[] = {
    {"off", WEFT_SERVER_PROXY_PROTOCOL_OFF},
    {"required", WEFT_SERVER_PROXY_PROTOCOL_REQUIRED},
    {NULL, 0},
};

const struct config_setting config_settings[] = {
    {NAMES("listen", "listen", "LISTEN"), FIELD(listen), .value = "ADDRESS", .type = CONFIG_TEXT,
     .fallback = "127.0.0.1:8080",
     .help = "where to listen: HOST:PORT (port 0: any free one) or unix:PATH"},
    {NAMES("data", "data", "DATA"), FIELD(data_folder), .value = "DIR", .type = CONFIG_TEXT,
     .fallback = "./weft-data", .help = "folder of the documents; :memory: keeps them nowhere"},
    {NAMES("seal-ops", "seal_ops", "SEAL_OPS"), FIELD(seal_ops), .value = "N",
     .type = CONFIG_NUMBER, .fallback = "8192", .min = 2, .max = 65536,
     .help = "operations of a document that are packed into one segment of its log"},
    {NAMES("workers", "workers", "WORKERS"), FIELD(workers), .value = "N", .type = CONFIG_NUMBER,
     .fallback = "auto", .words = CONFIG_AUTO, .automatic = "one a core", .min = 1, .max = 256,
     .help = "threads"},
    {NAMES("loop", "loop", "LOOP"), FIELD(loop), .value = "LOOP", .type = CONFIG_CHOICE,
     .fallback = "auto", .choices = LOOPS,
     .help = "system interface; auto is uring where it can be used"},
    {NAMES("host", "hosts", "HOST"), FIELD(hosts), .value = "NAME,...", .type = CONFIG_LIST,
     .help = "host names requests may use besides addresses and localhost"},
    {NAMES("origin", "origins", "ORIGIN"), FIELD(origins), .value = "ORIGIN,...",
     .type = CONFIG_LIST, .help = "other origins whose pages may connect"},
    {NAMES("tokens", "tokens", "TOKENS"), .value = "FILE", .type = CONFIG_TEXT,
     .help = "who may use the server: hashes of tokens, read again on SIGHUP"},
    {NAMES("insecure-no-auth", "insecure_no_auth", "INSECURE_NO_AUTH"), .type = CONFIG_SWITCH,
     .fallback = "false", .help = "let other machines in without authentication"},

    {NAMES("log-level", "log.level", "LOG_LEVEL"), FIELD(log_level), .value = "LEVEL",
     .type = CONFIG_CHOICE, .fallback = "info", .choices = LOG_LEVELS,
     .help = "least important lines that are written"},
    {NAMES("log-format", "log.format", "LOG_FORMAT"), FIELD(log_format), .value = "FORMAT",
     .type = CONFIG_CHOICE, .fallback = "text", .choices = LOG_FORMATS,
     .help = "form of log lines on standard error"},

    {NAMES("deflate", "deflate.mode", "DEFLATE"), FIELD(deflate), .value = "MODE",
     .type = CONFIG_CHOICE, .fallback = "shared", .choices = DEFLATES,
     .help = "compression; takeover costs memory for each connection"},
    {NAMES("deflate-min", "deflate.min", "DEFLATE_MIN"), FIELD(deflate_min), .value = "SIZE",
     .type = CONFIG_SIZE, .fallback = "256", .words = CONFIG_NONE, .min = 1, .max = UINT32_MAX - 1,
     .help = "shorter messages are sent as they are; with none, all"},

    {NAMES("tls-cert", "tls.certificates[].cert", "TLS_CERT"), .value = "FILE,...",
     .type = CONFIG_LIST, FIELD(tls.certificates),
     .help = "certificate and chain (PEM); several are chosen by name"},
    {NAMES("tls-key", "tls.certificates[].key", "TLS_KEY"), .value = "FILE,...",
     .type = CONFIG_LIST, FIELD(tls.certificates),
     .help = "private keys of the certificates, in the same order"},
    {NAMES("tls-client-ca", "tls.client_ca", "TLS_CLIENT_CA"), FIELD(tls.client_ca_file),
     .value = "FILE", .type = CONFIG_TEXT, .help = "who signs certificates of clients (PEM)"},
    {NAMES("tls-client-cert", "tls.client_cert", "TLS_CLIENT_CERT"), FIELD(tls.client_cert),
     .value = "WHEN", .type = CONFIG_CHOICE, .fallback = "none", .choices = CLIENT_CERTS,
     .help = "whether clients show a certificate"},
    {NAMES("tls-min-version", "tls.min_version", "TLS_MIN_VERSION"), FIELD(tls.min_version),
     .value = "VERSION", .type = CONFIG_CHOICE, .fallback = "1.2", .choices = TLS_VERSIONS,
     .help = "oldest version of TLS"},

    {NAMES("max-message", "limits.max_message", "MAX_MESSAGE"), FIELD(limits.max_message),
     .value = "SIZE", .type = CONFIG_SIZE, .fallback = "1MiB", .words = CONFIG_NONE,
     .min = FRAME_MIN, .max = TIB, .help = "bytes of a message, decompressed"},
    {NAMES("max-fragments", "limits.max_fragments", "MAX_FRAGMENTS"), FIELD(limits.max_fragments),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "131072", .words = CONFIG_NONE, .min = 1,
     .max = COUNT_MAX, .help = "frames of a message"},
    {NAMES("max-control", "limits.max_control", "MAX_CONTROL"), FIELD(limits.max_control),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "100", .words = CONFIG_NONE, .min = 1,
     .max = COUNT_MAX, .help = "pings and pongs a second of one connection"},
    {NAMES("handshake-timeout", "limits.handshake_timeout", "HANDSHAKE_TIMEOUT"),
     FIELD(limits.handshake_ms), .value = "TIME", .type = CONFIG_DURATION, .fallback = "5s",
     .words = CONFIG_NONE, .min = 1, .max = HOUR,
     .help = "from accept to a complete request, TLS included"},
    {NAMES("ping-interval", "limits.ping_interval", "PING_INTERVAL"), FIELD(limits.ping_ms),
     .value = "TIME", .type = CONFIG_DURATION, .fallback = "25s", .words = CONFIG_NONE, .min = 1,
     .max = WEEK, .help = "silence after which a peer is pinged, give or take 10 %"},
    {NAMES("pings-missed", "limits.pings_missed", "PINGS_MISSED"), FIELD(limits.pings_missed),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "2", .words = CONFIG_NONE, .min = 1,
     .max = COUNT_MAX, .help = "unanswered pings in a row until a peer is lost"},
    {NAMES("stall-timeout", "limits.stall_timeout", "STALL_TIMEOUT"), FIELD(limits.stall_ms),
     .value = "TIME", .type = CONFIG_DURATION, .fallback = "30s", .words = CONFIG_NONE, .min = 1,
     .max = WEEK, .help = "a peer that reads nothing for so long is given up"},
    {NAMES("message-timeout", "limits.message_timeout", "MESSAGE_TIMEOUT"),
     FIELD(limits.message_ms), .value = "TIME", .type = CONFIG_DURATION, .fallback = "1m",
     .words = CONFIG_NONE, .min = 1, .max = WEEK,
     .help = "from a message's first byte to its last"},
    {NAMES("max-unsent", "limits.max_unsent", "MAX_UNSENT"), FIELD(limits.max_unsent),
     .value = "SIZE", .type = CONFIG_SIZE, .fallback = "1MiB", .words = CONFIG_NONE, .min = KIB,
     .max = TIB, .help = "bytes waiting for one peer before it counts as slow"},
    {NAMES("max-connections", "limits.max_connections", "MAX_CONNECTIONS"),
     FIELD(limits.max_connections), .value = "N", .type = CONFIG_NUMBER, .fallback = "auto",
     .words = CONFIG_AUTO | CONFIG_NONE, .automatic = "nine tenths of the descriptors allowed",
     .min = 1, .max = COUNT_MAX, .help = "connections in all"},
    {NAMES("max-per-address", "limits.max_per_address", "MAX_PER_ADDRESS"),
     FIELD(limits.max_per_address), .value = "N", .type = CONFIG_NUMBER, .fallback = "auto",
     .words = CONFIG_AUTO | CONFIG_NONE, .automatic = "1000, of this machine any number", .min = 1,
     .max = COUNT_MAX, .help = "connections of one IPv4 address or IPv6 /64"},
    {NAMES("max-accepts", "limits.max_accepts", "MAX_ACCEPTS"), FIELD(limits.max_accepts),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "none", .words = CONFIG_NONE, .min = 1,
     .max = COUNT_MAX, .help = "new connections a second; more wait"},
    {NAMES("memory", "limits.memory", "MEMORY"), FIELD(limits.memory), .value = "SIZE",
     .type = CONFIG_SIZE, .fallback = "auto", .words = CONFIG_AUTO | CONFIG_NONE,
     .automatic = "half the machine's, or its control group's", .min = 16 * MIB, .max = 1024 * TIB,
     .help = "bytes of all connections, queues and documents"},

    {NAMES("resume-window", "session.resume_window", "RESUME_WINDOW"), FIELD(sessions.resume_ms),
     .value = "TIME", .type = CONFIG_DURATION, .fallback = "2m", .words = CONFIG_NONE, .min = 1,
     .max = (uint64_t)24 * HOUR, .help = "a session waits so long for a client that was cut off"},
    {NAMES("replay-bytes", "session.replay_bytes", "REPLAY_BYTES"), FIELD(sessions.replay_bytes),
     .value = "SIZE", .type = CONFIG_SIZE, .fallback = "256KiB", .min = 4 * KIB, .max = 1024 * MIB,
     .help = "kept of a session, at most, until its client has seen it"},

    {NAMES("sessions-per-principal", "session.per_principal", "SESSIONS_PER_PRINCIPAL"),
     FIELD(sessions.per_principal), .value = "N", .type = CONFIG_NUMBER, .fallback = "1000",
     .words = CONFIG_NONE, .min = 1, .max = 1000000000,
     .help = "sessions without a connection of one who has signed in"},

    {NAMES("drain-timeout", "operations.drain_timeout", "DRAIN_TIMEOUT"),
     FIELD(operations.drain_ms), .value = "TIME", .type = CONFIG_DURATION, .fallback = "10s",
     .words = CONFIG_NONE, .min = 1, .max = WEEK, .help = "patience with running calls at the end"},
    {NAMES("reconnect-window", "operations.reconnect_window", "RECONNECT_WINDOW"),
     FIELD(operations.reconnect_ms), .value = "TIME", .type = CONFIG_DURATION, .fallback = "5s",
     .min = 1, .max = HOUR, .help = "clients are asked to come back spread over this time"},
    {NAMES("proxy-protocol", "operations.proxy_protocol", "PROXY_PROTOCOL"),
     FIELD(operations.proxy_protocol), .value = "WHEN", .type = CONFIG_CHOICE, .fallback = "off",
     .choices = PROXY_PROTOCOLS, .help = "whether connections begin with a PROXY header"},
    {NAMES("trusted-proxy", "operations.trusted_proxies", "TRUSTED_PROXY"),
     FIELD(operations.trusted_proxies), .value = "NETWORK,...", .type = CONFIG_LIST,
     .help = "addresses or networks (10.0.0.0/8) of proxies"},
    {NAMES("socket-mode", "operations.socket_mode", "SOCKET_MODE"), FIELD(operations.socket_mode),
     .value = "MODE", .type = CONFIG_MODE, .fallback = "0600", .min = 1, .max = 0777,
     .help = "permissions of a Unix socket, octal"},

    {NAMES("in-flight", "rpc.in_flight", "IN_FLIGHT"), FIELD(rpc.in_flight), .value = "N",
     .type = CONFIG_NUMBER, .fallback = "1024", .min = 1, .max = COUNT_MAX,
     .help = "calls of one connection that run at a time"},
    {NAMES("streams", "rpc.streams", "STREAMS"), FIELD(rpc.streams), .value = "N",
     .type = CONFIG_NUMBER, .fallback = "32", .min = 1, .max = COUNT_MAX,
     .help = "of these, with items"},
    {NAMES("batch", "rpc.batch", "BATCH"), FIELD(rpc.batch), .value = "N", .type = CONFIG_NUMBER,
     .fallback = "100", .min = 1, .max = 100000, .help = "members of one JSON-RPC array"},
    {NAMES("idem-entries", "rpc.idem_entries", "IDEM_ENTRIES"), FIELD(rpc.idem_entries),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "65536", .min = 1, .max = COUNT_MAX,
     .help = "idempotency keys known at a time"},
    {NAMES("idem-memory", "rpc.idem_memory", "IDEM_MEMORY"), FIELD(rpc.idem_bytes), .value = "SIZE",
     .type = CONFIG_SIZE, .fallback = "auto", .words = CONFIG_AUTO,
     .automatic = "64MiB, at most an eighth of limits.memory", .min = 64 * KIB, .max = TIB,
     .help = "bytes of their answers"},
    {NAMES("idem-per-principal", "rpc.idem_per_principal", "IDEM_PER_PRINCIPAL"),
     FIELD(rpc.idem_per_principal), .value = "N", .type = CONFIG_NUMBER, .fallback = "auto",
     .words = CONFIG_AUTO, .automatic = "a quarter", .min = 1, .max = COUNT_MAX,
     .help = "keys, and as large a part of the bytes, of one principal"},
    {NAMES("idem-ttl", "rpc.idem_ttl", "IDEM_TTL"), FIELD(rpc.idem_ms), .value = "TIME",
     .type = CONFIG_DURATION, .fallback = "24h", .words = CONFIG_NONE, .min = 1, .max = WEEK,
     .help = "how long an answer is kept"},
    {NAMES("provide", "rpc.provide", "PROVIDE"), FIELD(rpc.provide), .value = "PREFIX,...",
     .type = CONFIG_LIST,
     .help = "beginnings of names of methods that clients may provide; * for all"},
    {NAMES("provide-names", "rpc.provide_names", "PROVIDE_NAMES"), FIELD(rpc.provide_names),
     .value = "N", .type = CONFIG_NUMBER, .fallback = "256", .min = 1, .max = 4096,
     .help = "names that one client may provide"},
};

const size_t config_setting_count = WEFT_ARRAY_LEN(config_settings);
_Static_assert(WEFT_ARRAY_LEN(config_settings) <= CONFIG_SETTINGS_MAX,
               "config.values is too short");

const struct config_setting *config_find(const char *path)
{
    for (size_t i = 0; i < config_setting_count; i++)
        if (strcmp(config_settings[i].path, path) == 0)
            return &config_settings[i];
    return NULL;
}
