/* SPDX-License-Identifier: Apache-2.0 */
/* The memory limit of control groups of both versions, from a folder that looks like a machine. */
#include "lib/test.h"

#include "server/machine.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static int start(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/weft-machine-XXXXXX");
    assert_non_null(mkdtemp(root));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes |text| into the file |name| of the machine, with the folders it needs. */
static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        (void)mkdir(path, 0700);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static size_t whole(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

static void without_control_groups_all_memory_counts(void **state)
{
    (void)state;
    assert_int_equal(weft__machine_memory(root), whole());
}

static void version_2_limits_by_memory_max(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/system.slice/weft.service\n");
    put("/sys/fs/cgroup/system.slice/weft.service/memory.max", "max\n");
    assert_int_equal(weft__machine_memory(root), whole());
    put("/sys/fs/cgroup/system.slice/weft.service/memory.max", "50000000\n");
    assert_int_equal(weft__machine_memory(root), 50000000);
    put("/sys/fs/cgroup/system.slice/memory.max", "40000000\n");
    assert_int_equal(weft__machine_memory(root), 40000000);
}

static void inside_a_container_the_root_group_limits(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "30000000\n");
    assert_int_equal(weft__machine_memory(root), 30000000);
}

static void version_1_limits_by_memory_limit_in_bytes(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "12:cpu,cpuacct:/x\n7:memory:/box\n0::/box\n");
    put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(weft__machine_memory(root), whole());
    put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "20000000\n");
    assert_int_equal(weft__machine_memory(root), 20000000);
}

static void nonsense_limits_nothing(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "\n:::::\n0\n0:\nx:memory\n0::nowhere\n");
    put("/sys/fs/cgroup/memory.max", "many\n");
    assert_int_equal(weft__machine_memory(root), whole());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_control_groups_all_memory_counts, start, stop),
        cmocka_unit_test_setup_teardown(version_2_limits_by_memory_max, start, stop),
        cmocka_unit_test_setup_teardown(inside_a_container_the_root_group_limits, start, stop),
        cmocka_unit_test_setup_teardown(version_1_limits_by_memory_limit_in_bytes, start, stop),
        cmocka_unit_test_setup_teardown(nonsense_limits_nothing, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
