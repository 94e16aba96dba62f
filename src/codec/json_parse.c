/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of JSON, without recursion: nothing a peer sends can use up the stack. While a
 * container is open its |span| holds the index of the container around it, so the nodes themselves
 * are the stack; closing replaces that by the true span.
 */
#include "base/assert.h"
#include "codec/json_lex.h"

enum { SMALL_OBJECT = 8 /* members compared pair by pair when looking for a repeated key */ };

struct parser {
    struct weft_json_lexer lexer;
    struct weft_json *nodes;
    uint32_t count;
    uint32_t cap;
    uint32_t open; /* the innermost open container, while depth > 0 */
    uint32_t depth;
    uint32_t max_depth;
    uint32_t max_values;
    const struct weft_json_options *options;
};

const uint8_t *weft__json_lex_fail(struct weft_json_lexer *lexer, enum weft_json_fault fault,
                                   const uint8_t *place, const char *message)
{
    lexer->error = (struct weft_json_error){
        .fault = fault, .offset = (size_t)(place - lexer->begin), .message = message};
    return NULL;
}

const uint8_t *weft__json_lex_unexpected(struct weft_json_lexer *lexer, const uint8_t *at,
                                         const char *message)
{
    if (at == lexer->end)
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_TRUNCATED, at, "text stops too early");
    return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, at, message);
}

/* The byte at |at|, or 0, which begins nothing, at the end. */
static inline uint8_t peek(const struct parser *p, const uint8_t *at)
{
    return at < p->lexer.end ? *at : 0;
}

/* RFC 8259 §2: ws is space, tab, line feed and carriage return. */
static WEFT_NOINLINE const uint8_t *skip_spaces(const struct parser *p, const uint8_t *at)
{
    while (at < p->lexer.end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        ++at;
    return at;
}

/* The first place from |at| on that is no white space; what most texts have none of. */
static inline const uint8_t *skip_space(const struct parser *p, const uint8_t *at)
{
    return WEFT_UNLIKELY(peek(p, at) <= ' ') ? skip_spaces(p, at) : at;
}

static WEFT_NOINLINE bool grow_nodes(struct parser *p, const uint8_t *at)
{
    if (p->count >= p->max_values)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_SIZE, at, "too many values");
    uint64_t cap = WEFT_MIN((uint64_t)p->cap * 2, (uint64_t)p->max_values);
    struct weft_json *nodes = weft__arena_alloc_array(p->lexer.arena, cap, sizeof(*nodes));
    if (!nodes)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_MEMORY, at, "out of memory");
    memcpy(nodes, p->nodes, p->count * sizeof(*nodes));
    p->nodes = nodes;
    p->cap = (uint32_t)cap;
    return true;
}

/* A fresh node behind the others, or NULL; it moves when the next one is made. */
static inline struct weft_json *new_node(struct parser *p, const uint8_t *at)
{
    if (WEFT_UNLIKELY(p->count == p->cap) && !grow_nodes(p, at))
        return NULL;
    return &p->nodes[p->count++];
}

static inline const uint8_t *open_container(struct parser *p, const uint8_t *at,
                                            enum weft_json_type type)
{
    if (p->depth == p->max_depth)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_DEPTH, at, "nested too deeply");
    struct weft_json *node = new_node(p, at);
    if (!node)
        return NULL;
    *node = (struct weft_json){.type = (uint8_t)type, .span = p->open, .raw = at};
    p->open = p->count - 1;
    ++p->depth;
    return at + 1;
}

/* ---- repeated keys ---- */

static bool fail_duplicate(struct parser *p, const struct weft_json *key)
{
    return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_DUPLICATE, key->raw,
                               "a key given twice in one object");
}

static inline bool same_key(const struct weft_json *a, const struct weft_json *b)
{
    return a->count == b->count && memcmp(a->as.string, b->as.string, a->count) == 0;
}

static bool check_keys_pairwise(struct parser *p, const struct weft_json *object)
{
    WEFT_JSON_EACH_KEY (key, object) {
        for (const struct weft_json *earlier = object + 1; earlier != key;
             earlier = weft__json_next(earlier)) {
            if (same_key(earlier, key))
                return fail_duplicate(p, key);
        }
    }
    return true;
}

