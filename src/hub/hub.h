/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub: documents as a service on RPC, one hub a worker. Every document belongs to one worker (a
 * hash of its name), whose hub holds it as an actor; the hub of each worker with subscribers holds
 * a relay for it. Hubs talk through the mesh alone.
 *
 *   connection ─► doc.submit ─► service ── request ──► document (owner): transform, append, commit
 *                    (its worker)  ▲                        │
 *   connection ◄── doc.op ◄── relay ◄────── delivery ◄──────┘   one a worker with subscribers
 *
 *   hub.h            this page                        document.h      the actor, owner's side
 *   service.c        the methods doc.*                document_load   opening from the store
 *   params.h         reading their parameters         document_submit transform, append, commit
 *   answers.h        writing answers, notifications   document_query  walks over the log
 *   relay.h          subscribers of one worker        document_presence
 *   mesh.h           links between workers            history.h       recent operations
 *   request.h        what travels on them             record.h snapshot.h client_table.h  stored
 *   catch_up.h       for who was away                 document_seal   records into segment.h
 *   listing.h        names             audit.h         whether what is stored is whole
 *
 * **Thread:** a hub belongs to its worker.
 */
#ifndef WEFT_HUB_HUB_H
#define WEFT_HUB_HUB_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/list.h"
#include "hub/mesh.h"
#include "port/clock.h"
#include "port/crypto.h"
#include "port/log.h"
#include "port/store.h"
#include "rpc/registry.h"
#include "topic/topic.h"

struct weft_hub;

/* What takes up memory. */
enum weft_hub_load {
    WEFT_HUB_LOAD_OPEN,  /* one more document opened */
    WEFT_HUB_LOAD_WRITE, /* an operation */
};

struct weft_hub_options {
    const struct weft_alloc *alloc; /* thread-safe */
    struct weft_store *store;
    struct weft_mesh_port *port; /* bound to this hub by its owner: weft__mesh_port_bind */
    const struct weft_exec *exec;
    const struct weft_clock *clock;
    const struct weft_crypto *crypto;
    const struct weft_log *log;    /* may be NULL */
    struct weft_hash_key hash_key; /* the same for all hubs of a process: it also picks owners */
    size_t max_document;           /* bytes of content; 0 = WEFT_HUB_MAX_DOCUMENT */
    uint64_t seal_ops;             /* operations in a segment of the log; 0 = WEFT_HUB_SEAL_OPS */
    uint64_t idle_ns;              /* a document unused for so long leaves memory; 0 = 30 s */
    /* Unsent bytes with which a subscriber falls behind: those above which its member is told when
     * they have drained. 0 = WEFT_HUB_MAX_UNSENT. */
    size_t max_unsent;
    /* As in struct weft_topics_options; may be NULL. */
    void (*deflate)(void *ctx, struct weft_ws_message *message);
    void *deflate_ctx;
    void (*recode)(void *ctx, struct weft_ws_message *message);
    void *recode_ctx;
    /* Whether there is room for |what|; without, the call is refused and may be tried again later.
     * NULL: always. */
    bool (*room)(void *ctx, enum weft_hub_load what);
    void *room_ctx;
};

enum {
    WEFT_HUB_MAX_DOCUMENT = 1024 * 1024, /* bytes */
    WEFT_HUB_MAX_DOCUMENTS = 100000,     /* in memory, a worker */
    WEFT_HUB_SEAL_OPS = 8192,            /* see segment.h */
    WEFT_HUB_MAX_SUBSCRIPTIONS = 256,    /* documents open on one connection */
    WEFT_HUB_MAX_UNSENT = 1024 * 1024,   /* bytes */
    WEFT_HUB_RETRY_MS = 5000,            /* what callers are told when there is no room */
};

/* What a hub did since it was made. */
struct weft_hub_stats {
    uint64_t documents; /* in memory now */
    uint64_t opens;
    uint64_t submits;    /* operations that reached their owner */
    uint64_t commits;    /* operations made durable */
    uint64_t refused;    /* operations refused by the owner */
    uint64_t deliveries; /* operations and presence handed to subscribers */
    uint64_t presence;   /* presence updates that reached the owner */
    uint64_t lagged;     /* subscribers dropped because they lagged */
    uint64_t deletes;    /* documents deleted for good */
};

/* A hub. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__hub_new(const struct weft_hub_options *options, struct weft_hub **ret_hub);

/* Frees the hub and its documents. All members are gone and no request is at the store any more:
 * weft__hub_busy has become false. NULL is allowed. */
void weft__hub_free(struct weft_hub *hub);

/* Adds the methods doc.* to |registry|, to be called by peers whose user is a struct
 * weft_hub_member. **Errors:** those of weft__rpc_registry_add. */
WEFT_MUST_USE int weft__hub_register(struct weft_hub *hub, struct weft_rpc_registry *registry);

/* Sends what was gathered during a tick: presence. Called once at its end, before the mesh. */
void weft__hub_flush(struct weft_hub *hub);

/* Hands what the owners of documents sent during a tick to its subscribers. Called once at its end,
 * behind the mesh and before output is sent. */
void weft__hub_deliver(struct weft_hub *hub);

/* Housekeeping: idle documents leave memory. Called about once a second. */
void weft__hub_tick(struct weft_hub *hub, uint64_t now_ns);

/* True while the store works for this hub or answers are on their way to it: it, and the peers'
 * environment, must not be freed then. */
bool weft__hub_busy(const struct weft_hub *hub);

/* **Lifetime:** the hub's. */
const struct weft_hub_stats *weft__hub_stats(const struct weft_hub *hub);

/* ---- Members: the connections of this worker, as the hub sees them. ---- */

struct weft_hub_member;

struct weft_hub_member_ops {
    /* Sends |frames|, the unmasked WebSocket frames of |count| text messages, which lie in |owner|:
     * takes a reference to that if it keeps them. */
    void (*send)(struct weft_hub_member *member, struct weft_slice frames, struct weft_buf *owner,
                 size_t count);
    /* The same for one message that it encodes itself; as in struct weft_topic_ops. */
    void (*send_message)(struct weft_hub_member *member, struct weft_ws_message *message);
    /* Bytes handed over and not yet sent. */
    size_t (*unsent)(const struct weft_hub_member *member);
    /* These are more than |max_unsent|: weft__hub_member_drained is awaited. */
    void (*held)(struct weft_hub_member *member);
    /* The member has, or no longer has, presence in a document: its liveness is watched more
     * closely (docs/protocol/documents.md, "Presence"). */
    void (*present)(struct weft_hub_member *member, bool present);
};

/* Embedded in the connection. */
struct weft_hub_member {
    struct weft_hub *hub;
    const struct weft_hub_member_ops *ops;
    struct weft_slice tenant;       /* of the principal; both outlive the member */
    struct weft_slice sub;          /* who it is */
    uint8_t variant;                /* enum weft_topic_variant: frames it can read */
    struct weft_list subscriptions; /* struct weft_subscription, by member */
    unsigned subscription_count;
    unsigned present_count; /* subscriptions with presence */
};

void weft__hub_member_init(struct weft_hub_member *member, struct weft_hub *hub,
                           const struct weft_hub_member_ops *ops, struct weft_slice tenant,
                           struct weft_slice sub, enum weft_topic_variant variant);

/* Its unsent bytes were more than |max_unsent| and fell below half of it: it gets what it
 * missed meanwhile. */
void weft__hub_member_drained(struct weft_hub_member *member);

/* The connection is gone: all its documents are closed and its presence ends at once. */
void weft__hub_member_done(struct weft_hub_member *member);

#endif
