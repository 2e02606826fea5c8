/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/contig.c -- a range of frames is emptied and taken.
 *
 * The buddy gives blocks of up to 4 MiB, wherever there is one.  A device that needs more, or
 * at a certain place, asks for the frames:
 *
 *	start		type	M	M
 *			pages	mm.mc.m.m.......	m can move, c is clean and of a file
 *	isolate		type	I	I		nobody gets what is free there
 *	drop, migrate	pages	................	c is dropped, m moves elsewhere
 *	test		all frames are free and isolated
 *	take		pages	..tttttttttttt..	off the lists, the range only
 *	end		type	T	T		the type that the caller names
 *
 * Pages are isolated from the lists of reclaim 32 at a time.  If some of these stay
 * after five calls of migrate_pages() (which tries each ten times), the range is given up; yet
 * what counts is the test, for the page that stayed may be free by now.
 *
 * Memory that is taken in this way is not counted by pgalloc, as in Linux; pgfree counts it.
 *
 * Locking: the locks of migration, and zone->lock for a few blocks.  Two threads
 * that want the same pageblock: the second finds it isolated.
 *
 * Source: Linux 6.12 mm/page_alloc.c: alloc_contig_range_noprof(),
 * __alloc_contig_migrate_range(), alloc_contig_pages_noprof(), free_contig_range().
 */
#include "mm/contig/contig.h"

#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/contig/contig_gfp.h"
#include "mm/contig/page_isolation.h"
#include "mm/page_bits.h"
#include "mm/page_internal.h"
#include "mm/page_prep.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/drain.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim_internal.h"

#define CONTIG_CLUSTER 32UL /* pages isolated at a time */
#define CONTIG_TRIES   5U   /* calls of migrate_pages() for them */

/* Blocks that are taken with interrupts off. */
#define CONTIG_SLICE   4U

struct contig {
	struct node *node;
	struct zone *zone;
	unsigned long start; /* frames */
	unsigned long end;
	struct contig_gfp gfp;
	uintptr_t caller;
	struct list pages; /* isolated from the lists of reclaim */
	bool no_room;      /* there was no page to move to */
};

/* ---- Emptying the range -------------------------------------------------- */

static struct page *contig_target(void *data)
{
	struct contig *contig = data;
	gfp_t mask = contig->gfp.targets;
	struct page *page;

	if (contig->zone->type == ZONE_MOVABLE)
		mask |= __GFP_HIGHMEM;
	page = alloc_pages_node(contig->node, mask, 0);
	contig->no_room |= page == NULL;
	return page;
}

static void contig_target_back(struct page *page, void *data)
{
	const struct contig *contig = data;

	free_pages_node(contig->node, page, 0, RETURN_ADDRESS());
}

/* Is it worth while to isolate PAGE?  Read without a lock. */
static bool contig_can_move(const struct contig *contig,
                            const struct page *page)
{
	if (READ_ONCE(page->state) != PAGE_USED || !page_has(page, PG_lru))
		return false;
	/* A pinned page stays; its index has the one reference. */
	if (page_has(page, PG_swapbacked) && !page_has(page, PG_swapcache))
		return READ_ONCE(page->refcount) == 1;
	return contig->gfp.may_fs;
}

/* Isolate up to 32 pages from frame PFN on.  The first frame that was not looked at. */
static unsigned long contig_isolate(struct contig *contig, unsigned long pfn)
{
	struct zone *zone = contig->zone;

	kassert(list_empty(&contig->pages));
	for (unsigned long count = 0;
	     pfn < contig->end && count < CONTIG_CLUSTER; pfn++) {
		struct page *page = zone_page(zone, pfn);

		if (!contig_can_move(contig, page) ||
		    !lru_isolate_page(zone, page))
			continue;
		list_append(&contig->pages, &page->link);
		count++;
	}
	return pfn;
}

