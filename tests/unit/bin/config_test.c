/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings against the struct it fills, values and units, files and their mistakes,
 * precedence, and that what is printed can be read again. */
#include "lib/test.h"

#include "config.h"
#include "lib/file.h"
#include "suggest.h"

#include <ctype.h>
#include <limits.h>

static struct config config;

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_setting_count; i++)
        unsetenv(config_settings[i].environment);
    config_init(&config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_done(&config);
    return 0;
}

static void start_again(void **state)
{
    tear_down(state);
    set_up(state);
}

static int read_text(const char *text)
{
    return config_read_yaml(&config, "weft.yaml", weft__slice_str(text));
}

/* ---- The table ---- */

/* Fields that are no settings, and why. */
static const char *const EXCEPTIONS[] = {
    "struct_size",                /* of the struct */
    "development",                /* `weft dev` or `weft serve` */
    "log",                        /* code */
    "log_ctx",                    /* code */
    "alloc",                      /* code */
    "methods",                    /* code */
    "method_count",               /* the same */
    "pool_threads",               /* for methods that are code */
    "pool_queue",                 /* the same */
    "authenticate",               /* code; `weft serve` sets it for the setting tokens */
    "authenticate_ctx",           /* the same */
    "operations.listen_fds",      /* handed over by whoever starts the process */
    "operations.listen_fd_count", /* the same */
};

static bool is_covered(const char *field)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(EXCEPTIONS); i++)
        if (strcmp(EXCEPTIONS[i], field) == 0)
            return true;
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].field && strcmp(config_settings[i].field, field) == 0)
            return true;
    return false;
}

/* Checks the fields of struct |name| as they are declared in |header|, comments removed. Returns
 * how many there are. */
static size_t check_struct(const char *header, const char *name, const char *prefix)
{
    char head[80];
    size_t count = 0;
    snprintf(head, sizeof(head), "\nstruct %s {", name);
    const char *at = strstr(header, head);
    assert_non_null(at);
    at += strlen(head);
    const char *end = strstr(at, "\n};");
    assert_non_null(end);
    for (; at < end; at = strchr(at, ';') + 1) {
        const char *stop = strchr(at, ';');
        const char *first = memchr(at, '(', (size_t)(stop - at)); /* a function: (*name)(… */
        const char *last = stop;
        char field[96];
        if (stop > end)
            break;
        if (first) {
            first += 2;
            last = strchr(first, ')');
        } else {
            first = last;
            while (isalnum((unsigned char)first[-1]) || first[-1] == '_')
                first--;
        }
        snprintf(field, sizeof(field), "%s%.*s", prefix, (int)(last - first), first);
        static const char *const nested[] = {"tls", "limits", "sessions", "operations", "rpc"};
        bool is_struct = false;
        for (size_t i = 0; i < WEFT_ARRAY_LEN(nested); i++)
            is_struct = is_struct || strcmp(field, nested[i]) == 0;
        if (!is_struct && !is_covered(field))
            fail_msg("no setting for the field %s", field);
        count++;
    }
    return count;
}

static void every_option_of_the_server_is_a_setting(void **state)
{
    (void)state;
    char *header = test_file_load("../include/weft/server.h", NULL);
    for (char *comment; (comment = strstr(header, "/*"));) {
        char *end = strstr(comment, "*/");
        assert_non_null(end);
        memmove(comment, end + 2, strlen(end + 2) + 1);
    }
    assert_true(check_struct(header, "weft_server_options", "") >= 18);
    assert_true(check_struct(header, "weft_server_tls", "tls.") >= 4);
    assert_true(check_struct(header, "weft_server_limits", "limits.") >= 13);
    assert_true(check_struct(header, "weft_server_operations", "operations.") >= 7);
    assert_true(check_struct(header, "weft_server_sessions", "sessions.") >= 2);
    assert_true(check_struct(header, "weft_server_rpc", "rpc.") >= 4);
    free(header);
}

static void names_in_the_table_follow_one_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        char variable[80] = "WEFT_";
        for (size_t j = 0; setting->flag[j]; j++) {
            char c = setting->flag[j];
            variable[5 + j] = c == '-' ? '_' : (char)toupper((unsigned char)c);
            variable[6 + j] = '\0';
        }
        assert_string_equal(setting->environment, variable);
        assert_ptr_equal(config_find(setting->path), setting);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(setting->flag, config_settings[j].flag);
        assert_non_null(setting->help);
        assert_true((setting->type == CONFIG_SWITCH) == (setting->value == NULL));
    }
}

