/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a recorded editing history through the rope and checks the outcome:
 *
 *     trace FILE.json            or    zcat FILE.json.gz | trace -
 *     trace --runs 20 FILE.json
 *
 * The file is {startContent, endContent, txns:[{patches:[[position, deleted, "inserted"]]}]} with
 * positions in code points. The patches are read into memory first; only their replay is timed.
 * Prints one line: patches, runs, best and median time, and "ok", or fails with exit status 1 when
 * the text is not endContent.
 */
#include "base/assert.h"
#include "codec/json.h"
#include "ot/rope.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILE_MAX = 512 << 20, RUNS_MAX = 1000 };

struct patch {
    uint32_t pos;
    uint32_t deleted;
    struct weft_slice inserted;
};

struct trace {
    struct weft_slice start;
    struct weft_slice end;
    struct patch *patches;
    size_t count;
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool read_all(const char *path, struct weft_bytes *out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    char chunk[1 << 16];
    size_t len;
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        weft__bytes_append(out, chunk, len);
    bool ok = !ferror(file) && !weft__bytes_error(out);
    if (file != stdin)
        fclose(file);
    return ok;
}

static bool load_patch(const struct weft_json *value, struct patch *ret_patch)
{
    const struct weft_json *text = weft__json_at(value, 2);
    uint64_t pos;
    uint64_t deleted;
    if (!weft__json_u53(weft__json_at(value, 0), &pos) || pos > UINT32_MAX ||
        !weft__json_u53(weft__json_at(value, 1), &deleted) || deleted > UINT32_MAX ||
        !weft__json_is(text, WEFT_JSON_STRING))
        return false;
    *ret_patch = (struct patch){(uint32_t)pos, (uint32_t)deleted, weft__json_string(text)};
    return true;
}

static bool load(const struct weft_json *root, struct weft_arena *arena, struct trace *ret_trace)
{
    const struct weft_json *txns = weft__json_get(root, "txns");
    struct trace trace = {
        .start = weft__json_string(weft__json_get(root, "startContent")),
        .end = weft__json_string(weft__json_get(root, "endContent")),
    };
    uint64_t agents = 1;
    if (weft__json_get(root, "numAgents") &&
        (!weft__json_u53(weft__json_get(root, "numAgents"), &agents) || agents > 1))
        return false; /* histories of several agents need merging, not replaying */
    if (!weft__json_is(txns, WEFT_JSON_ARRAY))
        return false;
    size_t count = 0;
    WEFT_JSON_EACH (txn, txns) {
        count += weft__json_count(weft__json_get(txn, "patches"));
    }
    trace.patches = weft__arena_alloc_array(arena, count, sizeof(*trace.patches));
    if (!trace.patches)
        return false;
    WEFT_JSON_EACH (txn, txns) {
        WEFT_JSON_EACH (patch, weft__json_get(txn, "patches")) {
            if (!load_patch(patch, &trace.patches[trace.count++]))
                return false;
        }
    }
    *ret_trace = trace;
    return true;
}

static int replay(struct weft_rope *rope, const struct trace *trace)
{
    int err = weft__rope_insert(rope, 0, trace->start);
    for (size_t i = 0; i < trace->count && !err; i++) {
        const struct patch *patch = &trace->patches[i];
        err = weft__rope_delete(rope, patch->pos, patch->deleted);
        if (!err)
            err = weft__rope_insert(rope, patch->pos, patch->inserted);
    }
    return err;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Replays |runs| times; false when one of them fails or ends with another text. */
static bool measure(const char *name, const struct trace *trace, size_t runs)
{
    static uint64_t times[RUNS_MAX];
    for (size_t i = 0; i < runs; i++) {
        struct weft_rope rope;
        weft__rope_init(&rope, weft_alloc_default());
        uint64_t start = now_ns();
        int err = replay(&rope, trace);
        times[i] = now_ns() - start;
        bool same = !err && weft__rope_bytes(&rope) == trace->end.len &&
                    weft__rope_matches(&rope, 0, trace->end) && weft__rope_check(&rope);
        weft__rope_done(&rope);
        if (!same) {
            fprintf(stderr, "%s: %s\n", name,
                    err ? weft_err_message(err) : "the text differs from endContent");
            return false;
        }
    }
    qsort(times, runs, sizeof(times[0]), by_time);
    uint64_t median = times[runs / 2];
    printf("%s: %zu patches, %zu runs, best %.3f ms, median %.3f ms, %zu bytes, ok\n", name,
           trace->count, runs, (double)times[0] / 1e6, (double)median / 1e6, trace->end.len);
    return true;
}

static bool run(const char *path, size_t runs)
{
    struct weft_bytes text;
    struct weft_arena arena;
    struct weft_json_error error;
    struct weft_json_options options = {.max_values = 1u << 27};
    const struct weft_json *root;
    struct trace trace;
    bool ok = false;
    weft__bytes_init(&text, weft_alloc_default(), FILE_MAX);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (!read_all(path, &text))
        fprintf(stderr, "%s: cannot be read\n", path);
    else if (weft__json_parse(weft__bytes_slice(&text), &arena, &options, &error, &root))
        fprintf(stderr, "%s: %s at byte %zu\n", path, error.message, error.offset);
    else if (!load(root, &arena, &trace))
        fprintf(stderr, "%s: not a sequential editing trace\n", path);
    else
        ok = measure(path, &trace, runs);
    weft__arena_done(&arena);
    weft__bytes_done(&text);
    return ok;
}

int main(int argc, char **argv)
{
    size_t runs = 5;
    int first = 1;
    bool ok = true;
    if (argc > 2 && strcmp(argv[1], "--runs") == 0) {
        unsigned long given = strtoul(argv[2], NULL, 10);
        runs = given < 1 ? 1 : given > RUNS_MAX ? RUNS_MAX : given;
        first = 3;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: trace [--runs N] FILE.json… (- for standard input)\n");
        return 2;
    }
    for (int i = first; i < argc; i++)
        ok = run(argv[i], runs) && ok;
    return ok ? 0 : 1;
}
