/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file: YAML events of libyaml, walked along the paths of the table. libyaml is
 * used directly because a schema of libcyaml would say names, types and ranges a second time, and
 * could say neither units nor where a value came from.
 *
 * What is not in the table is told and skipped without recursion; what is in it nests as deep as
 * its path. Anchors, aliases, tags and further documents are refused: a configuration is plain.
 */
#include "config.h"
#include "suggest.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 16,
    PATH_SIZE = 128,
    PREFIX_SIZE = PATH_SIZE + 4,
    SEEN_MAX = CONFIG_SETTINGS_MAX + 16
};

/* Where a key was given first. */
struct seen {
    char path[PATH_SIZE];
    size_t line;
};

struct reader {
    struct config *config;
    const char *name; /* of the file */
    yaml_parser_t parser;
    yaml_event_t event; /* the one being looked at; valid while |has_event| */
    bool has_event;
    bool broken; /* nothing more can be read */
    struct seen seen[SEEN_MAX];
    size_t seen_count;
};

static void fail_at(struct reader *reader, yaml_mark_t mark, const char *path, const char *problem)
{
    config_fail(reader->config, "%s:%zu:%zu: %s%s%s", reader->name, mark.line + 1, mark.column + 1,
                path, *path ? ": " : "", problem);
}

/* Goes on to the next event. False when there is none: the file is not YAML, or was refused. */
static bool next(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = false;
    if (reader->broken)
        return false;
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        const yaml_parser_t *parser = &reader->parser;
        yaml_mark_t mark = parser->problem_mark;
        fail_at(reader, mark, "", parser->problem ? parser->problem : "out of memory");
        reader->broken = true;
        return false;
    }
    reader->has_event = true;
    const yaml_event_t *event = &reader->event;
    bool plain = true;
    if (event->type == YAML_ALIAS_EVENT)
        plain = false;
    else if (event->type == YAML_SCALAR_EVENT)
        plain = !event->data.scalar.anchor && !event->data.scalar.tag;
    else if (event->type == YAML_MAPPING_START_EVENT)
        plain = !event->data.mapping_start.anchor && !event->data.mapping_start.tag;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        plain = !event->data.sequence_start.anchor && !event->data.sequence_start.tag;
    if (!plain) {
        fail_at(reader, event->start_mark, "", "anchors, aliases and tags are not used here");
        reader->broken = true;
    }
    return plain;
}

/* Passes the value that begins with the current event. Its last event stays the current one. */
static void skip(struct reader *reader)
{
    unsigned depth = 0;
    do {
        yaml_event_type_t type = reader->event.type;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth > DEPTH_MAX) {
            fail_at(reader, reader->event.start_mark, "", "nested too deeply");
            reader->broken = true;
        }
    } while (depth > 0 && next(reader));
}

/* ---- Names ---- */

/* Whether |path| goes on behind |prefix|; the rest in |ret_rest|. */
static bool is_below(const char *path, const char *prefix, const char **ret_rest)
{
    size_t len = strlen(prefix);
    if (strncmp(path, prefix, len) != 0)
        return false;
    *ret_rest = path + len;
    return true;
}

/* The kind of thing at |path|, seen from the table. */
enum place { UNKNOWN, SECTION, ITEMS, LEAF };

static enum place place_of(const char *path, const struct config_setting **ret_setting)
{
    *ret_setting = config_find(path);
    if (*ret_setting)
        return LEAF;
    for (size_t i = 0; i < config_setting_count; i++) {
        const char *rest;
        if (!is_below(config_settings[i].path, path, &rest))
            continue;
        if (rest[0] == '.')
            return SECTION;
        if (strncmp(rest, "[].", 3) == 0)
            return ITEMS;
    }
    return UNKNOWN;
}

/* Tells about a key that does not exist, and the one that was meant. */
static void unknown(struct reader *reader, yaml_mark_t mark, const char *prefix, const char *key,
                    size_t len)
{
    char near[SEEN_MAX][PATH_SIZE];
    struct suggest suggest = {.name = key, .len = len};
    char problem[PATH_SIZE * 2] = "there is no such setting";
    size_t count = 0;
    for (size_t i = 0; i < config_setting_count; i++) {
        const char *rest;
        if (!is_below(config_settings[i].path, prefix, &rest))
            continue;
        snprintf(near[count], PATH_SIZE, "%.*s", (int)strcspn(rest, ".["), rest);
        suggest_offer(&suggest, near[count++]);
    }
    /* Perhaps its section is wrong. */
    for (size_t i = 0; !suggest.best && i < config_setting_count; i++) {
        const char *dot = strrchr(config_settings[i].path, '.');
        if ((dot && suggest_distance(key, len, dot + 1) == 0) ||
            suggest_distance(key, len, config_settings[i].flag) == 0)
            suggest.best = config_settings[i].path;
    }
    if (suggest.best)
        snprintf(problem, sizeof(problem), "there is no such setting; did you mean %s?",
                 suggest.best);
    fail_at(reader, mark, key, problem);
}

