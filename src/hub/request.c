/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death of requests and deliveries. */
#include "hub/request.h"

#include "base/assert.h"

void weft__doc_key_set(struct weft_doc_key *key, struct weft_slice tenant, struct weft_slice name)
{
    WEFT_ASSERT(tenant.len <= 255 && name.len > 0 && name.len <= 255);
    memset(key, 0, offsetof(struct weft_doc_key, text));
    key->tenant_len = (uint8_t)tenant.len;
    key->name_len = (uint16_t)name.len;
    weft__mem_copy(key->text, tenant.ptr, tenant.len);
    weft__mem_copy(key->text + tenant.len, name.ptr, name.len);
}

struct weft_doc_request *weft__doc_request_new(const struct weft_alloc *alloc,
                                               enum weft_doc_request_kind kind)
{
    struct weft_doc_request *request = weft__mem_zalloc(alloc, sizeof(*request));
    if (!request)
        return NULL;
    request->alloc = alloc;
    request->kind = kind;
    weft__list_init(&request->node);
    weft__bytes_init(&request->result, alloc, SIZE_MAX);
    return request;
}

void weft__doc_request_free(struct weft_doc_request *request)
{
    if (!request)
        return;
    WEFT_ASSERT(!request->call);
    const struct weft_ot_type *type = weft__ot_type_find(weft__slice_str(request->type));
    if (request->op && type)
        type->op_free(request->op);
    weft__bytes_done(&request->result);
    weft__mem_free(request->alloc, request, sizeof(*request));
}

void weft__doc_request_fail(struct weft_doc_request *request, int status, const char *reason,
                            const char *text)
{
    request->status = status;
    request->reason = reason;
    request->text = text;
}

struct weft_delivery *weft__delivery_new(const struct weft_alloc *alloc,
                                         enum weft_delivery_kind kind,
                                         const struct weft_doc_key *key,
                                         struct weft_ws_message *content)
{
    struct weft_delivery *delivery = weft__mem_zalloc(alloc, sizeof(*delivery));
    if (!delivery)
        return NULL;
    delivery->alloc = alloc;
    delivery->kind = kind;
    delivery->key = *key;
    delivery->content = weft__ws_message_ref(content);
    return delivery;
}

void weft__delivery_free(struct weft_delivery *delivery)
{
    weft__ws_message_unref(delivery->content);
    weft__mem_free(delivery->alloc, delivery, sizeof(*delivery));
}
