/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document on its owner: the actor that orders operations.
 *
 *   CLOSED ─► OPENING ─► SNAPSHOT ─► TAIL ─► READY        loading (document_load.c)
 *                 └─► ABSENT: it does not exist and nobody wants to create it
 *      any of them ─► FAILED: the store cannot give it; asked again by the next request
 *   READY ─► OPENING: an append ended with conflict or unknown; what is true is read again
 *   READY ─► DELETING ─► ABSENT                           document_delete.c
 *
 * Operations are applied at *head*; everything others see is *committed* (history.h). One append is
 * in flight; the next batch gathers meanwhile. No success is guessed: after an append that did not
 * end well the log is read again, and each waiting submit is settled by what is found there.
 *
 * Requests wait in |waiting| while the document loads, and in |blocked| while they need a commit.
 * **Thread:** the owner's worker.
 */
#ifndef WEFT_HUB_DOCUMENT_H
#define WEFT_HUB_DOCUMENT_H

#include "hub/history.h"
#include "hub/hub.h"
#include "hub/request.h"

enum weft_doc_state {
    WEFT_DOC_STATE_CLOSED,
    WEFT_DOC_STATE_OPENING,
    WEFT_DOC_STATE_SNAPSHOT,
    WEFT_DOC_STATE_TAIL,
    WEFT_DOC_STATE_READY,
    WEFT_DOC_STATE_DELETING,
    WEFT_DOC_STATE_ABSENT,
    WEFT_DOC_STATE_FAILED,
};

enum {
    WEFT_DOC_RECENT_OPS = 512,                 /* operations kept in memory */
    WEFT_DOC_RECENT_BYTES = 512 * 1024,        /* and their bytes */
    WEFT_DOC_SNAPSHOT_OPS = 1000,              /* operations after which a snapshot is written */
    WEFT_DOC_SNAPSHOT_BYTES = 256 * 1024,      /* or bytes of them */
    WEFT_DOC_IDLE_SNAPSHOT_OPS = 64,           /* operations that make one worth it when leaving */
    WEFT_DOC_BATCH_OPS = 1024,                 /* operations in one record */
    WEFT_DOC_BATCH_BYTES = 1024 * 1024,        /* or bytes of them, unless it is one alone */
    WEFT_DOC_PAGE_BYTES = 1024 * 1024,         /* of the log read at once */
    WEFT_DOC_PAGE_OPS = 8192,                  /* or operations */
    WEFT_DOC_SEAL_BYTES = 4 * 1024 * 1024,     /* of operations after which some are sealed */
    WEFT_DOC_BEHIND_MAX = 10000,               /* operations a submit may be behind */
    WEFT_DOC_OPEN_BEHIND_MAX = 100000,         /* operations an open may be behind */
    WEFT_DOC_BEHIND_BYTES = 4 * 1024 * 1024,   /* of operations an open is answered with */
    WEFT_DOC_COMPOSE_BYTES = 16 * 1024 * 1024, /* of operations composed for that */
};

/* A connection that has the document open. */
struct weft_doc_subscriber {
    struct weft_list node;
    unsigned worker;
    uint64_t id;
    bool fenced; /* a newer connection has opened the document as the same client */
    bool has_presence;
    bool presence_dirty; /* to be sent at the end of the tick */
    uint8_t client_len;
    uint8_t sub_len;
    uint8_t client[WEFT_CLIENT_ID_MAX];
    uint8_t sub[255];
    struct weft_presence presence; /* at the committed version */
};

/* A walk over older parts of the log for one request (document_query.c). */
struct weft_doc_job;

/* Old records on their way into a segment (document_seal.c). */
struct weft_doc_seal;

struct weft_document {
    struct weft_map_node node;   /* in the hub's documents */
    struct weft_list dirty_node; /* in the hub's list of documents with presence to send */
    struct weft_hub *hub;
    struct weft_doc_key key;
    enum weft_doc_state state;
    const struct weft_ot_type *type; /* NULL before it is known */
    struct weft_store_state stored;

