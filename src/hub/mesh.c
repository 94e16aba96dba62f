/* SPDX-License-Identifier: Apache-2.0 */
/* Rings between workers, their overflow lists, and one wake-up a tick. */
#include "hub/mesh.h"

#include "base/assert.h"

#include <weft/err.h>

/* One direction of one pair. */
struct mesh_link {
    struct weft_ring ring;
    struct weft_list spill;    /* sender's: what did not fit, oldest first */
    struct weft_task wake;     /* posted to the receiver while |woken| */
    atomic_bool woken;         /* the receiver has been told and has not yet looked */
    bool dirty;                /* sender's: pushed since the last announcement */
    struct weft_mesh_port *to; /* the receiver */
};

struct weft_mesh_port {
    struct weft_mesh *mesh;
    unsigned index;
    struct weft_exec exec;
    void *owner;
    struct weft_list local; /* messages to oneself */
    struct weft_mesh_stats stats;
};

struct weft_mesh {
    const struct weft_alloc *alloc;
    unsigned workers;
    struct weft_mesh_port *ports; /* one a worker */
    struct mesh_link *links;      /* links[from * workers + to] */
    atomic_uint_fast64_t next_id;
};

static struct mesh_link *link_of(const struct weft_mesh *mesh, unsigned from, unsigned to)
{
    return &mesh->links[from * mesh->workers + to];
}

static struct weft_mesh_message *message_of(struct weft_list *node)
{
    return node ? WEFT_CONTAINER_OF(node, struct weft_mesh_message, node) : NULL;
}

/* Runs on the receiver's loop: takes everything out of the ring. */
static void link_drain(struct mesh_link *link)
{
    struct weft_mesh_port *port = link->to;
    struct weft_mesh_message *message;
    /* Cleared first: what is pushed from here on is announced again. */
    atomic_store_explicit(&link->woken, false, memory_order_seq_cst);
    while ((message = weft__ring_pop(&link->ring))) {
        port->stats.received++;
        message->run(message, port->owner);
    }
}

static void link_wake(struct weft_task *task)
{
    link_drain(WEFT_CONTAINER_OF(task, struct mesh_link, wake));
}

static int link_init(struct mesh_link *link, const struct weft_alloc *alloc,
                     struct weft_mesh_port *to)
{
    weft__list_init(&link->spill);
    weft__task_init(&link->wake, link_wake);
    atomic_init(&link->woken, false);
    link->to = to;
    return weft__ring_init(&link->ring, alloc, WEFT_MESH_RING);
}

int weft__mesh_new(const struct weft_alloc *alloc, unsigned workers, struct weft_mesh **ret_mesh)
{
    WEFT_ASSERT(workers > 0 && workers <= 1024);
    struct weft_mesh *mesh = weft__mem_zalloc(alloc, sizeof(*mesh));
    if (!mesh)
        return WEFT_ERR_NOMEM;
    mesh->alloc = alloc;
    mesh->workers = workers;
    mesh->ports = weft__mem_zalloc(alloc, workers * sizeof(*mesh->ports));
    mesh->links = weft__mem_zalloc(alloc, (size_t)workers * workers * sizeof(*mesh->links));
    if (!mesh->ports || !mesh->links)
        goto fail;
    for (unsigned i = 0; i < workers; i++) {
        mesh->ports[i].mesh = mesh;
        mesh->ports[i].index = i;
        weft__list_init(&mesh->ports[i].local);
    }
    for (unsigned i = 0; i < workers * workers; i++)
        if (link_init(&mesh->links[i], alloc, &mesh->ports[i % workers]))
            goto fail;
    *ret_mesh = mesh;
    return 0;
fail:
    weft__mesh_free(mesh);
    return WEFT_ERR_NOMEM;
}

static void drop_list(struct weft_list *list)
{
    struct weft_mesh_message *message;
    while ((message = message_of(weft__list_pop(list))))
        message->run(message, NULL);
}

static void link_done(struct mesh_link *link)
{
    struct weft_mesh_message *message;
    if (!link->ring.slots)
        return;
    while ((message = weft__ring_pop(&link->ring)))
        message->run(message, NULL);
    drop_list(&link->spill);
    weft__ring_done(&link->ring);
}

