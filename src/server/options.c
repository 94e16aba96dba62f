/* SPDX-License-Identifier: Apache-2.0 */
/* What a server is made with: defaults, checks, and the server's own copy. */
#include "rpc/providers.h"
#include "rpc/session.h"
#include "server/server_internal.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 256,
    DRAIN_MS = 10000,
    RECONNECT_MS = 5000,
    RESUME_MS = 120000,
    SESSIONS_PER_PRINCIPAL = 1000,
    METHODS_MAX = 4096,
    POOL_THREADS_MAX = 1024,
    DAY_MS = 24 * 3600 * 1000,
};

void weft_server_options_init(struct weft_server_options *options)
{
    *options = (struct weft_server_options){
        .struct_size = sizeof(*options),
        .listen = "127.0.0.1:8080",
        .log_level = WEFT_SERVER_LOG_INFO,
    };
}

void weft__server_say(char *ret_message, size_t size, const char *text)
{
    if (ret_message && size)
        snprintf(ret_message, size, "%s", text);
}

static const char *copy_string(struct weft_server *server, const char *string)
{
    return string ? weft__arena_copy(&server->strings, string, strlen(string)) : NULL;
}

static const char *const *copy_strings(struct weft_server *server, const char *const *strings)
{
    size_t count = 0;
    while (strings && strings[count])
        count++;
    const char **copy = weft__arena_alloc_array(&server->strings, count + 1, sizeof(*copy));
    if (!copy)
        return NULL;
    for (size_t i = 0; i < count; i++)
        copy[i] = copy_string(server, strings[i]);
    copy[count] = NULL;
    return copy;
}

static int copy_proxies(struct weft_server *server, char *ret_message, size_t message_size)
{
    struct weft_server_operations *own = &server->options.operations;
    const char *wrong = "";
    if (own->proxy_protocol != WEFT_SERVER_PROXY_PROTOCOL_OFF &&
        own->proxy_protocol != WEFT_SERVER_PROXY_PROTOCOL_REQUIRED) {
        weft__server_say(ret_message, message_size, "proxy_protocol is off or required");
        return WEFT_ERR_USAGE;
    }
    own->trusted_proxies = copy_strings(server, own->trusted_proxies);
    if (!own->trusted_proxies)
        return WEFT_ERR_NOMEM;
    int err =
        weft__networks_parse(&server->strings, own->trusted_proxies, &server->proxies, &wrong);
    if (err == WEFT_ERR_USAGE && ret_message && message_size)
        snprintf(ret_message, message_size,
                 "%s is no address or network (\"10.0.0.0/8\") of a trusted proxy", wrong);
    return err;
}

static int copy_operations(struct weft_server *server, char *ret_message, size_t message_size)
{
    struct weft_server_operations *own = &server->options.operations;
    if (own->listen_fd_count > WEFT_LISTEN_FDS_MAX) {
        weft__server_say(ret_message, message_size,
                         "at most 256 listening sockets can be handed over");
        return WEFT_ERR_USAGE;
    }
    if (own->socket_mode > 0777) {
        weft__server_say(ret_message, message_size, "the permissions of a socket are at most 0777");
        return WEFT_ERR_USAGE;
    }
    own->drain_ms = WEFT_MIN(own->drain_ms ? own->drain_ms : DRAIN_MS, (unsigned)DAY_MS);
    own->reconnect_ms =
        WEFT_MIN(own->reconnect_ms ? own->reconnect_ms : RECONNECT_MS, (unsigned)DAY_MS);
    int err = copy_proxies(server, ret_message, message_size);
    if (err)
        return err;
    int *fds = weft__arena_alloc_array(&server->strings, own->listen_fd_count + 1, sizeof(*fds));
    if (!fds)
        return WEFT_ERR_NOMEM;
    weft__mem_copy(fds, own->listen_fds, own->listen_fd_count * sizeof(*fds));
    own->listen_fds = fds;
    return 0;
}

static void set_sessions(struct weft_server_sessions *own)
{
    if (!own->resume_ms)
        own->resume_ms = RESUME_MS;
    else if (own->resume_ms == UINT_MAX)
        own->resume_ms = 0; /* none */
    own->resume_ms = WEFT_MIN(own->resume_ms, (unsigned)DAY_MS);
    if (!own->per_principal)
        own->per_principal = SESSIONS_PER_PRINCIPAL;
    if (!own->replay_bytes)
        own->replay_bytes = WEFT_RPC_REPLAY_BYTES;
}

static void set_rpc(struct weft_server_rpc *own)
{
    const struct weft_rpc_limits limits = WEFT_RPC_LIMITS_DEFAULT;
    own->in_flight = own->in_flight ? own->in_flight : limits.in_flight;
    own->streams = own->streams ? own->streams : limits.streams;
    own->batch = own->batch ? own->batch : limits.batch;
    own->provide_names =
        WEFT_MIN(own->provide_names ? own->provide_names : WEFT_RPC_PROVIDER_OFFERS,
                 (unsigned)WEFT_RPC_PROVIDED_NAMES_MAX);
}

static int copy_methods(struct weft_server *server, char *ret_message, size_t message_size)
{
    struct weft_server_options *own = &server->options;
    if (own->method_count > METHODS_MAX || own->pool_threads > POOL_THREADS_MAX) {
        weft__server_say(ret_message, message_size,
                         "there can be at most 4096 methods and 1024 threads");
        return WEFT_ERR_USAGE;
    }
    own->methods = weft__methods_copy(&server->strings, own->methods, own->method_count);
    return own->methods ? 0 : WEFT_ERR_NOMEM;
}

int weft__server_copy_options(struct weft_server *server, const struct weft_server_options *options,
                              char *ret_message, size_t message_size)
{
    static const char *const anything[] = {"*", NULL};
    struct weft_server_options *own = &server->options;
    size_t size = WEFT_MIN(options->struct_size, sizeof(*own));
    weft_server_options_init(own);
    memcpy(own, options, size);
    own->listen = copy_string(server, own->listen ? own->listen : "127.0.0.1:8080");
    own->data_folder = copy_string(server, own->data_folder);
    own->hosts = copy_strings(server, own->hosts);
    own->origins = copy_strings(server, own->origins);
    set_sessions(&own->sessions);
    set_rpc(&own->rpc);
    int err = copy_operations(server, ret_message, message_size);
    if (!err)
        err = copy_methods(server, ret_message, message_size);
    if (err)
        return err;
    if (own->development && !own->rpc.provide)
        own->rpc.provide = anything;
    own->rpc.provide = copy_strings(server, own->rpc.provide);
    if (!own->listen || !own->hosts || !own->origins || !own->rpc.provide ||
        (options->data_folder && !own->data_folder))
        return WEFT_ERR_NOMEM;
    if (weft__address_parse(own->listen, &server->address)) {
        weft__server_say(ret_message, message_size,
                         "the address to listen on must be HOST:PORT or unix:PATH");
        return WEFT_ERR_USAGE;
    }
    if (own->workers > WORKERS_MAX) {
        weft__server_say(ret_message, message_size, "there can be at most 256 workers");
        return WEFT_ERR_USAGE;
    }
    if (own->deflate < WEFT_SERVER_DEFLATE_SHARED || own->deflate > WEFT_SERVER_DEFLATE_TAKEOVER) {
        weft__server_say(ret_message, message_size, "deflate must be shared, off or takeover");
        return WEFT_ERR_USAGE;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    server->worker_count = own->workers ? own->workers : (unsigned)WEFT_MAX(cores, 1);
    server->worker_count = WEFT_MIN(server->worker_count, (unsigned)WORKERS_MAX);
    return 0;
}