/* A value of |setting| that is not its default. */
static const char *other_value(const struct config_setting *setting)
{
    switch (setting->type) {
    case CONFIG_TEXT:
        return strcmp(setting->path, "listen") == 0 ? "127.0.0.1:1" : "/elsewhere";
    case CONFIG_LIST:
        return "a";
    case CONFIG_CHOICE:
        return setting->choices[strcmp(setting->choices[0].name, setting->fallback) == 0].name;
    case CONFIG_SWITCH:
        return "true";
    case CONFIG_MODE:
        return "0640";
    case CONFIG_NUMBER:
        return "77";
    case CONFIG_SIZE:
        return "32MiB";
    case CONFIG_DURATION:
        return "7s";
    }
    return NULL;
}

/* Whether |setting| changed the options, or what else it is for. */
static bool arrived(const struct config_setting *setting)
{
    struct config plain;
    config_init(&plain);
    assert_int_equal(config_finish(&plain), 0);
    size_t offset = setting->offset;
    bool differs = setting->field ? memcmp((char *)&plain.options + offset,
                                           (char *)&config.options + offset, setting->width) != 0
                                  : config.open_to_others;
    config_done(&plain);
    return differs;
}

/* Certificates come in pairs; the other settings stand alone. */
static const struct config_setting *partner_of(const struct config_setting *setting)
{
    if (strcmp(setting->path, "tls.certificates[].cert") == 0)
        return config_find("tls.certificates[].key");
    if (strcmp(setting->path, "tls.certificates[].key") == 0)
        return config_find("tls.certificates[].cert");
    return NULL;
}

static void every_setting_arrives_from_a_flag(void **state)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        const struct config_setting *partner = partner_of(setting);
        start_again(state);
        assert_int_equal(config_set(&config, setting, CONFIG_FLAG, other_value(setting)), 0);
        if (partner)
            assert_int_equal(config_set(&config, partner, CONFIG_FLAG, other_value(partner)), 0);
        assert_int_equal(config_finish(&config), 0);
        assert_true(arrived(setting));
    }
}

static void every_setting_arrives_from_the_environment(void **state)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        const struct config_setting *partner = partner_of(setting);
        start_again(state);
        setenv(setting->environment, other_value(setting), 1);
        if (partner)
            setenv(partner->environment, other_value(partner), 1);
        assert_int_equal(config_read_environment(&config), 0);
        assert_int_equal(config_finish(&config), 0);
        assert_true(arrived(setting));
    }
}

static void every_setting_arrives_from_a_file(void **state)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        char text[256];
        const char *dot = strchr(setting->path, '.');
        bool list = setting->type == CONFIG_LIST;
        snprintf(text, sizeof(text), "%.*s%s%s: %s%s%s\n", (int)(dot ? dot - setting->path : 0),
                 setting->path, dot ? ":\n  " : "", dot ? dot + 1 : setting->path,
                 list ? "[\"" : "", other_value(setting), list ? "\"]" : "");
        if (partner_of(setting))
            snprintf(text, sizeof(text), "tls: {certificates: [{cert: a, key: b}]}");
        start_again(state);
        if (read_text(text))
            fail_msg("%s%s", text, config_errors(&config));
        assert_int_equal(config_finish(&config), 0);
        assert_true(arrived(setting));
    }
}

/* ---- Values ---- */

static int parse(const char *path, const char *text, uint64_t *ret_number)
{
    struct config_value value = {0};
    char problem[CONFIG_PROBLEM_SIZE] = "";
    int err = config_value_parse(config_find(path), text, &config.arena, &value, problem);
    if (err)
        assert_true(strncmp(problem, "must be ", 8) == 0);
    *ret_number = value.number;
    return err;
}

