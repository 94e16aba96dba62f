/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tokens: what is read, what is refused, reading again. */
#include "lib/test.h"

#include "token_file.h"

#include <unistd.h>

/* SHA-256 of "test" and of "other". */
#define TEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static char path[] = "/tmp/weft-tokens-XXXXXX";
static struct token_file *file;

static void put(const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    file = token_file_new(path);
    return fd < 0 || close(fd) || !file ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    token_file_free(file);
    int err = unlink(path);
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    return err;
}

static void expect(const char *token, const char *subject)
{
    struct weft_identity identity = {.expires_in_ms = 0};
    int err = token_file_authenticate(file, token, &identity);
    if (subject) {
        assert_ok(err);
        assert_string_equal(identity.subject, subject);
    } else {
        assert_err(err, WEFT_ERR_DENIED);
    }
}

static void read_text(const char *text)
{
    char message[200] = "";
    put(text);
    if (token_file_read(file, message, sizeof(message)))
        fail_msg("%s", message);
}

static void expect_wrong(const char *text, const char *why)
{
    char message[300] = "";
    put(text);
    assert_int_equal(token_file_read(file, message, sizeof(message)), -1);
    if (!strstr(message, why))
        fail_msg("'%s' instead of '%s'", message, why);
}

static void tokens_are_found_by_their_digest(void **state)
{
    struct weft_identity identity = {.expires_in_ms = 0};
    (void)state;
    read_text("# comment\n\n  " TEST " ann\r\n" OTHER "\tbob  tenant=acme lifetime=60");
    expect("test", "ann");
    expect("other", "bob");
    expect("tes", NULL);
    expect("", NULL);
    expect(NULL, NULL);
    expect(TEST, NULL);
    assert_ok(token_file_authenticate(file, "other", &identity));
    assert_string_equal(identity.tenant, "acme");
    assert_int_equal(identity.expires_in_ms, 60000);
}

static void empty_file_lets_nobody_in(void **state)
{
    (void)state;
    read_text("");
    expect("test", NULL);
}

static void mistakes_are_named_with_their_line(void **state)
{
    char long_name[400] = TEST " ";
    (void)state;
    memset(long_name + strlen(long_name), 'a', 256);
    expect_wrong("ann\n", ":1: a line begins with 64 hexadecimal digits");
    expect_wrong("# x\n" TEST "0 ann\n", ":2: a line begins with");
    expect_wrong(TEST "\n", ":1: behind the digest stands who it is");
    expect_wrong(long_name, ":1: behind the digest stands who it is");
    expect_wrong(TEST " a\x01n\n", ":1: behind the digest stands who it is");
    expect_wrong(TEST " \xff\n", ":1: behind the digest stands who it is");
    expect_wrong(TEST " ann tenant=a\x7f\n", ":1: only tenant=");
    expect_wrong(TEST " ann lifetime=0\n", ":1: only tenant=");
    expect_wrong(TEST " ann lifetime=-1\n", ":1: only tenant=");
    expect_wrong(TEST " ann lifetime=1s\n", ":1: only tenant=");
    expect_wrong(TEST " ann tenant=\n", ":1: only tenant=");
    expect_wrong(TEST " ann bob\n", ":1: only tenant=");
    expect_wrong(TEST " ann\n" TEST " bob\n", "a token is there twice");
}

static void file_that_is_wrong_changes_nothing(void **state)
{
    char message[200];
    (void)state;
    read_text(TEST " ann\n");
    expect_wrong(OTHER "\n", ":1:");
    expect("test", "ann");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(token_file_read(file, message, sizeof(message)), -1);
    expect("test", "ann");
    read_text(OTHER " bob\n");
    expect("test", NULL);
    expect("other", "bob");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_are_found_by_their_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_file_lets_nobody_in, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_named_with_their_line, setup, teardown),
        cmocka_unit_test_setup_teardown(file_that_is_wrong_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
