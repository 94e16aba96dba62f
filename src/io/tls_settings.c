/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of every connection that come from no file. Old versions and ciphers are not
 * offered: no client of the last ten years needs them.
 *
 * Tickets are sealed with AES-256-CBC and HMAC-SHA-256 as RFC 5077 §4 recommends, by the keys of
 * tls_tickets.h, so that a session begun with one worker goes on with another one.
 */
#include "io/clock.h"
#include "io/tls_setup.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* Forward secrecy and authenticated encryption alone (RFC 9325 §4.2). AES-128 comes first because
 * it is fastest where the processor helps; a client without such help says so by its own order. */
static const char CIPHERS_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char CIPHERS_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char GROUPS[] = "X25519:P-256:P-384";
static const unsigned char ALPN[] = "\x08http/1.1";

/* ---- Tickets ---- */

enum { TICKET_FAILED = -1, TICKET_UNKNOWN = 0, TICKET_GOOD = 1, TICKET_RENEW = 2 };

static bool set_ticket_key(const struct weft_tls_ticket_key *key, const unsigned char *iv,
                           EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hmac,
                                          sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int sealing)
{
    const struct weft_tls_setup *setup = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct weft_tls_ticket_key key;
    uint64_t now_ns = weft__clock_now_ns();
    int result = TICKET_GOOD;
    bool renew = false;
    if (sealing) {
        weft__tls_tickets_seal(setup->tickets, now_ns, &key);
        memcpy(name, key.name, sizeof(key.name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            result = TICKET_FAILED;
    } else if (!weft__tls_tickets_open(setup->tickets, now_ns, name, &key, &renew)) {
        return TICKET_UNKNOWN;
    } else if (renew || SSL_version(ssl) == TLS1_3_VERSION) {
        /* RFC 8446 §C.4: a ticket that is used once tells nobody that two connections belong to the
         * same client. */
        result = TICKET_RENEW;
    }
    if (result != TICKET_FAILED && !set_ticket_key(&key, iv, cipher, mac, sealing))
        result = TICKET_FAILED;
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}

/* ---- Names ---- */

/* RFC 7301 §3.2: a client that offers protocols, but not ours, is refused with an alert. */
static int alpn_callback(SSL *ssl, const unsigned char **ret_out, unsigned char *ret_len,
                         const unsigned char *in, unsigned int len, void *arg)
{
    (void)ssl;
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, ret_len, ALPN, sizeof(ALPN) - 1, in, len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 §3: the certificate for the name asked for, or the default one. */
static int name_callback(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const struct weft_tls_setup *setup = arg;
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct weft_tls_identity *identity =
        host ? weft__tls_setup_find(setup, weft__slice_str(host)) : NULL;
    if (!identity)
        return SSL_TLSEXT_ERR_NOACK;
    if (identity->ctx != SSL_get_SSL_CTX(ssl) && !SSL_set_SSL_CTX(ssl, identity->ctx))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- All of it ---- */

static bool apply_server(struct weft_tls_setup *setup, SSL_CTX *ctx)
{
    (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(ctx, alpn_callback, NULL);
    (void)SSL_CTX_set_tlsext_servername_callback(ctx, name_callback);
    (void)SSL_CTX_set_tlsext_servername_arg(ctx, setup);
    (void)SSL_CTX_set_timeout(ctx, WEFT_TLS_TICKET_LIFE_S);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_callback) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1;
}

int weft__tls_settings_apply(struct weft_tls_setup *setup, const struct weft_tls_options *options,
                             SSL_CTX *ctx)
{
    int min = options->min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_app_data(ctx, setup);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* Sessions live in tickets alone: nothing to share between threads, nothing to grow. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    bool fine = SSL_CTX_set_min_proto_version(ctx, min) == 1 &&
                SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1 &&
                SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) == 1 &&
                SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
    if (fine && setup->role == WEFT_TLS_SERVER)
        fine = apply_server(setup, ctx);
    else if (fine)
        fine = SSL_CTX_set_alpn_protos(ctx, ALPN, sizeof(ALPN) - 1) == 0;
    return fine ? 0 : WEFT_ERR_NOMEM;
}
