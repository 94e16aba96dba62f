/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that says whose token is whose, for `weft serve --tokens` (docs/guides/sign-in.md):
 *
 *     # SHA-256 of the token, who it is, and what else there is to say
 *     9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ann
 *     60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 bob tenant=acme
 * lifetime=3600
 *
 * The file holds no secrets: a token with enough randomness cannot be found from its digest.
 * **Thread:** token_file_authenticate: any; the others: one.
 */
#ifndef WEFT_BIN_TOKEN_FILE_H
#define WEFT_BIN_TOKEN_FILE_H

#include <stddef.h>
#include <weft/server.h>

enum { TOKEN_FILE_MAX = 100000 /* tokens */ };

struct token_file;

/* For the file |path|, which is not read yet. NULL when out of memory. **Lifetime:** |path|
 * outlives it. */
struct token_file *token_file_new(const char *path);
void token_file_free(struct token_file *file);

/* Reads it, again perhaps. Returns 0, or -1 with a sentence in |ret_message|; what was read before
 * stays in force then. */
int token_file_read(struct token_file *file, char *ret_message, size_t message_size);

/* A weft_authenticate_fn; |ctx| is a struct token_file. */
int token_file_authenticate(void *ctx, const char *token, struct weft_identity *ret_identity);

#endif
