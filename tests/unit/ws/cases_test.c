/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of tests/vectors/websocket/cases.txt (its README explains the format) played to a
 * connection in memory, in both roles: in large pieces, byte by byte, and in random pieces.
 */
#include "unit/ws/conn_log.h"

enum {
    STEPS_MAX = 24,
    BYTE_BY_BYTE_MAX = 1 << 20, /* longer cases are only cut at random */
    MESSAGE_MAX = 16 << 20,
};

enum event_kind { EVENT_TEXT, EVENT_BINARY, EVENT_PONG, EVENT_WAIT };

struct payload {
    uint8_t *data;
    size_t len;
};

struct step {
    char verb; /* the first letter of frame, message, header, raw, close, wait */
    unsigned byte0;
    size_t size; /* message: bytes of a fragment; header: the length announced */
    struct payload payload;
};

struct expected {
    enum event_kind kind;
    struct payload payload;
};

struct test_case {
    char id[16];
    struct step steps[STEPS_MAX];
    size_t step_count;
    struct expected expected[STEPS_MAX];
    size_t expected_count;
    unsigned repeat;
    unsigned codes[8];
    size_t code_count;
    bool peer_closes;
    bool clean;
};

/* One playing of a case. */
struct play {
    const struct test_case *tc;
    struct weft_ws_options options;
    struct weft_ws_conn conn; /* under test */
    enum weft_ws_role tester;
    size_t piece_max; /* 0: as large as possible */
    struct weft_bytes pending;
    size_t matched;
    bool closed; /* a close frame was sent to the connection */
    int answer;  /* the code in the connection's close frame; -1: none sent yet; 0: no code */
};

static struct test_random rng;

static struct payload read_payload(const char *text)
{
    struct payload payload = {NULL, 0};
    char hex[600];
    size_t digits = strcspn(text, "* \n");
    assert_true(digits < sizeof(hex));
    memcpy(hex, text, digits);
    hex[digits] = 0;
    if (strcmp(hex, "-") == 0) {
        payload.data = calloc(1, 1);
        return payload;
    }
    uint8_t *unit = test_hex_decode(hex, &payload.len);
    if (text[digits] != '*') {
        payload.data = unit;
        return payload;
    }
    size_t unit_len = payload.len;
    payload.len = strtoul(text + digits + 1, NULL, 10);
    payload.data = malloc(payload.len);
    for (size_t i = 0; i < payload.len; i++)
        payload.data[i] = unit[i % unit_len];
    free(unit);
    return payload;
}

static void read_expected(struct test_case *tc, const char *text)
{
    static const char *const kinds[] = {"text ", "binary ", "pong "};
    assert_true(tc->expected_count < STEPS_MAX);
    struct expected *expected = &tc->expected[tc->expected_count++];
    for (unsigned i = 0; i < 3; i++) {
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0) {
            expected->kind = (enum event_kind)i;
            expected->payload = read_payload(text + strlen(kinds[i]));
            return;
        }
    }
    assert_memory_equal(text, "wait", 4);
    expected->kind = EVENT_WAIT;
}

static void read_step(struct test_case *tc, const char *verb, char *arguments)
{
    assert_true(tc->step_count < STEPS_MAX);
    struct step *step = &tc->steps[tc->step_count++];
    step->verb = verb[0];
    switch (verb[0]) {
    case 'f':
        step->byte0 = (unsigned)strtoul(arguments, &arguments, 16);
        step->payload = read_payload(arguments + 1);
        break;
    case 'm':
        step->byte0 = (unsigned)strtoul(arguments, &arguments, 16);
        step->size = strtoul(arguments, &arguments, 10);
        step->payload = read_payload(arguments + 1);
        break;
    case 'h':
        step->byte0 = (unsigned)strtoul(arguments, &arguments, 16);
        step->size = strtoul(arguments, &arguments, 10);
        break;
    case 'r':
    case 'c':
        step->payload = read_payload(arguments);
        break;
    default:
        assert_string_equal(verb, "wait");
    }
}

/* One line of a case after its first. */
static void read_line(struct test_case *tc, const char *verb, char *arguments)
{
    if (strcmp(verb, "expect") == 0) {
        read_expected(tc, arguments);
    } else if (strcmp(verb, "closer") == 0) {
        tc->peer_closes = strncmp(arguments, "peer", 4) == 0;
    } else if (strcmp(verb, "codes") == 0) {
        while (*arguments)
            tc->codes[tc->code_count++] = (unsigned)strtoul(arguments, &arguments, 10);
    } else if (strcmp(verb, "clean") == 0) {
        tc->clean = true;
    } else if (strcmp(verb, "repeat") == 0) {
        tc->repeat = (unsigned)strtoul(arguments, NULL, 10);
    } else {
        read_step(tc, verb, arguments);
    }
}