    void *head;      /* content at the head of the history */
    void *committed; /* content at |committed_version| */
    void *appending; /* content at |appended|, while an append is in flight */
    uint64_t committed_version;
    uint64_t appended; /* end of the append in flight; = committed_version when there is none */
    uint64_t time_ms;  /* of the last operation: never decreases */
    uint64_t snapshot_version;  /* of the newest snapshot that is stored or being stored */
    uint64_t snapshot_bytes;    /* of operations since then */
    uint64_t sealed;            /* versions up to here are in segments, at least */
    uint64_t seal_after;        /* counting from here: = sealed, or where sealing last failed */
    uint64_t seal_bytes;        /* of operations since some were sealed */
    struct weft_doc_seal *seal; /* under way, or NULL */
    uint64_t used_ns;           /* monotonic time of the last use */
    struct weft_history history;
    struct weft_client_table clients; /* at |committed_version| */

    struct weft_list waiting;     /* requests, while the document loads */
    struct weft_list blocked;     /* requests that wait for a commit */
    struct weft_list unsettled;   /* submits whose append did not end well */
    struct weft_list deleting;    /* deletes, until nothing of the document is at the store */
    struct weft_list subscribers; /* struct weft_doc_subscriber */
    struct weft_list jobs;        /* struct weft_doc_job */
    unsigned *worker_counts;      /* subscribers of each worker */
    unsigned subscriber_count;

    uint64_t reload_from; /* committed version when a reload began; 0 when none is going on */
    struct weft_store_request load; /* OPENING, SNAPSHOT, TAIL, DELETING */
    struct weft_store_request append;
    struct weft_store_request snapshot;
    bool append_busy;
    bool snapshot_busy;
    bool reloading;
    bool create; /* OPENING was asked to create it */
    char create_type[WEFT_STORE_TYPE_SIZE];
    char create_epoch[WEFT_STORE_EPOCH_SIZE + 1];
    struct weft_bytes record;         /* of the append in flight */
    struct weft_bytes snapshot_value; /* being stored */
};

/* A closed document. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__document_new(struct weft_hub *hub, const struct weft_doc_key *key,
                                     struct weft_document **ret_document);

/* Frees it. Nothing of it is at the store, and every request was answered. */
void weft__document_free(struct weft_document *document);

/* Takes |request| over: answers it now or later. */
void weft__document_request(struct weft_document *document, struct weft_doc_request *request);

/* Sends |request| back to its worker as its own answer. */
void weft__document_answer(struct weft_document *document, struct weft_doc_request *request);

/* True while it loads, or is deleted: OPENING, SNAPSHOT, TAIL, DELETING. Requests wait. */
bool weft__document_loading(const struct weft_document *document);

/* True while the store works for it. */
bool weft__document_busy(const struct weft_document *document);

/* True when nobody has it open, nothing waits and nothing is at the store. */
bool weft__document_idle(const struct weft_document *document);

/* ---- relay.c, on the other side of the mesh ---- */

/* Sends |delivery| to the relay of worker |to|. */
void weft__relay_deliver(struct weft_mesh_port *port, unsigned to, struct weft_delivery *delivery);

/* ---- document_load.c ---- */

/* Starts to load. |create| NULL, or the type to create it with if it does not exist. */
void weft__document_load(struct weft_document *document, const char *create);

/* Drops everything that is not known to be durable and loads again. */
void weft__document_reload(struct weft_document *document);

/* Answers every waiting request; called when loading has ended, well or not. */
void weft__document_loaded(struct weft_document *document, enum weft_doc_state state);

/* Forgets content and history, all of which the store has, or nobody any more. */
void weft__document_forget(struct weft_document *document);

/* ---- document_delete.c ---- */

/* A delete, on a document that is READY. */
void weft__document_delete(struct weft_document *document, struct weft_doc_request *request);

