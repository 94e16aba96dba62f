/* SPDX-License-Identifier: Apache-2.0 */
/* What certificate files can be, and what people are told when they are not. */
#include "io/tls_context.h"
#include "lib/certificates.h"
#include "lib/test.h"

#include <openssl/pem.h>
#include <time.h>

static struct test_certs certs;
static struct test_cert good;
static struct test_cert other;
static char logged[2048];

static void write_log(void *ctx, enum weft_log_level level, const char *line)
{
    (void)ctx;
    assert_int_equal(level, WEFT_LOG_WARN);
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static const struct weft_log log_sink = {.write = write_log, .level = WEFT_LOG_INFO};

static int make_with(const struct weft_tls_options *options, char ret_message[512])
{
    struct weft_tls_context *context = NULL;
    int err = weft__tls_context_new(options, &context, ret_message, 512);
    weft__tls_context_free(context);
    return err;
}

static int make_server(const char *cert_file, const char *key_file, char ret_message[512])
{
    const struct weft_tls_certificate certificate = {cert_file, key_file};
    const struct weft_tls_options options = {
        .certificates = &certificate, .certificate_count = 1, .log = &log_sink};
    logged[0] = '\0';
    return make_with(&options, ret_message);
}

static void expect(const char *cert_file, const char *key_file, const char *part)
{
    char message[512];
    assert_err(make_server(cert_file, key_file, message), WEFT_ERR_USAGE);
    if (!strstr(message, part))
        fail_msg("\"%s\" does not say \"%s\"", message, part);
}

static void good_files_make_a_server(void **state)
{
    (void)state;
    char message[512];
    assert_ok(make_server(good.cert, good.key, message));
    assert_string_equal(logged, "");
}

static void bad_files_are_named_with_what_is_wrong(void **state)
{
    (void)state;
    struct test_cert junk;
    test_certs_write(&certs, "not PEM at all\n", &junk);
    expect("/nonexistent/a.pem", good.key, "cannot read /nonexistent/a.pem: No such file");
    expect(good.cert, "/nonexistent/a.key", "cannot read /nonexistent/a.key: No such file");
    expect(junk.cert, good.key, "there is no PEM certificate in ");
    expect(good.key, good.key, "there is no PEM certificate in ");
    expect(good.cert, junk.cert, "there is no PEM private key in ");
    expect(good.cert, good.cert, "there is no PEM private key in ");
    expect(good.cert, other.key, "does not belong to the certificate in ");
    expect("/tmp", good.key, "there is no PEM certificate in /tmp");
}

static void key_of_another_kind_does_not_belong(void **state)
{
    (void)state;
    struct test_cert rsa =
        test_cert_make(&certs, &(struct test_cert_want){.rsa = true, .names = "DNS:rsa.test"});
    char message[512];
    expect(good.cert, rsa.key, "does not belong to the certificate in ");
    assert_ok(make_server(rsa.cert, rsa.key, message));
}

static void encrypted_key_is_refused_without_asking(void **state)
{
    (void)state;
    struct test_cert key;
    test_certs_write(&certs, "", &key);
    EVP_PKEY *plain = EVP_EC_gen("P-256");
    FILE *file = fopen(key.cert, "wb");
    assert_non_null(file);
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(file, plain, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(plain);
    expect(good.cert, key.cert, "is encrypted; it must be without a passphrase");
}

static void damaged_chain_is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *file = fopen(good.cert, "rb");
    assert_non_null(file);
    FILE *out = open_memstream(&text, &len);
    for (int c; (c = fgetc(file)) != EOF;)
        (void)fputc(c, out);
    (void)fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", out);
    (void)fclose(file);
    (void)fclose(out);
    struct test_cert chain;
    test_certs_write(&certs, text, &chain);
    free(text);
    expect(chain.cert, good.key, "the chain in ");
}

static void dates_and_missing_names_are_warned_about(void **state)
{
    (void)state;
    char message[512];
    struct test_cert old = test_cert_make(
        &certs, &(struct test_cert_want){.from_days = -20, .to_days = -3, .names = "DNS:a.test"});
    assert_ok(make_server(old.cert, old.key, message));
    assert_non_null(strstr(logged, "tls.certificate_expired"));
    struct test_cert soon =
        test_cert_make(&certs, &(struct test_cert_want){.to_days = 5, .names = "DNS:a.test"});
    assert_ok(make_server(soon.cert, soon.key, message));
    assert_non_null(strstr(logged, "tls.certificate_expires"));
    struct test_cert early = test_cert_make(
        &certs, &(struct test_cert_want){.from_days = 3, .to_days = 60, .names = "DNS:a.test"});
    assert_ok(make_server(early.cert, early.key, message));
    assert_non_null(strstr(logged, "tls.certificate_not_valid_yet"));
    struct test_cert nameless = test_cert_make(&certs, &(struct test_cert_want){.to_days = 60});
    assert_ok(make_server(nameless.cert, nameless.key, message));
    assert_non_null(strstr(logged, "tls.certificate_without_names"));
}

static void options_are_checked(void **state)
{
    (void)state;
    char message[512];
    const struct weft_tls_certificate two[] = {{good.cert, good.key}, {other.cert, other.key}};
    struct weft_tls_options options = {0};
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
    assert_string_equal(message, "a server needs a certificate");
    options = (struct weft_tls_options){
        .role = WEFT_TLS_CLIENT, .certificates = two, .certificate_count = 2};
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
    options =
        (struct weft_tls_options){.certificates = two, .certificate_count = 1, .min_version = 11};
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
    options = (struct weft_tls_options){
        .certificates = two, .certificate_count = 1, .client_cert = WEFT_TLS_CLIENT_CERT_REQUIRED};
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
    assert_string_equal(message, "to verify clients, a file of authorities is needed");
    options.ca_file = good.key;
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
    assert_non_null(strstr(message, "there is no PEM certificate of an authority in "));
    options.ca_file = good.cert;
    assert_ok(make_with(&options, message));
    options.certificates = &(struct weft_tls_certificate){good.cert, NULL};
    assert_err(make_with(&options, message), WEFT_ERR_USAGE);
}

static void reload_takes_new_files_and_keeps_the_old_ones_when_they_are_broken(void **state)
{
    (void)state;
    char message[512];
    struct test_cert live = test_cert_make(&certs, &(struct test_cert_want){.names = "DNS:a.test"});
    struct test_cert next =
        test_cert_make(&certs, &(struct test_cert_want){.names = "DNS:b.test,DNS:*.c.test"});
    const struct weft_tls_certificate certificate = {live.cert, live.key};
    const struct weft_tls_options options = {.certificates = &certificate, .certificate_count = 1};
    struct weft_tls_context *context = NULL;
    assert_ok(weft__tls_context_new(&options, &context, message, sizeof(message)));
    assert_true(weft__tls_context_covers(context, WEFT_SLICE_LIT("a.test")));
    test_file_copy(next.cert, live.cert);
    assert_err(weft__tls_context_reload(context, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_non_null(strstr(message, "does not belong"));
    assert_true(weft__tls_context_covers(context, WEFT_SLICE_LIT("a.test")));
    test_file_copy(next.key, live.key);
    assert_ok(weft__tls_context_reload(context, message, sizeof(message)));
    assert_false(weft__tls_context_covers(context, WEFT_SLICE_LIT("a.test")));
    assert_true(weft__tls_context_covers(context, WEFT_SLICE_LIT("B.test")));
    assert_true(weft__tls_context_covers(context, WEFT_SLICE_LIT("x.c.test")));
    struct weft_tls_context_stats stats = weft__tls_context_stats(context);
    assert_int_equal(stats.reloads, 1);
    assert_int_equal(stats.reloads_failed, 1);
    assert_in_range(stats.expires_s - (int64_t)time(NULL), 29 * 86400, 30 * 86400);
    weft__tls_context_free(context);
}

static int make_step(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    char message[512];
    const struct weft_tls_certificate two[] = {{good.cert, good.key}, {other.cert, other.key}};
    const struct weft_tls_options options = {
        .alloc = alloc, .certificates = two, .certificate_count = 2};
    struct weft_tls_context *context = NULL;
    int err = weft__tls_context_new(&options, &context, message, sizeof(message));
    if (!err)
        err = weft__tls_context_reload(context, message, sizeof(message));
    weft__tls_context_free(context);
    return err;
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(make_step, NULL) > 5);
}

static int make_files(void **state)
{
    (void)state;
    test_certs_init(&certs);
    good = test_cert_make(&certs, &(struct test_cert_want){.names = "DNS:good.test"});
    other = test_cert_make(&certs, &(struct test_cert_want){.names = "DNS:other.test"});
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    test_certs_done(&certs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_make_a_server),
        cmocka_unit_test(bad_files_are_named_with_what_is_wrong),
        cmocka_unit_test(key_of_another_kind_does_not_belong),
        cmocka_unit_test(encrypted_key_is_refused_without_asking),
        cmocka_unit_test(damaged_chain_is_refused),
        cmocka_unit_test(dates_and_missing_names_are_warned_about),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(reload_takes_new_files_and_keeps_the_old_ones_when_they_are_broken),
        cmocka_unit_test(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
