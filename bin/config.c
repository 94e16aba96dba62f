/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a configuration, and the options that come out. Every setting has a value at all
 * times: the defaults are the lowest layer. */
#include "config.h"

#include "base/assert.h"
#include "io/address.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_LINE = 1024, ERRORS_BYTES = 64 * 1024 };

void config_init(struct config *config)
{
    *config = (struct config){0};
    weft__arena_init(&config->arena, weft_alloc_default(), CONFIG_MEMORY_MAX);
    weft__bytes_init(&config->errors, weft_alloc_default(), ERRORS_BYTES);
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        char problem[CONFIG_PROBLEM_SIZE];
        int err = setting->fallback ? config_value_parse(setting, setting->fallback, &config->arena,
                                                         &config->values[i], problem)
                                    : 0;
        WEFT_ASSERT(err != WEFT_ERR_USAGE); /* The table's own defaults are in range. */
        if (err)
            config_fail(config, "%s", weft_err_message(err));
    }
}

void config_done(struct config *config)
{
    weft__arena_done(&config->arena);
    weft__bytes_done(&config->errors);
}

void config_fail(struct config *config, const char *fmt, ...)
{
    char line[ERROR_LINE];
    va_list list;
    if (config->error_count++ >= CONFIG_ERRORS_MAX)
        return;
    va_start(list, fmt);
    vsnprintf(line, sizeof(line), fmt, list);
    va_end(list);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    weft__bytes_append_str(&config->errors, line);
    weft__bytes_append_str(&config->errors, "\n");
}

const char *config_errors(struct config *config)
{
    size_t len = config->errors.len;
    weft__bytes_append_byte(&config->errors, '\0');
    if (weft__bytes_error(&config->errors))
        return config->error_count ? "out of memory\n" : "";
    config->errors.len = len;
    return (const char *)config->errors.ptr;
}

/* Puts the elements of |value|, a list, in front of those of |more|. */
static int join_lists(struct config *config, const struct config_value *value,
                      struct config_value *more)
{
    size_t count = value->count + more->count;
    const char **list = weft__arena_alloc_array(&config->arena, count + 1, sizeof(*list));
    if (!list)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        list[i] = i < value->count ? value->list[i] : more->list[i - value->count];
    list[count] = NULL;
    more->list = list;
    more->count = count;
    return 0;
}

int config_set(struct config *config, const struct config_setting *setting,
               enum config_source source, const char *text)
{
    struct config_value *value = config_value(config, setting);
    struct config_value fresh = {.source = source};
    char problem[CONFIG_PROBLEM_SIZE];
    int err = config_value_parse(setting, text, &config->arena, &fresh, problem);
    /* A flag may be repeated: each time adds to the list. */
    if (!err && setting->type == CONFIG_LIST && source == CONFIG_FLAG && value->source == source)
        err = join_lists(config, value, &fresh);
    if (err == WEFT_ERR_USAGE)
        config_fail(config, "%s%s %s", source == CONFIG_FLAG ? "--" : "",
                    source == CONFIG_FLAG ? setting->flag : setting->environment, problem);
    else if (err)
        config_fail(config, "%s", weft_err_message(err));
    else
        *value = fresh;
    return err;
}

int config_read_environment(struct config *config)
{
    int first = 0;
    for (size_t i = 0; i < config_setting_count; i++) {
        const char *text = getenv(config_settings[i].environment);
        int err =
            text && *text ? config_set(config, &config_settings[i], CONFIG_ENVIRONMENT, text) : 0;
        first = first ? first : err;
    }
    return first;
}

static int read_all(FILE *file, uint8_t *text, size_t *ret_len)
{
    size_t len = fread(text, 1, CONFIG_FILE_MAX + 1, file);
    if (ferror(file))
        return errno ? errno : EIO;
    if (len > CONFIG_FILE_MAX)
        return EFBIG;
    *ret_len = len;
    return 0;
}

int config_read_file(struct config *config, const char *path)
{
    size_t len = 0;
    uint8_t *text = weft__arena_alloc(&config->arena, CONFIG_FILE_MAX + 1);
    char *name = weft__arena_copy(&config->arena, path, strlen(path));
    if (!text || !name) {
        config_fail(config, "%s: %s", path, weft_err_message(WEFT_ERR_NOMEM));
        return WEFT_ERR_NOMEM;
    }
    FILE *file = fopen(path, "rbe");
    int failed = file ? read_all(file, text, &len) : errno;
    if (file)
        (void)fclose(file);
    if (failed) {
        config_fail(config, "%s: %s", path, strerror(failed));
        return WEFT_ERR_USAGE;
    }
    return config_read_yaml(config, name, weft__slice(text, len));
}