/* PAGE is isolated.  Does its owner drop it?  Only a clean one of a file, used or not. */
static bool contig_owner_drops(struct page *page)
{
	bool dropped = false;

	kassert(page_has(page, PG_isolated) || !page_has(page, PG_lru));
	if (page_has(page, PG_swapbacked) || page_has(page, PG_unevictable) ||
	    !trylock_page(page))
		return false;
	if (page->mapping != NULL && !page_has(page, PG_dirty) &&
	    !page_has(page, PG_writeback))
		dropped = page->mapping->ops->release(page);
	unlock_page(page);
	return dropped;
}

/* A clean page of a file is read again sooner than it is copied.  Linux:
 * reclaim_clean_pages_from_list(). */
static void contig_drop_clean(struct contig *contig)
{
	struct list *at = contig->pages.next;

	while (at != &contig->pages) {
		struct page *page = container_of(at, struct page, link);

		at = at->next;
		if (!contig_owner_drops(page))
			continue;
		list_remove(&page->link);
		lru_putback(contig->zone, page, LRU_FILE, false);
		(void)reclaim_put_page(contig->node, page);
	}
}

static int contig_move_all(struct contig *contig)
{
	struct migrate_target target = { contig_target, contig_target_back,
		                         contig };
	unsigned long pfn = contig->start;
	unsigned int tries = 0;

	kassert(list_empty(&contig->pages) && !contig->no_room);
	while (pfn < contig->end || !list_empty(&contig->pages)) {
		if (thread_has_flags(current_thread(), THREAD_KILLED))
			return -EINTR;
		if (list_empty(&contig->pages)) {
			pfn = contig_isolate(contig, pfn);
			tries = 0;
		}
		if (tries++ == CONTIG_TRIES)
			return -EBUSY;
		contig_drop_clean(contig);
		(void)migrate_pages(contig->node, &contig->pages, &target,
		                    MIGRATE_SYNC);
		if (contig->no_room)
			return -ENOMEM;
	}
	return 0;
}

/* All pages that can move leave.  0, or the first reason why not. */
static int contig_migrate(struct contig *contig)
{
	int error;

	held_take(HELD_PIN, contig, RETURN_ADDRESS());
	error = contig_move_all(contig);
	(void)migrate_putback(contig->node, &contig->pages);
	held_drop(HELD_PIN, contig);
	return error;
}

/* ---- Taking it ----------------------------------------------------------- */

/* The largest order of a block at PFN inside the range and inside HEAD, a free one. */
static unsigned int contig_order(const struct contig *contig,
                                 const struct page *head, unsigned long pfn)
{
	unsigned int order = 0;

	kassert(pfn >= contig->start && pfn < contig->end);
	while (order < head->order && pfn % (2UL << order) == 0 &&
	       pfn + (2UL << order) <= contig->end)
		order++;
	return order;
}

/* Take the block at PFN off the free lists, in use from now on.  NULL: it is not free any
 * more, or corrupt.  zone->lock held. */
static struct page *contig_take_block(struct contig *contig, unsigned long pfn)
{
	struct zone *zone = contig->zone;
	struct page *page = zone_block_head(zone, pfn);
	struct alloc_request request = { .compound = contig->gfp.compound };

	kassert(spin_is_mine(&zone->lock));
	if (page == NULL || page->state != PAGE_FREE)
		return NULL;
	request.order = contig_order(contig, page, pfn);
	page = buddy_take_around(zone, page, request.order, pfn);
	if (!page_prep_check(contig->node, zone, page))
		return NULL;
	page_prep_claim(zone, page, &request);
	page->taker = current_owner_id();
	page->gfp = contig->gfp.mask;
	page_set_caller(page, contig->caller);
	return page;
}

/* Take the blocks of the range; the first frame that was not free.  The lock is held for a
 * few at a time. */
