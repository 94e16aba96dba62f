/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is made with: defaults, checks, and the client's own copy. */
#include "base/utf8.h"
#include "client/client_internal.h"
#include "rpc/session.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    CALL_TIMEOUT_MS = 30000,
    MAX_MESSAGE = 16 * 1024 * 1024,
    HANDLERS_MAX = 1024,
    POOL_THREADS_MAX = 1024,
    RECONNECT_MIN_MS = 500,
    RECONNECT_MAX_MS = 30000,
};

void weft_client_options_init(struct weft_client_options *options)
{
    *options = (struct weft_client_options){
        .struct_size = sizeof(*options),
        .url = "ws://127.0.0.1:8080/ws",
        .name = "weft-c",
        .version = "",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .call_timeout_ms = CALL_TIMEOUT_MS,
        .max_message = MAX_MESSAGE,
        .reconnect_min_ms = RECONNECT_MIN_MS,
        .reconnect_max_ms = RECONNECT_MAX_MS,
        .replay_bytes = WEFT_RPC_REPLAY_BYTES,
    };
}

static const char *copy_string(struct weft_client *client, const char *string)
{
    return weft__arena_copy(&client->strings, string ? string : "", string ? strlen(string) : 0);
}

static int copy_handlers(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    if (own->handler_count > HANDLERS_MAX)
        return WEFT_ERR_USAGE;
    struct weft_client_handler *copy =
        weft__arena_alloc_array(&client->strings, own->handler_count, sizeof(*copy));
    if (!copy)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < own->handler_count; i++) {
        copy[i] = own->handlers[i];
        if (!copy[i].method || !copy[i].notify)
            return WEFT_ERR_USAGE;
        copy[i].method = copy_string(client, copy[i].method);
        if (!copy[i].method)
            return WEFT_ERR_NOMEM;
    }
    own->handlers = copy;
    return 0;
}

/* The files of TLS, which may be absent. */
static bool copy_files(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    const char **files[] = {&own->ca_file, &own->cert_file, &own->key_file};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(files); i++) {
        if (*files[i] && !(*files[i] = copy_string(client, *files[i])))
            return false;
    }
    return true;
}

static int copy_methods(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    if (own->method_count > HANDLERS_MAX || own->pool_threads > POOL_THREADS_MAX)
        return WEFT_ERR_USAGE;
    own->methods = weft__methods_copy(&client->strings, own->methods, own->method_count);
    return own->methods ? 0 : WEFT_ERR_NOMEM;
}

/* All URLs, the first one first. */
static int copy_urls(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    size_t count = 1;
    for (size_t i = 0; own->more_urls && own->more_urls[i]; i++)
        count++;
    if (count > WEFT_CLIENT_URLS_MAX)
        return WEFT_ERR_USAGE;
    client->servers = weft__arena_alloc_array(&client->strings, count, sizeof(*client->servers));
    if (!client->servers)
        return WEFT_ERR_NOMEM;
    client->server_count = count;
    for (size_t i = 0; i < count; i++) {
        client->servers[i].text = copy_string(client, i ? own->more_urls[i - 1] : own->url);
        if (!client->servers[i].text)
            return WEFT_ERR_NOMEM;
    }
    own->url = client->servers[0].text;
    own->more_urls = NULL;
    return 0;
}

int weft__client_copy_options(struct weft_client *client, const struct weft_client_options *options)
{
    struct weft_client_options *own = &client->options;
    weft_client_options_init(own);
    memcpy(own, options, WEFT_MIN(options->struct_size, sizeof(*own)));
    if (!own->url || !own->connect_timeout_ms || !own->call_timeout_ms || !own->max_message ||
        own->loop < WEFT_CLIENT_LOOP_AUTO || own->loop > WEFT_CLIENT_LOOP_URING ||
        own->deflate < WEFT_CLIENT_DEFLATE_OFF || own->deflate > WEFT_CLIENT_DEFLATE_TAKEOVER)
        return WEFT_ERR_USAGE;
    if (own->reconnect && (!own->reconnect_min_ms || own->reconnect_min_ms > own->reconnect_max_ms))
        return WEFT_ERR_USAGE;
    int err = copy_urls(client);
    if (err)
        return err;
    own->name = copy_string(client, own->name);
    own->version = copy_string(client, own->version);
    if (!own->name || !own->version || !copy_files(client))
        return WEFT_ERR_NOMEM;
    if (!weft__utf8_valid((const uint8_t *)own->name, strlen(own->name)) ||
        !weft__utf8_valid((const uint8_t *)own->version, strlen(own->version)))
        return WEFT_ERR_UTF8;
    err = weft__client_token_check(own->token);
    if (!err)
        err = weft__client_token_set(client, own->token);
    own->token = NULL;
    if (!err)
        err = copy_methods(client);
    return err ? err : copy_handlers(client);
}
