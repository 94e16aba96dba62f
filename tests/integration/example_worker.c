/* SPDX-License-Identifier: Apache-2.0 */
/* examples/worker.c: calls are spread over the workers, and one that is killed is not missed. */
#include "integration/example_process.h"

#include "lib/server_process.h"

#include <stdatomic.h>

enum { WORKERS = 2, CALLS = 40 };

static struct example workers[WORKERS];

static int start(void **state)
{
    if (test_server_group_start(state))
        return 1;
    for (int i = 0; i < WORKERS; i++) {
        example_start(&workers[i], "worker", group_server->url, NULL);
        assert_string_equal(workers[i].line, "worker: ready");
    }
    return 0;
}

struct counted {
    atomic_int answers;
    atomic_int good;
    atomic_long pid_of_first;
    atomic_int of_first;
};

static void on_answer(void *ctx, const struct weft_answer *answer)
{
    struct counted *counted = ctx;
    long primes = 0;
    long pid = 0;
    if (answer->status == 0 &&
        sscanf(answer->result, "{\"primes\":%ld,\"worker\":%ld}", &primes, &pid) == 2)
        atomic_fetch_add(&counted->good, primes == 9592);
    if (pid == atomic_load(&counted->pid_of_first))
        atomic_fetch_add(&counted->of_first, 1);
    atomic_fetch_add(&counted->answers, 1);
}

/* Makes CALLS calls, and waits for their answers; after the first one the first worker is killed if
 * |kills|. */
static void call_many(struct counted *counted, bool kills)
{
    struct weft_client *client = example_connect(group_server->url);
    for (int i = 0; i < CALLS; i++) {
        assert_ok(weft_peer_call(weft_client_peer(client), "jobs.primes", "[100000]", NULL,
                                 on_answer, counted));
        for (int k = 0; k < 3000 && i - atomic_load(&counted->answers) >= 6; k++)
            (void)usleep(10000);
        if (kills && i == 8)
            assert_int_equal(kill(workers[0].process.pid, SIGKILL), 0);
    }
    for (int i = 0; i < 3000 && atomic_load(&counted->answers) < CALLS; i++)
        (void)usleep(10000);
    assert_int_equal(atomic_load(&counted->good), CALLS);
    weft_client_close(client);
}

static void calls_are_spread_and_survive_a_worker(void **state)
{
    (void)state;
    struct counted counted = {.pid_of_first = workers[0].process.pid};
    call_many(&counted, false);
    assert_in_range(atomic_load(&counted.of_first), 2, CALLS - 2);

    struct counted later = {.pid_of_first = workers[0].process.pid};
    call_many(&later, true);
    assert_in_range(atomic_load(&later.of_first), 0, CALLS / 2);
}

static int stop(void **state)
{
    int status = 0;
    assert_int_equal(waitpid(workers[0].process.pid, &status, 0), workers[0].process.pid);
    assert_true(WIFSIGNALED(status));
    (void)close(workers[0].process.out);
    example_stop(&workers[1]);
    return test_server_group_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_spread_and_survive_a_worker),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
