/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/migrate.c -- a page's contents move to another frame.
 *
 *	index[7] --> frame 0x1a3		index[7] --> frame 0x7c0
 *	             "abc", dirty, in swap	             "abc", dirty, in swap
 *	frame 0x7c0, new			frame 0x1a3, free
 *
 * The page was taken off the lists of reclaim (lru_isolate_page()), which is one reference;
 * its index has the other.  Nobody else has one, or the page stays: a pin is a promise
 * that it does not move.
 *
 *	lock the old page; wait for its write, or give up
 *	lock the new one
 *	under the lock of the index (address_space_ops.migrate): are there still two
 *	    references?  copy; the new page takes its place, on swap as well
 *	PG_dirty, with its counts
 *	the new page to the list that the old one came from; the old one is freed
 *
 * From the moment at which the index has the new page others find it, and may use it: it
 * is complete, except for PG_dirty, by which only a holder of its lock decides.  Copying
 * takes place under the lock of the index, with interrupts off: one page.
 *
 * Some pages cannot move at this moment: they are locked, or somebody looks at them.
 * They are tried again, 10 times in all; SYNC modes wait after the first three.
 *
 * Locking: both pages', the old one first; inside, what the index takes.
 *
 * Source: Linux mm/migrate.c: migrate_pages_batch(), migrate_folio_unmap(),
 * folio_migrate_mapping(), folio_migrate_flags().
 */
#include "mm/reclaim/migrate.h"

#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/debug/page_owner.h"
#include "mm/page_bits.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim_internal.h"

#define MIGRATE_PASSES       10U
/* Passes of a SYNC mode that do not wait. */
#define MIGRATE_ASYNC_PASSES 3U

/* The bits that belong to the contents, and move with them. */
static const enum page_bit migrate_bits[] = {
	PG_referenced,  PG_uptodate, PG_active,  PG_swapbacked,
	PG_unevictable, PG_error,    PG_reclaim,
};

void migrate_replace(struct node *node, struct page *from, struct page *to)
{
	kassert(page_has(from, PG_locked) && page_has(to, PG_locked));
	kassert(!page_has(from, PG_writeback) && !page_has(from, PG_lru));
	/* One that was found through the swap cache is looked at again by its finder. */
	kassert(READ_ONCE(from->refcount) >= RECLAIM_REFERENCES);
	kassert(to->mapping == NULL && from->mapping != NULL);
	memcpy(page_memory(node, to), page_memory(node, from), PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(migrate_bits); i++) {
		if (page_has(from, migrate_bits[i]))
			page_set(to, migrate_bits[i]);
	}
	to->gfp = from->gfp;
	to->taker = from->taker;
	page_owner_move(node, from, to);
	to->caller = from->caller;
	to->mapping = from->mapping;
	to->index = from->index;
	if (!page_add_reference(to))
		panic("a new page with too many references");
	from->mapping = NULL;
	from->index = 0;
}

/* ---- One page ------------------------------------------------------------ */

/* May the thread wait for the lock of PAGE?  One that reclaims holds perhaps another
 * page's; and a page that is being read can take long. */
static bool migrate_may_wait(const struct page *page, enum migrate_mode mode)
{
	if (thread_has_flags(current_thread(), THREAD_MEMALLOC))
		return false;
	return mode == MIGRATE_SYNC ||
	       (mode == MIGRATE_SYNC_LIGHT && page_has(page, PG_uptodate));
}

/* 0: it is locked. */
static int migrate_lock(struct page *page, enum migrate_mode mode)
{
	if (trylock_page(page))
		return 0;
	if (!migrate_may_wait(page, mode))
		return -EAGAIN;
	lock_page(page);
	return 0;
}

/* Both pages are locked.  0, or why FROM stays. */
static int migrate_locked(struct page *from, struct page *to,
                          enum migrate_mode mode)
{
	const struct address_space_ops *ops = from->mapping->ops;

	if (page_has(from, PG_writeback)) {
		if (mode != MIGRATE_SYNC)
			return -EBUSY;
		wait_on_page_writeback(from);
	}
	if (ops->migrate == NULL)
		return -EBUSY;
	return ops->migrate(from, to);
}

