/* SPDX-License-Identifier: Apache-2.0 */
/* Workers, peers and a store on one thread. */
#include "lib/hub_world.h"

#include "base/timer.h"
#include "lib/test.h"
#include "store/memory/memory.h"
#include "ws/frame.h"

enum { WORLD_WORKERS = 4, PEER_TEXT = 64 * 1024 };

struct world_worker {
    struct test_world *world;
    struct weft_exec exec;
    struct weft_hub *hub;
    struct weft_rpc_registry registry;
    struct weft_rpc_env rpc;
};

struct world_store {
    struct weft_store base;
    struct weft_store *inner;
    struct test_world *world;
};

struct test_world {
    struct test_alloc mem;
    struct weft_timer_wheel wheel;
    struct weft_clock clock;
    struct weft_crypto crypto;
    struct world_store store;
    struct weft_mesh *mesh;
    struct world_worker workers[WORLD_WORKERS];
    unsigned worker_count;
    uint64_t now_ns;
    uint64_t random;
    uint64_t seal_ops;
    struct weft_task *tasks; /* oldest first */
    struct weft_task **tasks_end;
    struct weft_list held; /* requests the store keeps to itself */
    bool holding;
    bool holding_reads;
    unsigned fail_in;
    enum weft_store_kind fail_kind;
    int fail_result;
    bool fail_executed;
    struct weft_list peers;
};

struct test_peer {
    struct weft_list node;
    struct test_world *world;
    struct weft_rpc_peer rpc;
    struct weft_hub_member member;
    struct weft_list messages;
    char *heard;
    size_t unsent;
};

struct peer_message {
    struct weft_list node;
    char *text;
};

/* ---- Time, chance and tasks ---- */

static uint64_t now_ns(void *ctx)
{
    return ((struct test_world *)ctx)->now_ns;
}

static uint64_t wall_ms(void *ctx)
{
    return 1700000000000ull + ((struct test_world *)ctx)->now_ns / WEFT_NS_PER_MS;
}

static void fill_random(void *ctx, void *bytes, size_t len)
{
    struct test_world *world = ctx;
    for (size_t i = 0; i < len; i++) {
        world->random = world->random * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)bytes)[i] = (uint8_t)(world->random >> 56);
    }
}

static void post(void *ctx, struct weft_task *task)
{
    struct test_world *world = ((struct world_worker *)ctx)->world;
    task->next = NULL;
    *world->tasks_end = task;
    world->tasks_end = &task->next;
}

static bool run_task(struct test_world *world)
{
    struct weft_task *task = world->tasks;
    if (!task)
        return false;
    world->tasks = task->next;
    if (!world->tasks)
        world->tasks_end = &world->tasks;
    task->fn(task);
    return true;
}

/* ---- The store ---- */

static void fail_task(struct weft_task *task)
{
    struct weft_store_request *request = WEFT_CONTAINER_OF(task, struct weft_store_request, task);
    request->done(request);
}

/* What an append that is carried out and nevertheless fails is replaced by inside. */
static void swallow(struct weft_store_request *request)
{
    free(request);
}

static void pass_on(struct world_store *store, struct weft_store_request *request)
{
    struct test_world *world = store->world;
    bool fails = request->kind == world->fail_kind && world->fail_in && --world->fail_in == 0;
    if (!fails) {
        weft__store_submit(store->inner, request);
        return;
    }
    if (world->fail_executed) {
        struct weft_store_request *copy = malloc(sizeof(*copy));
        *copy = *request;
        copy->done = swallow;
        weft__store_submit(store->inner, copy);
    }
    request->result = world->fail_result;
    weft__task_init(&request->task, fail_task);
    weft__exec_post(request->exec, &request->task);
}

static void store_submit(struct weft_store *base, struct weft_store_request *request)
{
    struct world_store *store = WEFT_CONTAINER_OF(base, struct world_store, base);
    if (store->world->holding || (store->world->holding_reads && request->kind == WEFT_STORE_READ))
        weft__list_push(&store->world->held, &request->node);
    else
        pass_on(store, request);
}

