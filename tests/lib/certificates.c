/* SPDX-License-Identifier: Apache-2.0 */
/* Making certificates with libcrypto. */
#include "lib/certificates.h"

#include "lib/test.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum { DAY_S = 86400 };

void test_certs_init(struct test_certs *certs)
{
    *certs = (struct test_certs){.folder = "/tmp/weft-certs-XXXXXX"};
    assert_non_null(mkdtemp(certs->folder));
}

void test_certs_done(struct test_certs *certs)
{
    DIR *dir = opendir(certs->folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[320];
        (void)snprintf(path, sizeof(path), "%s/%s", certs->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(certs->folder), 0);
}

static FILE *open_path(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static X509 *load_cert(const char *path)
{
    FILE *file = open_path(path, "rb");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(cert);
    (void)fclose(file);
    return cert;
}

static EVP_PKEY *load_key(const char *path)
{
    FILE *file = open_path(path, "rb");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    assert_non_null(key);
    (void)fclose(file);
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *cert)
{
    unsigned char random[8];
    assert_int_equal(RAND_bytes(random, sizeof(random)), 1);
    BIGNUM *number = BN_bin2bn(random, sizeof(random), NULL);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
    BN_free(number);
}

static void save(const struct test_cert *paths, X509 *cert, EVP_PKEY *key)
{
    FILE *file = open_path(paths->cert, "wb");
    assert_int_equal(PEM_write_X509(file, cert), 1);
    assert_int_equal(fclose(file), 0);
    file = open_path(paths->key, "wb");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static void next_paths(struct test_certs *certs, struct test_cert *ret_paths)
{
    (void)snprintf(ret_paths->cert, sizeof(ret_paths->cert), "%s/%u.pem", certs->folder,
                   certs->count);
    (void)snprintf(ret_paths->key, sizeof(ret_paths->key), "%s/%u.key", certs->folder,
                   certs->count++);
}

struct test_cert test_cert_make(struct test_certs *certs, const struct test_cert_want *want)
{
    struct test_cert paths;
    next_paths(certs, &paths);
    X509 *cert = X509_new();
    EVP_PKEY *key = want->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    assert_non_null(cert);
    assert_non_null(key);
    X509 *issuer = want->issuer ? load_cert(want->issuer->cert) : cert;
    EVP_PKEY *signer = want->issuer ? load_key(want->issuer->key) : key;
    const char *name = want->common_name ? want->common_name : want->ca ? "test CA" : "test";
    assert_int_equal(X509_set_version(cert, 2), 1);
    set_serial(cert);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert),
                          (want->from_days ? want->from_days : -1) * (long)DAY_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert),
                          (want->to_days ? want->to_days : 30) * (long)DAY_S);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(issuer)), 1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    extend(cert, issuer, NID_basic_constraints, want->ca ? "critical,CA:TRUE" : "CA:FALSE");
    extend(cert, issuer, NID_subject_key_identifier, "hash");
    if (want->names)
        extend(cert, issuer, NID_subject_alt_name, want->names);
    assert_true(X509_sign(cert, signer, EVP_sha256()) > 0);
    save(&paths, cert, key);
    if (want->issuer) {
        X509_free(issuer);
        EVP_PKEY_free(signer);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return paths;
}

void test_certs_write(struct test_certs *certs, const char *text, struct test_cert *ret_cert)
{
    next_paths(certs, ret_cert);
    FILE *file = open_path(ret_cert->cert, "wb");
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void test_file_copy(const char *from, const char *to)
{
    char data[65536];
    FILE *file = open_path(from, "rb");
    size_t len = fread(data, 1, sizeof(data), file);
    assert_true(len < sizeof(data));
    (void)fclose(file);
    file = open_path(to, "wb");
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}
