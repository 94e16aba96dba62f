/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A calculator: methods that answer at once, one that takes its time on a pool thread, and errors
 * that say which parameter was wrong.
 *
 *     calculator [HOST:PORT]                      (127.0.0.1:8080)
 *     weft call calc.divide '[22, 7]'
 *     curl -d '[22, 7]' -H 'Content-Type: application/json' http://127.0.0.1:8080/rpc/calc.divide
 */
#include "run_server.h"

/* Reads two numbers; answers the call when there are none. */
static int read_two(struct weft_call *call, double *ret_a, double *ret_b)
{
    static const struct weft_violation rule = {"", "two numbers: [a, b]"};
    static const struct weft_failure failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                .message = "two numbers, please",
                                                .violations = &rule,
                                                .violation_count = 1};
    if (sscanf(weft_call_params(call, NULL), " [ %lf , %lf ", ret_a, ret_b) == 2)
        return 0;
    weft_call_fail(call, &failure);
    return -1;
}

static void finish(struct weft_call *call, double value)
{
    char text[40];
    snprintf(text, sizeof(text), "%.17g", value);
    weft_call_finish(call, text);
}

static void add(struct weft_call *call, void *ctx)
{
    double a, b;
    (void)ctx;
    if (read_two(call, &a, &b) == 0)
        finish(call, a + b);
}

static void divide(struct weft_call *call, void *ctx)
{
    static const struct weft_failure by_zero = {.status = WEFT_STATUS_OUT_OF_RANGE,
                                                .message = "nothing can be divided by zero",
                                                .reason = "calc.by_zero"};
    double a, b;
    (void)ctx;
    if (read_two(call, &a, &b) != 0)
        return;
    if (b == 0)
        weft_call_fail(call, &by_zero);
    else
        finish(call, a / b);
}

/* Counts primes up to a number: long work, on a pool thread, given up when nobody waits for it. */
static void count_primes(struct weft_call *call, void *ctx)
{
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                              .message = "a number up to 10000000: [n]"};
    long last = 0;
    long count = 0;
    (void)ctx;
    if (sscanf(weft_call_params(call, NULL), " [ %ld ", &last) != 1 || last < 0 ||
        last > 10000000) {
        weft_call_fail(call, &unfit);
        return;
    }
    for (long n = 2; n <= last && !weft_call_is_canceled(call); n++) {
        long d = 2;
        while (d * d <= n && n % d != 0)
            d++;
        count += d * d > n;
    }
    finish(call, (double)count);
}

static const struct weft_method methods[] = {
    {.name = "calc.add", .handler = add, .summary = "adds two numbers"},
    {.name = "calc.divide", .handler = divide, .summary = "divides one number by another"},
    {.name = "calc.primes",
     .handler = count_primes,
     .flags = WEFT_METHOD_BLOCKING,
     .summary = "counts the primes up to a number"},
};

int main(int argc, char **argv)
{
    return run_server("calculator", argc > 1 ? argv[1] : NULL, methods,
                      sizeof(methods) / sizeof(methods[0]));
}
