/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive, circular, doubly linked list. The head is a node too; an element embeds a node and
 * is found again with WEFT_CONTAINER_OF. A node that is in no list points at itself.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include "base/compiler.h"

#include <stdbool.h>

struct weft_list {
    struct weft_list *next;
    struct weft_list *prev;
};

/* Makes |node| an empty head, or an element in no list. */
static inline void weft__list_init(struct weft_list *node)
{
    node->next = node->prev = node;
}

/* True for an empty head and for an element in no list. */
static inline bool weft__list_empty(const struct weft_list *node)
{
    return node->next == node;
}

/* Puts |node|, which is in no list, last. */
static inline void weft__list_push(struct weft_list *head, struct weft_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Puts |node|, which is in no list, first. */
static inline void weft__list_push_front(struct weft_list *head, struct weft_list *node)
{
    weft__list_push(head->next, node);
}

/* Takes |node| out of its list; harmless when it is in none. */
static inline void weft__list_remove(struct weft_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    weft__list_init(node);
}

/* Takes the first element out and returns it; NULL when the list is empty. */
static inline struct weft_list *weft__list_pop(struct weft_list *head)
{
    struct weft_list *node = head->next;
    if (node == head)
        return NULL;
    weft__list_remove(node);
    return node;
}

/* Moves all elements of |from| behind those of |to|. */
static inline void weft__list_splice(struct weft_list *to, struct weft_list *from)
{
    if (weft__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    weft__list_init(from);
}

/* Walks a list; |node| must not be removed in the body. */
#define WEFT_LIST_EACH(node, head)                                                                 \
    for (struct weft_list *node = (head)->next; node != (head); node = node->next)

/* Walks a list; the body may remove |node| (and nothing else). */
#define WEFT_LIST_EACH_SAFE(node, head)                                                            \
    for (struct weft_list *node = (head)->next, *node##_next = node->next; node != (head);         \
         node = node##_next, node##_next = node->next)

#endif