static void sizes_and_times_have_units(void **state)
{
    static const struct {
        const char *path;
        const char *text;
        uint64_t number; /* 0: refused */
    } cases[] = {
        {"limits.max_message", "4096", 4096},
        {"limits.max_message", "4096B", 4096},
        {"limits.max_message", "64KiB", 65536},
        {"limits.max_message", "3MiB", 3 << 20},
        {"limits.max_message", "2GiB", UINT64_C(2) << 30},
        {"limits.max_message", "", 0},
        {"limits.max_message", "MiB", 0},
        {"limits.max_message", "-5", 0},
        {"limits.max_message", "+500", 0},
        {"limits.max_message", " 500", 0},
        {"limits.max_message", "500 ", 0},
        {"limits.max_message", "1MB", 0},
        {"limits.max_message", "1mib", 0},
        {"limits.max_message", "1.5MiB", 0},
        {"limits.max_message", "0x1000", 0},
        {"limits.max_message", "5s", 0},
        {"limits.max_message", "18446744073709551616", 0},
        {"limits.max_message", "18446744073709551615GiB", 0},
        {"limits.max_message", "124", 0},
        {"limits.stall_timeout", "250", 250},
        {"limits.stall_timeout", "250ms", 250},
        {"limits.stall_timeout", "5s", 5000},
        {"limits.stall_timeout", "2m", 120000},
        {"limits.stall_timeout", "1h", 3600000},
        {"limits.stall_timeout", "0s", 0},
        {"limits.stall_timeout", "1d", 0},
        {"limits.stall_timeout", "169h", 0},
        {"workers", "256", 256},
        {"workers", "257", 0},
        {"workers", "1KiB", 0},
        {"workers", "none", 0},
        {"operations.socket_mode", "0660", 0660},
        {"operations.socket_mode", "660", 0660},
        {"operations.socket_mode", "0680", 0},
        {"operations.socket_mode", "01777", 0},
        {"tls.min_version", "1.3", 13},
        {"tls.min_version", "1.1", 0},
    };
    (void)state;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        uint64_t number;
        int err = parse(cases[i].path, cases[i].text, &number);
        if (err != (cases[i].number ? 0 : WEFT_ERR_USAGE) || number != cases[i].number)
            fail_msg("%s: %s", cases[i].path, cases[i].text);
    }
}

static void written_numbers_read_back_the_same(void **state)
{
    static const char *const paths[] = {"limits.max_message", "limits.stall_timeout", "workers",
                                        "operations.socket_mode"};
    (void)state;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(paths); i++) {
        const struct config_setting *setting = config_find(paths[i]);
        for (uint64_t n = setting->min; n < setting->max; n = n * 5 / 4 + 1) {
            struct config_value value = {.number = n};
            uint64_t again;
            char text[CONFIG_NUMBER_SIZE];
            config_value_format(setting, &value, text);
            assert_int_equal(parse(paths[i], text, &again), 0);
            assert_int_equal(again, n);
        }
    }
}

static void none_is_no_limit_and_auto_is_left_to_the_server(void **state)
{
    (void)state;
    assert_int_equal(read_text("limits: {max_message: none, stall_timeout: none, memory: auto,\n"
                               "  max_per_address: none, max_connections: auto}\nworkers: auto\n"),
                     0);
    assert_int_equal(config_finish(&config), 0);
    assert_true(config.options.limits.max_message == SIZE_MAX);
    assert_true(config.options.limits.stall_ms == UINT_MAX);
    assert_true(config.options.limits.max_per_address == UINT_MAX);
    assert_true(config.options.limits.memory == 0);
    assert_true(config.options.limits.max_connections == 0);
    assert_true(config.options.workers == 0);
}

static void lists_are_split_at_commas_and_flags_add_up(void **state)
{
    const struct config_setting *hosts = config_find("hosts");
    (void)state;
    assert_int_equal(read_text("hosts: [from.file]\n"), 0);
    assert_int_equal(config_set(&config, hosts, CONFIG_FLAG, "a,b,,"), 0);
    assert_int_equal(config_set(&config, hosts, CONFIG_FLAG, "c"), 0);
    assert_int_equal(config_finish(&config), 0);
    const char *const *list = config.options.hosts;
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
    assert_string_equal(list[2], "c");
    assert_null(list[3]);
}

/* ---- Layers ---- */

