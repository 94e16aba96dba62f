/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of two ticket keys. */
#include "io/tls_tickets.h"

#include "io/crypto.h"

#include <openssl/crypto.h>
#include <string.h>

void weft__tls_tickets_init(struct weft_tls_tickets *tickets)
{
    *tickets = (struct weft_tls_tickets){0};
    pthread_mutex_init(&tickets->mutex, NULL);
}

void weft__tls_tickets_done(struct weft_tls_tickets *tickets)
{
    OPENSSL_cleanse(&tickets->current, sizeof(tickets->current));
    OPENSSL_cleanse(&tickets->previous, sizeof(tickets->previous));
    pthread_mutex_destroy(&tickets->mutex);
}

static void make_key(struct weft_tls_ticket_key *key, uint64_t now_ns)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    crypto->random(crypto->ctx, key->name, sizeof(key->name));
    crypto->random(crypto->ctx, key->aes, sizeof(key->aes));
    crypto->random(crypto->ctx, key->hmac, sizeof(key->hmac));
    key->made_ns = now_ns;
}

/* Under the mutex: brings the ring up to |now_ns|. */
static void rotate(struct weft_tls_tickets *tickets, uint64_t now_ns)
{
    const struct weft_tls_ticket_key *current = &tickets->current;
    if (current->made_ns && now_ns < current->made_ns + WEFT_TLS_TICKET_ROTATE_NS)
        return;
    /* After a long pause the last key is too old to be the previous one. */
    if (current->made_ns && now_ns < current->made_ns + 2 * WEFT_TLS_TICKET_ROTATE_NS)
        tickets->previous = *current;
    else
        OPENSSL_cleanse(&tickets->previous, sizeof(tickets->previous));
    make_key(&tickets->current, now_ns);
}

void weft__tls_tickets_seal(struct weft_tls_tickets *tickets, uint64_t now_ns,
                            struct weft_tls_ticket_key *ret_key)
{
    pthread_mutex_lock(&tickets->mutex);
    rotate(tickets, now_ns);
    *ret_key = tickets->current;
    pthread_mutex_unlock(&tickets->mutex);
}

static bool is_called(const struct weft_tls_ticket_key *key, const uint8_t *name)
{
    return key->made_ns && memcmp(key->name, name, sizeof(key->name)) == 0;
}

bool weft__tls_tickets_open(struct weft_tls_tickets *tickets, uint64_t now_ns,
                            const uint8_t name[WEFT_TLS_TICKET_NAME],
                            struct weft_tls_ticket_key *ret_key, bool *ret_renew)
{
    pthread_mutex_lock(&tickets->mutex);
    rotate(tickets, now_ns);
    bool current = is_called(&tickets->current, name);
    bool previous = !current && is_called(&tickets->previous, name);
    if (current || previous) {
        *ret_key = current ? tickets->current : tickets->previous;
        *ret_renew = previous;
    }
    pthread_mutex_unlock(&tickets->mutex);
    return current || previous;
}
