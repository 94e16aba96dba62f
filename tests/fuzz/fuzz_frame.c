/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes a connection of either role, with and without compression. The first byte picks the role
 * and the options, the second how the rest, the received bytes, is cut into pieces. Checked besides
 * memory safety: the same events come of the whole and of the pieces, what waits stays bounded, and
 * a closed connection owns no memory.
 */
#include "ws/conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 4096, FRAGMENTS_MAX = 64 };

/* A digest of everything that happened, and the memory in use. */
struct witness {
    uint64_t digest;
    size_t live;
};

static void *count_alloc(void *ctx, size_t size)
{
    ((struct witness *)ctx)->live += size;
    return malloc(size);
}

static void *count_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    ((struct witness *)ctx)->live += new_size - old_size;
    return realloc(ptr, new_size);
}

static void count_free(void *ctx, void *ptr, size_t size)
{
    ((struct witness *)ctx)->live -= size;
    free(ptr);
}

static void fixed_random(void *ctx, void *ret_bytes, size_t len)
{
    (void)ctx;
    memset(ret_bytes, 0x5a, len);
}

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_frame: %s\n", what);
    abort();
}

static void note(struct witness *w, uint64_t value)
{
    w->digest = (w->digest ^ value) * 0x9e3779b97f4a7c15u;
    w->digest ^= w->digest >> 29;
}

static void note_event(struct witness *w, const struct weft_ws_event *event)
{
    if (event->type == WEFT_WS_EVENT_NONE)
        return;
    note(w, (uint64_t)event->type << 32 | (uint64_t)event->opcode << 16 | event->code);
    note(w, event->data.len);
    for (size_t i = 0; i < event->data.len; i++)
        note(w, event->data.ptr[i]);
    if (event->type == WEFT_WS_EVENT_MESSAGE)
        require(event->data.len <= MESSAGE_MAX, "message over the limit");
    if (event->type == WEFT_WS_EVENT_MESSAGE && event->opcode == WEFT_WS_OPCODE_TEXT)
        require(weft__utf8_valid(event->data.ptr, event->data.len), "text is not UTF-8");
}

/* Feeds a copy of exactly |len| bytes. */
static void feed(struct witness *w, struct weft_ws_conn *conn, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    weft__mem_copy(copy, data, len);
    struct weft_ws_event event;
    size_t at = 0;
    do {
        size_t used = weft__ws_conn_read(conn, copy + at, len - at, &event);
        at += used;
        require(at <= len && (used || event.type == WEFT_WS_EVENT_NONE), "no progress");
        note_event(w, &event);
    } while (event.type != WEFT_WS_EVENT_NONE);
    require(at == len, "bytes left over");
    require(w->live <= 2 * MESSAGE_MAX + 4096 + (conn->deflate.in_takeover ? 1024 : 0),
            "too much memory");
    free(copy);
}

/* Takes what waits; it must be whole frames that the other role accepts. */
static void take(struct weft_ws_conn *conn, const struct weft_alloc *alloc)
{
    struct weft_bytes out;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    require(weft__ws_conn_take_control(conn, &out) == 0, "control frames not given");
    require(out.len <= 4096, "too many control frames");
    struct weft_ws_options options;
    weft__ws_options_init(&options, alloc);
    options.random = fixed_random;
    struct weft_ws_conn other;
    weft__ws_conn_init(
        &other, conn->role == WEFT_WS_ROLE_SERVER ? WEFT_WS_ROLE_CLIENT : WEFT_WS_ROLE_SERVER,
        &options);
    struct weft_ws_event event;
    size_t at = 0;
    do {
        at += weft__ws_conn_read(&other, out.ptr ? out.ptr + at : NULL, out.len - at, &event);
        require(event.type != WEFT_WS_EVENT_ERROR, "own control frame refused");
    } while (event.type != WEFT_WS_EVENT_NONE);
    weft__ws_conn_done(&other);
    weft__bytes_done(&out);
}

/* Reads |data| whole (|cuts| 0) or in pieces that |cuts| determines; gives the digest. */
static uint64_t run(unsigned setup, uint32_t cuts, const uint8_t *data, size_t len)
{
    struct witness w = {0};
    static struct weft_deflate_pool pool;
    const struct weft_alloc alloc = {count_alloc, count_realloc, count_free, &w};
    const struct weft_ws_deflate deflate = {
        .on = (setup & 4) != 0, .in_takeover = (setup & 8) != 0, .in_bits = 9, .out_bits = 9};
    if (!pool.alloc)
        weft__deflate_pool_init(&pool, weft_alloc_default());
    struct weft_ws_options options = {.alloc = &alloc,
                                      .random = fixed_random,
                                      .max_message = MESSAGE_MAX,
                                      .max_fragments = FRAGMENTS_MAX,
                                      .check_utf8 = true,
                                      .deflate = &pool};
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, setup & 1 ? WEFT_WS_ROLE_CLIENT : WEFT_WS_ROLE_SERVER, &options);
    if (deflate.on)
        weft__ws_conn_set_deflate(&conn, &deflate);
    if (setup & 2)
        require(weft__ws_conn_close(&conn, 1000, WEFT_SLICE_LIT("bye")) == 0, "cannot close");
    for (size_t at = 0; at < len;) {
        size_t piece = len - at;
        if (cuts) {
            cuts = cuts * 1664525u + 1013904223u;
            size_t most = (cuts >> 24) % 40 + 1;
            piece = most < piece ? most : piece;
        }
        feed(&w, &conn, data + at, piece);
        if (cuts && cuts & 1u << 20)
            take(&conn, &alloc);
        at += piece;
    }
    take(&conn, &alloc);
    if (weft__ws_conn_state(&conn) == WEFT_WS_STATE_CLOSED) {
        /* Only the memory that the last event lent out is still there. */
        struct weft_ws_event event;
        (void)weft__ws_conn_read(&conn, NULL, 0, &event);
        require(w.live == 0 || deflate.in_takeover, "a closed connection owns memory");
    }
    note(&w, (uint64_t)weft__ws_conn_state(&conn) << 1 | weft__ws_conn_should_drop(&conn));
    weft__ws_conn_done(&conn);
    require(w.live == 0, "leak");
    return w.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint64_t whole = run(data[0], 0, data + 2, size - 2);
    uint64_t pieces = run(data[0], data[1] * 2654435761u + 1u, data + 2, size - 2);
    require(whole == pieces, "a split changes the events");
    return 0;
}
