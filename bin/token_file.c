/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of tokens, sorted; a table is replaced as a whole. */
#include "token_file.h"

#include "base/utf8.h"
#include "io/crypto.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint8_t digest[WEFT_SHA256_SIZE];
    char subject[256];
    char tenant[64];
    uint64_t lifetime_ms; /* 0: for ever */
};

struct table {
    struct entry *entries;
    size_t count;
    size_t room;
};

struct token_file {
    const char *path;
    pthread_rwlock_t lock; /* of |table| */
    struct table table;
};

struct token_file *token_file_new(const char *path)
{
    struct token_file *file = calloc(1, sizeof(*file));
    if (!file)
        return NULL;
    file->path = path;
    pthread_rwlock_init(&file->lock, NULL);
    return file;
}

void token_file_free(struct token_file *file)
{
    if (!file)
        return;
    pthread_rwlock_destroy(&file->lock);
    free(file->table.entries);
    free(file);
}

static int by_digest(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    return memcmp(one->digest, other->digest, sizeof(one->digest));
}

/* ---- reading ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_digest(const char *word, uint8_t ret_digest[WEFT_SHA256_SIZE])
{
    for (size_t i = 0; i < WEFT_SHA256_SIZE; i++) {
        int high = hex_value(word[2 * i]);
        int low = high < 0 ? -1 : hex_value(word[2 * i + 1]);
        if (low < 0)
            return false;
        ret_digest[i] = (uint8_t)(high * 16 + low);
    }
    return word[2 * (size_t)WEFT_SHA256_SIZE] == '\0';
}

/* What the server would refuse of a principal is a mistake here. */
static bool copy_name(const char *word, char *ret_name, size_t size)
{
    size_t len = strlen(word);
    if (len == 0 || len >= size || !weft__utf8_valid((const uint8_t *)word, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] < 0x20 || word[i] == 0x7f)
            return false;
    memcpy(ret_name, word, len + 1);
    return true;
}

/* "lifetime=3600": seconds, at most a year. */
static bool read_lifetime(const char *digits, uint64_t *ret_ms)
{
    enum { YEAR_S = 366 * 24 * 3600 };
    char *end;
    errno = 0;
    unsigned long long seconds = strtoull(digits, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end || errno || seconds == 0 || seconds > YEAR_S)
        return false;
    *ret_ms = seconds * 1000;
    return true;
}

/* What is wrong with |line|, which is taken apart; NULL when nothing is. */
static const char *read_entry(char *line, struct entry *ret_entry)
{
    static const char blanks[] = " \t\r\n";
    char *rest = NULL;
    char *word = strtok_r(line, blanks, &rest);
    *ret_entry = (struct entry){.lifetime_ms = 0};
    if (!word || !read_digest(word, ret_entry->digest))
        return "a line begins with 64 hexadecimal digits, the SHA-256 of a token";
    word = strtok_r(NULL, blanks, &rest);
    if (!word || !copy_name(word, ret_entry->subject, sizeof(ret_entry->subject)))
        return "behind the digest stands who it is, in at most 255 bytes of UTF-8";
    while ((word = strtok_r(NULL, blanks, &rest))) {
        bool fine = false;
        if (strncmp(word, "tenant=", 7) == 0)
            fine = copy_name(word + 7, ret_entry->tenant, sizeof(ret_entry->tenant));
        else if (strncmp(word, "lifetime=", 9) == 0)
            fine = read_lifetime(word + 9, &ret_entry->lifetime_ms);
        if (!fine)
            return "only tenant=NAME (at most 63 bytes) and lifetime=SECONDS can follow";
    }
    return NULL;
}

static const char *add_line(struct table *table, char *line)
{
    char *text = line + strspn(line, " \t\r\n");
    if (*text == '\0' || *text == '#')
        return NULL;
    if (table->count == TOKEN_FILE_MAX)
        return "there can be at most 100000 tokens";
    if (table->count == table->room) {
        size_t room = table->room ? 2 * table->room : 16;
        struct entry *entries = realloc(table->entries, room * sizeof(*entries));
        if (!entries)
            return "out of memory";
        table->entries = entries;
        table->room = room;
    }
    const char *wrong = read_entry(text, &table->entries[table->count]);
    table->count += !wrong;
    return wrong;
}

static const char *sort(struct table *table)
{
    if (table->count > 1)
        qsort(table->entries, table->count, sizeof(*table->entries), by_digest);
    for (size_t i = 1; i < table->count; i++)
        if (by_digest(&table->entries[i - 1], &table->entries[i]) == 0)
            return "a token is there twice";
    return NULL;
}

int token_file_read(struct token_file *file, char *ret_message, size_t message_size)
{
    struct table table = {0};
    char *line = NULL;
    size_t room = 0;
    unsigned number = 0;
    const char *wrong = NULL;
    FILE *in = fopen(file->path, "re");
    if (!in) {
        snprintf(ret_message, message_size, "%s: %s", file->path, strerror(errno));
        return -1;
    }
    while (!wrong && getline(&line, &room, in) >= 0) {
        number++;
        wrong = add_line(&table, line);
    }
    if (!wrong)
        wrong = ferror(in) ? "it cannot be read" : sort(&table);
    free(line);
    fclose(in);
    if (wrong) {
        snprintf(ret_message, message_size, "%s:%u: %s", file->path, number, wrong);
        free(table.entries);
        return -1;
    }
    pthread_rwlock_wrlock(&file->lock);
    struct table old = file->table;
    file->table = table;
    pthread_rwlock_unlock(&file->lock);
    free(old.entries);
    return 0;
}

/* ---- asking ---- */

int token_file_authenticate(void *ctx, const char *token, struct weft_identity *ret_identity)
{
    struct token_file *file = ctx;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    struct entry wanted;
    int err = WEFT_ERR_DENIED;
    if (!token)
        return err;
    if (crypto->sha256(crypto->ctx, token, strlen(token), wanted.digest))
        return WEFT_ERR_UNAVAILABLE;
    pthread_rwlock_rdlock(&file->lock);
    const struct entry *entry =
        file->table.count
            ? bsearch(&wanted, file->table.entries, file->table.count, sizeof(wanted), by_digest)
            : NULL;
    if (entry) {
        memcpy(ret_identity->subject, entry->subject, sizeof(entry->subject));
        memcpy(ret_identity->tenant, entry->tenant, sizeof(entry->tenant));
        ret_identity->expires_in_ms = entry->lifetime_ms;
        err = 0;
    }
    pthread_rwlock_unlock(&file->lock);
    return err;
}
