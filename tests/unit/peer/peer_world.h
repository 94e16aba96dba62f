/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two peers in one process, a client and a server, on one loop and without sockets: what one sends
 * waits in a queue until world_run gives it to the other one. Handlers are those of an application
 * (weft/rpc.h). A peer that fails loses the connection, which ends both.
 *
 * The allocator of everything but the loop is the test's, behind a lock: threads take part.
 */
#ifndef WEFT_TESTS_UNIT_PEER_WORLD_H
#define WEFT_TESTS_UNIT_PEER_WORLD_H

#include "lib/test.h"

#include "io/loop.h"
#include "peer/handle.h"
#include "peer/methods.h"

#include <pthread.h>

struct world_message {
    struct world_message *next;
    struct weft_rpc_peer *to;
    size_t len;
    uint8_t text[];
};

struct world {
    const struct weft_alloc *inner;
    pthread_mutex_t mutex;
    struct weft_alloc alloc; /* |inner|, from any thread */
    struct weft_loop *loop;
    struct weft_task stop;
    struct weft_domain *domain;
    struct weft_rpc_registry registry;
    struct weft_served *served;
    struct weft_rpc_env env;
    struct weft_rpc_peer client;
    struct weft_rpc_peer server;
    struct weft_peer *to_server; /* as the client's application holds it */
    struct world_message *first;
    struct world_message **last;
    bool connected;
    bool greeted;
};

static inline void *world_alloc(void *ctx, size_t size)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    void *ptr = world->inner->alloc(world->inner->ctx, size);
    pthread_mutex_unlock(&world->mutex);
    return ptr;
}

static inline void *world_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    void *moved = world->inner->realloc(world->inner->ctx, ptr, old_size, new_size);
    pthread_mutex_unlock(&world->mutex);
    return moved;
}

static inline void world_free(void *ctx, void *ptr, size_t size)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    world->inner->free(world->inner->ctx, ptr, size);
    pthread_mutex_unlock(&world->mutex);
}

/* |ctx| of the events is the peer that sends. */
static inline void world_send(void *ctx, struct weft_slice text, enum weft_rpc_lane lane)
{
    struct weft_rpc_peer *from = ctx;
    struct world *world = from->user;
    struct world_message *message = malloc(sizeof(*message) + text.len);
    if (!message)
        abort();
    (void)lane;
    *message = (struct world_message){
        .to = from == &world->client ? &world->server : &world->client, .len = text.len};
    memcpy(message->text, text.ptr, text.len);
    *world->last = message;
    world->last = &message->next;
}

static inline void world_failed(void *ctx, int err)
{
    struct weft_rpc_peer *peer = ctx;
    assert_int_equal(err, WEFT_ERR_NOMEM);
    ((struct world *)peer->user)->connected = false;
}

static const struct weft_rpc_peer_events world_events = {.send = world_send,
                                                         .failed = world_failed};

static inline void world_greeted(void *ctx, const struct weft_rpc_answer *answer)
{
    ((struct world *)ctx)->greeted = answer->result != NULL;
}

/* The connection is gone, for both. */
static inline void world_disconnect(struct world *world)
{
    struct world_message *next;
    world->connected = false;
    if (!world->client.closed)
        weft__rpc_peer_done(&world->client);
    if (!world->server.closed)
        weft__rpc_peer_done(&world->server);
    for (struct world_message *message = world->first; message; message = next) {
        next = message->next;
        free(message);
    }
    world->first = NULL;
    world->last = &world->first;
}

static inline void world_stop(struct weft_task *task)
{
    weft__loop_stop(WEFT_CONTAINER_OF(task, struct world, stop)->loop);
}

/* Runs what is posted to the loop now. */
static inline void world_turn(struct world *world)
{
    weft__task_init(&world->stop, world_stop);
    weft__loop_post(world->loop, &world->stop);
    assert_ok(weft__loop_run(world->loop));
}

