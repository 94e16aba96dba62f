/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The durable store of documents, as an interface. It knows nothing of operations: a record is a
 * run of bytes that covers the versions (first, first + count], a snapshot is a run of bytes that
 * stands for one version. Both carry their own format version and checksum (hub/record.h,
 * hub/snapshot.h).
 *
 *   worker ── submit request ──► store thread ── commit, fsync ──► done(request) on the worker
 *
 * Every call is a request object embedded in the caller's own: it is filled in, submitted, and its
 * |done| runs once on the loop of |exec|, with |result| set. Everything a request points at must
 * live, unchanged, until then. A request sees everything whose done ran before it was submitted;
 * requests that are at the store together may be carried out in any order.
 *
 * Acknowledged means durable: |done| with result 0 is called only after the data was synced.
 *
 * A |token| stands for the state of a document's log. An append with a token that is no longer the
 * present one is WEFT_ERR_CONFLICT: two owners can never both append. WEFT_ERR_STORE from an append
 * means that the outcome is unknown: the caller opens the document again and looks.
 */
#ifndef WEFT_PORT_STORE_H
#define WEFT_PORT_STORE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "port/exec.h"

#include <stdatomic.h>
#include <weft/err.h>

enum {
    WEFT_STORE_EPOCH_SIZE = 16, /* hexadecimal digits of 64 random bits */
    WEFT_STORE_TYPE_SIZE = 16,  /* longest type name, with its terminating zero */
};

/* A document's name within its tenant. The tenant leads every key; it comes from the principal. */
struct weft_store_key {
    struct weft_slice tenant; /* 0–255 bytes; empty is the default tenant */
    struct weft_slice name;   /* 1–255 bytes */
};

/* What the store knows of a document. */
struct weft_store_state {
    char epoch[WEFT_STORE_EPOCH_SIZE + 1];
    char type[WEFT_STORE_TYPE_SIZE];
    uint64_t version;          /* operations since creation */
    uint64_t oldest;           /* versions after this one can still be read singly */
    uint64_t snapshot_version; /* of the newest snapshot; 0 when there is none */
    uint64_t token;            /* opaque */
};

enum weft_store_kind {
    WEFT_STORE_OPEN,         /* state of the document; creates it when asked to */
    WEFT_STORE_APPEND,       /* one record at the end of the log */
    WEFT_STORE_READ,         /* records that cover a range of versions */
    WEFT_STORE_SEAL,         /* one record in the place of several that it says the same as */
    WEFT_STORE_PUT_SNAPSHOT, /* replaces older snapshots */
    WEFT_STORE_GET_SNAPSHOT, /* the newest one */
    WEFT_STORE_LIST,         /* names by prefix, in byte order, paged */
    WEFT_STORE_PURGE,        /* removes the document and everything of it */
};

struct weft_store_request {
    /* Set by the caller. */
    enum weft_store_kind kind;
    const struct weft_exec *exec;
    void (*done)(struct weft_store_request *request);
    struct weft_store_key key; /* LIST: tenant, and the prefix as name (may be empty) */

