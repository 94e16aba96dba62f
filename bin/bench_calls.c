/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of the load generator. A connection has --depth slots with one call each; which call an
 * answer belongs to is said by its number alone (bench_wire.h), so that looking it up is one index.
 * An answer, or item, for a number that is not in flight ends the connection: whatever was taken
 * for it would be wrong from there on.
 *
 * With --stream calls give items. Credit for --window of them goes out with the call, and again
 * whenever half of it is used up; items beyond it are errors.
 */
#include "base/mem.h"
#include "bench.h"
#include "codec/json.h"

#include <stdio.h>

/* ---- Slots ---- */

int bench_calls_init(struct bench_conn *conn)
{
    const struct bench_options *options = conn->worker->options;
    const struct weft_alloc *alloc = weft_alloc_default();
    conn->free = weft__mem_alloc_array(alloc, options->depth, sizeof(*conn->free));
    conn->turns = weft__mem_alloc_array(alloc, options->depth, sizeof(*conn->turns));
    if (options->stream)
        conn->items = weft__mem_alloc_array(alloc, options->depth, sizeof(*conn->items));
    return conn->free && conn->turns && (conn->items || !options->stream) ? 0 : WEFT_ERR_NOMEM;
}

void bench_calls_done(struct bench_conn *conn)
{
    uint32_t depth = conn->worker->options->depth;
    const struct weft_alloc *alloc = weft_alloc_default();
    weft__mem_free(alloc, conn->free, depth * sizeof(*conn->free));
    weft__mem_free(alloc, conn->turns, depth * sizeof(*conn->turns));
    weft__mem_free(alloc, conn->items, depth * sizeof(*conn->items));
}

void bench_calls_start(struct bench_conn *conn)
{
    conn->answered = 0;
    conn->came = 0;
    conn->window_items = conn->window_bytes = 0;
    conn->tight = UINT32_MAX;
    for (uint32_t i = 0; i < conn->worker->options->depth; i++) {
        conn->free[i] = i;
        conn->times[i] = 0;
        conn->turns[i] = 0;
    }
}

void bench_calls_sent(struct bench_conn *conn, uint32_t slot)
{
    const struct bench_options *options = conn->worker->options;
    if (!options->stream)
        return;
    conn->items[slot] = (struct bench_items){
        .items_total = WEFT_MAX(conn->window_items, (uint64_t)options->window),
        .bytes_total = WEFT_MAX(conn->window_bytes, (uint64_t)BENCH_WINDOW_BYTES)};
}

/* The slot of the call in flight with the number |number|; false when there is none. */
static bool find_slot(const struct bench_conn *conn, uint64_t number, uint32_t *ret_slot)
{
    uint32_t depth = conn->worker->options->depth;
    uint64_t turn = number >= depth;
    uint64_t slot = turn ? number - depth : number;
    if (slot >= depth || conn->turns[slot] != turn || !conn->times[slot])
        return false;
    *ret_slot = (uint32_t)slot;
    return true;
}

/* ---- Notes: frames that go before messages ---- */

static void note(struct bench_conn *conn, struct weft_bytes *message)
{
    bench_frame_append(&conn->notes, !conn->worker->options->wire->binary,
                       weft__bytes_slice(message));
    if (weft__bytes_error(message) || weft__bytes_error(&conn->notes))
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "out of memory");
}

static void give_credit(struct bench_conn *conn, uint32_t slot)
{
    struct bench_items *items = &conn->items[slot];
    uint64_t number = slot + (uint64_t)conn->turns[slot] * conn->worker->options->depth;
    uint8_t room[160]; /* three numbers and their names */
    struct weft_bytes message = {.ptr = room, .cap = sizeof(room), .limit = sizeof(room)};
    const struct bench_options *options = conn->worker->options;
    message.alloc = weft_alloc_default();
    items->items_total = WEFT_MAX(items->items_total, items->items + options->window);
    items->bytes_total = WEFT_MAX(items->bytes_total, items->bytes + BENCH_WINDOW_BYTES);
    options->wire->credit(&message, number, items->items_total, items->bytes_total);
    note(conn, &message);
}

/* Gives what streams need that are not over, before their slots have other calls. */
static void give_all_credit(struct bench_conn *conn)
{
    while (conn->tight != UINT32_MAX) {
        uint32_t slot = conn->tight;
        conn->tight = conn->items[slot].next;
        conn->items[slot].tight = false;
        if (conn->times[slot])
            give_credit(conn, slot);
    }
}

static void answer_ping(struct bench_conn *conn)
{
    struct weft_bytes message;
    weft__bytes_init(&message, weft_alloc_default(), SIZE_MAX);
    conn->worker->options->wire->pong(&message);
    note(conn, &message);
    weft__bytes_done(&message);
}

/* ---- The greeting ---- */

void bench_calls_greet(struct bench_conn *conn)
{
    struct weft_bytes message;
    const struct bench_call hello = {
        .number = BENCH_HELLO,
        .method = "$/hello",
        .params = WEFT_SLICE_LIT("{\"v\":[1,1],\"features\":[],\"client\":{\"name\":\"bench\"}}")};
    weft__bytes_init(&message, weft_alloc_default(), SIZE_MAX);
    conn->worker->options->wire->call(&message, &hello);
    note(conn, &message);
    weft__bytes_done(&message);
}

