/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/users.c -- who has pages in use.
 *
 * One walk from head to head, and a row for each place that took a page last.  The pages
 * are read without a lock: the machine is at rest, or the report is a little wrong.
 *
 * Locking: none; one caller at a time.
 */
#include "kernel/selftest/users.h"

#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/node.h"

#define USERS 48U

struct user {
	uintptr_t caller;
	unsigned long pages;
	const struct page *last;
};

/* The row of CALLER; NULL: there is no room for one more. */
static struct user *user_of(struct user *rows, uintptr_t caller)
{
	unsigned int i = 0;

	while (i < USERS && rows[i].pages > 0 && rows[i].caller != caller)
		i++;
	if (i == USERS)
		return NULL;
	rows[i].caller = caller;
	return &rows[i];
}

static void users_count(const struct node *node, struct user *rows)
{
	unsigned long frame = 0;

	while (frame < node->page_count) {
		const struct page *page = &node->pages[frame];
		unsigned int order = READ_ONCE(page->order);
		struct user *user = NULL;

		if (READ_ONCE(page->state) == PAGE_USED)
			user = user_of(rows, page_caller(page));
		if (user != NULL) {
			user->pages += 1UL << order;
			user->last = page;
		}
		if (READ_ONCE(page->state) == PAGE_NONE || order > MAX_ORDER)
			order = 0;
		frame += 1UL << order;
	}
}

void users_print(void (*print)(const char *line))
{
	static struct user rows[USERS];
	const struct node *node = main_node();

	for (unsigned int i = 0; i < USERS; i++)
		rows[i] = (struct user){ 0 };
	users_count(node, rows);
	for (unsigned int i = 0; i < USERS && rows[i].pages > 0; i++) {
		char place[100];
		char line[180];

		kassert(rows[i].last != NULL);
		caller_format(place, sizeof(place), rows[i].caller);
		scnprintf(line, sizeof(line),
		          "%5lu pages in use by %s; pfn %#lx by %s",
		          rows[i].pages, place, node_pfn(node, rows[i].last),
		          owner_name(rows[i].last->taker));
		print(line);
	}
}
