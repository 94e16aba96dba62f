/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on JSON documents from and to JSON. What a peer sends is checked here, strictly:
 * everything that can be wrong with an operation without looking at the document. The texts that
 * the messages speak of are in docs/protocol/documents-json.md.
 */
#include "base/assert.h"
#include "ot/tree_work.h"

/* An operation while it is read. */
struct parser {
    struct weft_tree_work work;
    uint32_t picks;
    uint32_t drops;
};

static int refuse(struct parser *p, const char *message)
{
    weft__tree_fail(&p->work, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT, message);
    return p->work.err;
}

static int parse_key(struct parser *p, const struct weft_json *json, struct weft_tree_key *ret_key)
{
    int64_t index;
    if (weft__json_is(json, WEFT_JSON_STRING)) {
        struct weft_slice name = weft__json_string(json);
        const uint8_t *empty = (const uint8_t *)"";
        *ret_key = (struct weft_tree_key){name.len ? name.ptr : empty, (int64_t)name.len};
        return 0;
    }
    if (!weft__json_i64(json, &index) || index < 0)
        return refuse(p, "a key must be a string, or a whole number, 0 or greater");
    if (index > WEFT_TREE_INDEX_MAX)
        return refuse(p, "an index is larger than any list");
    *ret_key = weft__tree_index(index);
    return 0;
}

static int parse_slot(struct parser *p, const struct weft_json *json, uint32_t *ret_slot)
{
    int64_t slot;
    if (!weft__json_i64(json, &slot) || slot < 0)
        return refuse(p, "a slot must be a whole number, 0 or greater");
    if (slot >= WEFT_JSON_MAX_VALUES)
        return refuse(p, "slots must be numbered from 0 without gaps");
    *ret_slot = (uint32_t)slot;
    return 0;
}

static struct weft_tree_value *parse_value(struct parser *p, const struct weft_json *json)
{
    struct weft_tree_value *value;
    struct weft_ot_error error;
    int err = weft__tree_from_json(p->work.alloc, json, &value, &error);
    if (!err)
        return weft__tree_own(&p->work, value);
    weft__tree_fail(&p->work, err, error.status, error.message);
    return NULL;
}

static int parse_text(struct parser *p, const struct weft_json *json, struct weft_tree_node *node)
{
    struct weft_text_op *text;
    struct weft_ot_error error;
    int err = weft__text_parse(&p->work.scratch, json, &text, &error);
    if (err)
        weft__tree_fail(&p->work, err, error.status, error.message);
    else
        weft__tree_put_text(&p->work, node, text);
    return p->work.err;
}

static int parse_number(struct parser *p, const struct weft_json *json, struct weft_tree_node *node)
{
    double number;
    if (!weft__json_double(json, &number))
        return refuse(p, "ena must be a number");
    weft__tree_put_number(&p->work, node, number);
    return p->work.err;
}

/* `et` and `e`, the long form of an edit. */
static int parse_typed(struct parser *p, const struct weft_json *component,
                       struct weft_tree_node *node)
{
    const struct weft_json *type = weft__json_get(component, "et");
    const struct weft_json *edit = weft__json_get(component, "e");
    if (!type || !edit)
        return refuse(p, "et and e belong together");
    if (weft__json_string_is(type, "text-unicode") ||
        weft__json_string_is(type, "http://sharejs.org/types/text-unicode"))
        return parse_text(p, edit, node);
    if (weft__json_string_is(type, "number"))
        return parse_number(p, edit, node);
    return refuse(p, "et names no known type");
}

/* One member of a component. */
static int parse_act(struct parser *p, struct weft_slice name, const struct weft_json *value,
                     struct weft_tree_node *node)
{
    uint32_t slot;
    if (weft__slice_eq_str(name, "p")) {
        if (parse_slot(p, value, &slot) == 0)
            weft__tree_put_pick(&p->work, node, slot);
    } else if (weft__slice_eq_str(name, "d")) {
        if (parse_slot(p, value, &slot) == 0)
            weft__tree_put_drop(&p->work, node, slot);
    } else if (weft__slice_eq_str(name, "r")) {
        /* `true` says only that something goes. */
        bool plain = false;
        bool told = weft__json_bool(value, &plain) && plain;
        weft__tree_put_remove(&p->work, node, told ? NULL : parse_value(p, value));
    } else if (weft__slice_eq_str(name, "i")) {
        weft__tree_put_insert(&p->work, node, parse_value(p, value));
    } else if (weft__slice_eq_str(name, "es")) {
        return parse_text(p, value, node);
    } else if (weft__slice_eq_str(name, "ena")) {
        return parse_number(p, value, node);
    } else if (!weft__slice_eq_str(name, "et") && !weft__slice_eq_str(name, "e")) {
        return refuse(p, "a component has a member other than p, r, d, i, es, ena, et and e");
    }
    return p->work.err;
}