static unsigned long contig_take_blocks(struct contig *contig)
{
	struct zone *zone = contig->zone;
	unsigned long pfn = contig->start;
	bool free = true;

	while (free && pfn < contig->end) {
		bool enabled = spin_lock_irqsave(&zone->lock);

		for (unsigned int i = 0;
		     i < CONTIG_SLICE && free && pfn < contig->end; i++) {
			const struct page *page =
				contig_take_block(contig, pfn);

			free = page != NULL;
			pfn += free ? 1UL << page->order : 0;
		}
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	page_prep_report_bad(contig->node, zone);
	return pfn;
}

/* Call VISIT for the blocks from the start of the range to END. */
static void contig_for_each(struct contig *contig, unsigned long end,
                            void (*visit)(struct contig *contig,
                                          struct page *page,
                                          unsigned int order))
{
	for (unsigned long pfn = contig->start; pfn < end;) {
		struct page *page = zone_page(contig->zone, pfn);
		unsigned int order = page->order;

		kassert(page->state == PAGE_USED);
		visit(contig, page, order);
		pfn += 1UL << order;
	}
}

static void contig_give_block(struct contig *contig, struct page *page,
                              unsigned int order)
{
	free_pages_node(contig->node, page, order, contig->caller);
}

/* The block is complete: its pages are cleared if that is wanted, and become single ones
 * unless they are compound. */
static void contig_finish_block(struct contig *contig, struct page *page,
                                unsigned int order)
{
	kassert(READ_ONCE(page->refcount) == 1);
	if (contig->gfp.zero)
		memset(page_memory(contig->node, page), 0, PAGE_SIZE << order);
	if (!contig->gfp.compound)
		page_alloc_cut_block(contig->node, page, 1UL << order,
		                     contig->caller);
}

static void contig_watch_block(struct contig *contig, struct page *page,
                               unsigned int order __unused)
{
	page_debug_take(&contig->node->debug, page, contig->gfp.mask,
	                contig->caller);
}

static int contig_take(struct contig *contig)
{
	unsigned long end = contig_take_blocks(contig);

	kassert(end <= contig->end);
	if (page_debug_is_on(&contig->node->debug))
		contig_for_each(contig, end, contig_watch_block);
	if (end < contig->end) {
		contig_for_each(contig, end, contig_give_block);
		return -EBUSY;
	}
	contig_for_each(contig, end, contig_finish_block);
	return 0;
}

/* ---- The whole ----------------------------------------------------------- */

/* Is the range, all of it free, one free block by itself? */
static bool contig_is_block(struct contig *contig)
{
	struct zone *zone = contig->zone;
	bool enabled = spin_lock_irqsave(&zone->lock);
	const struct page *head = zone_block_head(zone, contig->start);
	bool exact = head != NULL && head->state == PAGE_FREE &&
	             zone_pfn(zone, head) == contig->start &&
	             1UL << head->order == contig->end - contig->start;

	spin_unlock_irqrestore(&zone->lock, enabled);
	return exact;
}

static void contig_report_compound(const struct contig *contig)
{
	char place[PLACE_SIZE];

	caller_format(place, sizeof(place), contig->caller);
	pr_warn("BUG: alloc_contig_range(%#lx, %#lx) by %s at %s: __GFP_COMP, "
	        "and the range is no free block\n",
	        contig->start, contig->end, context_name(), place);
	backtrace_print_from(contig->caller);
}

/* The pageblocks of the range are isolated. */
static int contig_empty_and_take(struct contig *contig)
{
	int error = contig_migrate(contig);

	if (error != 0 && error != -EBUSY)
		return error;
	if (test_pages_isolated(contig->zone, contig->start, contig->end) != 0)
		return -EBUSY;
	if (contig->gfp.compound && !contig_is_block(contig)) {
		contig_report_compound(contig);
		return -EINVAL;
	}
	return contig_take(contig);
}

/* The zone with all frames START..END-1, or NULL. */
static struct zone *contig_zone(struct node *node, unsigned long start,
                                unsigned long end)
{
	for (unsigned int type = 0; start < end && type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		if (zone_contains(zone, start) && zone_contains(zone, end - 1))
			return zone;
	}
	return NULL;
}

static int contig_alloc(unsigned long start, unsigned long end,
                        enum migratetype type, gfp_t mask, uintptr_t caller)
{
	struct node *node = main_node();
	struct contig contig = {
		.node = node,
		.zone = contig_zone(node, start, end),
		.start = start,
		.end = end,
		.caller = caller,
	};
	int error;

	kassert(may_sleep_here());
	kassert(type == MIGRATE_MOVABLE || type == MIGRATE_CMA);
	if (!contig_gfp_read(mask, &contig.gfp) || contig.zone == NULL)
		return -EINVAL;
	list_init(&contig.pages);
	error = start_isolate_page_range(contig.zone, start, end, type);
	if (error != 0)
		return error;
	/* From now on what becomes free there stays off the CPUs' lists. */
	drain_all_pages(contig.zone->node, contig.zone);
	error = contig_empty_and_take(&contig);
	kassert(list_empty(&contig.pages));
	undo_isolate_page_range(contig.zone, start, end, type);
	return error;
}

int alloc_contig_range(unsigned long start, unsigned long end,
                       enum migratetype type, gfp_t mask)
{
	return contig_alloc(start, end, type, mask, RETURN_ADDRESS());
}

/* ---- Any place ----------------------------------------------------------- */

/* The first of COUNT pages of ZONE at a multiple of COUNT, or NULL.  A thread that is being
 * killed tries no further place: *KILLED is set. */
static struct page *contig_search_zone(struct zone *zone, unsigned long count,
                                       gfp_t mask, uintptr_t caller,
                                       bool *killed)
{
	unsigned long end = zone->start_pfn + zone->spanned;
	unsigned long pfn = (zone->start_pfn + count - 1) / count * count;

	kassert(count > 0 && count <= zone->spanned);
	for (; pfn + count <= end && !*killed; pfn += count) {
		int error;

		if (!isolation_is_memory(zone, pfn, pfn + count))
			continue;
		error = contig_alloc(pfn, pfn + count, MIGRATE_MOVABLE, mask,
		                     caller);
		if (error == 0)
			return zone_page(zone, pfn);
		*killed = error == -EINTR;
	}
	return NULL;
}

struct page *alloc_contig_pages(unsigned long count, gfp_t mask)
{
	struct node *node = main_node();
	struct page *page = NULL;
	struct contig_gfp read;
	bool killed = false;
	bool bad_zone;
	int type = gfp_zone(mask, &bad_zone);

	kassert(may_sleep_here());
	if (count == 0 || bad_zone || !contig_gfp_read(mask, &read))
		return NULL;
	for (; page == NULL && !killed && type >= ZONE_DMA; type--) {
		if (count <= node->zone[type].spanned)
			page = contig_search_zone(&node->zone[type], count,
			                          mask, RETURN_ADDRESS(),
			                          &killed);
	}
	return page;
}

/* ---- The way back -------------------------------------------------------- */

static void contig_report_free(unsigned long pfn, unsigned long count,
                               unsigned long wrong, uintptr_t caller)
{
	char place[PLACE_SIZE];

	caller_format(place, sizeof(place), caller);
	pr_warn("BUG: free_contig_range(%#lx, %lu) by %s at %s: %lu pages are "
	        "still in use, or no such block\n",
	        pfn, count, context_name(), place, wrong);
	backtrace_print_from(caller);
}

void free_contig_range(unsigned long pfn, unsigned long count)
{
	struct page *page = pfn_to_page(pfn);
	unsigned long wrong = 0;

	if (page != NULL && page->flags & PAGE_COMPOUND) {
		if (1UL << page->order == count)
			page_drop(main_node(), page, page->order,
			          RETURN_ADDRESS(), true);
		else
			contig_report_free(pfn, count, count, RETURN_ADDRESS());
		return;
	}
	for (unsigned long i = 0; i < count; i++) {
		page = pfn_to_page(pfn + i);
		wrong += page == NULL || page_ref_count(page) != 1 ? 1 : 0;
		page_drop(main_node(), page, 0, RETURN_ADDRESS(), true);
	}
	if (wrong != 0)
		contig_report_free(pfn, count, wrong, RETURN_ADDRESS());
}
