/* SPDX-License-Identifier: Apache-2.0 */
/* What all stores have in common: checks of requests, tokens, destructors of what is handed out. */
#include "port/store.h"

enum { KEY_PART_MAX = 255 };

static bool is_epoch(const char *epoch)
{
    size_t len = epoch ? strlen(epoch) : 0;
    return len == WEFT_STORE_EPOCH_SIZE && strspn(epoch, "0123456789abcdef") == len;
}

static bool open_is_fine(const struct weft_store_request *request)
{
    const char *type = request->u.open.create_type;
    if (!type)
        return true;
    size_t len = strlen(type);
    return len >= 1 && len < WEFT_STORE_TYPE_SIZE && is_epoch(request->u.open.create_epoch);
}

static int append_check(const struct weft_store *store, const struct weft_store_request *request)
{
    uint64_t end;
    if (request->u.append.count == 0 ||
        WEFT_ADD_OVERFLOW(request->u.append.first, request->u.append.count, &end) ||
        end > INT64_MAX)
        return WEFT_ERR_USAGE;
    return request->u.append.record.len > store->max_record ? WEFT_ERR_TOO_BIG : 0;
}

static int seal_check(const struct weft_store *store, const struct weft_store_request *request)
{
    if (!is_epoch(request->u.seal.epoch) || request->u.seal.from >= request->u.seal.to ||
        request->u.seal.to > INT64_MAX)
        return WEFT_ERR_USAGE;
    return request->u.seal.segment.len > store->max_record ? WEFT_ERR_TOO_BIG : 0;
}

void weft__store_count_seal(struct weft_store *store, const struct weft_store_request *request)
{
    atomic_fetch_add_explicit(&store->seals, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->sealed_from, request->u.seal.ret_bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->sealed_to, request->u.seal.segment.len, memory_order_relaxed);
}

int weft__store_request_check(const struct weft_store *store,
                              const struct weft_store_request *request)
{
    size_t shortest = request->kind == WEFT_STORE_LIST ? 0 : 1;
    bool fine = true;
    if (request->key.tenant.len > KEY_PART_MAX || request->key.name.len > KEY_PART_MAX ||
        request->key.name.len < shortest)
        return WEFT_ERR_USAGE;
    switch (request->kind) {
    case WEFT_STORE_OPEN:
        fine = open_is_fine(request);
        break;
    case WEFT_STORE_APPEND:
        return append_check(store, request);
    case WEFT_STORE_SEAL:
        return seal_check(store, request);
    case WEFT_STORE_PUT_SNAPSHOT:
        fine = request->u.put_snapshot.version > 0;
        break;
    case WEFT_STORE_LIST:
        fine = request->u.list.limit > 0 && request->u.list.after.len <= KEY_PART_MAX;
        break;
    case WEFT_STORE_READ:
    case WEFT_STORE_GET_SNAPSHOT:
    case WEFT_STORE_PURGE:
        break;
    default:
        fine = false;
    }
    return fine ? 0 : WEFT_ERR_USAGE;
}

uint64_t weft__store_token(const char *epoch, uint64_t version)
{
    uint64_t bits = 0;
    for (; *epoch; epoch++)
        bits = bits << 4 | (uint64_t)(*epoch <= '9' ? *epoch - '0' : *epoch - 'a' + 10);
    /* Epochs are random, so the runs of tokens of two of them do not meet. */
    return bits + version;
}

void weft__store_record_free(const struct weft_alloc *alloc, struct weft_store_record *record)
{
    if (!record)
        return;
    weft__buf_unref(record->content);
    weft__mem_free(alloc, record, sizeof(*record));
}

void weft__store_name_free(const struct weft_alloc *alloc, struct weft_store_name *name)
{
    if (!name)
        return;
    weft__buf_unref(name->name);
    weft__mem_free(alloc, name, sizeof(*name));
}
