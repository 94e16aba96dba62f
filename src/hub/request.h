/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What travels between a connection's worker and a document's owner.
 *
 * A *request* goes to the owner and comes back as its own answer; whichever side has it owns it.
 *
 *   service ── message ──► document … document ── message ──► service: answers the call, frees it
 *
 * A *delivery* goes from the owner to each worker with subscribers, one message for all of them.
 */
#ifndef WEFT_HUB_REQUEST_H
#define WEFT_HUB_REQUEST_H

#include "base/buf.h"
#include "hub/client_table.h"
#include "hub/mesh.h"
#include "hub/presence.h"
#include "port/store.h"
#include "ws/message.h"

struct weft_hub;
struct weft_rpc_call;

/* A document's tenant and name, stored inside whatever embeds it. */
struct weft_doc_key {
    uint8_t tenant_len;
    uint16_t name_len;
    uint8_t text[255 + 255]; /* tenant, then name */
};

/* Neither part is longer than 255 bytes: names were checked, tenants come from principals. */
void weft__doc_key_set(struct weft_doc_key *key, struct weft_slice tenant, struct weft_slice name);

static inline struct weft_slice weft__doc_key_tenant(const struct weft_doc_key *key)
{
    return weft__slice(key->text, key->tenant_len);
}

static inline struct weft_slice weft__doc_key_name(const struct weft_doc_key *key)
{
    return weft__slice(key->text + key->tenant_len, key->name_len);
}

static inline struct weft_store_key weft__doc_key_store(const struct weft_doc_key *key)
{
    return (struct weft_store_key){weft__doc_key_tenant(key), weft__doc_key_name(key)};
}

/* All of it, as a map's key: the tenant cannot run into the name because its length leads. */
static inline struct weft_slice weft__doc_key_bytes(const struct weft_doc_key *key)
{
    return weft__slice(key, offsetof(struct weft_doc_key, text) + key->tenant_len + key->name_len);
}

enum weft_doc_request_kind {
    WEFT_DOC_OPEN,
    WEFT_DOC_SUBMIT,
    WEFT_DOC_FETCH,
    WEFT_DOC_HISTORY,
    WEFT_DOC_DIFF,
    WEFT_DOC_RESTORE,
    WEFT_DOC_PRESENCE,
    WEFT_DOC_CLOSE,
    WEFT_DOC_DELETE,
};

struct weft_doc_request {
    struct weft_mesh_message message;
    struct weft_list node; /* one of the document's lists */
    const struct weft_alloc *alloc;
    /* Runs on the asking worker, with its hub, when the answer is there; frees the request. */
    void (*done)(struct weft_hub *hub, struct weft_doc_request *request);
    enum weft_doc_request_kind kind;
    struct weft_doc_key key;

    /* Who asks. */
    unsigned worker;            /* of the connection */
    uint64_t subscription;      /* its id there; 0 for fetch and history */
    struct weft_rpc_call *call; /* touched on that worker only; NULL: nobody waits */
    uint8_t sub_len;
    uint8_t client_len;
    uint8_t sub[255];
    uint8_t client[WEFT_CLIENT_ID_MAX];

    /* What is asked. */
    bool has_epoch;
    bool has_version;
    bool create; /* OPEN */
    char epoch[WEFT_STORE_EPOCH_SIZE + 1];
    char type[WEFT_STORE_TYPE_SIZE]; /* OPEN; "" = whatever it is. SUBMIT: that of |op| */
    uint64_t version;                /* the state it speaks of */
    uint64_t from;                   /* HISTORY, DIFF: what came after this version */
    uint64_t limit;                  /* HISTORY: operations at most */
    uint64_t seq;                    /* SUBMIT */
    uint64_t hash;                   /* SUBMIT: of the operation as received */
    uint64_t base_version;           /* SUBMIT: |version| as received; it moves in catch-up */
    uint64_t flags;                  /* of the operation: WEFT_RECORD_FLAG_… */
    void *op;                        /* SUBMIT, RESTORE: owned, of the type */
    struct weft_presence presence;   /* PRESENCE */
    bool has_presence;               /* PRESENCE: false = taken back */

    /* The answer: an error unless status is WEFT_STATUS_OK. Texts are static. */
    int status;
    const char *reason;
    const char *text;
    bool executed_unknown;
    struct weft_bytes result; /* JSON */
};

/* A request with an empty answer. NULL when out of memory. */
struct weft_doc_request *weft__doc_request_new(const struct weft_alloc *alloc,
                                               enum weft_doc_request_kind kind);

/* NULL is allowed. The call must have been answered. */
void weft__doc_request_free(struct weft_doc_request *request);

static inline struct weft_slice weft__doc_request_client(const struct weft_doc_request *request)
{
    return weft__slice(request->client, request->client_len);
}

static inline struct weft_slice weft__doc_request_sub(const struct weft_doc_request *request)
{
    return weft__slice(request->sub, request->sub_len);
}

/* Makes the answer an error. |reason| may be NULL; both static. */
void weft__doc_request_fail(struct weft_doc_request *request, int status, const char *reason,
                            const char *text);

enum weft_delivery_kind {
    WEFT_DELIVERY_OP,
    WEFT_DELIVERY_PRESENCE, /* who reads slowly does without: a newer one will follow */
    WEFT_DELIVERY_LEFT,     /* the end of somebody's presence */
    WEFT_DELIVERY_CLOSED,   /* the document was closed by its owner: subscriptions end */
};

struct weft_delivery {
    struct weft_mesh_message message;
    const struct weft_alloc *alloc;
    enum weft_delivery_kind kind;
    struct weft_doc_key key;
    uint64_t except;                 /* a subscription of that worker that gets nothing; 0 = none */
    uint64_t only;                   /* the one subscription that gets it; 0 = all */
    struct weft_ws_message *content; /* a reference */
};

/* NULL when out of memory. Takes a reference to |content|. */
struct weft_delivery *weft__delivery_new(const struct weft_alloc *alloc,
                                         enum weft_delivery_kind kind,
                                         const struct weft_doc_key *key,
                                         struct weft_ws_message *content);

void weft__delivery_free(struct weft_delivery *delivery);

#endif
