/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that talk to a server have in common: --url, --timeout, and how failures are told.
 */
#ifndef WEFT_BIN_REMOTE_H
#define WEFT_BIN_REMOTE_H

#include "args.h"

#include <stdbool.h>
#include <stdint.h>
#include <weft/client.h>

/* Their options, for the tables of such commands. */
#define REMOTE_OPTIONS                                                                             \
    {"url", "URL", "WEFT_URL", "the server (ws://127.0.0.1:8080/ws)"},                             \
        {"ca", "FILE", "WEFT_CA", "PEM file: authorities to trust instead of the system's"},       \
        {"token", "TOKEN", "WEFT_TOKEN",                                                           \
         "who we are to the server; @FILE: the file's first line"},                                \
    {                                                                                              \
        "timeout", "MS", "WEFT_TIMEOUT", "to connect, and to wait for the answer (30000)"          \
    }

/* A call to be made. */
struct remote_call {
    const char *method;
    const char *params;   /* JSON; NULL: none */
    const char *idem;     /* the idempotency key; NULL: none */
    uint32_t deadline_ms; /* for the answer; 0: as --timeout says */
    bool no_deadline;     /* neither of them: however long it takes */
};

/* A client that is connected; NULL when something failed, which was reported. |*ret_timeout_ms| is
 * that of --timeout. */
struct weft_client *remote_connect(const struct args *args, uint32_t *ret_timeout_ms,
                                   int *ret_status);

/* "weft call: not_found (-32005): no such document (weft.doc.unknown)", and what is wrong. */
void remote_tell_error(const struct args *args, const struct weft_answer *answer);

/* The same for what went wrong on this side. Returns the exit status. */
int remote_tell_failure(const struct args *args, int err);

/*
 * Connects, makes |call|, and disconnects. Returns the answer, which is a result; weft_answer_free.
 * NULL when something failed, which was reported; |*ret_status| is the exit status then.
 */
struct weft_answer *remote_call(const struct args *args, const struct remote_call *call,
                                int *ret_status);

/* Connects, sends |call| as a notification, and disconnects. Returns the exit status. */
int remote_notify(const struct args *args, const struct remote_call *call);

/* Writes |len| bytes to standard output, and a newline if |newline|. Returns the exit status. */
int remote_print(const struct args *args, const void *data, size_t len, bool newline);

#endif
