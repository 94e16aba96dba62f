/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's inside without sockets, threads and clock: several workers with hubs and a mesh on one
 * thread, peers that talk JSON-RPC to them, and a memory store in front of which failures can be
 * put. Everything that would happen "soon" happens in world_run, in an order that is always the
 * same.
 *
 *     struct test_world *world = world_new(2);
 *     struct test_peer *ada = world_connect(world, 0);
 *     peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",…}");
 *     assert_string_equal(peer_hear(ada), "{\"jsonrpc\":…}");
 */
#ifndef WEFT_TESTS_LIB_HUB_WORLD_H
#define WEFT_TESTS_LIB_HUB_WORLD_H

#include "hub/hub.h"
#include "rpc/peer.h"

struct test_world;
struct test_peer;

/* A world of |workers| workers with an empty memory store. */
struct test_world *world_new(unsigned workers);

/* The same with |seal_ops| operations in a segment of the log. */
struct test_world *world_new_sealing(unsigned workers, uint64_t seal_ops);

/* The same from the next restart on. */
void world_seal_from_now(struct test_world *world, uint64_t seal_ops);

/* Its store's counters. */
const struct weft_store *world_store(const struct test_world *world);

/* The next seal ends with |result|; with |executed| it was carried out nevertheless. */
void world_fail_seal(struct test_world *world, int result, bool executed);

/* Disconnects everybody and checks that nothing is left. */
void world_free(struct test_world *world);

/* Delivers everything that is on its way, until nothing moves. */
void world_run(struct test_world *world);

/* The time passes by |ms|; hubs do their housekeeping. */
void world_pass(struct test_world *world, uint64_t ms);

/* Ends all hubs and begins anew with the same store, as after a restart. Nobody may be connected.
 */
void world_restart(struct test_world *world);

/* The |n|th append from now (1 = the next) ends with |result|; with |executed| it was carried out
 * nevertheless. */
void world_fail_append(struct test_world *world, unsigned n, int result, bool executed);

/* From now on the store keeps requests to itself until world_store_release. */
void world_store_hold(struct test_world *world);
void world_store_release(struct test_world *world);

/* The same for requests that read the log. */
void world_store_hold_reads(struct test_world *world);

/* The |n|th allocation from now (1 = the next) fails; 0: none does. Gives how many failed. */
size_t world_fail_alloc(struct test_world *world, size_t n);

struct weft_hub *world_hub(struct test_world *world, unsigned worker);

/* Sums over all hubs. */
struct weft_hub_stats world_stats(struct test_world *world);

/* A connection on |worker|. */
struct test_peer *world_connect(struct test_world *world, unsigned worker);

/* It is gone. */
void peer_disconnect(struct test_peer *peer);

/* Bytes the peer is said not to have read; its hub is told when they have drained. */
void peer_set_unsent(struct test_peer *peer, size_t bytes);

/* Receives one message from the peer; |fmt| as in printf. Does not run the world. */
void peer_say(struct test_peer *peer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Runs the world and gives the oldest message the peer was sent and did not yet hear; NULL when
 * there is none. **Lifetime:** until the next call. */
const char *peer_hear(struct test_peer *peer);

/* The value of |key| (a number) in |json| as it stands there after `"key":`; -1 when absent. */
long long json_number(const char *json, const char *key);

/* Copies the string value of |key| in |json|; "" when absent. */
void json_text(const char *json, const char *key, char *ret_text, size_t size);

#endif
