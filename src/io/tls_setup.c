/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading certificates, keys and authorities, with a sentence for people about everything that can
 * be wrong with them: they are changed by hand and by scripts, on running servers.
 */
#include "io/tls_setup.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/crypto.h"
#include "io/tls_names.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { STRINGS_MAX = 1 << 20, NAMES_MAX = 1000, SOON_DAYS = 14, DAY_S = 86400 };

/* Where the reading stands. */
struct reading {
    struct weft_tls_setup *setup;
    const struct weft_tls_options *options;
    char *message;
    size_t size;
};

static int say(const struct reading *reading, const char *fmt, ...) WEFT_PRINTF(2, 3);

static int say(const struct reading *reading, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    vsnprintf(reading->message, reading->size, fmt, list);
    va_end(list);
    return WEFT_ERR_USAGE;
}

/* What OpenSSL has to say about its last failure. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "unknown error";
}

/* OpenSSL would ask whoever sits at the terminal for a passphrase. |ctx| is told that it wanted to.
 */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    if (ctx)
        *(bool *)ctx = true;
    return -1;
}

static int open_file(const struct reading *reading, const char *path, BIO **ret_bio)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return say(reading, "cannot read %s: %s", path, strerror(errno));
    BIO *bio = BIO_new_fp(file, BIO_CLOSE);
    if (!bio) {
        (void)fclose(file);
        return WEFT_ERR_NOMEM;
    }
    *ret_bio = bio;
    return 0;
}

/* ---- Certificate and key ---- */

static int read_certificate(const struct reading *reading, const char *path, SSL_CTX *ctx)
{
    BIO *bio = NULL;
    int err = open_file(reading, path, &bio);
    if (err)
        return err;
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (!leaf)
        err = say(reading, "there is no PEM certificate in %s", path);
    else if (SSL_CTX_use_certificate(ctx, leaf) != 1)
        err = say(reading, "the certificate in %s cannot be used: %s", path, reason());
    X509_free(leaf);
    X509 *link;
    while (!err && (link = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        if (SSL_CTX_add0_chain_cert(ctx, link) != 1) {
            X509_free(link);
            err = say(reading, "the chain in %s cannot be used: %s", path, reason());
        }
    }
    /* The end of the file is the one failure that belongs here. */
    if (!err && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        err = say(reading, "the chain in %s is damaged: %s", path, reason());
    BIO_free(bio);
    return err;
}

static int read_key(const struct reading *reading, const struct weft_tls_certificate *files,
                    SSL_CTX *ctx)
{
    BIO *bio = NULL;
    int err = open_file(reading, files->key_file, &bio);
    if (err)
        return err;
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    if (!key && encrypted)
        err = say(reading, "the key in %s is encrypted; it must be without a passphrase",
                  files->key_file);
    else if (!key)
        err = say(reading, "there is no PEM private key in %s", files->key_file);
    else if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
        err = say(reading, "the key in %s does not belong to the certificate in %s",
                  files->key_file, files->cert_file);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        err = say(reading, "the key in %s cannot be used: %s", files->key_file, reason());
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}

/* ---- Names and dates ---- */

static int copy_names(struct weft_tls_setup *setup, struct weft_tls_identity *identity,
                      const GENERAL_NAMES *names)
{
    int count = WEFT_MIN(sk_GENERAL_NAME_num(names), (int)NAMES_MAX);
    identity->names =
        weft__arena_alloc_array(&setup->strings, (size_t)count, sizeof(*identity->names));
    if (!identity->names)
        return WEFT_ERR_NOMEM;
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        size_t len = (size_t)ASN1_STRING_length(name->d.dNSName);
        const char *copy =
            weft__arena_copy(&setup->strings, ASN1_STRING_get0_data(name->d.dNSName), len);
        if (!copy)
            return WEFT_ERR_NOMEM;
        identity->names[identity->name_count++] = weft__slice(copy, len);
    }
    return 0;
}

static int read_names(const struct reading *reading, const char *path,
                      struct weft_tls_identity *identity)
{
    X509 *leaf = SSL_CTX_get0_certificate(identity->ctx);
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    if (!names) {
        /* RFC 6125 §6.4.4 is the past: browsers do not look at the common name any more. */
        WEFT_LOG(reading->options->log, WEFT_LOG_WARN, "tls.certificate_without_names",
                 weft__log_str("file", path));
        return 0;
    }
    int err = copy_names(reading->setup, identity, names);
    GENERAL_NAMES_free(names);
    return err;
}

static int64_t unix_time(const ASN1_TIME *time)
{
    struct tm utc;
    return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) : 0;
}

