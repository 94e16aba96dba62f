/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libwebsockets: echo or broadcast on its libuv loop (epoll; its own one is poll). Options:
 *
 *     --port N --broadcast --deflate --tls CERT KEY    as the other peers
 *     --receive BYTES    receive buffer of a connection (its default: 4096)
 *
 * What is to be sent waits in a queue of the connection and leaves in its WRITEABLE callback: as
 * many messages as the socket takes, not one a callback. With deflate it is one a callback, because
 * the extension may still be draining the one before. A broadcast's message is kept once for all.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    unsigned refs;
    enum lws_write_protocol kind;
    size_t len;
    unsigned char bytes[]; /* LWS_PRE bytes for the header first */
};

struct session {
    struct lws *wsi;
    struct session *prev, *next;
    struct message *coming; /* not complete yet */
    size_t room;            /* of |coming| */
    struct message **queue; /* a ring of |size| */
    size_t head, count, size;
};

static struct session *sessions;
static bool broadcast, deflate;

static void *checked(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void unref(struct message *message)
{
    if (message && --message->refs == 0)
        free(message);
}

static void push(struct session *session, struct message *message)
{
    if (session->count == session->size) {
        size_t size = session->size ? 2 * session->size : 16;
        struct message **queue = checked(malloc(size * sizeof(*queue)));
        for (size_t i = 0; i < session->count; i++)
            queue[i] = session->queue[(session->head + i) % session->size];
        free(session->queue);
        session->queue = queue;
        session->size = size;
        session->head = 0;
    }
    session->queue[(session->head + session->count++) % session->size] = message;
    message->refs++;
    lws_callback_on_writable(session->wsi);
}

static int write_queued(struct session *session)
{
    while (session->count) {
        struct message *message = session->queue[session->head];
        int n = lws_write(session->wsi, message->bytes + LWS_PRE, message->len, message->kind);
        if (n < (int)message->len)
            return -1;
        session->head = (session->head + 1) % session->size;
        session->count--;
        unref(message);
        if (deflate || lws_partial_buffered(session->wsi))
            break;
    }
    if (session->count)
        lws_callback_on_writable(session->wsi);
    return 0;
}

static void receive(struct session *session, const void *data, size_t len)
{
    struct message *message = session->coming;
    size_t have = message ? message->len : 0;
    size_t rest = lws_remaining_packet_payload(session->wsi);
    if (!message || session->room < have + len + rest) {
        session->room = have + len + rest;
        message = checked(realloc(message, sizeof(*message) + LWS_PRE + session->room));
        session->coming = message;
    }
    memcpy(message->bytes + LWS_PRE + have, data, len);
    message->len = have + len;
    if (rest || !lws_is_final_fragment(session->wsi))
        return;
    session->coming = NULL;
    message->refs = 1;
    message->kind = lws_frame_is_binary(session->wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    if (broadcast) {
        for (struct session *one = sessions; one; one = one->next)
            push(one, message);
    } else {
        push(session, message);
    }
    unref(message);
}

static void begin(struct session *session, struct lws *wsi)
{
    session->wsi = wsi;
    session->next = sessions;
    if (sessions)
        sessions->prev = session;
    sessions = session;
}

static void end(struct session *session)
{
    if (session->prev)
        session->prev->next = session->next;
    else
        sessions = session->next;
    if (session->next)
        session->next->prev = session->prev;
    for (size_t i = 0; i < session->count; i++)
        unref(session->queue[(session->head + i) % session->size]);
    free(session->queue);
    free(session->coming);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        begin(user, wsi);
        return 0;
    case LWS_CALLBACK_CLOSED:
        end(user);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        receive(user, in, len);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_queued(user);
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

/* Otherwise the library's own handler leaves its loop, but not the process. */
static void on_signal(void *handle, int number)
{
    (void)handle;
    _Exit(128 + number);
}

int main(int argc, char **argv)
{
    static struct lws_protocols protocols[] = {
        {.name = "echo", .callback = on_event, .per_session_data_size = sizeof(struct session)},
        {.name = NULL}};
    static const struct lws_extension extensions[] = {
        {"permessage-deflate", lws_extension_callback_pm_deflate,
         "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
        {NULL, NULL, NULL}};
    struct lws_context_creation_info info = {
        .iface = "127.0.0.1", .protocols = protocols, .signal_cb = on_signal};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--broadcast")) {
            broadcast = true;
        } else if (!strcmp(argv[i], "--deflate")) {
            deflate = true;
            info.extensions = extensions;
        } else if (!strcmp(argv[i], "--port") && i + 1 < argc) {
            info.port = atoi(argv[++i]);
        } else if (!strcmp(argv[i], "--receive") && i + 1 < argc) {
            protocols[0].rx_buffer_size = (size_t)atol(argv[++i]);
            info.pt_serv_buf_size = (unsigned)protocols[0].rx_buffer_size;
        } else if (!strcmp(argv[i], "--tls") && i + 2 < argc) {
            info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
            info.ssl_cert_filepath = argv[++i];
            info.ssl_private_key_filepath = argv[++i];
        } else {
            (void)fprintf(stderr, "unknown option: %s\n", argv[i]);
            return 2;
        }
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context ? lws_create_vhost(context, &info) : NULL;
    if (!vhost)
        return 1;
    (void)printf("listening on %d\n", lws_get_vhost_listen_port(vhost));
    (void)fflush(stdout);
    while (lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