static inline void world_deliver(struct world *world)
{
    struct world_message *message = world->first;
    world->first = message->next;
    if (!world->first)
        world->last = &world->first;
    int err = weft__rpc_peer_receive(message->to, weft__slice(message->text, message->len),
                                     weft__loop_now_ns(world->loop));
    free(message);
    if (!err)
        return;
    assert_err(err, WEFT_ERR_NOMEM);
    world->connected = false;
}

/* Goes on until nothing is under way. */
static inline void world_run(struct world *world)
{
    enum { TURNS = 3 }; /* a task may post another one */
    do {
        while (world->connected && world->first)
            world_deliver(world);
        if (!world->connected && !world->client.closed)
            world_disconnect(world);
        for (int i = 0; i < TURNS; i++)
            world_turn(world);
    } while (world->connected ? world->first != NULL : !world->client.closed);
}

static inline void world_init_peer(struct world *world, struct weft_rpc_peer *peer,
                                   const struct weft_rpc_wire *wire, bool is_server)
{
    const struct weft_rpc_peer_options options = {.is_server = is_server,
                                                  .wire = wire,
                                                  .session = is_server ? "s_1" : NULL,
                                                  .events = &world_events,
                                                  .events_ctx = peer,
                                                  .user = world};
    weft__rpc_peer_init(peer, &world->env, &options);
}

/* **Errors:** WEFT_ERR_NOMEM; to be given to world_done all the same. */
static inline int world_init(struct world *world, const struct weft_alloc *alloc,
                             const struct weft_rpc_wire *wire, const struct weft_method *methods,
                             size_t count)
{
    static const struct weft_hash_key key = {.k0 = 3, .k1 = 4};
    static const struct weft_rpc_greeting greeting = {.name = "test", .version = "1"};
    const struct weft_loop_options loop = {.backend = WEFT_LOOP_EPOLL};
    *world = (struct world){.inner = alloc, .connected = true};
    world->last = &world->first;
    world->alloc = (struct weft_alloc){
        .alloc = world_alloc, .realloc = world_realloc, .free = world_free, .ctx = world};
    pthread_mutex_init(&world->mutex, NULL);
    assert_ok(weft__loop_new(&loop, &world->loop));
    weft__rpc_registry_init(&world->registry, &world->alloc, key);
    weft__rpc_env_init(&world->env, &world->alloc, &world->registry, weft__loop_wheel(world->loop),
                       key);
    world_init_peer(world, &world->client, wire, false);
    world_init_peer(world, &world->server, wire, true);
    world->domain = weft__domain_new(&world->alloc, world->loop, NULL);
    if (!world->domain)
        return WEFT_ERR_NOMEM;
    weft__domain_enter(world->domain);
    int err =
        weft__methods_register(world->domain, &world->registry, methods, count, &world->served);
    if (!err)
        err = weft__rpc_peer_greet(&world->client, &greeting, world_greeted, world,
                                   weft__loop_now_ns(world->loop));
    if (err)
        return err;
    world->to_server = weft__peer_of(&world->client, world->domain);
    if (!world->to_server)
        return WEFT_ERR_NOMEM;
    world_run(world);
    return world->greeted ? 0 : WEFT_ERR_NOMEM;
}

static inline void world_done(struct world *world)
{
    world_disconnect(world);
    world_turn(world);
    weft_peer_unref(world->to_server);
    if (world->domain)
        weft__domain_close(world->domain);
    world_turn(world);
    weft__domain_enter(NULL);
    weft__loop_free(world->loop);
    weft__rpc_env_done(&world->env);
    weft__rpc_registry_done(&world->registry);
    weft__served_free(world->served);
    weft__domain_unref(world->domain);
    pthread_mutex_destroy(&world->mutex);
}

/* Runs |fn| on a thread of its own, and waits for its end. */
static inline void world_elsewhere(void *(*fn)(void *ctx), void *ctx)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, ctx), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#endif