static void check_dates(const struct reading *reading, const char *path,
                        struct weft_tls_identity *identity)
{
    const struct weft_log *log = reading->options->log;
    const X509 *leaf = SSL_CTX_get0_certificate(identity->ctx);
    int64_t now_s = (int64_t)(weft__clock_now_wall_ms() / 1000);
    identity->expires_s = unix_time(X509_get0_notAfter(leaf));
    int64_t left_s = identity->expires_s - now_s;
    if (left_s < 0)
        WEFT_LOG(log, WEFT_LOG_WARN, "tls.certificate_expired", weft__log_str("file", path),
                 weft__log_i64("days_ago", -left_s / DAY_S));
    else if (left_s < (int64_t)SOON_DAYS * DAY_S)
        WEFT_LOG(log, WEFT_LOG_WARN, "tls.certificate_expires", weft__log_str("file", path),
                 weft__log_i64("days_left", left_s / DAY_S));
    if (unix_time(X509_get0_notBefore(leaf)) > now_s)
        WEFT_LOG(log, WEFT_LOG_WARN, "tls.certificate_not_valid_yet", weft__log_str("file", path));
}

/* ---- Authorities ---- */

/* A certificate's extensions are decoded when they are first asked for. Doing that here lets the
 * threads that verify with |ctx| only read what they share. */
static void decode_authorities(SSL_CTX *ctx)
{
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (authority)
            (void)X509_check_purpose(authority, -1 /* none: only decode */, 0);
    }
}

static int read_authorities(const struct reading *reading, SSL_CTX *ctx)
{
    const char *path = reading->options->ca_file;
    BIO *bio = NULL;
    int err = open_file(reading, path, &bio);
    if (err)
        return err;
    BIO_free(bio);
    if (SSL_CTX_load_verify_file(ctx, path) != 1)
        return say(reading, "there is no PEM certificate of an authority in %s", path);
    decode_authorities(ctx);
    return 0;
}

/* A ticket remembers that its client was verified: it must not open a server that would verify by
 * other rules. Tickets are only taken where this is equal. */
static int bind_sessions(const struct reading *reading, SSL_CTX *ctx)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    struct weft_bytes rules;
    uint8_t digest[WEFT_SHA256_SIZE];
    weft__bytes_init(&rules, reading->setup->alloc, SIZE_MAX);
    weft__bytes_append_u64(&rules, (uint64_t)reading->options->client_cert);
    const X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        unsigned char *der = NULL;
        const X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        int len = authority ? i2d_X509(authority, &der) : 0;
        if (len > 0)
            weft__bytes_append(&rules, der, (size_t)len);
        OPENSSL_free(der);
    }
    int err = weft__bytes_error(&rules);
    if (!err)
        err = crypto->sha256(crypto->ctx, rules.ptr, rules.len, digest);
    if (!err && SSL_CTX_set_session_id_context(ctx, digest, sizeof(digest)) != 1)
        err = WEFT_ERR_NOMEM;
    weft__bytes_done(&rules);
    return err;
}

static int prepare_verification(const struct reading *reading, SSL_CTX *ctx)
{
    const struct weft_tls_options *options = reading->options;
    if (options->role == WEFT_TLS_CLIENT) {
        if (options->accept_any)
            return 0;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (options->ca_file)
            return read_authorities(reading, ctx);
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : WEFT_ERR_NOMEM;
    }
    if (options->client_cert != WEFT_TLS_CLIENT_CERT_NONE) {
        int required = options->client_cert == WEFT_TLS_CLIENT_CERT_REQUIRED
                           ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : 0;
        int err = read_authorities(reading, ctx);
        if (err)
            return err;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | required, NULL);
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(options->ca_file));
    }
    return bind_sessions(reading, ctx);
}

/* ---- A setup ---- */

/* |files| may be NULL for a client. */
static int read_identity(const struct reading *reading, const struct weft_tls_certificate *files)
{
    struct weft_tls_setup *setup = reading->setup;
    struct weft_tls_identity *identity = &setup->identities[setup->ready];
    bool server = setup->role == WEFT_TLS_SERVER;
    identity->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!identity->ctx)
        return WEFT_ERR_NOMEM;
    setup->ready++;
    int err = weft__tls_settings_apply(setup, reading->options, identity->ctx);
    if (!err && files)
        err = read_certificate(reading, files->cert_file, identity->ctx);
    if (!err && files)
        err = read_key(reading, files, identity->ctx);
    if (!err && files && server)
        err = read_names(reading, files->cert_file, identity);
    if (!err && files)
        check_dates(reading, files->cert_file, identity);
    if (!err)
        err = prepare_verification(reading, identity->ctx);
    return err;
}

