/* SPDX-License-Identifier: Apache-2.0 */
/* examples/upload.c: files arrive whole, or not at all. */
#include "integration/example_process.h"

#include "codec/base64.h"
#include "lib/random.h"

#include <dirent.h>
#include <sys/stat.h>

enum { PIECE = 30000, PIECES = 60 };

static struct example example;
static char directory[] = "/tmp/weft-upload-XXXXXX";

static int start(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    example_start_server(&example, "upload", directory);
    return 0;
}

static int files_in_directory(void)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    int count = -2; /* . and .. */
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

static int stop(void **state)
{
    char path[80];
    (void)state;
    example_stop(&example);
    assert_int_equal(files_in_directory(), 1);
    snprintf(path, sizeof(path), "%s/file.bin", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    return 0;
}

static void send_piece(struct weft_stream *stream, const uint8_t *data, size_t len)
{
    static char text[PIECE * 2];
    text[0] = '"';
    size_t digits = weft__base64_encode(WEFT_BASE64_STANDARD, data, len, text + 1);
    memcpy(text + 1 + digits, "\"", 2);
    assert_ok(weft_stream_send_wait(stream, text));
}

static void a_file_arrives_as_it_was(void **state)
{
    static uint8_t data[PIECE * PIECES + 1];
    static uint8_t stored[sizeof(data) + 1];
    char path[80];
    struct test_random rng;
    (void)state;
    test_random_init(&rng, "upload");
    test_random_bytes(&rng, data, sizeof(data));
    struct weft_client *client = example_connect(example.url);
    struct weft_stream *stream = example_open(client, "files.put", "[\"file.bin\"]");
    for (size_t at = 0; at < sizeof(data); at += PIECE)
        send_piece(stream, data + at, WEFT_MIN((size_t)PIECE, sizeof(data) - at));
    weft_stream_end(stream);
    const struct weft_answer *answer = NULL;
    assert_ok(weft_stream_answer_wait(stream, &answer));
    assert_string_equal(answer->result, "{\"bytes\":1800001}");
    weft_stream_unref(stream);
    weft_client_close(client);

    snprintf(path, sizeof(path), "%s/file.bin", directory);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(stored, 1, sizeof(stored), file), sizeof(data));
    (void)fclose(file);
    assert_memory_equal(stored, data, sizeof(data));
}

static void one_that_breaks_off_leaves_nothing(void **state)
{
    static const uint8_t piece[PIECE];
    (void)state;
    struct weft_client *client = example_connect(example.url);
    struct weft_stream *stream = example_open(client, "files.put", "[\"broken.bin\"]");
    for (int i = 0; i < 20; i++)
        send_piece(stream, piece, sizeof(piece));
    assert_int_equal(files_in_directory(), 2);
    weft_client_close(client);
    weft_stream_unref(stream);
    for (int i = 0; i < 500 && files_in_directory() > 1; i++)
        (void)usleep(10000);
    assert_int_equal(files_in_directory(), 1);
}

static void unfit_names_and_pieces_are_refused(void **state)
{
    static const char *const names[] = {"[\"../x\"]", "[\".x\"]", "[\"\"]",
                                        "[\"a/b\"]",  "{}",       "[\"a\",1]"};
    static const char *const pieces[] = {"1", "\"a\"", "\"!!!!\"", "\"ab=c\"", "\"====\""};
    const struct weft_answer *answer = NULL;
    (void)state;
    struct weft_client *client = example_connect(example.url);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names) + WEFT_ARRAY_LEN(pieces); i++) {
        bool name = i < WEFT_ARRAY_LEN(names);
        struct weft_stream *stream =
            example_open(client, "files.put", name ? names[i] : "[\"never.bin\"]");
        if (!name)
            assert_ok(weft_stream_send(stream, pieces[i - WEFT_ARRAY_LEN(names)]));
        assert_ok(weft_stream_answer_wait(stream, &answer));
        assert_int_equal(answer->status, WEFT_STATUS_INVALID_ARGUMENT);
        weft_stream_unref(stream);
    }
    weft_client_close(client);
    assert_int_equal(files_in_directory(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_arrives_as_it_was),
        cmocka_unit_test(one_that_breaks_off_leaves_nothing),
        cmocka_unit_test(unfit_names_and_pieces_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
