/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and notifications on their way from any thread to the RPC peer, and back. */
#include "base/utf8.h"
#include "client/client_internal.h"

static struct weft_slice method_of(const struct weft_client_request *request)
{
    return weft__slice(request->text.ptr, request->method_len);
}

static struct weft_slice params_of(const struct weft_client_request *request)
{
    return weft__slice(request->text.ptr + request->method_len,
                       request->text.len - request->method_len);
}

void weft__client_request_init(struct weft_client_request *request, struct weft_client *client,
                               const char *method, uint32_t timeout_ms,
                               weft_client_request_fn *done)
{
    *request = (struct weft_client_request){
        .client = client,
        .method_len = strlen(method),
        .timeout_ms = timeout_ms ? timeout_ms : client->options.call_timeout_ms,
        .done = done,
    };
    weft__bytes_init(&request->text, client->alloc, SIZE_MAX);
    weft__bytes_append_str(&request->text, method);
}

void weft__client_request_done(struct weft_client_request *request)
{
    weft__bytes_done(&request->text);
}

/* ---- On the loop's thread ---- */

static void request_answered(void *ctx, const struct weft_rpc_answer *answer)
{
    struct weft_client_request *request = ctx;
    request->done(request, answer);
}

static void run_call(struct weft_client_request *request)
{
    struct weft_client *client = request->client;
    const struct weft_rpc_call_options options = {
        .method = method_of(request),
        .params = params_of(request),
        .meta = {.has_timeout = true, .timeout_ms = request->timeout_ms},
        .answer = request_answered,
        .ctx = request,
    };
    struct weft_rpc_answer answer = weft__answer_local(
        WEFT_STATUS_UNAVAILABLE, "weft.client.closed", "the connection is closed");
    bool accepting = atomic_load(&client->accepting);
    if (accepting && client->leaving)
        answer = weft__answer_local(WEFT_STATUS_UNAVAILABLE, "weft.draining",
                                    "the server is shutting down");
    else if (accepting && (!request->admit || request->admit(request, &answer))) {
        int err = weft__rpc_peer_call(&client->session.peer, &options,
                                      weft__loop_now_ns(client->loop), NULL);
        if (!err)
            return;
        answer = weft__answer_local(weft_status_from_err(err), "", weft_err_message(err));
    }
    request->done(request, &answer);
}

static void run_notification(struct weft_client_request *request)
{
    struct weft_client *client = request->client;
    int err = 0;
    if (atomic_load(&client->accepting))
        err = weft__rpc_peer_notify(&client->session.peer, method_of(request), params_of(request));
    /* A notification that cannot be sent would be a silent hole. */
    if (err)
        weft__client_fail(client, weft_err_message(err));
    weft__client_request_done(request);
    weft__mem_free(client->alloc, request, request->size);
}

static void request_run(struct weft_task *task)
{
    struct weft_client_request *request = WEFT_CONTAINER_OF(task, struct weft_client_request, task);
    if (request->done)
        run_call(request);
    else
        run_notification(request);
}

/* ---- On any thread ---- */

int weft__client_request_start(struct weft_client_request *request)
{
    struct weft_client *client = request->client;
    int err = weft__bytes_error(&request->text);
    if (err)
        return err;
    if (!atomic_load(&client->accepting))
        return WEFT_ERR_CLOSED;
    /* The server would end the connection for a message over its limit. */
    if (!weft__domain_takes(client->domain, request->text.len))
        return WEFT_ERR_TOO_BIG;
    weft__task_init(&request->task, request_run);
    return weft__domain_post(client->domain, &request->task) ? 0 : WEFT_ERR_CLOSED;
}

/* Whether |params| may stand in a call: absent, a JSON array or an object. */
static int check_params(const struct weft_client *client, const char *params)
{
    struct weft_arena arena;
    const struct weft_json *value;
    if (!params)
        return 0;
    weft__arena_init(&arena, client->alloc, SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(params), &arena, NULL, NULL, &value);
    if (!err && !weft__json_is(value, WEFT_JSON_ARRAY) && !weft__json_is(value, WEFT_JSON_OBJECT))
        err = WEFT_ERR_USAGE;
    weft__arena_done(&arena);
    return err;
}

static int check(const struct weft_client *client, const char *method, const char *params)
{
    if (!method || !*method)
        return WEFT_ERR_USAGE;
    if (!weft__utf8_valid((const uint8_t *)method, strlen(method)))
        return WEFT_ERR_UTF8;
    return check_params(client, params);
}

struct public_call {
    struct weft_client_request request;
    weft_answer_fn *answer;
    void *ctx;
};

static void public_done(struct weft_client_request *request, const struct weft_rpc_answer *from)
{
    struct public_call *call = WEFT_CONTAINER_OF(request, struct public_call, request);
    const struct weft_alloc *alloc = request->client->alloc;
    if (call->answer) {
        const struct weft_answer *answer = weft__answer_new(alloc, from);
        call->answer(call->ctx, answer);
        weft__answer_drop(answer);
    }
    weft__client_request_done(request);
    weft__mem_free(alloc, call, sizeof(*call));
}

int weft_client_call(struct weft_client *client, const char *method, const char *params,
                     uint32_t timeout_ms, weft_answer_fn *answer, void *ctx)
{
    int err = check(client, method, params);
    if (err)
        return err;
    struct public_call *call = weft__mem_zalloc(client->alloc, sizeof(*call));
    if (!call)
        return WEFT_ERR_NOMEM;
    call->answer = answer;
    call->ctx = ctx;
    weft__client_request_init(&call->request, client, method, timeout_ms, public_done);
    weft__bytes_append_str(&call->request.text, params ? params : "");
    err = weft__client_request_start(&call->request);
    if (err) {
        weft__client_request_done(&call->request);
        weft__mem_free(client->alloc, call, sizeof(*call));
    }
    return err;
}

int weft_client_notify(struct weft_client *client, const char *method, const char *params)
{
    int err = check(client, method, params);
    if (err)
        return err;
    struct weft_client_request *request = weft__mem_zalloc(client->alloc, sizeof(*request));
    if (!request)
        return WEFT_ERR_NOMEM;
    weft__client_request_init(request, client, method, 0, NULL);
    request->size = sizeof(*request);
    weft__bytes_append_str(&request->text, params ? params : "");
    err = weft__client_request_start(request);
    if (err) {
        weft__client_request_done(request);
        weft__mem_free(client->alloc, request, sizeof(*request));
    }
    return err;
}

struct waiting_call {
    struct weft_wait wait;
    struct weft_answer *answer; /* NULL: there was no memory for it */
};

static void waiting_answered(void *ctx, const struct weft_answer *answer)
{
    struct waiting_call *waiting = ctx;
    waiting->answer = weft__answer_keep(answer);
    weft__wait_tell(&waiting->wait);
}

int weft_client_call_wait(struct weft_client *client, const char *method, const char *params,
                          uint32_t timeout_ms, struct weft_answer **ret_answer)
{
    struct waiting_call waiting = {.answer = NULL};
    if (weft__client_on_loop(client))
        return WEFT_ERR_STATE;
    weft__wait_init(&waiting.wait);
    int err = weft_client_call(client, method, params, timeout_ms, waiting_answered, &waiting);
    if (!err) {
        weft__wait_for(&waiting.wait);
        if (waiting.answer)
            *ret_answer = waiting.answer;
        else
            err = WEFT_ERR_NOMEM;
    }
    weft__wait_done(&waiting.wait);
    return err;
}