static int check_options(const struct reading *reading)
{
    const struct weft_tls_options *options = reading->options;
    bool server = options->role == WEFT_TLS_SERVER;
    if (server && !options->certificate_count)
        return say(reading, "a server needs a certificate");
    if (!server && options->certificate_count > 1)
        return say(reading, "a client has one certificate");
    if (options->min_version && options->min_version != 12 && options->min_version != 13)
        return say(reading, "the lowest TLS version must be 12 (1.2) or 13 (1.3)");
    if ((int)options->client_cert < WEFT_TLS_CLIENT_CERT_NONE ||
        options->client_cert > WEFT_TLS_CLIENT_CERT_REQUIRED)
        return say(reading, "certificates of clients are none, optional or required");
    if (server && options->client_cert != WEFT_TLS_CLIENT_CERT_NONE && !options->ca_file)
        return say(reading, "to verify clients, a file of authorities is needed");
    return 0;
}

static int read_all(const struct reading *reading)
{
    struct weft_tls_setup *setup = reading->setup;
    const struct weft_tls_options *options = reading->options;
    int err = 0;
    for (size_t i = 0; !err && i < options->certificate_count; i++)
        err = read_identity(reading, &options->certificates[i]);
    if (!err && !options->certificate_count)
        err = read_identity(reading, NULL);
    WEFT_ASSERT(err || setup->ready == setup->identity_count);
    return err;
}

int weft__tls_setup_new(const struct weft_tls_options *options, struct weft_tls_tickets *tickets,
                        struct weft_tls_setup **ret_setup, char *ret_message, size_t size)
{
    const struct reading check = {.options = options, .message = ret_message, .size = size};
    int err = check_options(&check);
    if (err)
        return err;
    struct weft_tls_setup *setup = weft__mem_zalloc(options->alloc, sizeof(*setup));
    if (!setup)
        return WEFT_ERR_NOMEM;
    setup->alloc = options->alloc;
    atomic_init(&setup->refs, 1);
    setup->role = options->role;
    setup->accept_any = options->accept_any;
    setup->tickets = tickets;
    setup->identity_count = WEFT_MAX(options->certificate_count, (size_t)1);
    weft__arena_init(&setup->strings, setup->alloc, STRINGS_MAX);
    setup->identities =
        weft__mem_zalloc(setup->alloc, setup->identity_count * sizeof(*setup->identities));
    const struct reading reading = {setup, options, ret_message, size};
    ERR_clear_error();
    err = setup->identities ? read_all(&reading) : WEFT_ERR_NOMEM;
    ERR_clear_error();
    if (err) {
        weft__tls_setup_unref(setup);
        return err;
    }
    *ret_setup = setup;
    return 0;
}

struct weft_tls_setup *weft__tls_setup_ref(struct weft_tls_setup *setup)
{
    (void)atomic_fetch_add_explicit(&setup->refs, 1, memory_order_relaxed);
    return setup;
}

void weft__tls_setup_unref(struct weft_tls_setup *setup)
{
    if (!setup || atomic_fetch_sub_explicit(&setup->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < setup->ready; i++)
        SSL_CTX_free(setup->identities[i].ctx);
    weft__mem_free(setup->alloc, setup->identities,
                   setup->identity_count * sizeof(*setup->identities));
    weft__arena_done(&setup->strings);
    weft__mem_free(setup->alloc, setup, sizeof(*setup));
}

const struct weft_tls_identity *weft__tls_setup_find(const struct weft_tls_setup *setup,
                                                     struct weft_slice host)
{
    const struct weft_tls_identity *best = NULL;
    for (size_t i = 0; i < setup->identity_count; i++) {
        const struct weft_tls_identity *identity = &setup->identities[i];
        for (size_t n = 0; n < identity->name_count; n++) {
            enum weft_tls_fit fit = weft__tls_name_fit(identity->names[n], host);
            if (fit == WEFT_TLS_FIT_EXACT)
                return identity;
            if (fit == WEFT_TLS_FIT_WILDCARD && !best)
                best = identity;
        }
    }
    return best;
}
