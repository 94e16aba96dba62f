/* SPDX-License-Identifier: Apache-2.0 */
/* The document methods over a test_ws, for integration tests: one document a client. */
#ifndef WEFT_TESTS_LIB_DOC_CLIENT_H
#define WEFT_TESTS_LIB_DOC_CLIENT_H

#include "lib/ws_client.h"

struct test_doc {
    struct test_ws *ws;
    char name[64];
    char client[32];
    char epoch[32];
    uint64_t version;
    uint64_t applied; /* as the last open said */
    uint64_t seq;     /* of the last operation submitted */
};

/* Connects, greets and opens |name|, which is created if need be. */
void test_doc_open(struct test_doc *doc, const char *url, const char *name, const char *client);

/* Submits |op| at doc->version and gives the answer's version, which becomes the document's; 0 when
 * the connection ended before an answer came. */
uint64_t test_doc_submit(struct test_doc *doc, const char *op);

/* The text as the server has it. **Lifetime:** the connection's. */
const char *test_doc_text(struct test_doc *doc);

/* Sends presence with one selection. */
void test_doc_present(struct test_doc *doc, const char *name, unsigned anchor, unsigned head);

/* Waits for the next notification |method| of at most |timeout_ms| and returns its params; others
 * are skipped. NULL when none came. */
const struct weft_json *test_doc_wait(struct test_doc *doc, const char *method, int timeout_ms);

#endif
