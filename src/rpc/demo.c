/* SPDX-License-Identifier: Apache-2.0 */
/* The development methods. Whole numbers are added as such; a double comes in only when it must. */
#include "rpc/demo.h"

#include "rpc/peer.h"

#include <math.h>

enum { NAP_MAX_MS = 60000 };

/* A sum under way: exact while it is whole and fits. */
struct total {
    bool exact;
    int64_t whole;
    double real;
};

static void refuse_params(struct weft_rpc_call *call, const char *field, const char *rule)
{
    struct weft_rpc_violation violation = {.field = field, .rule = rule};
    weft__rpc_call_fail(call, &(struct weft_rpc_failure){.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                         .message = "Invalid params",
                                                         .violations = &violation,
                                                         .violation_count = 1});
}

/* Adds |number|, or takes it away; false when it is none. */
static bool accumulate(struct total *total, const struct weft_json *number, bool subtract)
{
    double real;
    int64_t whole;
    if (!weft__json_double(number, &real))
        return false;
    total->real += subtract ? -real : real;
    total->exact = total->exact && weft__json_i64(number, &whole) &&
                   !(subtract ? WEFT_SUB_OVERFLOW(total->whole, whole, &total->whole)
                              : WEFT_ADD_OVERFLOW(total->whole, whole, &total->whole));
    return true;
}

static void answer_total(struct weft_rpc_call *call, const struct total *total)
{
    if (!total->exact && !isfinite(total->real)) {
        weft__rpc_call_error(call, WEFT_STATUS_OUT_OF_RANGE, NULL, "the result is no number");
        return;
    }
    struct weft_rpc_reply reply;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    if (total->exact)
        weft__json_put_i64(w, total->whole);
    else
        weft__json_put_double(w, total->real);
    weft__rpc_reply_send(&reply);
}

static void subtract(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    const struct weft_json *params = weft__rpc_call_params(call);
    bool named = weft__json_is(params, WEFT_JSON_OBJECT);
    const struct weft_json *minuend =
        named ? weft__json_get(params, "minuend") : weft__json_at(params, 0);
    const struct weft_json *subtrahend =
        named ? weft__json_get(params, "subtrahend") : weft__json_at(params, 1);
    struct total total = {.exact = true};
    if (weft__json_count(params) != 2)
        refuse_params(call, "", "two parameters");
    else if (!accumulate(&total, minuend, false))
        refuse_params(call, "minuend", "number");
    else if (!accumulate(&total, subtrahend, true))
        refuse_params(call, "subtrahend", "number");
    else
        answer_total(call, &total);
}

static void sum(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    const struct weft_json *params = weft__rpc_call_params(call);
    struct total total = {.exact = true};
    if (!weft__json_is(params, WEFT_JSON_ARRAY)) {
        refuse_params(call, "", "array");
        return;
    }
    WEFT_JSON_EACH (number, params) {
        if (!accumulate(&total, number, false)) {
            refuse_params(call, "", "numbers");
            return;
        }
    }
    answer_total(call, &total);
}

static void get_data(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    if (weft__json_count(weft__rpc_call_params(call)) > 0)
        refuse_params(call, "", "no parameters");
    else
        weft__rpc_call_result(call, WEFT_SLICE_LIT("[\"hello\",5]"));
}

/* update and notify_hello: of interest only because nothing comes back when they are notified. */
static void accept_anything(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
}

static void echo(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    const struct weft_json *params = weft__rpc_call_params(call);
    weft__rpc_call_result(call, params ? weft__json_raw(params) : WEFT_SLICE_LIT("null"));
}

/* ---- demo.sleep ---- */

struct nap {
    struct weft_timer timer;
    struct weft_rpc_call *call;
    const struct weft_alloc *alloc;
};

static void end_nap(struct nap *nap)
{
    struct weft_rpc_call *call = nap->call;
    weft__mem_free(nap->alloc, nap, sizeof(*nap));
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
}

static void nap_over(struct weft_timer *timer)
{
    end_nap(WEFT_CONTAINER_OF(timer, struct nap, timer));
}

static void nap_unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    struct nap *nap = ctx;
    weft__timer_stop(call->env->wheel, &nap->timer);
    if (status == WEFT_STATUS_CANCELED)
        weft__rpc_call_error(call, WEFT_STATUS_CANCELED, NULL, NULL);
    else
        weft__rpc_call_drop(call);
    weft__mem_free(nap->alloc, nap, sizeof(*nap));
}

static void nap(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    const struct weft_alloc *alloc = call->env->alloc;
    uint64_t ms;
    if (!weft__json_u53(weft__json_at(weft__rpc_call_params(call), 0), &ms) || ms > NAP_MAX_MS) {
        refuse_params(call, "", "[milliseconds], at most a minute");
        return;
    }
    struct nap *nap = weft__mem_alloc(alloc, sizeof(*nap));
    if (!nap || weft__rpc_call_defer(call, nap_unwanted, nap)) {
        weft__mem_free(alloc, nap, sizeof(*nap));
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, NULL, NULL);
        return;
    }
    *nap = (struct nap){.call = call, .alloc = alloc};
    weft__timer_init(&nap->timer, nap_over);
    weft__timer_start(call->env->wheel, &nap->timer, call->now_ns + ms * WEFT_NS_PER_MS);
}

/* A result that differs each time, to see that a call with an idempotency key runs once. */
static void serial(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_reply reply;
    weft__json_put_u64(weft__rpc_reply_begin(&reply, call), call->env->counters.calls);
    weft__rpc_reply_send(&reply);
}

int weft__rpc_demo_register(struct weft_rpc_registry *registry)
{
    static const struct weft_rpc_method methods[] = {
        {.name = "subtract", .handler = subtract, .summary = "the difference of two numbers"},
        {.name = "sum", .handler = sum, .summary = "the sum of numbers"},
        {.name = "get_data", .handler = get_data, .summary = "an example of a result"},
        {.name = "update", .handler = accept_anything, .summary = "takes anything, answers null"},
        {.name = "notify_hello",
         .handler = accept_anything,
         .summary = "takes anything, answers null"},
        {.name = "demo.echo", .handler = echo, .summary = "gives back its parameters"},
        {.name = "demo.serial",
         .handler = serial,
         .summary = "answers how many calls this worker has started"},
        {.name = "demo.sleep", .handler = nap, .summary = "answers null after [milliseconds]"},
    };
    int err = weft__rpc_registry_add_all(registry, methods, WEFT_ARRAY_LEN(methods));
    if (!err)
        err = weft__rpc_demo_register_streams(registry);
    if (!err)
        err = weft__rpc_demo_register_tick(registry);
    return err ? err : weft__rpc_demo_register_fail(registry);
}