static void free_case(struct test_case *tc)
{
    for (size_t i = 0; i < tc->step_count; i++)
        free(tc->steps[i].payload.data);
    for (size_t i = 0; i < tc->expected_count; i++)
        free(tc->expected[i].payload.data);
}

static void happened(struct play *p, enum event_kind kind, struct weft_slice payload)
{
    const struct test_case *tc = p->tc;
    size_t at = tc->repeat ? p->matched % tc->expected_count : p->matched;
    if (at >= tc->expected_count || tc->expected[at].kind != kind ||
        tc->expected[at].payload.len != payload.len ||
        (payload.len && memcmp(tc->expected[at].payload.data, payload.ptr, payload.len) != 0))
        fail_msg("%s: event %zu is not as expected (kind %d, %zu bytes)", tc->id, p->matched,
                 (int)kind, payload.len);
    p->matched++;
}

/* Reads what the connection wants to send by itself. */
static void read_answers(struct play *p)
{
    if (!weft__ws_conn_has_control(&p->conn))
        return;
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__ws_conn_take_control(&p->conn, &out));
    for (size_t at = 0; at < out.len;) {
        struct weft_ws_head head;
        ptrdiff_t n = weft__ws_head_decode(out.ptr + at, out.len - at, &head);
        assert_true(n > 0 && head.len <= out.len - at - (size_t)n);
        uint8_t *data = out.ptr + at + n;
        at += (size_t)n + (size_t)head.len;
        weft__ws_mask(data, (size_t)head.len, head.mask, 0);
        if (head.opcode == WEFT_WS_OPCODE_PONG) {
            happened(p, EVENT_PONG, weft__slice(data, (size_t)head.len));
        } else {
            assert_int_equal(head.opcode, WEFT_WS_OPCODE_CLOSE);
            assert_int_equal(p->answer, -1);
            p->answer = head.len ? data[0] << 8 | data[1] : 0;
        }
    }
    weft__bytes_done(&out);
}

static void feed_piece(struct play *p, uint8_t *data, size_t len)
{
    struct weft_ws_event event;
    do {
        size_t used = weft__ws_conn_read(&p->conn, data, len, &event);
        data += used;
        len -= used;
        if (event.type == WEFT_WS_EVENT_MESSAGE)
            happened(p, event.opcode == WEFT_WS_OPCODE_TEXT ? EVENT_TEXT : EVENT_BINARY,
                     event.data);
        read_answers(p);
    } while (event.type != WEFT_WS_EVENT_NONE);
    assert_int_equal(len, 0);
}

/* Hands over what was written so far. */
static void flush(struct play *p)
{
    for (size_t at = 0; at < p->pending.len;) {
        size_t left = p->pending.len - at;
        size_t len = left;
        if (p->piece_max)
            len = test_random_size(&rng, 1, p->piece_max < left ? p->piece_max : left);
        feed_piece(p, p->pending.ptr + at, len);
        at += len;
    }
    weft__bytes_clear(&p->pending);
}

static void write_frame(struct play *p, unsigned byte0, const uint8_t *data, size_t len)
{
    const struct log_frame frame = {byte0, data, len};
    log_write_frame(&p->pending, &frame, p->tester);
}

static void write_message(struct play *p, const struct step *step)
{
    size_t at = 0;
    unsigned byte0 = step->byte0;
    do {
        size_t left = step->payload.len - at;
        size_t len = step->size && step->size < left ? step->size : left;
        write_frame(p, byte0 | (len == left ? 0x80 : 0), step->payload.data + at, len);
        at += len;
        byte0 = 0;
    } while (at < step->payload.len);
}

/* A header alone; with a mask of zeroes, so that raw bytes may follow as they are. */
static void write_head(struct play *p, const struct step *step)
{
    struct weft_ws_head head = {.len = step->size,
                                .opcode = step->byte0 & 15,
                                .fin = (step->byte0 & 0x80) != 0,
                                .masked = p->tester == WEFT_WS_ROLE_CLIENT};
    uint8_t data[WEFT_WS_HEAD_MAX];
    weft__bytes_append(&p->pending, data, weft__ws_head_encode(&head, data));
}

