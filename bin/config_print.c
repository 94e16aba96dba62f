/* SPDX-License-Identifier: Apache-2.0 */
/* Settings on paper: the effective values as YAML and JSON, the reference, and lines of help. */
#include "config.h"

#include "base/utf8.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct weft_bytes *out, const char *text)
{
    weft__bytes_append_str(out, text);
}

/* YAML 1.1 §4.1: characters that may stand in a file, without the line breaks among them. */
static bool is_printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return false;
    return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* Text for people: whatever cannot be shown in one line becomes '?'. */
static void put_shown(struct weft_bytes *out, const char *text)
{
    bool valid = weft__utf8_valid((const uint8_t *)text, strlen(text));
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        size_t len = valid ? weft__utf8_lead_len(*at) : 1;
        bool shown = valid ? is_printable(weft__utf8_decode(at)) : *at >= 0x20 && *at < 0x7f;
        weft__bytes_append(out, shown ? (const void *)at : "?", shown ? len : 1);
        at += len;
    }
}

/* A YAML scalar: plain where that cannot be taken for anything else, else in double quotes. |text|
 * is valid UTF-8. */
static void put_scalar(struct weft_bytes *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-+@";
    size_t len = strcspn(text, ":");
    /* "a:b" is a scalar, ":a" and "a: b" might be something else to somebody. */
    bool is_plain = strspn(text, plain) == len && len > 0 && !strchr("-+.@", text[0]);
    if (is_plain && text[len] == ':')
        is_plain = text[len + 1] && strspn(text + len + 1, "0123456789") == strlen(text + len + 1);
    if (text[0] == '.' && text[1] == '/' && strspn(text, plain) == strlen(text))
        is_plain = true;
    if (is_plain && strcmp(text, "null") != 0) {
        put(out, text);
        return;
    }
    put(out, "\"");
    for (const uint8_t *at = (const uint8_t *)text; *at; at += weft__utf8_lead_len(*at)) {
        uint32_t c = weft__utf8_decode(at);
        char escape[16];
        snprintf(escape, sizeof(escape), "\\u%04" PRIx32, c);
        if (c == '"' || c == '\\')
            put(out, "\\");
        if (is_printable(c))
            weft__bytes_append(out, at, weft__utf8_lead_len(*at));
        else
            put(out, escape);
    }
    put(out, "\"");
}

void config_origin(const struct config *config, const struct config_setting *setting,
                   struct weft_bytes *out)
{
    const struct config_value *value = &config->values[setting - config_settings];
    char line[32];
    switch (value->source) {
    case CONFIG_DEFAULT:
        put(out, "default");
        break;
    case CONFIG_FILE:
        snprintf(line, sizeof(line), ":%u", value->line);
        put_shown(out, config->file);
        put(out, line);
        break;
    case CONFIG_ENVIRONMENT:
        put(out, "environment ");
        put(out, setting->environment);
        break;
    case CONFIG_FLAG:
        put(out, "flag --");
        put(out, setting->flag);
        break;
    }
}

/* ---- YAML ---- */

static bool is_item(const struct config_setting *setting)
{
    return strstr(setting->path, "[].") != NULL;
}

static void end_line(struct config *config, const struct config_setting *setting,
                     struct weft_bytes *out)
{
    put(out, "  # ");
    config_origin(config, setting, out);
    put(out, "\n");
}

static void yaml_list(struct weft_bytes *out, const struct config_value *value)
{
    put(out, "[");
    for (size_t i = 0; i < value->count; i++) {
        if (i)
            put(out, ", ");
        put_scalar(out, value->list[i]);
    }
    put(out, "]");
}

/* The certificates, a mapping each: the lists of all settings with the same path before "[]". */
static void yaml_items(struct config *config, const struct config_setting *first,
                       struct weft_bytes *out)
{
    size_t prefix = strcspn(first->path, "[");
    size_t count = config_value(config, first)->count;
    if (count == 0)
        put(out, " []");
    end_line(config, first, out);
    for (size_t i = 0; i < count; i++) {
        for (const struct config_setting *setting = first;
             setting < config_settings + config_setting_count &&
             strncmp(setting->path, first->path, prefix + 1) == 0;
             setting++) {
            put(out, setting == first ? "    - " : "      ");
            put(out, setting->path + prefix + 3);
            put(out, ": ");
            put_scalar(out, config_value(config, setting)->list[i]);
            put(out, "\n");
        }
    }
}

static void yaml_setting(struct config *config, const struct config_setting *setting,
                         struct weft_bytes *out)
{
    const struct config_value *value = config_value(config, setting);
    const char *dot = strchr(setting->path, '.');
    const char *name = dot ? dot + 1 : setting->path;
    char text[CONFIG_NUMBER_SIZE];
    bool hidden = setting->secret || (setting->type == CONFIG_TEXT && !value->text);
    put(out, dot ? "  " : "");
    put(out, hidden ? "# " : "");
    weft__bytes_append(out, name, strcspn(name, "["));
    put(out, ":");
    if (is_item(setting)) {
        yaml_items(config, setting, out);
        return;
    }
    if (hidden) {
        put(out, setting->secret && value->text ? " (not shown)" : " (not set)");
    } else if (setting->type == CONFIG_LIST) {
        put(out, " ");
        yaml_list(out, value);
    } else if (setting->type == CONFIG_TEXT) {
        put(out, " ");
        put_scalar(out, value->text);
    } else {
        config_value_format(setting, value, text);
        /* What only looks like a number stays text for everybody's YAML. */
        bool quoted = setting->type == CONFIG_MODE || strchr(text, '.');
        put(out, quoted ? " \"" : " ");
        put(out, text);
        put(out, quoted ? "\"" : "");
    }
    end_line(config, setting, out);
}