/* False, and told, when |path| was there before. */
static bool is_first(struct reader *reader, yaml_mark_t mark, const char *path)
{
    for (size_t i = 0; i < reader->seen_count; i++) {
        if (strcmp(reader->seen[i].path, path) == 0) {
            char problem[64];
            snprintf(problem, sizeof(problem), "was set in line %zu already",
                     reader->seen[i].line + 1);
            fail_at(reader, mark, path, problem);
            return false;
        }
    }
    /* There are no more paths than settings and sections. */
    struct seen *seen = &reader->seen[reader->seen_count++];
    snprintf(seen->path, sizeof(seen->path), "%s", path);
    seen->line = mark.line;
    return true;
}

/* ---- Values ---- */

/* The current event's text; NULL, and told, when it is no text or nothing. */
static const char *scalar(struct reader *reader, const char *path)
{
    const yaml_event_t *event = &reader->event;
    if (event->type != YAML_SCALAR_EVENT) {
        fail_at(reader, event->start_mark, path, "must be a single value");
        return NULL;
    }
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)) {
        fail_at(reader, event->start_mark, path,
                "has no value; leave the line out for the default");
        return NULL;
    }
    if (strlen(text) != event->data.scalar.length) {
        fail_at(reader, event->start_mark, path, "must not contain a zero byte");
        return NULL;
    }
    return text;
}

static void read_leaf(struct reader *reader, const struct config_setting *setting)
{
    const char *text = scalar(reader, setting->path);
    struct config_value fresh = {.source = CONFIG_FILE,
                                 .line = (unsigned)reader->event.start_mark.line + 1};
    char problem[CONFIG_PROBLEM_SIZE];
    if (!text) {
        skip(reader);
        return;
    }
    int err = config_value_parse(setting, text, &reader->config->arena, &fresh, problem);
    if (err)
        fail_at(reader, reader->event.start_mark, setting->path,
                err == WEFT_ERR_USAGE ? problem : weft_err_message(err));
    else
        *config_value(reader->config, setting) = fresh;
}

/* Adds the current event's text to |value|, whose list has room for CONFIG_LIST_MAX. */
static void add_element(struct reader *reader, const struct config_setting *setting,
                        struct config_value *value)
{
    const char *text = scalar(reader, setting->path);
    if (!text) {
        skip(reader);
        return;
    }
    size_t len = strlen(text);
    char *copy = weft__arena_copy(&reader->config->arena, text, len);
    const char **list = (const char **)(uintptr_t)value->list;
    const char *problem = !copy                             ? weft_err_message(WEFT_ERR_NOMEM)
                          : len == 0                        ? "must not be empty"
                          : len > CONFIG_TEXT_MAX           ? "is too long"
                          : value->count == CONFIG_LIST_MAX ? "has too many elements"
                                                            : NULL;
    if (problem) {
        fail_at(reader, reader->event.start_mark, setting->path, problem);
        return;
    }
    list[value->count++] = copy;
    list[value->count] = NULL;
}

/* An empty list as |setting|'s value. False, and told, when out of memory. */
static bool start_list(struct reader *reader, const struct config_setting *setting)
{
    yaml_mark_t mark = reader->event.start_mark;
    const char **list =
        weft__arena_alloc_array(&reader->config->arena, CONFIG_LIST_MAX + 1, sizeof(*list));
    if (!list) {
        fail_at(reader, mark, setting->path, weft_err_message(WEFT_ERR_NOMEM));
        return false;
    }
    list[0] = NULL;
    *config_value(reader->config, setting) =
        (struct config_value){.source = CONFIG_FILE, .line = (unsigned)mark.line + 1, .list = list};
    return true;
}

static void read_list(struct reader *reader, const struct config_setting *setting)
{
    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        fail_at(reader, reader->event.start_mark, setting->path, "must be a list: [a, b]");
        skip(reader);
        return;
    }
    if (!start_list(reader, setting)) {
        skip(reader);
        return;
    }
    while (next(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT)
        add_element(reader, setting, config_value(reader->config, setting));
}

/* ---- Mappings ---- */

static void read_mapping(struct reader *reader, const char *prefix);

/* A list of mappings, each with all the keys below |path|, "tls.certificates": one element of each
 * setting's list. */
