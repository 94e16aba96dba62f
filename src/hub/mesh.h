/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The links between the workers of one process. Every pair of workers has a ring of its own in each
 * direction (base/ring.h), so no lock is ever taken; what is sent during a tick is announced to the
 * receiver by one posted task at the tick's end.
 *
 *   worker 0 ── ring 0→1 ──► worker 1        a message runs once, on the receiver's loop;
 *            ◄── ring 1→0 ──                  messages of one sender arrive in their order
 *
 * Nobody waits: what does not fit a full ring is kept in a list of the sender and follows in order.
 * While that list is not empty the link is *congested*, and new work for that worker is refused
 * (weft__mesh_congested). A message to oneself takes the same way without a ring, so that code on
 * the owner's side reads the same whoever asks.
 *
 * **Thread:** each port belongs to its worker's loop; see each function.
 */
#ifndef WEFT_HUB_MESH_H
#define WEFT_HUB_MESH_H

#include "base/list.h"
#include "base/ring.h"
#include "port/exec.h"

#include <stdint.h>

enum { WEFT_MESH_RING = 1024 /* messages a ring holds */ };

struct weft_mesh;
struct weft_mesh_port;

/* Embedded in what travels. |run| is called on the receiving worker with the |owner| of its port;
 * the message, and all it carries, is the receiver's from then on. */
struct weft_mesh_message {
    struct weft_list node; /* the sender's list, when a ring is full */
    void (*run)(struct weft_mesh_message *message, void *owner);
};

/* A mesh of |workers| ports without owners. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__mesh_new(const struct weft_alloc *alloc, unsigned workers,
                                 struct weft_mesh **ret_mesh);

/* Frees the mesh after every worker has stopped. Messages that never arrived are run with owner
 * NULL, so that each can free what it carries. **Thread:** any, alone. */
void weft__mesh_free(struct weft_mesh *mesh);

/* The port of worker |index|. **Lifetime:** the mesh's. */
struct weft_mesh_port *weft__mesh_port(struct weft_mesh *mesh, unsigned index);

/* Says who receives at |port| and how its loop is reached. Before any worker runs. */
void weft__mesh_port_bind(struct weft_mesh_port *port, const struct weft_exec *exec, void *owner);

/* Number of workers, and the index of this one. */
unsigned weft__mesh_workers(const struct weft_mesh_port *port);
unsigned weft__mesh_index(const struct weft_mesh_port *port);

/* Sends |message| to worker |to|, which may be oneself. Never fails, never blocks, never runs the
 * message inside the call. **Thread:** the port's. */
void weft__mesh_send(struct weft_mesh_port *port, unsigned to, struct weft_mesh_message *message);

/* True while worker |to| is so far behind that new work for it should be refused. */
bool weft__mesh_congested(const struct weft_mesh_port *port, unsigned to);

/* Delivers messages to oneself and announces those to others. Called once at the end of a tick;
 * true when something is left to do, so that the loop should turn again at once. */
bool weft__mesh_flush(struct weft_mesh_port *port);

/* A number larger than every one given before, on whatever worker; from 1. */
uint64_t weft__mesh_next_id(struct weft_mesh_port *port);

struct weft_mesh_stats {
    uint64_t sent;     /* messages to other workers */
    uint64_t received; /* messages from other workers */
    uint64_t local;    /* messages to oneself */
    uint64_t wakeups;  /* times another worker was woken */
    uint64_t spilled;  /* messages that met a full ring */
};

/* **Lifetime:** the mesh's. **Thread:** the port's. */
const struct weft_mesh_stats *weft__mesh_stats(const struct weft_mesh_port *port);

#endif