/* ---- The options ---- */

/* The certificates and their keys, which must be as many and come from one place. */
static int pair_certificates(struct config *config)
{
    const struct config_setting *cert = config_find("tls.certificates[].cert");
    const struct config_setting *key = config_find("tls.certificates[].key");
    const struct config_value *certs = config_value(config, cert);
    const struct config_value *keys = config_value(config, key);
    if (certs->source != keys->source) {
        config_fail(config, "--%s and --%s (%s and %s) must be given in the same place", cert->flag,
                    key->flag, cert->environment, key->environment);
        return WEFT_ERR_USAGE;
    }
    if (certs->count != keys->count) {
        config_fail(config, "there are %zu certificates (--%s) and %zu keys (--%s)", certs->count,
                    cert->flag, keys->count, key->flag);
        return WEFT_ERR_USAGE;
    }
    if (certs->count == 0)
        return 0;
    struct weft_server_certificate *pairs =
        weft__arena_alloc_array(&config->arena, certs->count + 1, sizeof(*pairs));
    if (!pairs) {
        config_fail(config, "%s", weft_err_message(WEFT_ERR_NOMEM));
        return WEFT_ERR_NOMEM;
    }
    for (size_t i = 0; i < certs->count; i++)
        pairs[i] = (struct weft_server_certificate){certs->list[i], keys->list[i]};
    pairs[certs->count] = (struct weft_server_certificate){NULL, NULL};
    config->options.tls.certificates = pairs;
    return 0;
}

static void store_number(void *field, size_t width, const struct config_value *value)
{
    uint64_t number = value->word == CONFIG_NONE ? UINT64_MAX : value->number;
    unsigned narrow = (unsigned)number;
    if (width == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &number, sizeof(number));
}

static void store(struct config *config, const struct config_setting *setting)
{
    const struct config_value *value = config_value(config, setting);
    char *field = (char *)&config->options + setting->offset;
    switch (setting->type) {
    case CONFIG_TEXT:
        memcpy(field, &value->text, sizeof(value->text));
        break;
    case CONFIG_LIST:
        if (setting->field && strcmp(setting->field, "tls.certificates") != 0)
            memcpy(field, &value->list, sizeof(value->list));
        break;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_CHOICE:
    case CONFIG_SWITCH:
    case CONFIG_MODE:
        WEFT_ASSERT(setting->width == sizeof(unsigned) || setting->width == sizeof(uint64_t));
        store_number(field, setting->width, value);
        break;
    }
}

/* Nobody who is not on this machine gets in without signing in. */
static int check_listen(struct config *config)
{
    const struct config_setting *setting = config_find("listen");
    const char *listen = config->options.listen;
    struct weft_address address;
    if (weft__address_parse(listen, &address)) {
        struct weft_bytes origin;
        weft__bytes_init(&origin, weft_alloc_default(), ERROR_LINE);
        config_origin(config, setting, &origin);
        config_fail(config, "%.*s: listen must be HOST:PORT or unix:PATH, not '%s'",
                    (int)origin.len, (const char *)origin.ptr, listen);
        weft__bytes_done(&origin);
        return WEFT_ERR_USAGE;
    }
    if (config->open_to_others || weft__address_is_loopback(&address))
        return 0;
    config_fail(config,
                "%s can be reached from other machines, and there is no authentication: "
                "listen on 127.0.0.1, name --tokens, or say --insecure-no-auth",
                listen);
    return WEFT_ERR_USAGE;
}

int config_finish(struct config *config)
{
    weft_server_options_init(&config->options);
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].field)
            store(config, &config_settings[i]);
    config->tokens = config_value(config, config_find("tokens"))->text;
    config->open_to_others =
        config->tokens || config_value(config, config_find("insecure_no_auth"))->number != 0;
    if (config->options.data_folder && strcmp(config->options.data_folder, ":memory:") == 0)
        config->options.data_folder = NULL;
    int paired = pair_certificates(config);
    int reachable = check_listen(config);
    if (config->error_count > CONFIG_ERRORS_MAX)
        weft__bytes_append_str(&config->errors, "and more\n");
    if (paired || reachable)
        return paired ? paired : reachable;
    return config->error_count ? WEFT_ERR_USAGE : 0;
}
