/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chat room: whoever joins is sent what the others say, by the server, as items of one long call.
 * Leaving is the end of that call: it is canceled, or the connection is gone.
 *
 *     chat [HOST:PORT]                                    (127.0.0.1:8080)
 *     weft call chat.join '{"name":"ann"}' --deadline 0   prints what happens, until ^C
 *     chat.say {"text":"hello"}                           over the connection that has joined
 */
#include "run_server.h"

#include <pthread.h>
#include <string.h>

enum { MEMBERS_MAX = 1000, LINE_MAX_BYTES = 4096 };

struct member {
    struct weft_call *call; /* its chat.join; NULL: a free place */
    struct weft_peer *peer;
    const char *who; /* the parameters of chat.join, JSON */
};

static struct member room[MEMBERS_MAX];
static pthread_mutex_t room_mutex = PTHREAD_MUTEX_INITIALIZER;

/* The place of |peer|, or of nobody (NULL). The mutex is held. */
static struct member *find(const struct weft_peer *peer)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        if (room[i].peer == peer)
            return &room[i];
    }
    return NULL;
}

/* Sends {"|event|":…,"by":…} to everybody. The mutex is held. */
static void tell_all(const char *event, const char *what, const char *who)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof(line), "{\"%s\":%s,\"by\":%s}", event, what, who);
    if (len < 0 || (size_t)len >= sizeof(line))
        return;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        if (!room[i].call)
            continue;
        int err = weft_stream_send(weft_call_stream(room[i].call), line);
        if (err == WEFT_ERR_AGAIN)
            fprintf(stderr, "chat: somebody reads too slowly, and misses a line\n");
    }
}

static void leave(struct weft_call *call, void *ctx)
{
    struct member *member = ctx;
    pthread_mutex_lock(&room_mutex);
    const char *who = member->who;
    *member = (struct member){NULL, NULL, NULL};
    tell_all("left", "true", who);
    pthread_mutex_unlock(&room_mutex);
    weft_call_finish(call, "null");
    weft_call_release(call);
}

static void join(struct weft_call *call, void *ctx)
{
    static const struct weft_failure full = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                             .message = "the room is full",
                                             .reason = "chat.full"};
    static const struct weft_failure twice = {.status = WEFT_STATUS_ALREADY_EXISTS,
                                              .message = "you have joined",
                                              .reason = "chat.joined"};
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                              .message = "{\"name\": …}, at most 1000 bytes"};
    const struct weft_failure *failure = NULL;
    size_t len;
    const char *who = weft_call_params(call, &len);
    (void)ctx;
    pthread_mutex_lock(&room_mutex);
    struct member *member = find(NULL);
    if (len == 0 || len > 1000)
        failure = &unfit;
    else if (find(weft_call_peer(call)))
        failure = &twice;
    else if (!member)
        failure = &full;
    if (!failure) {
        *member = (struct member){weft_call_keep(call), weft_call_peer(call), who};
        tell_all("joined", "true", who);
    }
    pthread_mutex_unlock(&room_mutex);
    if (failure)
        weft_call_fail(call, failure);
    else
        weft_call_on_cancel(call, leave, member);
}

static void say(struct weft_call *call, void *ctx)
{
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                              .message = "{\"text\": …}, at most 2000 bytes"};
    static const struct weft_failure stranger = {.status = WEFT_STATUS_FAILED_PRECONDITION,
                                                 .message = "join first",
                                                 .reason = "chat.not_joined"};
    size_t len;
    const char *what = weft_call_params(call, &len);
    (void)ctx;
    if (len == 0 || len > 2000) {
        weft_call_fail(call, &unfit);
        return;
    }
    pthread_mutex_lock(&room_mutex);
    const struct member *member = find(weft_call_peer(call));
    if (member)
        tell_all("said", what, member->who);
    pthread_mutex_unlock(&room_mutex);
    if (member)
        weft_call_finish(call, "null");
    else
        weft_call_fail(call, &stranger);
}

static const struct weft_method methods[] = {
    {.name = "chat.join",
     .handler = join,
     .flags = WEFT_METHOD_SENDS,
     .summary = "sends what happens in the room, until it is canceled"},
    {.name = "chat.say", .handler = say, .summary = "says something to everybody"},
};

int main(int argc, char **argv)
{
    return run_server("chat", argc > 1 ? argv[1] : NULL, methods,
                      sizeof(methods) / sizeof(methods[0]));
}
