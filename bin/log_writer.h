/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on their way to a descriptor that may be slow or stuck (a full pipe, a terminal that is
 * held): a bounded queue, and a thread that writes it. Who logs never waits for the descriptor, but
 * for an error: that is written before the process may fall, or waited for LOG_WRITER_ERROR_MS at
 * most, and not at all while nothing moves. What finds no room is dropped and counted; the event
 * log.dropped says how many when there is room again.
 *
 * **Thread:** log_writer_write any; new and free the one that owns it.
 */
#ifndef WEFT_BIN_LOG_WRITER_H
#define WEFT_BIN_LOG_WRITER_H

#include <weft/err.h>
#include <weft/export.h>

enum {
    LOG_WRITER_BYTES = 256 * 1024, /* of lines that wait */
    LOG_WRITER_ERROR_MS = 200,     /* for an error to be written */
    LOG_WRITER_END_MS = 1000,      /* for all lines to be written at the end */
};

struct log_writer;

/* Starts writing to |fd|, which stays open and is the caller's; |format| is enum
 * weft_server_log_format. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int log_writer_new(int fd, int format, struct log_writer **ret_writer);

/* Writes what waits, for LOG_WRITER_END_MS at most, and ends. NULL is allowed. Must not be called
 * while somebody may still log. */
void log_writer_free(struct log_writer *writer);

/* Queues |line|: weft_server_options.log with a writer as |ctx|. */
void log_writer_write(void *ctx, int level, const char *line);

#endif
