/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting documents of a real server: told to everybody, gone after a restart, gone from disk. */
#include "lib/server_process.h"
#include "lib/test.h"
#include "lib/ws_client.h"

#include <dirent.h>
#include <time.h>

#define MARK "this-text-must-not-stay-on-disk"

static struct test_server *server;

static int setup(void **state)
{
    (void)state;
    server = test_server_new(NULL);
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_server_free(server);
    return 0;
}

/* Opens |doc| as client "a" and types |text|. */
static struct test_ws *write_doc(const char *doc, const char *text)
{
    char params[300];
    struct test_ws *ws = test_ws_connect_greeted(server->url);
    snprintf(params, sizeof(params), "{\"doc\":\"%s\",\"create\":true,\"client\":\"a\"}", doc);
    const struct weft_json *opened = test_ws_result(ws, "doc.open", params);
    struct weft_slice epoch = weft__json_string(weft__json_get(opened, "epoch"));
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"epoch\":\"%.*s\",\"client\":\"a\",\"seq\":1,\"version\":0,"
             "\"op\":[\"%s\"]}",
             doc, (int)epoch.len, (const char *)epoch.ptr, text);
    (void)test_ws_result(ws, "doc.submit", params);
    return ws;
}

/* Runs `weft doc VERB NAME`; its exit status, and what it printed, to be freed. */
static int doc(const char *verb, const char *name, char **ret_out)
{
    const char *argv[] = {test_binary(), "doc", verb, "--url", server->url, name, NULL};
    return test_run_program(argv, ret_out, NULL);
}

/* Whether any file of the data folder holds |text|. */
static bool on_disk(const char *text)
{
    char path[600];
    bool found = false;
    snprintf(path, sizeof(path), "%s/data", server->folder);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof(path), "%s/data/%.255s", server->folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        static char bytes[1 << 20];
        size_t len = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
        found = found || memmem(bytes, len, text, strlen(text));
        if (file)
            (void)fclose(file);
    }
    (void)closedir(folder);
    return found;
}

static void deleted_document_is_gone_from_clients_and_disk(void **state)
{
    char *out;
    (void)state;
    struct test_ws *ws = write_doc("secret", MARK);
    struct test_ws *other = write_doc("kept", "kept-text");
    assert_true(on_disk(MARK));
    assert_int_equal(doc("delete", "secret", NULL), 0);
    const struct weft_json *closed = test_ws_next(ws);
    assert_true(weft__json_string_is(weft__json_get(closed, "method"), "doc.closed"));
    assert_true(weft__json_string_is(weft__json_get(weft__json_get(closed, "params"), "reason"),
                                     "deleted"));
    assert_int_equal(doc("delete", "secret", NULL), 1);
    assert_int_equal(doc("cat", "secret", NULL), 1);
    test_ws_close(ws);
    test_ws_close(other);
    /* Rows are collected bit by bit; a server that stops has done with the log of the disk. */
    for (int i = 0; i < 100 && on_disk(MARK); i++) {
        const struct timespec pause = {.tv_nsec = 50000000};
        nanosleep(&pause, NULL);
        test_server_stop(server);
        test_server_start(server);
    }
    assert_false(on_disk(MARK));
    assert_int_equal(doc("cat", "secret", NULL), 1);
    assert_int_equal(doc("cat", "kept", &out), 0);
    assert_string_equal(out, "kept-text");
    free(out);
}

static void names_are_listed(void **state)
{
    char *out;
    (void)state;
    assert_int_equal(doc("list", NULL, &out), 0);
    assert_string_equal(out, "");
    free(out);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n/%d", i);
        test_ws_close(write_doc(name, "x"));
    }
    test_ws_close(write_doc("other", "x"));
    assert_int_equal(doc("list", NULL, &out), 0);
    assert_string_equal(out, "n/0\nn/1\nn/2\nother\n");
    free(out);
    assert_int_equal(doc("list", "n/", &out), 0);
    assert_string_equal(out, "n/0\nn/1\nn/2\n");
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deleted_document_is_gone_from_clients_and_disk, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_are_listed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
