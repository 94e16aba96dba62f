/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of io_transport.h with TLS on both sides, and a peer that is OpenSSL by itself: its
 * ciphertext goes through memory, so that a case can cut, change and hold it back.
 */
#ifndef WEFT_TESTS_INTEGRATION_IO_TLS_H
#define WEFT_TESTS_INTEGRATION_IO_TLS_H

#include "integration/io_transport.h"

#include "lib/certificates.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { TLS_PATIENCE = 2000 /* turns of 1 ms */ };

/* The files of all cases. */
struct tls_files {
    struct test_certs certs;
    struct test_cert ca;       /* signed what follows */
    struct test_cert local;    /* DNS:test, DNS:localhost, IP:127.0.0.1 */
    struct test_cert a;        /* DNS:a.test */
    struct test_cert wild;     /* DNS:*.wild.test */
    struct test_cert client;   /* no names */
    struct test_cert stranger; /* signed by itself, as local */
};

extern struct tls_files files;

static inline int tls_files_make(void)
{
    test_certs_init(&files.certs);
    struct test_certs *certs = &files.certs;
    static const char names[] = "DNS:test,DNS:localhost,IP:127.0.0.1";
    files.ca = test_cert_make(certs, &(struct test_cert_want){.ca = true});
    files.local = test_cert_make(
        certs, &(struct test_cert_want){.issuer = &files.ca, .names = names, .rsa = true});
    files.a = test_cert_make(
        certs,
        &(struct test_cert_want){.issuer = &files.ca, .names = "DNS:a.test", .common_name = "a"});
    files.wild = test_cert_make(certs, &(struct test_cert_want){.issuer = &files.ca,
                                                                .names = "DNS:*.wild.test",
                                                                .common_name = "wild"});
    files.client = test_cert_make(
        certs, &(struct test_cert_want){.issuer = &files.ca, .common_name = "client"});
    files.stranger =
        test_cert_make(certs, &(struct test_cert_want){.names = names, .common_name = "stranger"});
    return 0;
}

static inline struct weft_tls_context *tls_context(const struct weft_tls_options *options)
{
    char message[WEFT_TLS_MESSAGE_SIZE];
    struct weft_tls_context *context = NULL;
    if (weft__tls_context_new(options, &context, message, sizeof(message)))
        fail_msg("%s", message);
    return context;
}

/* A world whose server has |server| (NULL: the certificate "local") and whose clients |client|
 * (NULL: trust the CA). Ends with tls_world_done. */
static inline void tls_world_init(struct world *world, void **state,
                                  struct weft_transport_options options,
                                  const struct weft_tls_options *server,
                                  const struct weft_tls_options *client)
{
    const struct weft_tls_certificate certificate = {files.local.cert, files.local.key};
    const struct weft_tls_options usual_server = {.certificates = &certificate,
                                                  .certificate_count = 1};
    const struct weft_tls_options usual_client = {.role = WEFT_TLS_CLIENT,
                                                  .ca_file = files.ca.cert};
    options.tls_serve = tls_context(server ? server : &usual_server);
    options.tls_dial = tls_context(client ? client : &usual_client);
    world_init_with(world, state, options);
}

static inline void tls_world_done(struct world *world)
{
    struct weft_tls_context *serve = world->set.options.tls_serve;
    struct weft_tls_context *dialing = world->set.options.tls_dial;
    world_done(world);
    weft__tls_context_free(serve);
    weft__tls_context_free(dialing);
}

/* ---- The peer ---- */

struct tls_peer {
    struct world *world;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in;  /* what came from the server */
    BIO *out; /* what goes to it */
    int fd;
    size_t chop;  /* ciphertext goes out in pieces of so many bytes; 0: as it is */
    bool ended;   /* the server ended the TCP stream */
    int sessions; /* tickets that came */
    SSL_SESSION *session;
};

static inline int tls_peer_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_peer *peer = SSL_get_app_data(ssl);
    peer->sessions++;
    SSL_SESSION_free(peer->session);
    peer->session = session;
    return 1;
}