static void store_free(struct weft_store *base)
{
    weft__store_free(WEFT_CONTAINER_OF(base, struct world_store, base)->inner);
}

void world_store_hold(struct test_world *world)
{
    world->holding = true;
}

void world_store_hold_reads(struct test_world *world)
{
    world->holding_reads = true;
}

size_t world_fail_alloc(struct test_world *world, size_t n)
{
    size_t failures = world->mem.failures;
    world->mem.fail_at = n ? world->mem.calls + n : 0;
    world->mem.failures = 0;
    return failures;
}

void world_store_release(struct test_world *world)
{
    struct weft_list *node;
    world->holding = world->holding_reads = false;
    while ((node = weft__list_pop(&world->held)))
        pass_on(&world->store, WEFT_CONTAINER_OF(node, struct weft_store_request, node));
}

void world_fail_append(struct test_world *world, unsigned n, int result, bool executed)
{
    world->fail_in = n;
    world->fail_kind = WEFT_STORE_APPEND;
    world->fail_result = result;
    world->fail_executed = executed;
}

void world_fail_seal(struct test_world *world, int result, bool executed)
{
    world_fail_append(world, 1, result, executed);
    world->fail_kind = WEFT_STORE_SEAL;
}

void world_seal_from_now(struct test_world *world, uint64_t seal_ops)
{
    world->seal_ops = seal_ops;
}

const struct weft_store *world_store(const struct test_world *world)
{
    return world->store.inner;
}

/* ---- The world ---- */

static void start_worker(struct test_world *world, unsigned index)
{
    struct world_worker *worker = &world->workers[index];
    const struct weft_hash_key key = {1, 2};
    worker->world = world;
    worker->exec = (struct weft_exec){post, worker};
    const struct weft_hub_options options = {
        .alloc = &world->mem.alloc,
        .store = &world->store.base,
        .port = weft__mesh_port(world->mesh, index),
        .exec = &worker->exec,
        .clock = &world->clock,
        .crypto = &world->crypto,
        .hash_key = key,
        .seal_ops = world->seal_ops,
    };
    assert_ok(weft__hub_new(&options, &worker->hub));
    weft__mesh_port_bind(options.port, &worker->exec, worker->hub);
    weft__rpc_registry_init(&worker->registry, &world->mem.alloc, key);
    assert_ok(weft__hub_register(worker->hub, &worker->registry));
    weft__rpc_env_init(&worker->rpc, &world->mem.alloc, &worker->registry, &world->wheel, key);
}

static void start_all(struct test_world *world)
{
    assert_ok(weft__mesh_new(&world->mem.alloc, world->worker_count, &world->mesh));
    for (unsigned i = 0; i < world->worker_count; i++)
        start_worker(world, i);
}

static void stop_all(struct test_world *world)
{
    assert_true(weft__list_empty(&world->peers));
    world_run(world);
    for (unsigned i = 0; i < world->worker_count; i++) {
        assert_false(weft__hub_busy(world->workers[i].hub));
        weft__hub_free(world->workers[i].hub);
        weft__rpc_env_done(&world->workers[i].rpc);
        weft__rpc_registry_done(&world->workers[i].registry);
    }
    weft__mesh_free(world->mesh);
}

struct test_world *world_new(unsigned workers)
{
    return world_new_sealing(workers, 0);
}