static int parse_component(struct parser *p, const struct weft_json *json,
                           struct weft_tree_node *node)
{
    unsigned edits = 0;
    if (weft__json_count(json) == 0)
        return refuse(p, "a component must not be empty");
    WEFT_JSON_EACH_KEY (key, json) {
        struct weft_slice name = weft__json_string(key);
        if (weft__slice_eq_str(name, "es") || weft__slice_eq_str(name, "ena") ||
            weft__slice_eq_str(name, "e"))
            edits++;
        int err = parse_act(p, name, weft__json_member(key), node);
        if (err)
            return err;
    }
    if (edits > 1)
        return refuse(p, "a component must not edit twice");
    if ((weft__json_get(json, "e") || weft__json_get(json, "et")) && parse_typed(p, json, node))
        return p->work.err;
    if ((node->has & WEFT_TREE_TAKES) == WEFT_TREE_TAKES)
        return refuse(p, "a component must not have both p and r");
    if ((node->has & WEFT_TREE_PUTS) == WEFT_TREE_PUTS)
        return refuse(p, "a component must not have both d and i");
    return 0;
}

static int parse_descent(struct parser *p, const struct weft_json *json,
                         struct weft_tree_node *node, unsigned depth);

/* The lists of a descent, one for each child, whose keys must increase. */
static int parse_branches(struct parser *p, const struct weft_json *from,
                          const struct weft_json *end, struct weft_tree_node *node, unsigned depth)
{
    struct weft_tree_key before = weft__tree_index(-1);
    unsigned count = 0;
    for (; from != end; from = weft__json_next(from), count++) {
        struct weft_tree_key key = {0};
        if (!weft__json_is(from, WEFT_JSON_ARRAY))
            return refuse(p, "behind a list in an operation only lists may follow");
        if (weft__json_count(from) == 0)
            return refuse(p, "a list in an operation must not be empty");
        if (parse_key(p, from + 1, &key))
            return p->work.err;
        if (weft__tree_order(before, key) >= 0)
            return refuse(p, "keys must be in order, indexes before names, each of them once");
        before = key;
        if (parse_descent(p, from, node, depth))
            return p->work.err;
    }
    return count == 1 ? refuse(p, "a single list inside an operation must be written without []")
                      : 0;
}

/* A list: keys down from |node|, with components between them, then branches. */
static int parse_descent(struct parser *p, const struct weft_json *json,
                         struct weft_tree_node *node, unsigned depth)
{
    const struct weft_json *end = json + json->span;
    bool after_key = depth == 0;
    bool ends_well = false;
    for (const struct weft_json *at = json + 1; at != end; at = weft__json_next(at)) {
        struct weft_tree_key key = {0};
        if (at->type == WEFT_JSON_ARRAY)
            return parse_branches(p, at, end, node, depth);
        if (at->type == WEFT_JSON_OBJECT) {
            if (!after_key)
                return refuse(p, "a component must follow a key");
            if (parse_component(p, at, node))
                return p->work.err;
            after_key = false;
            ends_well = true;
            continue;
        }
        if (parse_key(p, at, &key))
            return p->work.err;
        if (++depth > WEFT_TREE_DEPTH_MAX)
            return refuse(p, "the operation is nested too deep");
        node = weft__tree_descend(&p->work, node, key);
        if (p->work.err)
            return p->work.err;
        after_key = true;
        ends_well = false;
    }
    return ends_well ? 0 : refuse(p, "a list in an operation must end with a component");
}

/* Slots must pair, from 0 without gaps. */
static void check_slots(struct parser *p, struct weft_tree_node *root)
{
    struct weft_tree_size size;
    if (p->work.err)
        return;
    weft__tree_trim(&p->work, root, &size);
    if (p->work.err && p->work.err != WEFT_ERR_NOMEM)
        p->work.error = (struct weft_ot_error){WEFT_STATUS_INVALID_ARGUMENT,
                                               "each slot must be picked up once and dropped once"};
}