static void a_flag_wins_over_the_environment_over_the_file_over_the_default(void **state)
{
    const struct config_setting *workers = config_find("workers");
    struct weft_bytes origin;
    (void)state;
    weft__bytes_init(&origin, weft_alloc_default(), SIZE_MAX);
    assert_int_equal(config_value(&config, workers)->source, CONFIG_DEFAULT);
    assert_int_equal(read_text("# three\nworkers: 3\n"), 0);
    assert_int_equal(config_value(&config, workers)->number, 3);
    config_origin(&config, workers, &origin);
    weft__bytes_append_str(&origin, " ");
    setenv("WEFT_WORKERS", "4", 1);
    setenv("WEFT_LOOP", "", 1); /* as good as not set */
    assert_int_equal(config_read_environment(&config), 0);
    assert_int_equal(config_value(&config, workers)->number, 4);
    config_origin(&config, workers, &origin);
    weft__bytes_append_str(&origin, " ");
    assert_int_equal(config_set(&config, workers, CONFIG_FLAG, "5"), 0);
    assert_int_equal(config_finish(&config), 0);
    assert_int_equal(config.options.workers, 5);
    config_origin(&config, workers, &origin);
    assert_true(weft__slice_eq_str(weft__bytes_slice(&origin),
                                   "weft.yaml:2 environment WEFT_WORKERS flag --workers"));
    weft__bytes_done(&origin);
}

static void certificates_and_keys_go_in_pairs_from_one_place(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("tls:\n  certificates:\n    - {cert: a, key: b}\n    - cert: c\n      key: d\n"),
        0);
    assert_int_equal(config_finish(&config), 0);
    assert_string_equal(config.options.tls.certificates[1].cert_file, "c");
    assert_string_equal(config.options.tls.certificates[1].key_file, "d");
    assert_null(config.options.tls.certificates[2].cert_file);
    setenv("WEFT_TLS_CERT", "x", 1);
    assert_int_equal(config_read_environment(&config), 0);
    assert_int_equal(config_finish(&config), WEFT_ERR_USAGE);
    setenv("WEFT_TLS_KEY", "y,z", 1);
    assert_int_equal(config_read_environment(&config), 0);
    assert_int_equal(config_finish(&config), WEFT_ERR_USAGE);
    assert_non_null(strstr(config_errors(&config), "1 certificates (--tls-cert) and 2 keys"));
}

static void listening_beyond_this_machine_has_to_be_said(void **state)
{
    (void)state;
    assert_int_equal(read_text("listen: 0.0.0.0:80\ninsecure_no_auth: true\n"), 0);
    assert_int_equal(config_finish(&config), 0);
    assert_true(config.open_to_others);
    setenv("WEFT_INSECURE_NO_AUTH", "0", 1);
    assert_int_equal(config_read_environment(&config), 0);
    assert_int_equal(config_finish(&config), WEFT_ERR_USAGE);
}

/* ---- Mistakes in files ---- */

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"wrokers: 3\n", "weft.yaml:1:1: wrokers: there is no such setting; did you mean workers?"},
        {"listen: a:1\nlimits:\n  max-mesage: 1\n",
         "weft.yaml:3:3: max-mesage: there is no such setting; did you mean max_message?"},
        {"max_message: 1\n", "1:1: max_message: there is no such setting; did you mean "
                             "limits.max_message?"},
        {"handshake-timeout: 1\n", "did you mean limits.handshake_timeout?"},
        {"colour: red\n", "1:1: colour: there is no such setting\n"},
        {"limits.max_message: 1\n", "1:1: limits.max_message: there is no such setting"},
        {"tls.certificates[].cert: 1\n", "there is no such setting"},
        {"workers: 3\nloop: epoll\nworkers: 4\n", "weft.yaml:3:1: workers: was set in line 1"},
        {"log: {level: info}\nlog: {format: json}\n", "weft.yaml:2:1: log: was set in line 1"},
        {"workers: many\n", "weft.yaml:1:10: workers: must be a number from 1 to 256, or auto, not "
                            "'many'"},
        {"workers: 0\n", "1:10: workers: must be a number from 1 to 256"},
        {"workers: [1]\n", "1:10: workers: must be a single value"},
        {"workers:\n", "workers: has no value"},
        {"workers: ~\n", "workers: has no value"},
        {"workers: {a: {b: [c]}}\nloop: x\n", "2:7: loop: must be auto, epoll or uring, not 'x'"},
        {"hosts: a\n", "1:8: hosts: must be a list"},
        {"hosts: [a, [b]]\n", "1:12: hosts: must be a single value"},
        {"hosts: [\"\"]\n", "1:9: hosts: must not be empty"},
        {"log: info\n", "1:6: log: must be a mapping"},
        {"[a]\n", "1:1: must be a mapping"},
        {"listen: \"\"\n", "1:9: listen: must not be empty"},
        {"listen: \"a\\0b\"\n", "must not contain a zero byte"},
        {"limits: {max_message: 5XB}\n", "1:23: limits.max_message: must be a size (such as 4096, "
                                         "64KiB or 1MiB) from 125 to 1024GiB, or none, not '5XB'"},
        {"tls: {certificates: {cert: a}}\n", "1:21: tls.certificates: must be a list of mappings"},
        {"tls: {certificates: [a]}\n", "1:22: tls.certificates[]: must be a mapping"},
        {"tls:\n  certificates:\n  - cert: a\n  - cert: b\n    key: c\n",
         "weft.yaml:3:5: tls.certificates[].key: is missing"},
        {"tls:\n  certificates:\n  - cert: a\n    cert: b\n",
         "4:5: tls.certificates[].cert: was set"},
        {"workers: &a 3\n", "anchors, aliases and tags"},
        {"workers: !!int 3\n", "anchors, aliases and tags"},
        {"workers: *a\n", "1:10"},
        {"workers: 3\n---\nworkers: 4\n", "there must be one document only"},
        {"workers: 3\n  loop: x\n", "weft.yaml:2:"},
        {"a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "nested too deeply"},
        {"{[a]: b, workers: 0}\n", "workers: must be a number"},
        {"\xff\xfe", "weft.yaml:1:1: "},
        {"workers: \"\\x1b[31m\"\n", "not '?[31m'"},
        {"\"\\x1b[31m\": 1\n", "?[31m: there is no"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        start_again(state);
        assert_int_equal(read_text(cases[i].text), WEFT_ERR_USAGE);
        if (!strstr(config_errors(&config), cases[i].error))
            fail_msg("%s\n%s", cases[i].text, config_errors(&config));
        assert_int_not_equal(config_finish(&config), 0);
    }
}