/* Deletes that wait begin when nothing is at the store any more. To be called when that may be. */
void weft__document_try_delete(struct weft_document *document);

/* Loading failed: deletes that wait are answered. */
void weft__document_refuse_deletes(struct weft_document *document);

/* ---- document_submit.c ---- */

/* A submit, on a document that is READY. */
void weft__document_submit(struct weft_document *document, struct weft_doc_request *request);

/* Makes the operation of |request|, at the head already, the newest one, and sees that it is
 * stored. Answers the request at once if that fails, else when it is durable. */
void weft__document_place(struct weft_document *document, struct weft_doc_request *request);

/* True while no more operations can be taken: requests wait in |blocked|. */
bool weft__document_full(const struct weft_document *document);

/* The newest operation of |client| that is not committed yet, or NULL. */
struct weft_doc_op *weft__document_pending(const struct weft_document *document,
                                           struct weft_slice client);

/* After a reload: settles each unsettled submit by what the log holds. */
void weft__document_settle(struct weft_document *document);

/* Sends the operation that leads to |version| to everybody but its author. */
void weft__document_broadcast(struct weft_document *document, const struct weft_doc_op *op);

/* ---- document_snapshot.c ---- */

/* Stores a snapshot of the committed state when at least |ops| operations or
 * WEFT_DOC_SNAPSHOT_BYTES came since the last one and none is being stored. */
void weft__document_snapshot(struct weft_document *document, uint64_t ops);

/* ---- document_seal.c ---- */

/* Begins to seal old records when there are at least as many operations of them as the hub wants in
 * a segment, or WEFT_DOC_SEAL_BYTES, and none are being sealed. */
void weft__document_seal(struct weft_document *document);

/* ---- document_subscribers.c ---- */

/* An open, on a document that is READY. */
void weft__document_open(struct weft_document *document, struct weft_doc_request *request);

/* Completes an open: answers it and adds the subscriber. |request->result| is written. */
void weft__document_subscribe(struct weft_document *document, struct weft_doc_request *request);

/* A close, or the end of a connection. */
void weft__document_unsubscribe(struct weft_document *document, unsigned worker, uint64_t id);

/* The subscriber, or NULL. */
struct weft_doc_subscriber *weft__document_subscriber(const struct weft_document *document,
                                                      unsigned worker, uint64_t id);

/* Sends |frame| to all workers with subscribers. |worker|, |except|: the subscription that gets
 * nothing (except 0: none). */
void weft__document_deliver(struct weft_document *document, enum weft_delivery_kind kind,
                            struct weft_buf *frame, unsigned worker, uint64_t except);

/* Ends every subscription with doc.closed. */
void weft__document_close_all(struct weft_document *document, const char *reason, bool reopen);

/* ---- document_presence.c ---- */

void weft__document_presence(struct weft_document *document, struct weft_doc_request *request);

/* Moves everybody's selections over a committed operation. */
void weft__document_presence_transform(struct weft_document *document,
                                       const struct weft_doc_op *op);

/* Sends what changed in this tick. */
void weft__document_presence_flush(struct weft_document *document);

/* Tells a new subscriber who is there. */
void weft__document_presence_greet(struct weft_document *document, unsigned worker, uint64_t id);

/* Tells everybody that |subscriber| is gone. */
void weft__document_presence_left(struct weft_document *document,
                                  const struct weft_doc_subscriber *subscriber);

/* ---- document_query.c ---- */

/* Walks the log for |request|: an open or a submit from before the history, a fetch of an old
 * version, a page of the history, two versions to be compared, one to be restored. */
void weft__document_query(struct weft_document *document, struct weft_doc_request *request);

/* Opens of this subscription that still walk must not subscribe it: it is gone. */
void weft__document_query_forget(struct weft_document *document, unsigned worker, uint64_t id);

/* A fetch, on a document that is READY. */
void weft__document_fetch(struct weft_document *document, struct weft_doc_request *request);

#endif