/* An open-addressed table of node indices, at most half full; 0 is the root, hence never a key. */
static bool check_keys_hashed(struct parser *p, const struct weft_json *object)
{
    size_t slots = (size_t)2 << (weft__log2_u64(object->count) + 1);
    uint32_t *table = weft__arena_alloc_array(p->lexer.arena, slots, sizeof(*table));
    if (!table)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_MEMORY, object->raw + object->raw_len,
                                   "out of memory");
    memset(table, 0, slots * sizeof(*table));
    WEFT_JSON_EACH_KEY (key, object) {
        size_t slot = weft__hash(&p->options->hash_key, weft__json_string(key)) & (slots - 1);
        for (; table[slot]; slot = (slot + 1) & (slots - 1)) {
            if (same_key(&p->nodes[table[slot]], key))
                return fail_duplicate(p, key);
        }
        table[slot] = (uint32_t)(key - p->nodes);
    }
    return true;
}

static bool check_keys(struct parser *p, struct weft_json *object)
{
    if (p->options->allow_duplicate_keys)
        return true;
    object->flags |= WEFT_JSON_FLAG_UNIQUE_KEYS;
    return object->count <= SMALL_OBJECT ? check_keys_pairwise(p, object)
                                         : check_keys_hashed(p, object);
}

/* ---- the grammar ---- */

/* Ends the innermost container at its closing bracket. */
static inline const uint8_t *close_container(struct parser *p, const uint8_t *at)
{
    struct weft_json *node = &p->nodes[p->open];
    uint32_t index = p->open;
    ++at;
    p->open = node->span;
    --p->depth;
    node->span = p->count - index;
    node->raw_len = (uint32_t)(at - node->raw);
    if (p->depth > 0 && p->nodes[p->open].type == WEFT_JSON_OBJECT)
        node[-1].span = node->span + 1;
    return node->type != WEFT_JSON_OBJECT || check_keys(p, node) ? at : NULL;
}

/* RFC 8259 §4: member = string name-separator value. Stops before the value. */
static inline const uint8_t *parse_key(struct parser *p, const uint8_t *at)
{
    at = skip_space(p, at);
    if (peek(p, at) != '"')
        return weft__json_lex_unexpected(&p->lexer, at, "a key must be a string");
    struct weft_json *key = new_node(p, at);
    at = key ? weft__json_lex_string(&p->lexer, at, key) : NULL;
    if (!at)
        return NULL;
    key->span = 2; /* right for a scalar; close_container corrects it for a container */
    at = skip_space(p, at);
    if (peek(p, at) != ':')
        return weft__json_lex_unexpected(&p->lexer, at, "a key needs a colon behind it");
    return at + 1;
}

static const uint8_t *parse_literal(struct parser *p, const uint8_t *at, const char *word,
                                    size_t len, enum weft_json_type type)
{
    size_t left = (size_t)(p->lexer.end - at);
    if (memcmp(at, word, WEFT_MIN(len, left)) != 0)
        return weft__json_lex_unexpected(&p->lexer, at, "no such word");
    if (left < len)
        return weft__json_lex_unexpected(&p->lexer, p->lexer.end, NULL);
    struct weft_json *node = new_node(p, at);
    if (!node)
        return NULL;
    *node = (struct weft_json){.type = (uint8_t)type,
                               .span = 1,
                               .raw_len = (uint32_t)len,
                               .raw = at,
                               .as.boolean = word[0] == 't'};
    return at + len;
}

static inline const uint8_t *parse_number(struct parser *p, const uint8_t *at)
{
    struct weft_json *node = new_node(p, at);
    return node ? weft__json_lex_number(&p->lexer, at, node) : NULL;
}

static inline const uint8_t *parse_string(struct parser *p, const uint8_t *at)
{
    struct weft_json *node = new_node(p, at);
    return node ? weft__json_lex_string(&p->lexer, at, node) : NULL;
}