static void all_mistakes_are_told_but_not_more_than_twenty(void **state)
{
    char text[1024] = "";
    (void)state;
    assert_int_equal(read_text("workers: x\nloop: y\nlog: {level: z}\n"), WEFT_ERR_USAGE);
    assert_int_equal(config.error_count, 3);
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "unheard%d: 1\n", i);
    assert_int_equal(read_text(text), WEFT_ERR_USAGE);
    assert_int_equal(config_finish(&config), WEFT_ERR_USAGE);
    size_t lines = 0;
    for (const char *at = config_errors(&config); *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
}

static void an_empty_file_sets_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_text(""), 0);
    assert_int_equal(read_text("# nothing\n"), 0);
    assert_int_equal(read_text("---\n"), 0);
    assert_int_equal(read_text("{}\n"), 0);
    assert_int_equal(config_finish(&config), 0);
}

static void a_file_that_is_missing_or_too_long_is_refused(void **state)
{
    (void)state;
    assert_int_equal(config_read_file(&config, "/nowhere/weft.yaml"), WEFT_ERR_USAGE);
    assert_int_equal(config_read_file(&config, "/"), WEFT_ERR_USAGE);
    assert_int_equal(config_read_file(&config, "/dev/zero"), WEFT_ERR_USAGE);
    assert_non_null(strstr(config_errors(&config), "/nowhere/weft.yaml: No such file"));
}

/* ---- Printing ---- */

static struct weft_bytes printed(void)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    config_print_yaml(&config, &out);
    assert_int_equal(weft__bytes_error(&out), 0);
    return out;
}

/* Removes the comments behind values: of these two files they differ. */
static void strip_comments(struct weft_bytes *text)
{
    size_t len = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (i + 3 < text->len && memcmp(text->ptr + i, "  # ", 4) == 0)
            while (text->ptr[i] != '\n')
                i++;
        text->ptr[len++] = text->ptr[i];
    }
    text->len = len;
}

static void check_round_trip(void **state)
{
    assert_int_equal(config_finish(&config), 0);
    struct weft_bytes first = printed();
    struct weft_server_options options = config.options;
    struct config before = config;
    config_init(&config);
    if (config_read_yaml(&config, "again", weft__bytes_slice(&first)))
        fail_msg("%s%.*s", config_errors(&config), (int)first.len, (const char *)first.ptr);
    assert_int_equal(config_finish(&config), 0);
    struct weft_bytes second = printed();
    strip_comments(&first);
    strip_comments(&second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.ptr, second.ptr, first.len);
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        if (setting->field && setting->type != CONFIG_TEXT && setting->type != CONFIG_LIST)
            assert_memory_equal((char *)&options + setting->offset,
                                (char *)&config.options + setting->offset, setting->width);
    }
    weft__bytes_done(&first);
    weft__bytes_done(&second);
    config_done(&before);
    (void)state;
}