void weft__mesh_free(struct weft_mesh *mesh)
{
    if (!mesh)
        return;
    unsigned links = mesh->links ? mesh->workers * mesh->workers : 0;
    for (unsigned i = 0; i < links; i++)
        link_done(&mesh->links[i]);
    for (unsigned i = 0; mesh->ports && mesh->links && i < mesh->workers; i++)
        drop_list(&mesh->ports[i].local);
    weft__mem_free(mesh->alloc, mesh->links, links * sizeof(*mesh->links));
    weft__mem_free(mesh->alloc, mesh->ports, mesh->workers * sizeof(*mesh->ports));
    weft__mem_free(mesh->alloc, mesh, sizeof(*mesh));
}

struct weft_mesh_port *weft__mesh_port(struct weft_mesh *mesh, unsigned index)
{
    WEFT_ASSERT(index < mesh->workers);
    return &mesh->ports[index];
}

void weft__mesh_port_bind(struct weft_mesh_port *port, const struct weft_exec *exec, void *owner)
{
    port->exec = *exec;
    port->owner = owner;
}

unsigned weft__mesh_workers(const struct weft_mesh_port *port)
{
    return port->mesh->workers;
}

unsigned weft__mesh_index(const struct weft_mesh_port *port)
{
    return port->index;
}

void weft__mesh_send(struct weft_mesh_port *port, unsigned to, struct weft_mesh_message *message)
{
    if (to == port->index) {
        port->stats.local++;
        weft__list_push(&port->local, &message->node);
        return;
    }
    struct mesh_link *link = link_of(port->mesh, port->index, to);
    port->stats.sent++;
    link->dirty = true;
    if (weft__list_empty(&link->spill) && weft__ring_push(&link->ring, message))
        return;
    port->stats.spilled++;
    weft__list_push(&link->spill, &message->node);
}

bool weft__mesh_congested(const struct weft_mesh_port *port, unsigned to)
{
    return !weft__list_empty(&link_of(port->mesh, port->index, to)->spill);
}

/* Moves what fits from the overflow list into the ring. */
static void link_refill(struct mesh_link *link)
{
    while (!weft__list_empty(&link->spill)) {
        struct weft_mesh_message *message = message_of(link->spill.next);
        /* Out of the list before the push: from then on the node is the receiver's. */
        weft__list_remove(&message->node);
        if (!weft__ring_push(&link->ring, message)) {
            weft__list_push_front(&link->spill, &message->node);
            return;
        }
        link->dirty = true;
    }
}

static void link_announce(struct weft_mesh_port *port, struct mesh_link *link)
{
    if (!link->dirty)
        return;
    link->dirty = false;
    if (atomic_exchange_explicit(&link->woken, true, memory_order_seq_cst))
        return;
    port->stats.wakeups++;
    weft__exec_post(&link->to->exec, &link->wake);
}

bool weft__mesh_flush(struct weft_mesh_port *port)
{
    /* Only what is here now: a message that sends another to oneself must not keep the loop from
     * its sockets. */
    struct weft_list now;
    struct weft_mesh_message *message;
    weft__list_init(&now);
    weft__list_splice(&now, &port->local);
    while ((message = message_of(weft__list_pop(&now))))
        message->run(message, port->owner);
    bool left = !weft__list_empty(&port->local);
    for (unsigned to = 0; to < port->mesh->workers; to++) {
        struct mesh_link *link = link_of(port->mesh, port->index, to);
        if (to == port->index)
            continue;
        link_refill(link);
        link_announce(port, link);
        left = left || !weft__list_empty(&link->spill);
    }
    return left;
}

uint64_t weft__mesh_next_id(struct weft_mesh_port *port)
{
    return atomic_fetch_add_explicit(&port->mesh->next_id, 1, memory_order_relaxed) + 1;
}

const struct weft_mesh_stats *weft__mesh_stats(const struct weft_mesh_port *port)
{
    return &port->stats;
}
