/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections on top of OpenSSL. All of a loop share one BIO, whose source and sink are set for the
 * duration of a call: a BIO for each would be memory that idles.
 *
 * Whether OpenSSL only wants more input is read from SSL_want, not from SSL_get_error, which judges
 * by the thread's error queue and so by failures of others.
 */
#include "io/tls.h"

#include "base/assert.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/tls_setup.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

/* ---- The BIO ---- */

static int bio_read(BIO *bio, char *data, int len)
{
    struct weft_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0 || !io->in_len) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = WEFT_MIN((size_t)len, io->in_len);
    memcpy(data, io->in, n);
    io->in += n;
    io->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct weft_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0 || io->write(io->ctx, (const uint8_t *)data, (size_t)len))
        return -1;
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    /* Everything is written at once. */
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weft");
    if (!method)
        return;
    (void)BIO_meth_set_read(method, bio_read);
    (void)BIO_meth_set_write(method, bio_write);
    (void)BIO_meth_set_ctrl(method, bio_ctrl);
    bio_method = method;
}

int weft__tls_io_init(struct weft_tls_io *io,
                      int (*write)(void *ctx, const uint8_t *data, size_t len))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *io = (struct weft_tls_io){.write = write};
    pthread_once(&once, make_bio_method);
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!bio)
        return WEFT_ERR_NOMEM;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    io->bio = bio;
    return 0;
}

void weft__tls_io_done(struct weft_tls_io *io)
{
    BIO_free(io->bio);
    io->bio = NULL;
}

/* ---- Life ---- */

/* Who the server must be (RFC 6125, RFC 9525): by name, or by address when that was asked for. */
static int expect_host(SSL *ssl, const char *host)
{
    struct weft_address address;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (weft__address_from_numeric(host, 0, &address) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : WEFT_ERR_NOMEM;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(param, host, 0) != 1)
        return WEFT_ERR_USAGE;
    /* RFC 6066 §3: names only, without the root's dot. */
    char name[WEFT_HOST_SIZE];
    size_t len = strlen(host);
    if (len >= sizeof(name))
        return WEFT_ERR_USAGE;
    memcpy(name, host, len + 1);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    return SSL_set_tlsext_host_name(ssl, name) == 1 ? 0 : WEFT_ERR_NOMEM;
}

int weft__tls_open(struct weft_tls *tls, struct weft_tls_context *context, struct weft_tls_io *io,
                   const char *host)
{
    *tls = (struct weft_tls){.io = io, .setup = weft__tls_context_setup(context)};
    tls->ssl = SSL_new(tls->setup->identities[0].ctx);
    int err = tls->ssl ? 0 : WEFT_ERR_NOMEM;
    if (!err && host)
        err = expect_host(tls->ssl, host);
    if (err) {
        weft__tls_done(tls);
        return err;
    }
    (void)BIO_up_ref(io->bio); /* SSL_set_bio takes one reference when both are the same */
    SSL_set_bio(tls->ssl, io->bio, io->bio);
    if (tls->setup->role == WEFT_TLS_SERVER)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    return 0;
}

void weft__tls_done(struct weft_tls *tls)
{
    SSL_free(tls->ssl);
    weft__tls_setup_unref(tls->setup);
    *tls = (struct weft_tls){0};
}

/* ---- Runs ---- */

/* What others left in the thread's error queue. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

int weft__tls_handshake(struct weft_tls *tls)
{
    forget_errors();
    if (SSL_do_handshake(tls->ssl) == 1)
        return 0;
    return SSL_want_read(tls->ssl) ? WEFT_TLS_MORE : WEFT_ERR_TLS;
}

ptrdiff_t weft__tls_read(struct weft_tls *tls, uint8_t *data, size_t cap)
{
    size_t n = 0;
    forget_errors();
    if (SSL_read_ex(tls->ssl, data, cap, &n) == 1)
        return (ptrdiff_t)n;
    if (SSL_want_read(tls->ssl))
        return 0;
    return SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN &&
                   SSL_get_error(tls->ssl, 0) == SSL_ERROR_ZERO_RETURN
               ? WEFT_ERR_CLOSED
               : WEFT_ERR_TLS;
}

int weft__tls_write(struct weft_tls *tls, const uint8_t *data, size_t len)
{
    size_t n = 0;
    return SSL_write_ex(tls->ssl, data, len, &n) == 1 && n == len ? 0 : WEFT_ERR_TLS;
}

void weft__tls_goodbye(struct weft_tls *tls)
{
    /* 0 means that the peer has not said it yet; a failure leaves nothing to be done. */
    if (SSL_shutdown(tls->ssl) < 0)
        ERR_clear_error();
}

void weft__tls_rest(struct weft_tls *tls)
{
    (void)SSL_free_buffers(tls->ssl);
}

/* ---- Questions ---- */

bool weft__tls_resumed(const struct weft_tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

const char *weft__tls_version(const struct weft_tls *tls)
{
    return SSL_get_version(tls->ssl);
}

const char *weft__tls_server_name(const struct weft_tls *tls)
{
    return SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
}

void weft__tls_failure(const struct weft_tls *tls, char ret_text[WEFT_TLS_FAILURE_SIZE])
{
    long verify = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);
    if (verify != X509_V_OK && !tls->setup->accept_any)
        snprintf(ret_text, WEFT_TLS_FAILURE_SIZE, "the certificate is refused: %s",
                 X509_verify_cert_error_string(verify));
    else
        snprintf(ret_text, WEFT_TLS_FAILURE_SIZE, "%s", text ? text : "the connection broke");
    ERR_clear_error();
}
