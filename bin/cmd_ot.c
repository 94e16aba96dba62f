/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft ot --type TYPE`: the functions of a document type as a filter, one JSON object a line in,
 * one out, in the same order. Output is flushed before the filter waits for input, so that it also
 * serves as a coprocess. A line that fails is answered with an error, and the next one is read.
 */
#include "args.h"
#include "base/compiler.h"
#include "codec/json.h"
#include "commands.h"
#include "ot/type.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 64 << 20,   /* a longer line is answered with an error */
    LINE_MAX_VALUES = 4 << 20,   /* JSON values of one line */
    ARENA_MAX_BYTES = 512 << 20, /* memory for the values of one line */
    READ_BYTES = 64 << 10,
    OUTPUT_BYTES = 64 << 10, /* pending output is written when there is more of it */
};

static const char summary[] =
    "Reads one JSON object a line from standard input and answers each with one line:\n"
    "\n"
    "  {\"f\":\"check\",\"op\":OP}                              {\"ok\":true}\n"
    "  {\"f\":\"apply\",\"doc\":DOC,\"op\":OP}                    {\"result\":DOC}\n"
    "  {\"f\":\"compose\",\"a\":OP,\"b\":OP}                      {\"result\":OP}\n"
    "  {\"f\":\"transform\",\"a\":OP,\"b\":OP,\"side\":SIDE}        {\"result\":OP}\n"
    "  {\"f\":\"invert\",\"doc\":DOC,\"op\":OP}                   {\"result\":OP}\n"
    "  {\"f\":\"position\",\"op\":OP,\"pos\":N,\"side\":SIDE}       {\"result\":N}\n"
    "  {\"f\":\"position\",\"op\":OP,\"path\":[KEY,...]}         {\"result\":PATH}   (json)\n"
    "  {\"f\":\"normalize\",\"op\":OP}                          {\"result\":OP}\n"
    "  {\"f\":\"diff\",\"from\":DOC,\"to\":DOC}                 {\"result\":OP}\n"
    "  whatever fails                   {\"error\":{\"code\":CODE,\"message\":TEXT}}\n"
    "\n"
    "SIDE is \"left\" or \"right\": in transform, left puts the insertion of a first; in "
    "position,\n"
    "left stays before what is inserted exactly there. A line may have 64 MiB.";

/* One request line while it is answered. */
struct request {
    const struct weft_ot_type *type;
    const struct weft_json *root;
    struct weft_json_writer *out; /* inside the answer object */
    struct weft_ot_error error;   /* says why answer functions failed */
    bool bare;                    /* its operations are arrays: so is the one it is answered with */
};

static int refuse(struct request *r, const char *message)
{
    return weft__ot_fail(&r->error, WEFT_ERR_USAGE, WEFT_STATUS_INVALID_ARGUMENT, message);
}

static int get_op(struct request *r, const char *key, void **ret_op)
{
    const struct weft_json *value = weft__json_get(r->root, key);
    if (!value)
        return refuse(r, "an operation is missing");
    r->bare = r->bare || weft__json_is(value, WEFT_JSON_ARRAY);
    return r->type->op_parse(weft_alloc_default(), value, ret_op, &r->error);
}

static int get_doc(struct request *r, const char *key, void **ret_doc)
{
    const struct weft_json *value = weft__json_get(r->root, key);
    if (!value)
        return refuse(r, "a document is missing");
    return r->type->doc_new(weft_alloc_default(), value, ret_doc, &r->error);
}

static int get_side(struct request *r, enum weft_ot_side *ret_side)
{
    const struct weft_json *value = weft__json_get(r->root, "side");
    if (weft__json_string_is(value, "left"))
        *ret_side = WEFT_OT_SIDE_LEFT;
    else if (weft__json_string_is(value, "right"))
        *ret_side = WEFT_OT_SIDE_RIGHT;
    else
        return refuse(r, "side must be left or right");
    return 0;
}

static int answer_check(struct request *r)
{
    void *op = NULL;
    int err = get_op(r, "op", &op);
    if (!err) {
        weft__json_key(r->out, "ok");
        weft__json_put_bool(r->out, true);
    }
    r->type->op_free(op);
    return err;
}

static int answer_apply(struct request *r)
{
    void *doc = NULL;
    void *op = NULL;
    int err = get_doc(r, "doc", &doc);
    if (!err)
        err = get_op(r, "op", &op);
    if (!err)
        err = r->type->doc_apply(doc, op, &r->error);
    if (!err) {
        weft__json_key(r->out, "result");
        r->type->doc_write(doc, r->out);
    }
    r->type->op_free(op);
    r->type->doc_free(doc);
    return err;
}

/* Operations of rich text are {"ops":[…]} or the array alone; the answer has the form of the
 * question. */
static void put_op(struct request *r, const void *op)
{
    static const char object[] = "{\"ops\":";
    const size_t head = sizeof(object) - 1;
    struct weft_bytes text;
    struct weft_json_writer w;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &text);
    r->type->op_write(op, &w);
    struct weft_slice written = weft__bytes_slice(&text);
    if (r->bare && written.len > head && memcmp(written.ptr, object, head) == 0)
        written = weft__slice(written.ptr + head, written.len - head - 1);
    weft__json_key(r->out, "result");
    weft__json_put_raw(r->out, written);
    if (weft__bytes_error(&text) && !r->out->out->err)
        r->out->out->err = weft__bytes_error(&text);
    weft__bytes_done(&text);
}

static int answer_invert(struct request *r)
{
    void *doc = NULL;
    void *op = NULL;
    void *inverse = NULL;
    int err = get_doc(r, "doc", &doc);
    if (!err)
        err = get_op(r, "op", &op);
    if (!err)
        err = r->type->op_invert(weft_alloc_default(), op, doc, &inverse, &r->error);
    if (!err)
        put_op(r, inverse);
    r->type->op_free(inverse);
    r->type->op_free(op);
    r->type->doc_free(doc);
    return err;
}

static int answer_normalize(struct request *r)
{
    void *op = NULL;
    void *result = NULL;
    int err = get_op(r, "op", &op);
    if (!err && r->type->op_normalize)
        err = r->type->op_normalize(weft_alloc_default(), op, &result, &r->error);
    if (!err)
        put_op(r, result ? result : op);
    r->type->op_free(result);
    r->type->op_free(op);
    return err;
}

static int answer_diff(struct request *r)
{
    void *from = NULL;
    void *to = NULL;
    void *op = NULL;
    int err = r->type->doc_diff ? get_doc(r, "from", &from) : refuse(r, "this type has no diff");
    if (!err)
        err = get_doc(r, "to", &to);
    if (!err)
        err = r->type->doc_diff(weft_alloc_default(), from, to, &op, &r->error);
    if (!err)
        put_op(r, op);
    r->type->op_free(op);
    r->type->doc_free(to);
    r->type->doc_free(from);
    return err;
}

/* Transforms |a|, and writes |conflicts| where the type reports any. */
static int transform(struct request *r, const void *a, const void *b, struct weft_bytes *conflicts,
                     void **ret_result)
{
    enum weft_ot_side side;
    struct weft_json_writer w;
    int err = get_side(r, &side);
    if (err)
        return err;
    if (!r->type->op_transform_reported)
        return r->type->op_transform(weft_alloc_default(), a, b, side, ret_result, &r->error);
    weft__json_writer_init(&w, conflicts);
    err =
        r->type->op_transform_reported(weft_alloc_default(), a, b, side, &w, ret_result, &r->error);
    if (!err && weft__bytes_error(conflicts))
        err = weft__ot_fail(&r->error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED,
                            "out of memory");
    return err;
}

/* Compose and transform: two operations in, one out. */
static int answer_pair(struct request *r, bool transforms)
{
    void *a = NULL;
    void *b = NULL;
    void *result = NULL;
    struct weft_bytes conflicts;
    weft__bytes_init(&conflicts, weft_alloc_default(), SIZE_MAX);
    int err = get_op(r, "a", &a);
    if (!err)
        err = get_op(r, "b", &b);
    if (!err && transforms)
        err = transform(r, a, b, &conflicts, &result);
    else if (!err)
        err = r->type->op_compose(weft_alloc_default(), a, b, &result, &r->error);
    if (!err)
        put_op(r, result);
    if (!err && conflicts.len > 2) { /* more than [] */
        weft__json_key(r->out, "conflicts");
        weft__json_put_raw(r->out, weft__bytes_slice(&conflicts));
    }
    weft__bytes_done(&conflicts);
    r->type->op_free(result);
    r->type->op_free(b);
    r->type->op_free(a);
    return err;
}

static int answer_compose(struct request *r)
{
    return answer_pair(r, false);
}

static int answer_transform(struct request *r)
{
    return answer_pair(r, true);
}

/* The side of a path may be left out: it matters only inside a string. */
static int answer_path(struct request *r, const struct weft_json *path)
{
    void *op = NULL;
    enum weft_ot_side side = WEFT_OT_SIDE_LEFT;
    int err = weft__json_get(r->root, "side") ? get_side(r, &side) : 0;
    if (!err)
        err = get_op(r, "op", &op);
    if (!err) {
        weft__json_key(r->out, "result");
        err = r->type->op_path(weft_alloc_default(), op, path, side, r->out, &r->error);
    }
    r->type->op_free(op);
    return err;
}

static int answer_position(struct request *r)
{
    void *op = NULL;
    int64_t pos = 0;
    enum weft_ot_side side = WEFT_OT_SIDE_LEFT;
    const struct weft_json *path = weft__json_get(r->root, "path");
    if (r->type->op_path)
        return path ? answer_path(r, path) : refuse(r, "path is missing");
    int err = get_side(r, &side);
    if (!err && (!weft__json_i64(weft__json_get(r->root, "pos"), &pos) || pos < 0))
        err = refuse(r, "pos must be a whole number, 0 or greater");
    if (!err && pos > INT32_MAX)
        err = weft__ot_fail(&r->error, WEFT_ERR_USAGE, WEFT_STATUS_OUT_OF_RANGE,
                            "pos is past the end of every document");
    if (!err)
        err = get_op(r, "op", &op);
    if (!err) {
        weft__json_key(r->out, "result");
        weft__json_put_u64(r->out, r->type->op_position(op, (uint64_t)pos, side));
    }
    r->type->op_free(op);
    return err;
}

static int answer(struct request *r)
{
    static const struct {
        const char *name;
        int (*answer)(struct request *r);
    } functions[] = {
        {"check", answer_check},         {"apply", answer_apply},   {"compose", answer_compose},
        {"transform", answer_transform}, {"invert", answer_invert}, {"position", answer_position},
        {"normalize", answer_normalize}, {"diff", answer_diff},
    };
    if (!weft__json_is(r->root, WEFT_JSON_OBJECT))
        return refuse(r, "a line must be a JSON object");
    const struct weft_json *f = weft__json_get(r->root, "f");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(functions); i++) {
        if (weft__json_string_is(f, functions[i].name))
            return functions[i].answer(r);
    }
    return refuse(r, "f names no function");
}

static void put_error(struct weft_bytes *out, int status, const char *message)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "error");
    weft__json_begin_object(&w);
    weft__json_key(&w, "code");
    weft__json_put_str(&w, weft_status_name(status));
    weft__json_key(&w, "message");
    weft__json_put_str(&w, message);
    weft__json_end_object(&w);
    weft__json_end_object(&w);
    weft__bytes_append_byte(out, '\n');
}

/* Parses |line| and appends its answer to |out|. */
static void answer_line(const struct weft_ot_type *type, struct weft_slice line,
                        struct weft_bytes *out)
{
    struct weft_arena arena;
    struct weft_json_writer w;
    struct weft_json_error fault;
    struct weft_json_options options = {.max_values = LINE_MAX_VALUES};
    struct request r = {.type = type, .out = &w};
    const size_t before = out->len;
    weft__arena_init(&arena, weft_alloc_default(), ARENA_MAX_BYTES);
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    int err = weft__json_parse(line, &arena, &options, &fault, &r.root);
    if (err)
        weft__ot_fail(&r.error, err, weft_status_from_err(err), fault.message);
    else
        err = answer(&r);
    if (!err) {
        weft__json_end_object(&w);
        weft__bytes_append_byte(out, '\n');
        err = weft__bytes_error(out);
        if (err)
            weft__ot_fail(&r.error, err, weft_status_from_err(err), weft_err_message(err));
    }
    if (err) { /* take back what was written of the answer */
        out->len = before;
        out->err = 0;
        put_error(out, r.error.status, r.error.message);
    }
    weft__arena_done(&arena);
}

/* Standard input cut into lines. */
struct input {
    struct weft_bytes buf;
    size_t at;      /* first byte not yet given out */
    size_t scanned; /* first byte not yet searched for a line end */
    bool skipping;  /* inside a line that was too long */
    bool eof;
};

/* The next whole line in the buffer, or at the end of input the rest; false when there is none. */
static bool next_line(struct input *in, struct weft_slice *ret_line)
{
    size_t len = in->buf.len - in->scanned;
    const uint8_t *end = len ? memchr(in->buf.ptr + in->scanned, '\n', len) : NULL;
    in->scanned = in->buf.len;
    if (!end && !(in->eof && in->buf.len > in->at))
        return false;
    size_t stop = end ? (size_t)(end - in->buf.ptr) : in->buf.len;
    *ret_line = (struct weft_slice){in->buf.ptr + in->at, stop - in->at};
    in->at = in->scanned = end ? stop + 1 : stop;
    return true;
}

/* Reads more behind the unfinished line. False when reading or memory fails. */
static bool read_more(struct input *in)
{
    if (in->at > 0) {
        memmove(in->buf.ptr, in->buf.ptr + in->at, in->buf.len - in->at);
        in->buf.len -= in->at;
        in->scanned -= in->at;
        in->at = 0;
    }
    if (in->skipping || in->buf.len > LINE_MAX_BYTES) { /* forget it, but for its being too long */
        in->skipping = true;
        in->buf.len = in->scanned = 0;
    }
    if (!weft__bytes_reserve(&in->buf, READ_BYTES))
        return false;
    ssize_t got;
    do
        got = read(STDIN_FILENO, in->buf.ptr + in->buf.len, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    in->buf.len += (size_t)got;
    in->eof = got == 0;
    return true;
}

static bool flush_output(struct weft_bytes *out)
{
    bool ok = fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
    weft__bytes_clear(out);
    return ok;
}

/* Answers every line until the input ends. False when standard input or output fails. */
static bool filter(const struct weft_ot_type *type, struct input *in, struct weft_bytes *out)
{
    for (;;) {
        struct weft_slice line;
        while (next_line(in, &line)) {
            if (in->skipping || line.len > LINE_MAX_BYTES)
                put_error(out, WEFT_STATUS_RESOURCE_EXHAUSTED, "the line is too long");
            else
                answer_line(type, line, out);
            in->skipping = false;
            if (out->len >= OUTPUT_BYTES && !flush_output(out))
                return false;
        }
        if (out->len > 0 && !flush_output(out))
            return false;
        if (in->eof)
            break;
        if (!read_more(in))
            return false;
    }
    return true;
}

int weft_cmd_ot(int argc, char **argv)
{
    static const struct args_option options[] = {
        {"type", "TYPE", NULL, "the kind of document: text, rich, json"},
    };
    static const struct args_command command = {
        .name = "ot",
        .usage = "",
        .summary = summary,
        .options = options,
        .option_count = WEFT_ARRAY_LEN(options),
    };
    struct args args;
    int done = args_parse(&args, argc, argv, &command);
    if (done >= 0)
        return done;
    const char *name = args_get(&args, "type", NULL);
    if (!name)
        return args_fail(&command, "--type is missing");
    const struct weft_ot_type *type = weft__ot_type_find(weft__slice_str(name));
    if (!type)
        return args_fail(&command, "unknown type '%s'; known types: text, rich, json", name);
    struct input in = {0};
    struct weft_bytes out;
    weft__bytes_init(&in.buf, weft_alloc_default(),
                     (size_t)LINE_MAX_BYTES + (size_t)4 * READ_BYTES);
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    bool ok = filter(type, &in, &out);
    if (!ok)
        perror("weft ot");
    weft__bytes_done(&out);
    weft__bytes_done(&in.buf);
    return ok ? 0 : 1;
}
