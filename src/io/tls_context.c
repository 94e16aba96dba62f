/* SPDX-License-Identifier: Apache-2.0 */
/* A context: options, ticket keys, and the setup in use behind a mutex that is taken once a
 * connection. */
#include "io/tls_context.h"

#include "base/mem.h"
#include "io/tls.h"
#include "io/tls_setup.h"

#include <stdio.h>

enum { STRINGS_MAX = 1 << 20, CERTIFICATES_MAX = 1024 };

struct weft_tls_context {
    const struct weft_alloc *alloc;
    struct weft_arena strings; /* what |options| points to */
    struct weft_tls_options options;
    struct weft_log log;
    struct weft_tls_tickets tickets;
    pthread_mutex_t reloading; /* one reload at a time */
    pthread_mutex_t mutex;     /* of what follows */
    struct weft_tls_setup *setup;
    uint64_t reloads;
    uint64_t reloads_failed;
};

static const char *copy_string(struct weft_tls_context *context, const char *string)
{
    return string ? weft__arena_copy(&context->strings, string, strlen(string)) : NULL;
}

static int copy_options(struct weft_tls_context *context, const struct weft_tls_options *options)
{
    struct weft_tls_options *own = &context->options;
    *own = *options;
    if (own->certificate_count > CERTIFICATES_MAX)
        return WEFT_ERR_USAGE;
    struct weft_tls_certificate *copies =
        weft__arena_alloc_array(&context->strings, own->certificate_count, sizeof(*copies));
    if (!copies)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < own->certificate_count; i++) {
        const struct weft_tls_certificate *from = &options->certificates[i];
        if (!from->cert_file || !from->key_file)
            return WEFT_ERR_USAGE;
        copies[i].cert_file = copy_string(context, from->cert_file);
        copies[i].key_file = copy_string(context, from->key_file);
        if (!copies[i].cert_file || !copies[i].key_file)
            return WEFT_ERR_NOMEM;
    }
    own->certificates = copies;
    own->ca_file = copy_string(context, options->ca_file);
    if (options->ca_file && !own->ca_file)
        return WEFT_ERR_NOMEM;
    if (options->log) {
        context->log = *options->log;
        own->log = &context->log;
    }
    return 0;
}

int weft__tls_context_new(const struct weft_tls_options *options,
                          struct weft_tls_context **ret_context, char *ret_message, size_t size)
{
    const struct weft_alloc *alloc = options->alloc ? options->alloc : weft_alloc_default();
    struct weft_tls_context *context = weft__mem_zalloc(alloc, sizeof(*context));
    ret_message[0] = '\0';
    if (!context)
        return WEFT_ERR_NOMEM;
    context->alloc = alloc;
    weft__arena_init(&context->strings, alloc, STRINGS_MAX);
    weft__tls_tickets_init(&context->tickets);
    pthread_mutex_init(&context->reloading, NULL);
    pthread_mutex_init(&context->mutex, NULL);
    int err = copy_options(context, options);
    context->options.alloc = alloc;
    if (!err)
        err = weft__tls_setup_new(&context->options, &context->tickets, &context->setup,
                                  ret_message, size);
    if (err) {
        weft__tls_context_free(context);
        return err;
    }
    *ret_context = context;
    return 0;
}

void weft__tls_context_free(struct weft_tls_context *context)
{
    if (!context)
        return;
    weft__tls_setup_unref(context->setup);
    weft__tls_tickets_done(&context->tickets);
    pthread_mutex_destroy(&context->reloading);
    pthread_mutex_destroy(&context->mutex);
    weft__arena_done(&context->strings);
    weft__mem_free(context->alloc, context, sizeof(*context));
}

int weft__tls_context_reload(struct weft_tls_context *context, char *ret_message, size_t size)
{
    struct weft_tls_setup *setup = NULL;
    ret_message[0] = '\0';
    /* Files are read outside of |mutex|: connections go on being made meanwhile. */
    pthread_mutex_lock(&context->reloading);
    int err = weft__tls_setup_new(&context->options, &context->tickets, &setup, ret_message, size);
    pthread_mutex_lock(&context->mutex);
    struct weft_tls_setup *old = NULL;
    if (err) {
        context->reloads_failed++;
    } else {
        old = context->setup;
        context->setup = setup;
        context->reloads++;
    }
    pthread_mutex_unlock(&context->mutex);
    pthread_mutex_unlock(&context->reloading);
    weft__tls_setup_unref(old);
    return err;
}

struct weft_tls_setup *weft__tls_context_setup(struct weft_tls_context *context)
{
    pthread_mutex_lock(&context->mutex);
    struct weft_tls_setup *setup = weft__tls_setup_ref(context->setup);
    pthread_mutex_unlock(&context->mutex);
    return setup;
}

bool weft__tls_context_covers(struct weft_tls_context *context, struct weft_slice host)
{
    struct weft_tls_setup *setup = weft__tls_context_setup(context);
    bool covers = weft__tls_setup_find(setup, host) != NULL;
    weft__tls_setup_unref(setup);
    return covers;
}

struct weft_tls_context_stats weft__tls_context_stats(struct weft_tls_context *context)
{
    struct weft_tls_context_stats stats = {0};
    pthread_mutex_lock(&context->mutex);
    stats.reloads = context->reloads;
    stats.reloads_failed = context->reloads_failed;
    for (size_t i = 0; i < context->setup->identity_count; i++) {
        int64_t expires_s = context->setup->identities[i].expires_s;
        if (expires_s && (!stats.expires_s || expires_s < stats.expires_s))
            stats.expires_s = expires_s;
    }
    pthread_mutex_unlock(&context->mutex);
    return stats;
}
