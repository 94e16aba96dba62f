/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the load generator, on io/tls.h. */
#include "bench_stream.h"

#include "base/mem.h"

#include <stdio.h>

static int to_wire(void *ctx, const uint8_t *data, size_t len)
{
    struct bench_conn *conn = ctx;
    weft__bytes_append(&conn->wire, data, len);
    return weft__bytes_error(&conn->wire);
}

int bench_stream_init(struct bench_worker *worker)
{
    worker->plain = weft__mem_alloc(weft_alloc_default(), BENCH_PLAIN_SIZE);
    if (!worker->plain)
        return WEFT_ERR_NOMEM;
    return weft__tls_io_init(&worker->tls_io, to_wire);
}

void bench_stream_done(struct bench_worker *worker)
{
    weft__tls_io_done(&worker->tls_io);
    weft__mem_free(weft_alloc_default(), worker->plain, BENCH_PLAIN_SIZE);
    worker->plain = NULL;
}

static void set_input(struct bench_conn *conn, const uint8_t *data, size_t len)
{
    struct weft_tls_io *io = &conn->worker->tls_io;
    io->ctx = conn;
    io->in = data;
    io->in_len = len;
}

int bench_stream_begin(struct bench_conn *conn)
{
    struct bench_worker *worker = conn->worker;
    int err =
        weft__tls_open(&conn->tls, worker->run->tls, &worker->tls_io, worker->options->url.host);
    if (err)
        return err;
    set_input(conn, NULL, 0);
    err = weft__tls_handshake(&conn->tls);
    return err < 0 ? err : 0;
}

int bench_stream_read(struct bench_conn *conn, uint8_t *data, size_t len,
                      bool (*opened)(struct bench_conn *conn),
                      bool (*take)(struct bench_conn *conn, uint8_t *data, size_t len),
                      char ret_text[WEFT_TLS_FAILURE_SIZE])
{
    struct bench_worker *worker = conn->worker;
    int result = 0;
    set_input(conn, data, len);
    if (conn->state == BENCH_TLS) {
        result = weft__tls_handshake(&conn->tls);
        if (result == WEFT_TLS_MORE)
            result = 0;
        else if (!result && !opened(conn))
            return 0;
    }
    while (!result && conn->state != BENCH_TLS) {
        /* |opened| and |take| may have written, which must not look at the input. */
        ptrdiff_t n = weft__tls_read(&conn->tls, worker->plain, BENCH_PLAIN_SIZE);
        if (n > 0 && take(conn, worker->plain, (size_t)n))
            continue;
        if (n > 0)
            return 0;
        result = (int)n;
        break;
    }
    if (result == WEFT_ERR_TLS)
        weft__tls_failure(&conn->tls, ret_text);
    return result;
}

int bench_stream_write(struct bench_conn *conn, const struct iovec *iov, int count)
{
    /* Another connection may be in the middle of reading. */
    void *reader = conn->worker->tls_io.ctx;
    int err = 0;
    conn->worker->tls_io.ctx = conn;
    for (int i = 0; i < count && !err; i++)
        err = weft__tls_write(&conn->tls, iov[i].iov_base, iov[i].iov_len);
    conn->worker->tls_io.ctx = reader;
    return err;
}
