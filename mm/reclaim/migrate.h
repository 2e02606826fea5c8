/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/migrate.h -- a page's contents move to another frame.
 *
 * Theory and locks: mm/reclaim/migrate.c.  Linux: mm/migrate.c.
 */
#ifndef MM_RECLAIM_MIGRATE_H
#define MM_RECLAIM_MIGRATE_H

#include "mm/node.h"

/* How long may a migration wait? */
enum migrate_mode {
	MIGRATE_ASYNC,      /* not at all */
	MIGRATE_SYNC_LIGHT, /* for the lock of a page that is not being read */
	MIGRATE_SYNC,       /* for locks and writes */
};

/* A new page to move to, in use with one reference, or NULL; and one back that was not
 * needed.  DATA is that of migrate_pages(). */
struct migrate_target {
	struct page *(*take)(void *data);
	void (*give)(struct page *page, void *data);
	void *data;
};

/*
 * Move the pages on LIST, isolated ones (lru_isolate_page()) of NODE, to pages that
 * TARGET gives.  Those that moved, or were freed meanwhile, leave LIST; their frames are
 * free as soon as nobody else has a reference.  Returns the number of pages that stay on
 * LIST, isolated: migrate_putback() is for them.  Stops when TARGET has no more.  Thread context;
 * sleeps only if MODE says so, and never for a lock with THREAD_MEMALLOC.
 * Linux: migrate_pages().
 */
unsigned long migrate_pages(struct node *node, struct list *list,
                            const struct migrate_target *target,
                            enum migrate_mode mode);

/* The isolated pages on LIST go back to the lists of reclaim.  How many it was.  Linux:
 * putback_movable_pages(). */
unsigned long migrate_putback(struct node *node, struct list *list);

/*
 * For the migrate() of an address space, under the lock of its index: TO, new and
 * locked, gets the contents, the mapping and the bits of FROM, and a reference for the
 * index; FROM belongs to nobody afterwards, and its reference of the index is the caller's to
 * drop.  PG_dirty follows later.
 */
void migrate_replace(struct node *node, struct page *from, struct page *to);

#endif
