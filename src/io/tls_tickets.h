/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that session tickets (RFC 5077, RFC 8446 §4.6.1) are sealed with: shared by all workers,
 * made anew after WEFT_TLS_TICKET_ROTATE_NS, and accepted for as long again. They live in memory
 * alone, so a stolen disk opens no recorded connection, and they outlive a reload of certificates.
 *
 *   made ── seals and opens, 12 h ──► previous ── opens (and is renewed), 12 h ──► wiped
 *
 * **Thread:** any.
 */
#ifndef WEFT_IO_TLS_TICKETS_H
#define WEFT_IO_TLS_TICKETS_H

#include "base/compiler.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WEFT_TLS_TICKET_ROTATE_NS (12ull * 3600 * 1000000000ull)

enum { WEFT_TLS_TICKET_NAME = 16, WEFT_TLS_TICKET_SECRET = 32, WEFT_TLS_TICKET_LIFE_S = 12 * 3600 };

struct weft_tls_ticket_key {
    uint8_t name[WEFT_TLS_TICKET_NAME]; /* stands in the ticket */
    uint8_t aes[WEFT_TLS_TICKET_SECRET];
    uint8_t hmac[WEFT_TLS_TICKET_SECRET];
    uint64_t made_ns; /* 0: there is none */
};

/* Private. */
struct weft_tls_tickets {
    pthread_mutex_t mutex;
    struct weft_tls_ticket_key current;
    struct weft_tls_ticket_key previous;
};

void weft__tls_tickets_init(struct weft_tls_tickets *tickets);

/* Wipes the keys. */
void weft__tls_tickets_done(struct weft_tls_tickets *tickets);

/* The key to seal a ticket with at the monotonic time |now_ns| > 0. The caller wipes it. */
void weft__tls_tickets_seal(struct weft_tls_tickets *tickets, uint64_t now_ns,
                            struct weft_tls_ticket_key *ret_key);

/* The key called |name|; false when it is unknown or too old. |ret_renew| tells that the client
 * should get a ticket of the current key. The caller wipes it. */
WEFT_MUST_USE bool weft__tls_tickets_open(struct weft_tls_tickets *tickets, uint64_t now_ns,
                                          const uint8_t name[WEFT_TLS_TICKET_NAME],
                                          struct weft_tls_ticket_key *ret_key, bool *ret_renew);

#endif
