/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work handed to connected workers: a program that connects to a server and serves a method for
 * everybody who calls it there. Start as many as there is work; the one with the fewest calls gets
 * the next. One that dies leaves its calls to the others, since counting primes twice does no harm.
 *
 *     weft dev                                            (permits any name; serve: rpc.provide)
 *     worker [URL]                                        (ws://127.0.0.1:8080/ws)
 *     weft call jobs.primes '[100000]'
 */
#include "run_server.h"

#include <stdatomic.h>
#include <unistd.h>

static void count_primes(struct weft_call *call, void *ctx)
{
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                              .message = "a number up to 10000000: [n]"};
    long last = 0;
    long count = 0;
    char text[64];
    (void)ctx;
    if (sscanf(weft_call_params(call, NULL), " [ %ld ", &last) != 1 || last < 0 ||
        last > 10000000) {
        weft_call_fail(call, &unfit);
        return;
    }
    for (long n = 2; n <= last && !weft_call_is_canceled(call); n++) {
        long d = 2;
        while (d * d <= n && n % d != 0)
            d++;
        count += d * d > n;
    }
    snprintf(text, sizeof(text), "{\"primes\":%ld,\"worker\":%ld}", count, (long)getpid());
    weft_call_finish(call, text);
}

static const struct weft_method methods[] = {
    {.name = "jobs.primes", .handler = count_primes, .flags = WEFT_METHOD_BLOCKING},
};

static struct weft_peer *_Atomic server;

static void provided(void *ctx, const struct weft_answer *answer)
{
    (void)ctx;
    if (answer->status)
        fprintf(stderr, "worker: rpc.provide: %s\n", answer->message);
    else
        printf("worker: ready\n");
    fflush(stdout);
}

/* Tells the server what this program serves, each time that there is a new session. */
static void provide(struct weft_peer *peer)
{
    static const char params[] =
        "{\"methods\":[{\"name\":\"jobs.primes\",\"idempotent\":true}],\"capacity\":4}";
    if (weft_peer_call(peer, "rpc.provide", params, NULL, provided, NULL))
        fprintf(stderr, "worker: cannot call the server\n");
}

static void on_status(void *ctx, int status, unsigned code, const char *reason)
{
    struct weft_peer *peer = server;
    (void)ctx;
    (void)code;
    (void)reason;
    if (status == WEFT_CLIENT_SESSION_LOST && peer)
        provide(peer);
}

int main(int argc, char **argv)
{
    struct weft_client_options options;
    struct weft_client *client;
    char message[256];
    sigset_t signals;
    int signal;
    block_signals(&signals);
    weft_client_options_init(&options);
    if (argc > 1)
        options.url = argv[1];
    options.reconnect = 1;
    options.methods = methods;
    options.method_count = sizeof(methods) / sizeof(methods[0]);
    options.pool_threads = 4;
    options.status = on_status;
    if (weft_client_connect(&options, &client, message, sizeof(message))) {
        fprintf(stderr, "worker: %s\n", message);
        return EXIT_FAILURE;
    }
    server = weft_client_peer(client);
    provide(server);
    sigwait(&signals, &signal);
    weft_client_close(client);
    return EXIT_SUCCESS;
}