/* The window that streams begin with. */
static void take_window(struct bench_conn *conn, struct weft_slice welcome)
{
    struct weft_arena arena;
    struct weft_json_error error;
    const struct weft_json *value = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (!weft__json_parse(welcome, &arena, NULL, &error, &value)) {
        const struct weft_json *limits = weft__json_get(value, "limits");
        const struct weft_json *items = weft__json_get(limits, "window_items");
        const struct weft_json *bytes = weft__json_get(limits, "window_bytes");
        /* A server that does not say how far it begins gets our own credit first. */
        if (!weft__json_u53(items, &conn->window_items) ||
            !weft__json_u53(bytes, &conn->window_bytes))
            conn->window_items = conn->window_bytes = 0;
    }
    weft__arena_done(&arena);
}

/* Says in |text| that the server answered |what| with an error. */
static void describe(const struct bench_event *event, const char *what, char *text, size_t size)
{
    int len = (int)WEFT_MIN(event->payload.len, (size_t)90);
    (void)snprintf(text, size, "%s was answered with an error: %.*s", what, len,
                   len ? (const char *)event->payload.ptr : "");
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

void bench_calls_greeted(struct bench_conn *conn, struct weft_slice data)
{
    struct bench_event event;
    char text[160];
    while (conn->state == BENCH_GREET && conn->worker->options->wire->next(&data, &event)) {
        if (event.kind == BENCH_EVENT_RESULT && event.number == BENCH_HELLO) {
            take_window(conn, event.payload);
            bench_conn_greeted(conn);
        } else if (event.kind == BENCH_EVENT_ERROR) {
            describe(&event, "the greeting", text, sizeof(text));
            bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, text);
        } else if (event.kind == BENCH_EVENT_BROKEN || event.kind == BENCH_EVENT_RESULT) {
            bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "the answer to the greeting is not valid");
        }
    }
}

/* ---- Answers and items ---- */

void bench_calls_refused(struct bench_conn *conn, const struct bench_event *event)
{
    char text[160] = "";
    /* Only the first is kept. */
    if (!conn->worker->first_error[0])
        describe(event, "a call", text, sizeof(text));
    bench_worker_error(conn->worker, BENCH_ERROR_ANSWER, text);
}

static void take_answer(struct bench_conn *conn, const struct bench_event *event)
{
    struct bench_worker *worker = conn->worker;
    const struct bench_options *options = worker->options;
    uint32_t slot;
    if (event->kind == BENCH_EVENT_ERROR)
        bench_calls_refused(conn, event);
    if (!find_slot(conn, event->number, &slot)) {
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "an answer to no call");
        return;
    }
    if (options->check && event->kind == BENCH_EVENT_RESULT &&
        !bench_images_match(conn->images, slot, event->payload)) {
        bench_conn_fail(conn, BENCH_ERROR_CONTENT, "a result differs from the parameters");
        return;
    }
    bench_worker_latency(worker, conn->times[slot], 1);
    conn->times[slot] = 0;
    conn->turns[slot] ^= 1;
    conn->free[conn->get] = slot;
    conn->get = conn->get + 1 == options->depth ? 0 : conn->get + 1;
    conn->done++;
    conn->answered++;
}

static void take_item(struct bench_conn *conn, const struct bench_event *event)
{
    const struct bench_options *options = conn->worker->options;
    uint32_t slot;
    if (!options->stream || !find_slot(conn, event->number, &slot)) {
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "an item of no stream");
        return;
    }
    struct bench_items *items = &conn->items[slot];
    if (items->items >= items->items_total || items->bytes >= items->bytes_total) {
        bench_conn_fail(conn, BENCH_ERROR_CREDIT, "an item came without credit");
        return;
    }
    items->items++;
    items->bytes += event->payload.len;
    conn->came++;
    if (items->tight || (items->items_total - items->items > options->window / 2 &&
                         items->bytes + BENCH_WINDOW_BYTES / 2 < items->bytes_total))
        return;
    items->tight = true;
    items->next = conn->tight;
    conn->tight = slot;
}

void bench_calls_message(struct bench_conn *conn, unsigned opcode, struct weft_slice data)
{
    const struct bench_wire *wire = conn->worker->options->wire;
    struct bench_event event;
    if ((opcode == WEFT_WS_OPCODE_BINARY) != wire->binary) {
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "a message of the other kind");
        return;
    }
    while (conn->state == BENCH_OPEN && wire->next(&data, &event)) {
        switch (event.kind) {
        case BENCH_EVENT_RESULT:
        case BENCH_EVENT_ERROR:
            take_answer(conn, &event);
            break;
        case BENCH_EVENT_ITEM:
            take_item(conn, &event);
            break;
        case BENCH_EVENT_PING:
            answer_ping(conn);
            break;
        case BENCH_EVENT_BROKEN:
            bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "a message that cannot be read");
            break;
        case BENCH_EVENT_OTHER:
            break;
        }
    }
}

void bench_calls_arrived(struct bench_conn *conn, uint32_t count)
{
    struct bench_worker *worker = conn->worker;
    uint32_t answered = conn->answered;
    (void)count;
    if (bench_measuring(worker, worker->now_ns))
        worker->stats.messages += conn->came;
    conn->came = 0;
    conn->answered = 0;
    give_all_credit(conn);
    if (answered)
        bench_flood_go_on(conn, answered);
    if (conn->notes.len)
        bench_conn_flush(conn);
}
