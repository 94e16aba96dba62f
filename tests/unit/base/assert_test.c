/* SPDX-License-Identifier: Apache-2.0 */
/* WEFT_ASSERT ends the process and says where; it evaluates its condition once. */
#include "lib/test.h"

#include "base/assert.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void broken_invariant_ends_the_process_and_names_the_place(void **state)
{
    int ends[2];
    int status;
    char said[512] = {0};
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        WEFT_ASSERT(pid != 0);
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "pid != 0"));
    assert_non_null(strstr(said, "assert_test.c:"));
}

static void condition_is_evaluated_once(void **state)
{
    int times = 0;
    (void)state;
    WEFT_ASSERT(++times == 1);
    assert_int_equal(times, 1);
    WEFT_ASSERT(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_invariant_ends_the_process_and_names_the_place),
        cmocka_unit_test(condition_is_evaluated_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