struct test_world *world_new_sealing(unsigned workers, uint64_t seal_ops)
{
    static const struct weft_store_ops ops = {store_submit, store_free};
    struct test_world *world = calloc(1, sizeof(*world));
    assert_true(world && workers <= WORLD_WORKERS);
    test_alloc_init(&world->mem);
    world->now_ns = 1000 * WEFT_NS_PER_S;
    world->random = 42;
    world->worker_count = workers;
    world->tasks_end = &world->tasks;
    world->clock = (struct weft_clock){now_ns, wall_ms, world};
    world->crypto = (struct weft_crypto){.random = fill_random, .ctx = world};
    weft__timer_wheel_init(&world->wheel, world->now_ns);
    world->seal_ops = seal_ops;
    weft__list_init(&world->held);
    weft__list_init(&world->peers);
    world->store.base.ops = &ops;
    world->store.world = world;
    assert_ok(weft__memory_store_open(&world->mem.alloc, &world->store.inner));
    start_all(world);
    return world;
}

void world_restart(struct test_world *world)
{
    stop_all(world);
    start_all(world);
}

void world_free(struct test_world *world)
{
    while (!weft__list_empty(&world->peers))
        peer_disconnect(WEFT_CONTAINER_OF(world->peers.next, struct test_peer, node));
    stop_all(world);
    weft__store_free(&world->store.base);
    test_alloc_done(&world->mem);
    free(world);
}

void world_run(struct test_world *world)
{
    for (bool moved = true; moved;) {
        moved = false;
        while (run_task(world))
            moved = true;
        for (unsigned i = 0; i < world->worker_count; i++) {
            weft__hub_flush(world->workers[i].hub);
            moved = weft__mesh_flush(weft__mesh_port(world->mesh, i)) || moved;
            weft__hub_deliver(world->workers[i].hub);
        }
        moved = moved || world->tasks != NULL;
    }
}

void world_pass(struct test_world *world, uint64_t ms)
{
    world->now_ns += ms * WEFT_NS_PER_MS;
    weft__timer_wheel_advance(&world->wheel, world->now_ns);
    for (unsigned i = 0; i < world->worker_count; i++)
        weft__hub_tick(world->workers[i].hub, world->now_ns);
    world_run(world);
}

struct weft_hub *world_hub(struct test_world *world, unsigned worker)
{
    return world->workers[worker].hub;
}

struct weft_hub_stats world_stats(struct test_world *world)
{
    struct weft_hub_stats sum = {0};
    for (unsigned i = 0; i < world->worker_count; i++) {
        const struct weft_hub_stats *stats = weft__hub_stats(world->workers[i].hub);
        sum.documents += stats->documents;
        sum.opens += stats->opens;
        sum.submits += stats->submits;
        sum.commits += stats->commits;
        sum.refused += stats->refused;
        sum.deliveries += stats->deliveries;
        sum.presence += stats->presence;
        sum.lagged += stats->lagged;
    }
    return sum;
}

/* ---- Peers ---- */

static void keep(struct test_peer *peer, struct weft_slice text)
{
    struct peer_message *message = malloc(sizeof(*message));
    message->text = malloc(text.len + 1);
    memcpy(message->text, text.ptr, text.len);
    message->text[text.len] = '\0';
    weft__list_push(&peer->messages, &message->node);
}

static void rpc_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    (void)lane;
    keep(ctx, message);
}

static void member_send(struct weft_hub_member *member, struct weft_slice frames,
                        struct weft_buf *owner, size_t count)
{
    const uint8_t *begin = weft__buf_data(owner);
    assert_true(frames.ptr >= begin && frames.ptr + frames.len <= begin + owner->len);
    while (frames.len) {
        struct weft_ws_head head;
        ptrdiff_t used = weft__ws_head_decode(frames.ptr, frames.len, &head);
        assert_true(used > 0 && head.fin && head.opcode == WEFT_WS_OPCODE_TEXT && !head.masked);
        assert_true(head.len <= frames.len - (size_t)used);
        size_t len = (size_t)head.len;
        keep(WEFT_CONTAINER_OF(member, struct test_peer, member),
             weft__slice(frames.ptr + used, len));
        frames = weft__slice(frames.ptr + used + len, frames.len - (size_t)used - len);
        count--;
    }
    assert_int_equal(count, 0);
}

