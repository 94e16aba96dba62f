/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: one process, one worker thread a core, each with its own loop and listener. Documents
 * are kept in a data folder or, without one, in memory.
 *
 *   weft_server_new ──► weft_server_start ──► weft_server_stop ──► weft_server_free
 *
 * **Thread:** one thread makes, starts and frees a server; weft_server_stop may be called from any
 * thread, not from a signal handler. Since: 0.1.
 */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H

#include <stddef.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/export.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_server;

/* Which system interface the loops use. */
enum weft_server_loop {
    WEFT_SERVER_LOOP_AUTO = 0,  /* io_uring where the kernel has what is needed, else epoll */
    WEFT_SERVER_LOOP_EPOLL = 1, /* epoll, or the start fails */
    WEFT_SERVER_LOOP_URING = 2  /* io_uring, or the start fails */
};

/* Severity of a line that weft_server_options.log receives. */
enum weft_server_log_level {
    WEFT_SERVER_LOG_ERROR = 0,
    WEFT_SERVER_LOG_WARN = 1,
    WEFT_SERVER_LOG_INFO = 2,
    WEFT_SERVER_LOG_DEBUG = 3
};

/* What a server is made with. Strings are copied by weft_server_new. */
struct weft_server_options {
    size_t struct_size;      /* set by weft_server_options_init */
    const char *listen;      /* "HOST:PORT", "[ADDRESS]:PORT" or ":PORT"; port 0 = any free one */
    const char *data_folder; /* NULL: documents live in memory and end with the process */
    unsigned workers;        /* threads, 1–256; 0 = one a core */
    int loop;                /* enum weft_server_loop */
    int development;         /* not 0: the playground at "/" and the demonstration methods */
    /* Host names (without port) a request may name besides the address listened on and, there,
     * "localhost"; NULL-terminated array or NULL. */
    const char *const *hosts;
    /* Origins ("https://app.example") that may connect besides the server's own; as |hosts|. */
    const char *const *origins;
    /* One finished line of text without newline, from any thread; NULL: lines are dropped. */
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
    int log_level;                  /* enum weft_server_log_level: lines above it are dropped */
    const struct weft_alloc *alloc; /* thread-safe; NULL = weft_alloc_default() */
};

/* Sets the defaults: 127.0.0.1:8080, memory, one worker a core, loop chosen, no development. */
WEFT_API void weft_server_options_init(struct weft_server_options *options);

/*
 * Makes a server: opens the data folder (and its lock) and makes the workers' loops; does not
 * listen yet. |options| is read during the call. When it fails and |ret_message| is not NULL, a
 * sentence for people is written there, at most |message_size| bytes with the terminating zero.
 *
 * **Errors:** WEFT_ERR_USAGE (an option is out of range), WEFT_ERR_BUSY (another process has the
 * data folder), WEFT_ERR_UNAVAILABLE (the loop asked for does not exist here), WEFT_ERR_STORE,
 * WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED (data of a newer version), WEFT_ERR_NOMEM,
 * WEFT_ERR_SYSTEM.
 * **Lifetime:** the caller's, until weft_server_free.
 */
WEFT_API WEFT_MUST_USE int weft_server_new(const struct weft_server_options *options,
                                           struct weft_server **ret_server, char *ret_message,
                                           size_t message_size);

/*
 * Listens and starts the workers' threads. When it returns 0, connections are accepted.
 * **Errors:** WEFT_ERR_BUSY (address in use), WEFT_ERR_DENIED, WEFT_ERR_UNAVAILABLE (not an address
 * of this machine), WEFT_ERR_STATE (started before), WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM; the server
 * can only be freed then.
 */
WEFT_API WEFT_MUST_USE int weft_server_start(struct weft_server *server);

/* The address listened on, with the real port: "127.0.0.1:8080". "" before the start.
 * **Lifetime:** the server's. */
WEFT_API const char *weft_server_address(const struct weft_server *server);

/* The loop in use: "uring" or "epoll". **Lifetime:** static. */
WEFT_API const char *weft_server_loop_name(const struct weft_server *server);

/* The number of workers. */
WEFT_API unsigned weft_server_workers(const struct weft_server *server);

/*
 * Stops cleanly: no new connections, open ones are closed with 1001, what is being written is
 * written, the threads end. Blocks until then, at most about 5 s. Calling it again is harmless.
 * **Thread:** any but a worker's.
 */
WEFT_API void weft_server_stop(struct weft_server *server);

/* Stops |server| if need be, closes the store and frees everything. NULL is allowed. */
WEFT_API void weft_server_free(struct weft_server *server);

#ifdef __cplusplus
}
#endif

#endif