static void read_items(struct reader *reader, const char *path)
{
    char prefix[PREFIX_SIZE];
    const char *rest;
    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        fail_at(reader, reader->event.start_mark, path, "must be a list of mappings");
        skip(reader);
        return;
    }
    snprintf(prefix, sizeof(prefix), "%s[].", path);
    for (size_t i = 0; i < config_setting_count; i++)
        if (is_below(config_settings[i].path, prefix, &rest) &&
            !start_list(reader, &config_settings[i])) {
            skip(reader);
            return;
        }
    for (size_t count = 1; next(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT; count++) {
        yaml_mark_t mark = reader->event.start_mark;
        size_t seen_count = reader->seen_count;
        size_t errors = reader->config->error_count;
        read_mapping(reader, prefix);
        reader->seen_count = seen_count;
        if (reader->config->error_count > errors)
            continue;
        for (size_t i = 0; i < config_setting_count; i++)
            if (is_below(config_settings[i].path, prefix, &rest) &&
                config_value(reader->config, &config_settings[i])->count < count)
                fail_at(reader, mark, config_settings[i].path, "is missing");
    }
}

static void read_value(struct reader *reader, const char *path)
{
    const struct config_setting *setting;
    switch (place_of(path, &setting)) {
    case SECTION: {
        char prefix[PREFIX_SIZE];
        snprintf(prefix, sizeof(prefix), "%s.", path);
        read_mapping(reader, prefix);
        break;
    }
    case ITEMS:
        read_items(reader, path);
        break;
    case LEAF:
        if (setting->type != CONFIG_LIST)
            read_leaf(reader, setting);
        else if (strstr(path, "[]."))
            add_element(reader, setting, config_value(reader->config, setting));
        else
            read_list(reader, setting);
        break;
    case UNKNOWN:
        skip(reader);
        break;
    }
}

/* The path of the key that is the current event; false, and told, when it is none to go on with. */
static bool read_key(struct reader *reader, const char *prefix, char path[PATH_SIZE])
{
    const struct config_setting *setting;
    yaml_mark_t mark = reader->event.start_mark;
    const char *key = scalar(reader, "");
    if (!key) {
        skip(reader);
        return false;
    }
    int len = snprintf(path, PATH_SIZE, "%s%s", prefix, key);
    /* Brackets and dots are the table's own way of writing. */
    if (len >= PATH_SIZE || strpbrk(key, ".[]") || place_of(path, &setting) == UNKNOWN) {
        char shown[PATH_SIZE];
        size_t at = 0;
        for (; key[at] && at < PATH_SIZE / 2; at++)
            shown[at] = key[at] >= 0x20 && key[at] < 0x7f ? key[at] : '?';
        shown[at] = '\0';
        unknown(reader, mark, prefix, shown, at);
        return false;
    }
    return is_first(reader, mark, path);
}

/* The mapping that begins with the current event; its keys are those of the table that follow
 * |prefix|, "" or "limits.". */
static void read_mapping(struct reader *reader, const char *prefix)
{
    char path[PATH_SIZE];
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        snprintf(path, sizeof(path), "%.*s", (int)(strlen(prefix) ? strlen(prefix) - 1 : 0),
                 prefix);
        fail_at(reader, reader->event.start_mark, path, "must be a mapping of names to values");
        skip(reader);
        return;
    }
    while (next(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
        bool known = read_key(reader, prefix, path);
        if (!next(reader))
            return;
        if (known)
            read_value(reader, path);
        else
            skip(reader);
    }
}

/* ---- The document ---- */

/* Passes one event and goes on to the one behind it. */
static bool next_but_one(struct reader *reader)
{
    bool more = next(reader);
    return more && next(reader);
}

static void read_stream(struct reader *reader)
{
    if (!next_but_one(reader)) /* the stream's start, then the document's */
        return;
    if (reader->event.type == YAML_STREAM_END_EVENT)
        return; /* Nothing but comments. */
    if (!next(reader))
        return;
    const yaml_event_t *event = &reader->event;
    /* "---" alone */
    if (!(event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0))
        read_mapping(reader, "");
    if (!next_but_one(reader)) /* the document's end, then the stream's */
        return;
    if (reader->event.type != YAML_STREAM_END_EVENT)
        fail_at(reader, reader->event.start_mark, "", "there must be one document only");
}

int config_read_yaml(struct config *config, const char *name, struct weft_slice text)
{
    struct reader reader = {.config = config, .name = name};
    size_t errors = config->error_count;
    if (!yaml_parser_initialize(&reader.parser)) {
        config_fail(config, "%s: %s", name, weft_err_message(WEFT_ERR_NOMEM));
        return WEFT_ERR_NOMEM;
    }
    config->file = name;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, text.len ? text.ptr : (const uint8_t *)"",
                                 text.len);
    read_stream(&reader);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return config->error_count > errors ? WEFT_ERR_USAGE : 0;
}
