/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text: numbers with units, choices, lists. What is written reads back the same. */
#include "config.h"

#include "base/utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* The largest first: that is how values are written. The one with factor 1 may be left out. */
static const struct unit SIZES[] = {
    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", UINT64_C(1) << 10}, {"B", 1}};
static const struct unit DURATIONS[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { UNITS = 4 };

static const struct unit *units_of(const struct config_setting *setting)
{
    return setting->type == CONFIG_SIZE       ? SIZES
           : setting->type == CONFIG_DURATION ? DURATIONS
                                              : NULL;
}

/* Reads digits and, where |units| is not NULL, a unit. False for anything else, also what exceeds
 * 64 bits. */
static bool parse_number(const char *text, unsigned base, const struct unit *units,
                         uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at < (char)('0' + base); at++)
        if (WEFT_MUL_OVERFLOW(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
    if (at == text)
        return false;
    bool found = *at == '\0';
    for (size_t i = 0; units && !found && i < UNITS; i++) {
        found = strcmp(at, units[i].name) == 0;
        if (found && WEFT_MUL_OVERFLOW(number, units[i].factor, &number))
            return false;
    }
    *ret_number = number;
    return found;
}

static void write_number(const struct config_setting *setting, uint64_t number,
                         char ret_text[CONFIG_NUMBER_SIZE])
{
    const struct unit *units = units_of(setting);
    if (setting->type == CONFIG_MODE)
        snprintf(ret_text, CONFIG_NUMBER_SIZE, "0%" PRIo64, number);
    else
        snprintf(ret_text, CONFIG_NUMBER_SIZE, "%" PRIu64, number);
    for (size_t i = 0; units && i < UNITS; i++) {
        if (number == 0 || number % units[i].factor)
            continue;
        /* Plain bytes are written without their unit. */
        bool plain = setting->type == CONFIG_SIZE && units[i].factor == 1;
        snprintf(ret_text, CONFIG_NUMBER_SIZE, "%" PRIu64 "%s", number / units[i].factor,
                 plain ? "" : units[i].name);
        return;
    }
}

/* Appends to a bounded message. */
static void put(char problem[CONFIG_PROBLEM_SIZE], const char *text)
{
    size_t len = strlen(problem);
    snprintf(problem + len, CONFIG_PROBLEM_SIZE - len, "%s", text);
}

static void put_words(const struct config_setting *setting, char problem[CONFIG_PROBLEM_SIZE])
{
    if (setting->words & CONFIG_AUTO)
        put(problem, ", or auto");
    if (setting->words & CONFIG_NONE)
        put(problem, ", or none");
}

/* Quotes what was written, cut short and without bytes that could spoil a terminal. */
static void put_found(char problem[CONFIG_PROBLEM_SIZE], const char *text)
{
    char shown[64];
    size_t len = 0;
    for (; text[len] && len < sizeof(shown) - 1; len++)
        shown[len] = text[len] >= 0x20 && text[len] < 0x7f ? text[len] : '?';
    shown[len] = '\0';
    put(problem, ", not '");
    put(problem, shown);
    put(problem, text[len] ? "…'" : "'");
}

static int wrong_number(const struct config_setting *setting, const char *text,
                        char ret_problem[CONFIG_PROBLEM_SIZE])
{
    static const char *const kinds[] = {
        [CONFIG_NUMBER] = "a number",
        [CONFIG_SIZE] = "a size (such as 4096, 64KiB or 1MiB)",
        [CONFIG_DURATION] = "a time (such as 250ms, 5s or 2m)",
        [CONFIG_MODE] = "an octal number",
    };
    char number[CONFIG_NUMBER_SIZE];
    snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must be %s from ", kinds[setting->type]);
    write_number(setting, setting->min, number);
    put(ret_problem, number);
    put(ret_problem, " to ");
    write_number(setting, setting->max, number);
    put(ret_problem, number);
    put_words(setting, ret_problem);
    put_found(ret_problem, text);
    return WEFT_ERR_USAGE;
}

static int parse_choice(const struct config_setting *setting, const char *text,
                        struct config_value *value, char ret_problem[CONFIG_PROBLEM_SIZE])
{
    for (const struct config_choice *choice = setting->choices; choice->name; choice++) {
        if (strcmp(choice->name, text) == 0) {
            value->number = (uint64_t)choice->value;
            return 0;
        }
    }
    snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must be ");
    for (const struct config_choice *choice = setting->choices; choice->name; choice++) {
        put(ret_problem, choice->name);
        if (choice[1].name)
            put(ret_problem, choice[2].name ? ", " : " or ");
    }
    put_found(ret_problem, text);
    return WEFT_ERR_USAGE;
}

static int parse_switch(const char *text, struct config_value *value,
                        char ret_problem[CONFIG_PROBLEM_SIZE])
{
    static const char *const words[][2] = {
        {"false", "true"}, {"0", "1"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(words); i++) {
        for (unsigned on = 0; on < 2; on++) {
            if (strcmp(text, words[i][on]) == 0) {
                value->number = on;
                return 0;
            }
        }
    }
    snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must be true or false");
    put_found(ret_problem, text);
    return WEFT_ERR_USAGE;
}

static int parse_list(const char *text, struct weft_arena *arena, struct config_value *value,
                      char ret_problem[CONFIG_PROBLEM_SIZE])
{
    size_t count = 0;
    const char **list = weft__arena_alloc_array(arena, CONFIG_LIST_MAX + 1, sizeof(*list));
    char *rest = weft__arena_copy(arena, text, strlen(text));
    if (!list || !rest)
        return WEFT_ERR_NOMEM;
    for (char *item; (item = strsep(&rest, ","));) {
        if (!*item)
            continue;
        if (count == CONFIG_LIST_MAX) {
            snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "takes at most %d elements",
                     CONFIG_LIST_MAX);
            return WEFT_ERR_USAGE;
        }
        list[count++] = item;
    }
    list[count] = NULL;
    value->list = list;
    value->count = count;
    return 0;
}

static int parse_text(const char *text, struct weft_arena *arena, struct config_value *value,
                      char ret_problem[CONFIG_PROBLEM_SIZE])
{
    if (!*text) {
        snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must not be empty");
        return WEFT_ERR_USAGE;
    }
    value->text = weft__arena_copy(arena, text, strlen(text));
    return value->text ? 0 : WEFT_ERR_NOMEM;
}

static int parse_typed(const struct config_setting *setting, const char *text,
                       struct weft_arena *arena, struct config_value *value,
                       char ret_problem[CONFIG_PROBLEM_SIZE])
{
    switch (setting->type) {
    case CONFIG_TEXT:
        return parse_text(text, arena, value, ret_problem);
    case CONFIG_LIST:
        return parse_list(text, arena, value, ret_problem);
    case CONFIG_CHOICE:
        return parse_choice(setting, text, value, ret_problem);
    case CONFIG_SWITCH:
        return parse_switch(text, value, ret_problem);
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_MODE:
        break;
    }
    if (!parse_number(text, setting->type == CONFIG_MODE ? 8 : 10, units_of(setting),
                      &value->number) ||
        value->number < setting->min || value->number > setting->max)
        return wrong_number(setting, text, ret_problem);
    return 0;
}

int config_value_parse(const struct config_setting *setting, const char *text,
                       struct weft_arena *arena, struct config_value *ret_value,
                       char ret_problem[CONFIG_PROBLEM_SIZE])
{
    struct config_value value = {.source = ret_value->source, .line = ret_value->line};
    size_t len = strlen(text);
    int err = 0;
    if (len > CONFIG_TEXT_MAX) {
        snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must have at most %d bytes", CONFIG_TEXT_MAX);
        return WEFT_ERR_USAGE;
    }
    if (!weft__utf8_valid((const uint8_t *)text, len)) {
        snprintf(ret_problem, CONFIG_PROBLEM_SIZE, "must be valid UTF-8");
        return WEFT_ERR_USAGE;
    }
    if ((setting->words & CONFIG_AUTO) && strcmp(text, "auto") == 0)
        value.word = CONFIG_AUTO;
    else if ((setting->words & CONFIG_NONE) && strcmp(text, "none") == 0)
        value.word = CONFIG_NONE;
    else
        err = parse_typed(setting, text, arena, &value, ret_problem);
    if (!err)
        *ret_value = value;
    return err;
}

void config_value_format(const struct config_setting *setting, const struct config_value *value,
                         char ret_text[CONFIG_NUMBER_SIZE])
{
    if (value->word) {
        snprintf(ret_text, CONFIG_NUMBER_SIZE, "%s", value->word == CONFIG_AUTO ? "auto" : "none");
        return;
    }
    if (setting->type == CONFIG_SWITCH) {
        snprintf(ret_text, CONFIG_NUMBER_SIZE, "%s", value->number ? "true" : "false");
        return;
    }
    write_number(setting, value->number, ret_text);
    for (const struct config_choice *choice = setting->choices; choice && choice->name; choice++)
        if ((uint64_t)choice->value == value->number)
            snprintf(ret_text, CONFIG_NUMBER_SIZE, "%s", choice->name);
}
