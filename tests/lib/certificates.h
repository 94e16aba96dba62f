/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, made when the test runs and removed with it: none is kept anywhere.
 *
 *     struct test_certs certs;
 *     test_certs_init(&certs);
 *     struct test_cert ca = test_cert_make(&certs, &(struct test_cert_want){.ca = true});
 *     struct test_cert a = test_cert_make(&certs, &(struct test_cert_want){
 *         .issuer = &ca, .names = "DNS:a.test,IP:127.0.0.1"});
 *     … a.cert, a.key …
 *     test_certs_done(&certs);
 *
 * Whatever goes wrong fails the test.
 */
#ifndef WEFT_TESTS_LIB_CERTIFICATES_H
#define WEFT_TESTS_LIB_CERTIFICATES_H

#include <stdbool.h>

struct test_certs {
    char folder[32];
    unsigned count;
};

/* The paths of two PEM files. */
struct test_cert {
    char cert[64];
    char key[64];
};

struct test_cert_want {
    const struct test_cert *issuer; /* NULL: signed by itself */
    const char *names;              /* subjectAltName as openssl writes it; NULL: none */
    const char *common_name;        /* NULL: "test" */
    bool ca;
    bool rsa;      /* an RSA key of 2,048 bits instead of P-256 */
    int from_days; /* not valid before, from today; 0: since yesterday */
    int to_days;   /* not valid after; 0: for 30 days */
};

void test_certs_init(struct test_certs *certs);

/* Removes the folder and its files. */
void test_certs_done(struct test_certs *certs);

struct test_cert test_cert_make(struct test_certs *certs, const struct test_cert_want *want);

/* Writes a file into the folder; its path is in ret_cert->cert. */
void test_certs_write(struct test_certs *certs, const char *text, struct test_cert *ret_cert);

/* Makes the file |to| the content of |from|. */
void test_file_copy(const char *from, const char *to);

#endif