static void play_step(struct play *p, const struct step *step)
{
    switch (step->verb) {
    case 'f':
        write_frame(p, step->byte0, step->payload.data, step->payload.len);
        break;
    case 'm':
        write_message(p, step);
        break;
    case 'h':
        write_head(p, step);
        break;
    case 'r':
        weft__bytes_append(&p->pending, step->payload.data, step->payload.len);
        break;
    case 'c':
        write_frame(p, 0x88, step->payload.data, step->payload.len);
        p->closed = true;
        break;
    default:
        flush(p);
        if (p->answer < 0)
            happened(p, EVENT_WAIT, (struct weft_slice){NULL, 0});
    }
}

static void judge(const struct play *p)
{
    const struct test_case *tc = p->tc;
    size_t want = tc->repeat ? tc->repeat * tc->expected_count : tc->expected_count;
    if (p->matched != want)
        fail_msg("%s: %zu events instead of %zu", tc->id, p->matched, want);
    bool allowed = p->answer == 0;
    for (size_t i = 0; i < tc->code_count; i++)
        allowed = allowed || p->answer == (int)tc->codes[i];
    if (!allowed)
        fail_msg("%s: closed with %d", tc->id, p->answer);
    assert_int_equal(weft__ws_conn_state(&p->conn), WEFT_WS_STATE_CLOSED);
    if (tc->clean && p->conn.failed)
        fail_msg("%s: the closing handshake is not clean", tc->id);
    if (tc->peer_closes && (!p->conn.failed || p->closed))
        fail_msg("%s: the connection was not failed", tc->id);
}

static void play_case(const struct test_case *tc, enum weft_ws_role role, size_t piece_max)
{
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct play p = {.tc = tc, .tester = log_other(role), .piece_max = piece_max, .answer = -1};
    p.options = log_options(&mem.alloc);
    p.options.max_message = MESSAGE_MAX;
    weft__ws_conn_init(&p.conn, role, &p.options);
    weft__bytes_init(&p.pending, weft_alloc_default(), SIZE_MAX);
    for (unsigned i = 0; i < (tc->repeat ? tc->repeat : 1); i++) {
        for (size_t s = 0; s < tc->step_count; s++)
            play_step(&p, &tc->steps[s]);
        flush(&p);
    }
    if (!tc->peer_closes && !p.closed) {
        write_frame(&p, 0x88, (const uint8_t *)"\x03\xe8", 2);
        flush(&p);
    }
    judge(&p);
    weft__bytes_done(&p.pending);
    weft__ws_conn_done(&p.conn);
    test_alloc_done(&mem);
}

static size_t case_size(const struct test_case *tc)
{
    size_t size = 0;
    for (size_t i = 0; i < tc->step_count; i++)
        size += tc->steps[i].payload.len;
    return size * (tc->repeat ? tc->repeat : 1);
}

static void play_case_in_pieces(const struct test_case *tc, enum weft_ws_role role)
{
    play_case(tc, role, 65536);
    if (case_size(tc) > BYTE_BY_BYTE_MAX)
        return;
    play_case(tc, role, 0);
    play_case(tc, role, 1);
    play_case(tc, role, 100);
}

/* Plays every case to |role|; the file is read as it goes. */
static void play_all(enum weft_ws_role role)
{
    char *text = test_file_load("vectors/websocket/cases.txt", NULL);
    static struct test_case tc;
    unsigned cases = 0;
    for (char *line = text, *next; *line; line = next) {
        char *end = strchr(line, '\n');
        next = end + 1;
        *end = 0;
        char *arguments = strchr(line, ' ');
        arguments = arguments ? arguments + 1 : end;
        if (arguments != end)
            arguments[-1] = 0;
        if (strcmp(line, "case") == 0) {
            memset(&tc, 0, sizeof(tc));
            snprintf(tc.id, sizeof(tc.id), "%s", arguments);
            cases++;
        } else if (line != end && line[0] != '#') {
            read_line(&tc, line, arguments);
        }
        if (tc.code_count && (*next == '\n' || *next == 0)) {
            play_case_in_pieces(&tc, role);
            free_case(&tc);
            memset(&tc, 0, sizeof(tc));
        }
    }
    free(text);
    assert_int_equal(cases, 301);
}

static void every_case_holds_for_a_server(void **state)
{
    (void)state;
    play_all(WEFT_WS_ROLE_SERVER);
}

static void every_case_holds_for_a_client(void **state)
{
    (void)state;
    play_all(WEFT_WS_ROLE_CLIENT);
}

int main(void)
{
    test_random_init(&rng, "cases_test");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_holds_for_a_server),
        cmocka_unit_test(every_case_holds_for_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