/* FROM has given TO everything but this. */
static void migrate_finish(struct node *node, struct page *from,
                           struct page *to)
{
	kassert(from->mapping == NULL && to->mapping != NULL);
	if (clear_page_dirty_for_io(from))
		set_page_dirty(to);
	for (size_t i = 0; i < ARRAY_SIZE(migrate_bits); i++) {
		if (migrate_bits[i] != PG_active)
			page_clear(from, migrate_bits[i]);
	}
	lru_add(node, to);
	/* The caller's reference of TO counts as reclaim's from now on. */
	__atomic_fetch_add(&node->reclaim.in_hand, 1, __ATOMIC_RELAXED);
}

/* Move FROM to TO.  0; -EAGAIN: perhaps later; -EBUSY: not in this call. */
static int migrate_page(struct node *node, struct page *from, struct page *to,
                        enum migrate_mode mode)
{
	int error = migrate_lock(from, mode);

	if (error != 0)
		return error;
	/* It was cut off; when its last reference goes it is free. */
	if (from->mapping == NULL) {
		unlock_page(from);
		return -ENOENT;
	}
	if (!trylock_page(to))
		panic("somebody has locked a new page");
	error = migrate_locked(from, to, mode);
	if (error == 0)
		migrate_finish(node, from, to);
	unlock_page(to);
	unlock_page(from);
	return error;
}

/* ---- All of them --------------------------------------------------------- */

static void migrate_let_go(struct node *node, struct page *page, bool keep)
{
	enum lru_kind kind = page->lru < LRU_COUNT
	                             ? lru_kind_of((enum lru_list)page->lru)
	                             : LRU_FILE;

	lru_putback(page_zone(node, page), page, kind, keep);
	(void)reclaim_put_page(node, page);
}

unsigned long migrate_putback(struct node *node, struct list *list)
{
	unsigned long pages = 0;
	struct page *page;

	while ((page = list_first(list, struct page, link)) != NULL) {
		list_remove(&page->link);
		migrate_let_go(node, page, true);
		pages++;
	}
	return pages;
}

/* PAGE, unlinked, has moved to TO; the caller's reference of TO goes. */
static void migrate_moved(struct node *node, struct page *page, struct page *to)
{
	trace_mm_migrate_page(&node->trace, node_pfn(node, page),
	                      node_pfn(node, to));
	migrate_let_go(node, page, false);
	(void)reclaim_put_page(node, to);
	count_vm_event(node, VMSTAT_pgmigrate_success);
}

/* One pass over LIST: what may be tried again is on AGAIN, the rest on STAYS.
 * -ENOMEM: there is no page to move to, and LIST has the rest. */
static int migrate_pass(struct node *node, struct list *list,
                        struct list *again, struct list *stays,
                        const struct migrate_target *target,
                        enum migrate_mode mode)
{
	struct page *page;

	while ((page = list_first(list, struct page, link)) != NULL) {
		struct page *to = target->take(target->data);
		int error;

		if (to == NULL)
			return -ENOMEM;
		list_remove(&page->link);
		error = migrate_page(node, page, to, mode);
		if (error == 0) {
			migrate_moved(node, page, to);
			continue;
		}
		target->give(to, target->data);
		if (error == -ENOENT)
			migrate_let_go(node, page, true);
		else
			list_append(error == -EAGAIN ? again : stays,
			            &page->link);
	}
	return 0;
}

static void migrate_splice(struct list *from, struct list *to)
{
	struct page *page;

	while ((page = list_first(from, struct page, link)) != NULL) {
		list_remove(&page->link);
		list_append(to, &page->link);
	}
}

unsigned long migrate_pages(struct node *node, struct list *list,
                            const struct migrate_target *target,
                            enum migrate_mode mode)
{
	struct list again = LIST_INIT(again);
	struct list stays = LIST_INIT(stays);
	unsigned long left;
	int error = 0;

	for (unsigned int pass = 0; error == 0 && pass < MIGRATE_PASSES;
	     pass++) {
		/* Pages that only waiting can help are tried again. */
		if (pass == MIGRATE_ASYNC_PASSES && mode != MIGRATE_ASYNC)
			migrate_splice(&stays, list);
		error = migrate_pass(node, list, &again, &stays, target,
		                     pass < MIGRATE_ASYNC_PASSES ? MIGRATE_ASYNC
		                                                 : mode);
		migrate_splice(&again, list);
	}
	migrate_splice(&stays, list);
	left = list_length(list);
	count_vm_events(node, VMSTAT_pgmigrate_fail, left);
	return left;
}