/* Reads a scalar, or opens a container. */
static inline const uint8_t *parse_value(struct parser *p, const uint8_t *at)
{
    at = skip_space(p, at);
    switch (peek(p, at)) {
    case '"':
        return parse_string(p, at);
    case '{':
        return open_container(p, at, WEFT_JSON_OBJECT);
    case '[':
        return open_container(p, at, WEFT_JSON_ARRAY);
    case 't':
        return parse_literal(p, at, "true", 4, WEFT_JSON_BOOL);
    case 'f':
        return parse_literal(p, at, "false", 5, WEFT_JSON_BOOL);
    case 'n':
        return parse_literal(p, at, "null", 4, WEFT_JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return parse_number(p, at);
    default:
        return weft__json_lex_unexpected(&p->lexer, at, "a value was expected");
    }
}

/*
 * Stands inside a container, behind its opening bracket (|fresh|) or behind a value, and goes on to
 * where the next value begins. Closes all containers that end here; behind the outermost one the
 * depth is 0.
 */
static inline const uint8_t *parse_until_value(struct parser *p, const uint8_t *at, bool fresh)
{
    for (; p->depth > 0; fresh = false) {
        struct weft_json *container = &p->nodes[p->open];
        bool is_object = container->type == WEFT_JSON_OBJECT;
        at = skip_space(p, at);
        uint8_t byte = peek(p, at);
        if (byte == (is_object ? '}' : ']')) {
            at = close_container(p, at);
            if (!at)
                return NULL;
            continue;
        }
        if (!fresh) {
            if (byte != ',')
                return weft__json_lex_unexpected(&p->lexer, at, "a comma or the end was expected");
            ++at;
        }
        ++container->count;
        return is_object ? parse_key(p, at) : at;
    }
    return at;
}

/* Reads the value that begins at |at|. */
static WEFT_NOINLINE const uint8_t *parse_text(struct parser *p, const uint8_t *at)
{
    do {
        uint32_t depth = p->depth;
        at = parse_value(p, at);
        if (at)
            at = parse_until_value(p, at, p->depth > depth);
    } while (at && p->depth > 0);
    return at;
}

/* Nothing but white space may follow the value. */
static const uint8_t *parse_end(struct parser *p, const uint8_t *at)
{
    at = skip_space(p, at);
    return at == p->lexer.end
               ? at
               : weft__json_lex_unexpected(&p->lexer, at, "something follows the value");
}

static int fault_to_err(enum weft_json_fault fault)
{
    switch (fault) {
    case WEFT_JSON_FAULT_UTF8:
        return WEFT_ERR_UTF8;
    case WEFT_JSON_FAULT_DEPTH:
    case WEFT_JSON_FAULT_SIZE:
        return WEFT_ERR_TOO_BIG;
    case WEFT_JSON_FAULT_MEMORY:
        return WEFT_ERR_NOMEM;
    default:
        return WEFT_ERR_JSON;
    }
}

/* Room for the values of typical text; grow_nodes provides for dense ones. */
static bool first_nodes(struct parser *p, size_t len)
{
    p->cap = (uint32_t)WEFT_MIN(len / 8 + 8, (size_t)p->max_values);
    p->nodes = weft__arena_alloc_array(p->lexer.arena, p->cap, sizeof(*p->nodes));
    if (!p->nodes)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_MEMORY, p->lexer.begin,
                                   "out of memory");
    return true;
}

/* Prepares for a value at |at|, inside |depth| containers; what is not said of |p| is zero. */
static bool start(struct parser *p, const uint8_t *at, const struct weft_json_options *options,
                  uint32_t depth)
{
    uint32_t max_depth = options->max_depth ? options->max_depth : WEFT_JSON_MAX_DEPTH;
    size_t len = (size_t)(p->lexer.end - at);
    p->options = options;
    p->max_depth = max_depth - WEFT_MIN(depth, max_depth);
    p->max_values = options->max_values ? options->max_values : WEFT_JSON_MAX_VALUES;
    p->lexer.text_is_utf8 = options->text_is_utf8;
    if (len > UINT32_MAX)
        return weft__json_lex_fail(&p->lexer, WEFT_JSON_FAULT_SIZE, at, "text too long");
    return first_nodes(p, len);
}

const uint8_t *weft__json_lex_value(struct weft_json_lexer *lexer, const uint8_t *at,
                                    const struct weft_json_options *options, uint32_t depth,
                                    const struct weft_json **ret_value)
{
    struct parser p = {.lexer = {.begin = lexer->begin, .end = lexer->end, .arena = lexer->arena}};
    at = start(&p, at, options, depth) ? parse_text(&p, at) : NULL;
    if (!at)
        lexer->error = p.lexer.error;
    *ret_value = p.nodes;
    return at;
}

int weft__json_parse(struct weft_slice text, struct weft_arena *arena,
                     const struct weft_json_options *options, struct weft_json_error *error,
                     const struct weft_json **ret_value)
{
    static const struct weft_json_options strictest = {.max_depth = 0};
    /* An empty slice may have no pointer; arithmetic on NULL is not defined. */
    const uint8_t *begin = text.ptr ? text.ptr : (const uint8_t *)"";
    struct parser p = {.lexer = {.begin = begin, .end = begin + text.len, .arena = arena}};
    bool ok = start(&p, begin, options ? options : &strictest, 0);
    const uint8_t *at = ok ? parse_text(&p, begin) : NULL;
    if (at)
        at = parse_end(&p, at);
    if (error)
        *error = p.lexer.error;
    if (!at)
        return fault_to_err(p.lexer.error.fault);
    *ret_value = p.nodes;
    return 0;
}
