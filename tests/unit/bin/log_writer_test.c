/* SPDX-License-Identifier: Apache-2.0 */
/* Lines reach a descriptor in order and whole; one that is stuck stops nobody and loses what it
 * must, said in a number. */
#include "lib/test.h"

#include "io/clock.h"
#include "log_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <weft/server.h>

enum { READ_MAX = 1024 * 1024 };

static struct log_writer *writer;
static int ends[2];
static char *text;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    text = calloc(1, READ_MAX + 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(log_writer_new(ends[1], WEFT_SERVER_LOG_TEXT, &writer), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_writer_free(writer);
    writer = NULL;
    close(ends[0]);
    close(ends[1]);
    free(text);
    return 0;
}

/* Ends the writer and reads what it wrote, behind what |text| holds. */
static void finish(void)
{
    log_writer_free(writer);
    writer = NULL;
    close(ends[1]);
    size_t len = strlen(text);
    ssize_t n;
    while (len < READ_MAX && (n = read(ends[0], text + len, READ_MAX - len)) > 0)
        len += (size_t)n;
    ends[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static uint64_t now_ms(void)
{
    return weft__clock_now_ns() / 1000000;
}

static void lines_are_written_in_order(void **state)
{
    (void)state;
    log_writer_write(writer, WEFT_SERVER_LOG_INFO, "one");
    log_writer_write(writer, WEFT_SERVER_LOG_DEBUG, "two");
    finish();
    assert_string_equal(text, "one\ntwo\n");
}

static void an_error_is_written_when_the_call_returns(void **state)
{
    (void)state;
    log_writer_write(writer, WEFT_SERVER_LOG_INFO, "one");
    log_writer_write(writer, WEFT_SERVER_LOG_ERROR, "two");
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ends[0], text, READ_MAX), 8);
    assert_string_equal(text, "one\ntwo\n");
}

static void a_stuck_descriptor_stops_nobody_and_drops_are_counted(void **state)
{
    char line[100];
    (void)state;
    uint64_t start = now_ms();
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "line %d of many that nobody reads for the time being", i);
        log_writer_write(writer, i % 100 ? WEFT_SERVER_LOG_INFO : WEFT_SERVER_LOG_ERROR, line);
    }
    /* One error waited in vain, the others knew. */
    assert_true(now_ms() - start < 20 * LOG_WRITER_ERROR_MS);
    /* Reading frees room; the next line tells of those before it. */
    for (size_t len = 0; len < LOG_WRITER_BYTES / 2;) {
        ssize_t n = read(ends[0], text + len, LOG_WRITER_BYTES / 2 - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    log_writer_write(writer, WEFT_SERVER_LOG_INFO, "the last");
    size_t got = strlen(text);
    while (!strstr(text + (got > 4096 ? got - 4096 : 0), "the last\n")) {
        ssize_t n = read(ends[0], text + got, READ_MAX - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    const char *dropped = strstr(text, " warn log.dropped lines=");
    assert_non_null(dropped);
    long lost = strtol(strchr(dropped, '=') + 1, NULL, 10);
    long seen = 0;
    for (const char *at = text; (at = strstr(at, "line ")); at++)
        seen++;
    assert_int_equal(lost + seen, 20000);
}

static void the_end_does_not_wait_for_ever(void **state)
{
    char line[1000];
    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        log_writer_write(writer, WEFT_SERVER_LOG_INFO, line);
    uint64_t start = now_ms();
    log_writer_free(writer);
    writer = NULL;
    assert_true(now_ms() - start < 10 * LOG_WRITER_END_MS);
}

static void a_closed_pipe_is_survived(void **state)
{
    (void)state;
    close(ends[0]);
    log_writer_write(writer, WEFT_SERVER_LOG_ERROR, "nobody reads this");
    log_writer_write(writer, WEFT_SERVER_LOG_INFO, "nor this");
    ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_written_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_is_written_when_the_call_returns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stuck_descriptor_stops_nobody_and_drops_are_counted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_does_not_wait_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_pipe_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