void config_print_yaml(struct config *config, struct weft_bytes *out)
{
    const char *section = "";
    size_t section_len = 0;
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        const char *dot = strchr(setting->path, '.');
        size_t len = dot ? (size_t)(dot - setting->path) : 0;
        if (len && (len != section_len || strncmp(section, setting->path, len) != 0)) {
            weft__bytes_append(out, setting->path, len);
            put(out, ":\n");
        }
        section = setting->path;
        section_len = len;
        size_t item = strcspn(setting->path, "[");
        if (is_item(setting) && i > 0 &&
            strncmp(config_settings[i - 1].path, setting->path, item + 1) == 0)
            continue; /* It was written with the first of its mapping. */
        yaml_setting(config, setting, out);
    }
}

/* ---- JSON ---- */

static void json_value(struct weft_json_writer *w, const struct config_setting *setting,
                       const struct config_value *value)
{
    char text[CONFIG_NUMBER_SIZE];
    switch (setting->type) {
    case CONFIG_LIST:
        weft__json_begin_array(w);
        for (size_t i = 0; i < value->count; i++)
            weft__json_put_str(w, value->list[i]);
        weft__json_end_array(w);
        break;
    case CONFIG_TEXT:
        if (value->text)
            weft__json_put_str(w, value->text);
        else
            weft__json_put_null(w);
        break;
    case CONFIG_SWITCH:
        weft__json_put_bool(w, value->number != 0);
        break;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        if (!value->word) {
            weft__json_put_u64(w, value->number);
            break;
        }
        WEFT_FALLTHROUGH;
    case CONFIG_CHOICE:
    case CONFIG_MODE:
        config_value_format(setting, value, text);
        weft__json_put_str(w, text);
        break;
    }
}

void config_print_json(struct config *config, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        struct weft_bytes origin;
        weft__bytes_init(&origin, out->alloc, SIZE_MAX);
        config_origin(config, setting, &origin);
        weft__json_key(&w, setting->path);
        weft__json_begin_object(&w);
        weft__json_key(&w, "value");
        if (setting->secret)
            weft__json_put_null(&w);
        else
            json_value(&w, setting, config_value(config, setting));
        weft__json_key(&w, "origin");
        weft__json_put_string(&w, weft__bytes_slice(&origin));
        weft__json_end_object(&w);
        weft__bytes_done(&origin);
    }
    weft__json_end_object(&w);
    put(out, "\n");
}

/* ---- Reference ---- */

/* "1 to 256, or auto", "text or json"; nothing for texts and lists. */
static void put_range(const struct config_setting *setting, struct weft_bytes *out)
{
    struct config_value low = {.number = setting->min};
    struct config_value high = {.number = setting->max};
    char text[CONFIG_NUMBER_SIZE];
    for (const struct config_choice *choice = setting->choices; choice && choice->name; choice++) {
        put(out, choice->name);
        put(out, !choice[1].name ? "" : choice[2].name ? ", " : " or ");
    }
    if (setting->choices || setting->type == CONFIG_TEXT || setting->type == CONFIG_LIST ||
        setting->type == CONFIG_SWITCH)
        return;
    config_value_format(setting, &low, text);
    put(out, text);
    put(out, " to ");
    config_value_format(setting, &high, text);
    put(out, text);
    if (setting->words & CONFIG_AUTO)
        put(out, ", or auto");
    if (setting->words & CONFIG_NONE)
        put(out, ", or none");
}

static void put_default(const struct config_setting *setting, struct weft_bytes *out)
{
    put(out, !setting->fallback ? "none" : setting->fallback);
    if (setting->automatic) {
        put(out, ": ");
        put(out, setting->automatic);
    }
}

void config_help(const struct config_setting *setting, struct weft_bytes *out)
{
    put(out, setting->help);
    if (setting->choices) {
        put(out, ": ");
        put_range(setting, out);
    }
    if (setting->fallback && setting->type != CONFIG_SWITCH) {
        put(out, " (");
        put_default(setting, out);
        put(out, ")");
    }
}

void config_print_markdown(struct weft_bytes *out)
{
    put(out, "| in a file | flag | environment | meaning | values | default |\n"
             "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        put(out, "| `");
        put(out, setting->path);
        put(out, "` | `--");
        put(out, setting->flag);
        put(out, setting->value ? " " : "");
        put(out, setting->value ? setting->value : "");
        put(out, "` | `");
        put(out, setting->environment);
        put(out, "` | ");
        put(out, setting->help);
        put(out, " | ");
        put_range(setting, out);
        put(out, " | ");
        put_default(setting, out);
        put(out, " |\n");
    }
}

/* Text for roff, where '-' is a hyphen unless escaped. */
static void put_roff(struct weft_bytes *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at == '-' || *at == '\\')
            put(out, "\\");
        weft__bytes_append_byte(out, (uint8_t)*at);
    }
}

void config_print_man(struct weft_bytes *out)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        put(out, ".TP\n.BI \\-\\-");
        put_roff(out, setting->flag);
        if (setting->value) {
            put(out, "\\  ");
            put_roff(out, setting->value);
        }
        struct weft_bytes help;
        weft__bytes_init(&help, out->alloc, SIZE_MAX);
        config_help(setting, &help);
        weft__bytes_append_byte(&help, '\0');
        put(out, "\n");
        if (!weft__bytes_error(&help))
            put_roff(out, (const char *)help.ptr);
        weft__bytes_done(&help);
        put(out, ".\nIn a file: ");
        put_roff(out, setting->path);
        put(out, ".\n[");
        put(out, setting->environment);
        put(out, "]\n");
    }
}