    union {
        struct {
            const char *create_type;  /* NULL: a missing document is WEFT_ERR_NOT_FOUND */
            const char *create_epoch; /* 16 hexadecimal digits, used when it is created */
            bool ret_created;
        } open; /* result in state */
        struct {
            uint64_t token;
            uint64_t first; /* the version before the record's first operation */
            uint64_t count; /* operations in the record, at least 1 */
            struct weft_slice record;
            uint64_t ret_token;
        } append;
        struct {
            uint64_t from;      /* records that hold versions > from */
            uint64_t to;        /* and ≤ to */
            size_t max_bytes;   /* stop after this many bytes, but give at least one record */
            uint64_t max_count; /* the same for operations; 0: no limit */
            struct weft_list ret_records; /* of struct weft_store_record, in order; the caller's */
            bool ret_more;                /* stopped early */
        } read;
        struct {
            const char *epoch; /* of the document as it was read; another is WEFT_ERR_CONFLICT */
            uint64_t from;     /* where a record begins */
            uint64_t to;       /* where one ends; else WEFT_ERR_USAGE */
            struct weft_slice segment; /* stands for the versions (from, to] from now on */
            uint64_t ret_records;      /* that it replaced */
            uint64_t ret_bytes;        /* of them */
        } seal;
        struct {
            uint64_t version;
            struct weft_slice content;
        } put_snapshot;
        struct {
            uint64_t ret_version;
            struct weft_buf *ret_content; /* a reference, the caller's */
        } get_snapshot;
        struct {
            struct weft_slice after;    /* names greater than this one; empty from the start */
            size_t limit;               /* names at most, at least 1 */
            struct weft_list ret_names; /* of struct weft_store_name; the caller's */
            bool ret_more;
        } list;
    } u;

    /* Set by the store before done. */
    int result; /* 0 or a negative enum weft_err */
    struct weft_store_state state;

    /* The store's own. */
    struct weft_task task;
    struct weft_list node;
    void *owner;
};

/* One record that was read. Freed with weft__store_record_free. */
struct weft_store_record {
    struct weft_list node;
    uint64_t first;
    uint64_t count;
    struct weft_buf *content;
};

/* One name that was listed. Freed with weft__store_name_free. */
struct weft_store_name {
    struct weft_list node;
    struct weft_store_state state;
    struct weft_buf *name;
};

struct weft_store;

struct weft_store_ops {
    /* Takes |request| over until its done. Never blocks. **Thread:** any worker. */
    void (*submit)(struct weft_store *store, struct weft_store_request *request);
    /* Finishes every submitted request, closes, frees. No loop needs to run for it: tasks not yet
     * delivered are still posted. **Thread:** the one that made the store. */
    void (*free)(struct weft_store *store);
};

/* What every implementation begins with. */
struct weft_store {
    const struct weft_store_ops *ops;
    const char *name;       /* "sqlite", "memory" */
    const char *durability; /* "fsync", "none": said in the greeting and by readiness checks */
    size_t max_record;      /* bytes */
    /* Counters for metrics, read with relaxed loads by any thread. */
    _Atomic uint64_t commits;     /* transactions that were synced */
    _Atomic uint64_t records;     /* records appended */
    _Atomic uint64_t bytes;       /* bytes of those records */
    _Atomic uint64_t failed;      /* appends that ended with an error */
    _Atomic uint64_t seals;       /* records that replaced others */
    _Atomic uint64_t sealed_from; /* bytes of those others */
    _Atomic uint64_t sealed_to;   /* bytes that took their place */
    /* The last write was refused by the disk: full, read-only, broken. Any thread; whoever sends
     * writers away because of it clears it from time to time, since only a write can. */
    atomic_bool refusing;
};

static inline void weft__store_submit(struct weft_store *store, struct weft_store_request *request)
{
    store->ops->submit(store, request);
}

static inline void weft__store_free(struct weft_store *store)
{
    if (store)
        store->ops->free(store);
}

/* Counts a seal that was carried out. */
void weft__store_count_seal(struct weft_store *store, const struct weft_store_request *request);

/* Whether |request| keeps to what is said above: sizes of names, at least one operation, a record
 * of at most max_record. Every implementation asks this first. **Errors:** WEFT_ERR_USAGE,
 * WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE int weft__store_request_check(const struct weft_store *store,
                                            const struct weft_store_request *request);

/* The token of a document created with |epoch|, 16 hexadecimal digits, that is at |version|. No two
 * states have the same one, not even after the document was purged and created again. */
uint64_t weft__store_token(const char *epoch, uint64_t version);

void weft__store_record_free(const struct weft_alloc *alloc, struct weft_store_record *record);
void weft__store_name_free(const struct weft_alloc *alloc, struct weft_store_name *name);

#endif