/* A peer that trusts the CA; nothing is connected yet, so that a case can set more. */
static inline void tls_peer_init(struct tls_peer *peer, struct world *world)
{
    *peer = (struct tls_peer){.world = world, .fd = -1};
    peer->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(peer->ctx);
    assert_int_equal(SSL_CTX_load_verify_file(peer->ctx, files.ca.cert), 1);
    SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_session_cache_mode(peer->ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(peer->ctx, tls_peer_session);
}

static inline void tls_peer_connect(struct tls_peer *peer, const char *name)
{
    peer->ssl = SSL_new(peer->ctx);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    assert_true(peer->ssl && peer->in && peer->out);
    BIO_set_mem_eof_return(peer->in, -1);
    SSL_set_app_data(peer->ssl, peer);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_connect_state(peer->ssl);
    if (name)
        assert_int_equal(SSL_set_tlsext_host_name(peer->ssl, name), 1);
    if (peer->session)
        assert_int_equal(SSL_set_session(peer->ssl, peer->session), 1);
    peer->ended = false;
    peer->fd = raw_connect(peer->world);
}

/* Moves ciphertext both ways once. */
static inline void tls_peer_pump(struct tls_peer *peer)
{
    uint8_t data[65536];
    int len;
    while ((len = BIO_read(peer->out, data, sizeof(data))) > 0) {
        size_t piece = peer->chop ? peer->chop : (size_t)len;
        for (size_t at = 0; at < (size_t)len; at += piece) {
            size_t n = (size_t)len - at < piece ? (size_t)len - at : piece;
            while (send(peer->fd, data + at, n, MSG_NOSIGNAL) < 0 && errno == EAGAIN)
                pass(peer->world, 1);
            if (peer->chop)
                pass(peer->world, 0);
        }
    }
    pass(peer->world, 1);
    bool end = false;
    size_t n = peer->ended ? 0 : raw_read(peer->fd, data, sizeof(data), &end);
    peer->ended |= end;
    if (n)
        assert_int_equal(BIO_write(peer->in, data, (int)n), (int)n);
}

/* True when the handshake is complete; false when it failed or does not go on. */
static inline bool tls_peer_handshake(struct tls_peer *peer)
{
    for (int i = 0; i < TLS_PATIENCE; i++) {
        ERR_clear_error();
        int result = SSL_do_handshake(peer->ssl);
        bool waits = result != 1 && SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ;
        tls_peer_pump(peer);
        if (result == 1)
            return true;
        if (!waits || (peer->ended && !BIO_pending(peer->in)))
            return false;
    }
    return false;
}

/* Reads until |want| bytes are there or the stream ends; returns how many. *ret_error, which may be
 * NULL, is SSL_get_error's last word. */
static inline size_t tls_peer_read(struct tls_peer *peer, void *data, size_t want, int *ret_error)
{
    size_t len = 0;
    int error = SSL_ERROR_WANT_READ;
    for (int i = 0; i < TLS_PATIENCE && len < want && error == SSL_ERROR_WANT_READ; i++) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_read_ex(peer->ssl, (uint8_t *)data + len, want - len, &n);
        if (result == 1) {
            len += n;
            continue;
        }
        error = SSL_get_error(peer->ssl, result);
        if (error == SSL_ERROR_WANT_READ && peer->ended && !BIO_pending(peer->in))
            break;
        if (error == SSL_ERROR_WANT_READ)
            tls_peer_pump(peer);
    }
    if (ret_error)
        *ret_error = error;
    return len;
}

static inline void tls_peer_write(struct tls_peer *peer, const void *data, size_t len)
{
    size_t n;
    assert_int_equal(SSL_write_ex(peer->ssl, data, len, &n), 1);
    assert_int_equal(n, len);
    tls_peer_pump(peer);
}

/* Upgrades; the answer is read off. */
static inline void tls_peer_upgrade(struct tls_peer *peer)
{
    char answer[512] = "";
    tls_peer_write(peer, upgrade, sizeof(upgrade) - 1);
    size_t len = 0;
    while (!strstr(answer, "\r\n\r\n")) {
        size_t n = tls_peer_read(peer, answer + len, 1, NULL);
        assert_int_equal(n, 1);
        assert_true(++len < sizeof(answer) - 1);
    }
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
}

/* Ends the connection without a word. */
static inline void tls_peer_cut(struct tls_peer *peer)
{
    /* Otherwise OpenSSL would not resume the session of a connection that broke off. */
    if (peer->ssl)
        SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(peer->ssl);
    peer->ssl = NULL;
    if (peer->fd >= 0)
        (void)close(peer->fd);
    peer->fd = -1;
}

static inline void tls_peer_done(struct tls_peer *peer)
{
    tls_peer_cut(peer);
    SSL_SESSION_free(peer->session);
    SSL_CTX_free(peer->ctx);
}

/* The common name of the server's certificate. */
static inline void tls_peer_name(const struct tls_peer *peer, char ret_name[64])
{
    X509 *cert = SSL_get1_peer_certificate(peer->ssl);
    assert_non_null(cert);
    ret_name[0] = '\0';
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret_name, 64);
    X509_free(cert);
}

#endif
