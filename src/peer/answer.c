/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the form the application sees: one allocation with all strings behind the struct. */
#include "peer/answer.h"

#include "base/assert.h"

#include <stdatomic.h>

#define ANSWER_MAGIC 0x77616e73u

struct answer_box {
    const struct weft_alloc *alloc;
    size_t size;
    unsigned magic;
    atomic_uint refs; /* the callback that is told of it, and who keeps it on another thread */
    struct weft_answer answer;
    char text[];
};

/* What is delivered when there is no memory for the real one. It ran, or may have. */
static const struct weft_answer no_memory = {
    .status = WEFT_STATUS_RESOURCE_EXHAUSTED,
    .message = "out of memory: the answer could not be kept",
    .reason = "weft.client.memory",
    .data = "",
};

static struct answer_box *box_of(const struct weft_answer *answer)
{
    struct answer_box *box = WEFT_CONTAINER_OF((uintptr_t)answer, struct answer_box, answer);
    WEFT_ASSERT(box->magic == ANSWER_MAGIC);
    return box;
}

/* Appends |s| and a zero byte at |*at|. */
static const char *put(char **at, struct weft_slice s)
{
    char *begin = *at;
    weft__mem_copy(begin, s.ptr, s.len);
    begin[s.len] = '\0';
    *at = begin + s.len + 1;
    return begin;
}

static int executed_of(enum weft_rpc_executed executed)
{
    if (executed == WEFT_RPC_EXECUTED_NO)
        return WEFT_EXECUTED_NO;
    return executed == WEFT_RPC_EXECUTED_YES ? WEFT_EXECUTED_YES : WEFT_EXECUTED_UNKNOWN;
}

const struct weft_answer *weft__answer_new(const struct weft_alloc *alloc,
                                           const struct weft_rpc_answer *from)
{
    const struct weft_rpc_error *error = &from->error;
    struct weft_slice result = weft__json_raw(from->result);
    struct weft_slice data = weft__json_raw(error->data);
    /* All of these are parts of one message, so the sum does not overflow. */
    size_t size = sizeof(struct answer_box) + result.len + data.len + error->message.len +
                  error->reason.len + 4;
    struct answer_box *box = weft__mem_alloc(alloc, size);
    if (!box)
        return &no_memory;
    box->alloc = alloc;
    box->size = size;
    box->magic = ANSWER_MAGIC;
    atomic_init(&box->refs, 1);
    char *at = box->text;
    box->answer = (struct weft_answer){
        .status = from->result ? 0 : error->status,
        .result = from->result ? put(&at, result) : NULL,
        .result_len = result.len,
        .message = put(&at, error->message),
        .reason = put(&at, error->reason),
        .data = put(&at, data),
        .data_len = data.len,
        .executed = from->result ? WEFT_EXECUTED_YES : executed_of(error->executed),
        .retryable = error->retryable,
        .retry_after_ms = error->retry_after_ms,
    };
    return &box->answer;
}

/* Gives up one reference. */
static void unref(struct answer_box *box)
{
    if (atomic_fetch_sub(&box->refs, 1) == 1)
        weft__mem_free(box->alloc, box, box->size);
}

struct weft_answer *weft__answer_keep(const struct weft_answer *answer)
{
    if (answer == &no_memory)
        return NULL;
    struct answer_box *box = box_of(answer);
    atomic_fetch_add(&box->refs, 1);
    return &box->answer;
}

void weft__answer_drop(const struct weft_answer *answer)
{
    if (answer != &no_memory)
        unref(box_of(answer));
}

void weft_answer_free(struct weft_answer *answer)
{
    if (answer)
        unref(box_of(answer));
}

struct weft_rpc_answer weft__answer_local(int status, const char *reason, const char *message)
{
    return (struct weft_rpc_answer){.error = {
                                        .status = status,
                                        .number = weft_status_jsonrpc(status),
                                        .message = weft__slice_str(message),
                                        .reason = weft__slice_str(reason),
                                        .executed = WEFT_RPC_EXECUTED_NO,
                                    }};
}