static void member_send_message(struct weft_hub_member *member, struct weft_ws_message *message)
{
    keep(WEFT_CONTAINER_OF(member, struct test_peer, member), weft__ws_message_payload(message));
}

static size_t member_unsent(const struct weft_hub_member *member)
{
    return WEFT_CONTAINER_OF(member, struct test_peer, member)->unsent;
}

/* peer_set_unsent tells when it has drained. */
static void member_held(struct weft_hub_member *member)
{
    (void)member;
}

static void member_present(struct weft_hub_member *member, bool present)
{
    (void)member;
    (void)present;
}

struct test_peer *world_connect(struct test_world *world, unsigned worker)
{
    static const struct weft_rpc_peer_events events = {.send = rpc_send};
    static const struct weft_hub_member_ops ops = {member_send, member_send_message, member_unsent,
                                                   member_held, member_present};
    struct test_peer *peer = calloc(1, sizeof(*peer));
    assert_true(peer && worker < world->worker_count);
    peer->world = world;
    weft__list_init(&peer->messages);
    weft__hub_member_init(&peer->member, world->workers[worker].hub, &ops, weft__slice(NULL, 0),
                          WEFT_SLICE_LIT("anonymous"), WEFT_TOPIC_PLAIN);
    const struct weft_rpc_peer_options options = {
        .is_server = true,
        .session = "s",
        .events = &events,
        .events_ctx = peer,
        .user = &peer->member,
    };
    weft__rpc_peer_init(&peer->rpc, &world->workers[worker].rpc, &options);
    weft__list_push(&world->peers, &peer->node);
    return peer;
}

void peer_disconnect(struct test_peer *peer)
{
    struct weft_list *node;
    weft__hub_member_done(&peer->member);
    weft__rpc_peer_done(&peer->rpc);
    while ((node = weft__list_pop(&peer->messages))) {
        struct peer_message *message = WEFT_CONTAINER_OF(node, struct peer_message, node);
        free(message->text);
        free(message);
    }
    weft__list_remove(&peer->node);
    free(peer->heard);
    free(peer);
}

void peer_set_unsent(struct test_peer *peer, size_t bytes)
{
    bool drained = bytes < WEFT_HUB_MAX_UNSENT / 2 && peer->unsent > WEFT_HUB_MAX_UNSENT;
    peer->unsent = bytes;
    if (drained)
        weft__hub_member_drained(&peer->member);
}

void peer_say(struct test_peer *peer, const char *fmt, ...)
{
    char *text = malloc(PEER_TEXT);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, PEER_TEXT, fmt, args);
    va_end(args);
    assert_in_range(len, 1, PEER_TEXT - 1);
    assert_ok(
        weft__rpc_peer_receive(&peer->rpc, weft__slice(text, (size_t)len), peer->world->now_ns));
    free(text);
}

const char *peer_hear(struct test_peer *peer)
{
    world_run(peer->world);
    struct weft_list *node = weft__list_pop(&peer->messages);
    free(peer->heard);
    peer->heard = NULL;
    if (!node)
        return NULL;
    struct peer_message *message = WEFT_CONTAINER_OF(node, struct peer_message, node);
    peer->heard = message->text;
    free(message);
    return peer->heard;
}

static const char *json_find(const char *json, const char *key)
{
    char want[64];
    snprintf(want, sizeof(want), "\"%s\":", key);
    const char *at = json ? strstr(json, want) : NULL;
    return at ? at + strlen(want) : NULL;
}

long long json_number(const char *json, const char *key)
{
    const char *at = json_find(json, key);
    return at ? strtoll(at, NULL, 10) : -1;
}

void json_text(const char *json, const char *key, char *ret_text, size_t size)
{
    const char *at = json_find(json, key);
    const char *end = at && *at == '"' ? strchr(at + 1, '"') : NULL;
    snprintf(ret_text, size, "%.*s", end ? (int)(end - at - 1) : 0, end ? at + 1 : "");
}