static void what_is_printed_reads_back_the_same(void **state)
{
    static const char *const texts[] = {
        "~",        "null", "true", "a: b", "a #b", "- a",          "[a]",      "{a}",
        "\"a\"",    "'a'",  "*a",   "&a",   "!a",   "%a",           "@a",       "`a",
        "a\nb",     "a\tb", "\\",   " a ",  "é",    "\xe2\x80\xa8", "\xc2\x85", "\xef\xbb\xbf",
        "\x1b[31m", "0x10", "1e3",  "yes",  "😀",    "./a",          ".",        "..",
        "-",        ":",    "a:",   "?",    "? a",  "a,b"};
    check_round_trip(state);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(texts); i++) {
        start_again(state);
        assert_int_equal(config_set(&config, config_find("data"), CONFIG_FLAG, texts[i]), 0);
        assert_int_equal(config_set(&config, config_find("hosts"), CONFIG_FLAG, texts[i]), 0);
        check_round_trip(state);
        assert_string_equal(config.options.data_folder, texts[i]);
    }
}

static void every_other_value_reads_back_the_same(void **state)
{
    for (size_t i = 0; i < config_setting_count; i++)
        assert_int_equal(
            config_set(&config, &config_settings[i], CONFIG_FLAG, other_value(&config_settings[i])),
            0);
    check_round_trip(state);
}

static void an_odd_file_name_cannot_spoil_what_is_printed(void **state)
{
    (void)state;
    assert_int_equal(config_read_yaml(&config, "a\nloop: uring #\xff\xe2\x80\xa8",
                                      weft__slice_str("workers: 3")),
                     0);
    struct weft_bytes out = printed();
    assert_int_equal(config_read_yaml(&config, "again", weft__bytes_slice(&out)), 0);
    assert_int_equal(config_finish(&config), 0);
    assert_int_equal(config.options.loop, WEFT_SERVER_LOOP_AUTO);
    weft__bytes_done(&out);
}

/* ---- Suggestions ---- */

static void near_names_are_suggested(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("listen", 6, "listen"), 0);
    assert_int_equal(suggest_distance("Max-Message", 11, "max_message"), 0);
    assert_int_equal(suggest_distance("lsiten", 6, "listen"), 1);
    assert_int_equal(suggest_distance("liten", 5, "listen"), 1);
    assert_int_equal(suggest_distance("lissten", 7, "listen"), 1);
    assert_int_equal(suggest_distance("lixten", 6, "listen"), 1);
    assert_int_equal(suggest_distance("", 0, "listen"), 6);
    struct suggest suggest = {.name = "dta", .len = 3};
    suggest_offer(&suggest, "host");
    assert_null(suggest.best);
    suggest_offer(&suggest, "data");
    assert_string_equal(suggest.best, "data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(every_option_of_the_server_is_a_setting),
        TEST(names_in_the_table_follow_one_rule),
        TEST(every_setting_arrives_from_a_flag),
        TEST(every_setting_arrives_from_the_environment),
        TEST(every_setting_arrives_from_a_file),
        TEST(sizes_and_times_have_units),
        TEST(written_numbers_read_back_the_same),
        TEST(none_is_no_limit_and_auto_is_left_to_the_server),
        TEST(lists_are_split_at_commas_and_flags_add_up),
        TEST(a_flag_wins_over_the_environment_over_the_file_over_the_default),
        TEST(certificates_and_keys_go_in_pairs_from_one_place),
        TEST(listening_beyond_this_machine_has_to_be_said),
        TEST(mistakes_are_told_with_their_place),
        TEST(all_mistakes_are_told_but_not_more_than_twenty),
        TEST(an_empty_file_sets_nothing),
        TEST(a_file_that_is_missing_or_too_long_is_refused),
        TEST(what_is_printed_reads_back_the_same),
        TEST(every_other_value_reads_back_the_same),
        TEST(an_odd_file_name_cannot_spoil_what_is_printed),
        TEST(near_names_are_suggested),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