int weft__tree_parse(const struct weft_alloc *alloc, const struct weft_json *json,
                     struct weft_tree_op **ret_op, struct weft_ot_error *error)
{
    struct parser p;
    weft__tree_work_init(&p.work, alloc);
    struct weft_tree_node *root = NULL;
    if (weft__json_is(json, WEFT_JSON_ARRAY)) {
        root = weft__tree_grow(&p.work);
        if (!p.work.err)
            parse_descent(&p, json, root, 0);
    } else if (!weft__json_is(json, WEFT_JSON_NULL)) {
        refuse(&p, "a json operation must be null or a list");
    }
    check_slots(&p, root);
    int err = weft__tree_finish(&p.work, root, ret_op, error);
    weft__tree_work_done(&p.work);
    return err;
}

static void write_number(double number, struct weft_json_writer *out)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    if (number >= -exact && number <= exact && number == (double)(int64_t)number)
        weft__json_put_i64(out, (int64_t)number);
    else
        weft__json_put_double(out, number);
}

static void write_value(const char *name, const struct weft_tree_value *value,
                        struct weft_json_writer *out)
{
    weft__json_key(out, name);
    if (value)
        weft__tree_write(value, out);
    else
        weft__json_put_bool(out, true);
}

static void write_component(const struct weft_tree_node *node, struct weft_json_writer *out)
{
    weft__json_begin_object(out);
    if (node->has & WEFT_TREE_REMOVE)
        write_value("r", node->removed, out);
    if (node->has & WEFT_TREE_PICK) {
        weft__json_key(out, "p");
        weft__json_put_u64(out, node->pick);
    }
    if (node->has & WEFT_TREE_INSERT)
        write_value("i", node->inserted, out);
    if (node->has & WEFT_TREE_DROP) {
        weft__json_key(out, "d");
        weft__json_put_u64(out, node->drop);
    }
    if (node->has & WEFT_TREE_EDIT_TEXT) {
        weft__json_key(out, "es");
        weft__text_write(node->text, out);
    }
    if (node->has & WEFT_TREE_EDIT_NUMBER) {
        weft__json_key(out, "ena");
        write_number(node->number, out);
    }
    weft__json_end_object(out);
}

static void write_key(struct weft_tree_key key, struct weft_json_writer *out)
{
    if (key.name)
        weft__json_put_string(out, (struct weft_slice){key.name, (size_t)key.n});
    else
        weft__json_put_i64(out, key.n);
}

/* What is done at |node| and below, inside its list. */
static void write_descent(const struct weft_tree_node *node, struct weft_json_writer *out)
{
    if (node->has)
        write_component(node, out);
    const struct weft_tree_node *child = node->first;
    if (child && !child->next) {
        write_key(child->key, out);
        write_descent(child, out);
        return;
    }
    for (; child; child = child->next) {
        weft__json_begin_array(out);
        write_key(child->key, out);
        write_descent(child, out);
        weft__json_end_array(out);
    }
}

void weft__tree_node_write(const struct weft_tree_node *root, struct weft_json_writer *out)
{
    if (!root) {
        weft__json_put_null(out);
        return;
    }
    weft__json_begin_array(out);
    write_descent(root, out);
    weft__json_end_array(out);
}

void weft__tree_op_write(const struct weft_tree_op *op, struct weft_json_writer *out)
{
    weft__tree_node_write(weft__tree_root(op), out);
}

/* Gives each slot the next number where it is first met. */
static void renumber(struct weft_tree_node *node, uint32_t *names, uint32_t *next)
{
    if (node->has & WEFT_TREE_PICK) {
        if (!names[node->pick])
            names[node->pick] = ++*next;
        node->pick = names[node->pick] - 1;
    }
    if (node->has & WEFT_TREE_DROP) {
        if (!names[node->drop])
            names[node->drop] = ++*next;
        node->drop = names[node->drop] - 1;
    }
    for (struct weft_tree_node *child = node->first; child; child = child->next)
        renumber(child, names, next);
}

int weft__tree_normalize(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                         struct weft_tree_op **ret_op, struct weft_ot_error *error)
{
    struct weft_tree_work work;
    weft__tree_work_init(&work, alloc);
    uint32_t next = 0;
    uint32_t *names = weft__tree_zalloc(&work, op->slots, sizeof(*names));
    struct weft_tree_node *root = weft__tree_clone(&work, weft__tree_root(op));
    if (!work.err)
        renumber(root, names, &next);
    int err = weft__tree_finish(&work, root, ret_op, error);
    weft__tree_work_done(&work);
    return err;
}
