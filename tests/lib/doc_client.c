/* SPDX-License-Identifier: Apache-2.0 */
/* Documents over a plain connection. */
#include "lib/doc_client.h"

#include "lib/test.h"

#include <time.h>

static uint64_t number(const struct weft_json *object, const char *key)
{
    uint64_t value = 0;
    assert_true(weft__json_u53(weft__json_get(object, key), &value));
    return value;
}

void test_doc_open(struct test_doc *doc, const char *url, const char *name, const char *client)
{
    char params[256];
    *doc = (struct test_doc){.ws = test_ws_connect_greeted(url)};
    snprintf(doc->name, sizeof(doc->name), "%s", name);
    snprintf(doc->client, sizeof(doc->client), "%s", client);
    snprintf(params, sizeof(params), "{\"doc\":\"%s\",\"client\":\"%s\",\"create\":true}", name,
             client);
    const struct weft_json *result = test_ws_result(doc->ws, "doc.open", params);
    struct weft_slice epoch = weft__json_string(weft__json_get(result, "epoch"));
    snprintf(doc->epoch, sizeof(doc->epoch), "%.*s", (int)epoch.len, (const char *)epoch.ptr);
    doc->version = number(result, "version");
    doc->applied = doc->seq = number(result, "applied");
}

uint64_t test_doc_submit(struct test_doc *doc, const char *op)
{
    char params[64 * 1024];
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%llu,\"version\":%llu,"
             "\"op\":%s}",
             doc->name, doc->epoch, doc->client, (unsigned long long)++doc->seq,
             (unsigned long long)doc->version, op);
    doc->version = number(test_ws_result(doc->ws, "doc.submit", params), "version");
    return doc->version;
}

const char *test_doc_text(struct test_doc *doc)
{
    char params[128];
    snprintf(params, sizeof(params), "{\"doc\":\"%s\"}", doc->name);
    const struct weft_json *result = test_ws_result(doc->ws, "doc.fetch", params);
    struct weft_slice text = weft__json_string(weft__json_get(result, "snapshot"));
    static char copy[256 * 1024];
    assert_true(text.len < sizeof(copy));
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

void test_doc_present(struct test_doc *doc, const char *name, unsigned anchor, unsigned head)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"doc.presence\",\"params\":{\"doc\":\"%s\","
             "\"epoch\":\"%s\",\"version\":%llu,\"state\":{\"selections\":[{\"anchor\":%u,"
             "\"head\":%u}],\"name\":\"%s\",\"color\":\"#345\",\"status\":\"active\"}}}",
             doc->name, doc->epoch, (unsigned long long)doc->version, anchor, head, name);
    test_ws_send(doc->ws, text);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const struct weft_json *test_doc_wait(struct test_doc *doc, const char *method, int timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    for (int64_t left = timeout_ms; left > 0; left = end - now_ms()) {
        const char *text = test_ws_recv(doc->ws, (int)left);
        if (!text)
            return NULL;
        const struct weft_json *message = test_ws_parse(doc->ws, text);
        if (weft__json_string_is(weft__json_get(message, "method"), method))
            return weft__json_get(message, "params");
    }
    return NULL;
}
