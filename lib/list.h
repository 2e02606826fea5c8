/* SPDX-License-Identifier: MIT */
/*
 * lib/list.h -- doubly linked, circular, intrusive lists.
 *
 *	head	a struct list that represents the list itself
 *	link	a struct list inside an element
 *
 * The link of an element that is not on a list points to itself; list_is_linked()
 * checks that.  The caller holds the lock that guards the list.  Every function
 * may be called from any context.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)                                                        \
	{                                                                      \
		&(name), &(name)                                               \
	}

static inline void list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != link;
}

static inline void list_insert_between(struct list *link, struct list *prev,
                                       struct list *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}

/* Insert at the front. */
static inline void list_push(struct list *head, struct list *link)
{
	list_insert_between(link, head, head->next);
}

/* Insert at the back. */
static inline void list_append(struct list *head, struct list *link)
{
	list_insert_between(link, head->prev, head);
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* The first element, or NULL if the list is empty. */
#define list_first(head, type, member)                                         \
	(list_empty(head) ? NULL : container_of((head)->next, type, member))

/* The last element, or NULL. */
#define list_last(head, type, member)                                          \
	(list_empty(head) ? NULL : container_of((head)->prev, type, member))

#define list_for_each(at, head)                                                \
	for ((at) = (head)->next; (at) != (head); (at) = (at)->next)

/* Elements on the list. */
static inline unsigned long list_length(const struct list *head)
{
	const struct list *at;
	unsigned long length = 0;

	list_for_each(at, head)
		length++;
	return length;
}

/* Like list_for_each(), but AT may be removed in the body. */
#define list_for_each_safe(at, after, head)                                    \
	for ((at) = (head)->next, (after) = (at)->next; (at) != (head);        \
	     (at) = (after), (after) = (at)->next)

#endif
