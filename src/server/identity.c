/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens to principals, by way of the application. */
#include "server/identity.h"

#include "server/conn.h"

#include <string.h>

/* The token of the header Authorization, empty when there is none. False when the header should
 * have one and has not, and when there are several, of which nobody knows which is meant. */
static bool bearer_token(const struct weft_http1_head *head, struct weft_slice *ret_token)
{
    static const struct weft_slice scheme = {(const uint8_t *)"Bearer", 6};
    const struct weft_http1_header *header = weft__http1_find(head, "Authorization");
    *ret_token = weft__slice(NULL, 0);
    if (!header)
        return true;
    if (weft__http1_count(head, "Authorization") > 1)
        return false;
    struct weft_slice value = header->value;
    if (value.len < scheme.len ||
        !weft__http1_equal_nocase(weft__slice(value.ptr, scheme.len), scheme) ||
        (value.len > scheme.len && value.ptr[scheme.len] != ' '))
        return true; /* credentials of another kind are for somebody between */
    value = weft__slice(value.ptr + scheme.len, value.len - scheme.len);
    while (value.len && value.ptr[0] == ' ')
        value = weft__slice(value.ptr + 1, value.len - 1);
    *ret_token = value;
    return value.len > 0;
}

/* What the application said, as a grant. */
static int read_identity(const struct weft_server *server, const struct weft_identity *identity,
                         struct weft_rpc_grant *ret_grant)
{
    size_t subject = strnlen(identity->subject, sizeof(identity->subject));
    size_t tenant = strnlen(identity->tenant, sizeof(identity->tenant));
    ret_grant->expires_in_ms =
        identity->expires_in_ms ? identity->expires_in_ms : WEFT_RPC_AUTH_NEVER;
    /* Calls of it that the application holds may outlive the server. */
    int err =
        weft__rpc_principal_new(server->base, weft__slice(identity->tenant, tenant),
                                weft__slice(identity->subject, subject), &ret_grant->principal);
    if (err && err != WEFT_ERR_NOMEM) {
        WEFT_LOG(&server->log, WEFT_LOG_ERROR, "auth.unfit",
                 weft__log_str("error", weft_err_message(err)));
        return WEFT_ERR_DENIED;
    }
    return err;
}

static int judge(void *ctx, struct weft_slice token, struct weft_rpc_grant *ret_grant)
{
    const struct weft_server *server = ctx;
    const struct weft_server_options *options = &server->options;
    struct weft_identity identity = {.expires_in_ms = 0};
    char text[WEFT_RPC_AUTH_TOKEN_MAX + 1];
    if (token.len && memchr(token.ptr, '\0', token.len))
        return WEFT_ERR_DENIED;
    weft__mem_copy(text, token.ptr, token.len);
    text[token.len] = '\0';
    int err = options->authenticate(options->authenticate_ctx, token.len ? text : NULL, &identity);
    explicit_bzero(text, token.len);
    return err ? err : read_identity(server, &identity, ret_grant);
}

void weft__identity_init(struct weft_worker *worker)
{
    if (!worker->server->options.authenticate)
        return;
    worker->authenticator = (struct weft_rpc_authenticator){.judge = judge, .ctx = worker->server};
    weft__rpc_env_authenticate(&worker->rpc, &worker->authenticator);
}

enum weft_identity_verdict weft__identity_of_request(struct weft_conn *conn,
                                                     const struct weft_http1_head *head)
{
    struct weft_worker *worker = conn->worker;
    struct weft_rpc_grant grant;
    struct weft_slice token;
    if (!worker->rpc.authenticator)
        return WEFT_IDENTITY_FINE;
    weft__identity_drop(&conn->outlet);
    if (!bearer_token(head, &token))
        return WEFT_IDENTITY_REFUSED;
    int err = weft__rpc_auth_judge(&worker->rpc, token, &grant);
    if (err == WEFT_ERR_DENIED)
        return token.len ? WEFT_IDENTITY_REFUSED : WEFT_IDENTITY_MISSING;
    if (err)
        return WEFT_IDENTITY_UNABLE;
    conn->outlet.principal = grant.principal;
    conn->outlet.assumed = token.len == 0;
    conn->outlet.expires_ns =
        weft__rpc_auth_end_ns(weft__loop_now_ns(worker->loop), grant.expires_in_ms);
    return WEFT_IDENTITY_FINE;
}

int weft__identity_give(const struct weft_outlet *outlet, struct weft_rpc_peer *peer)
{
    if (!outlet->principal) {
        weft__rpc_peer_forget(peer);
        return 0;
    }
    int err = weft__rpc_peer_identify(peer, outlet->principal, outlet->expires_ns);
    if (!err && outlet->assumed)
        weft__rpc_peer_assume(peer);
    return err;
}

void weft__identity_note(struct weft_outlet *outlet, const struct weft_rpc_peer *peer)
{
    struct weft_rpc_principal *principal = weft__rpc_peer_principal(peer);
    if (!principal)
        return;
    weft__rpc_principal_ref(principal);
    weft__identity_drop(outlet);
    outlet->principal = principal;
    outlet->expires_ns = weft__rpc_peer_expires_ns(peer);
    outlet->assumed = false;
}

void weft__identity_of_member(struct weft_hub_member *member,
                              const struct weft_rpc_principal *principal)
{
    member->tenant = weft__rpc_principal_tenant(principal);
    member->sub = weft__rpc_principal_subject(principal);
}

void weft__identity_drop(struct weft_outlet *outlet)
{
    weft__rpc_principal_unref(outlet->principal);
    outlet->principal = NULL;
}
