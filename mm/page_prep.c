/* SPDX-License-Identifier: MIT */
/*
 * mm/page_prep.c -- blocks between the buddy and the front door.
 *
 * The buddy's blocks are LOOSE; page_prep_claim() makes them USED (Linux:
 * prep_new_page()), page_prep_give() frees them (free_pages_prepare(), then
 * __free_one_page()).  A block whose head was written to while it was free is BAD: it is
 * leaked on purpose, and the next one is tried, at most BAD_BLOCKS times (Linux:
 * check_new_pages(), bad_page()).
 *
 * A report takes thousands of instructions.  So bad pages are copied under the lock,
 * and the caller reports them after it has released it (mm/debug/page_report.c).
 *
 * Locking: the caller holds zone->lock.
 */
#include "mm/page_prep.h"

#include "kernel/core/panic.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"

/* Corrupt blocks that are skipped while the lock is held. */
#define BAD_BLOCKS 4

/* ---- Blocks: claim and unclaim mirror each other ----------------- */

void page_prep_claim(struct zone *zone, struct page *page,
                     const struct alloc_request *request)
{
	kassert(spin_is_mine(&zone->lock));
	kassert(page->order == request->order);
	kassert(page->refcount == 0);
	page_set_state(zone, page, PAGE_LOOSE, PAGE_USED);
	page->flags = page_flags_of(request->order, request->compound);
	page->refcount = 1;
}

void page_prep_unclaim(struct zone *zone, struct page *page)
{
	kassert(spin_is_mine(&zone->lock));
	kassert((page->flags & PAGE_TABLE) == 0);
	page_set_state(zone, page, PAGE_USED, PAGE_LOOSE);
	page->flags = 0;
	page->refcount = 0;
}

void page_prep_halve(struct page *page)
{
	unsigned int order = page->order - 1U;
	struct page *upper = page + (1UL << order);

	kassert(page->state == PAGE_USED || page->state == PAGE_LOOSE);
	kassert(page->order > 0 && page->order <= MAX_ORDER);
	kassert((page->flags & PAGE_COMPOUND) == 0);
	kassert(upper->state == PAGE_NONE);
	page->order = (uint8_t)order;
	*upper = (struct page){
		.state = page->state,
		.flags = page->flags & PAGE_WATCHED,
		.order = (uint8_t)order,
		.zone = page->zone,
		.taker = page->taker,
		.gfp = page->gfp,
		.caller = page->caller,
	};
	list_init(&upper->link);
}

/* ---- Corrupt pages ------------------------------------------------------- */

/* Copy PAGE for a report after the lock is released.  zone->lock held. */
static void page_prep_note_bad(struct zone *zone, const struct page *page)
{
	struct bad_pages *bad = &zone->bad;

	kassert(spin_is_mine(&zone->lock));
	if (bad->count < BAD_PAGES) {
		bad->pfn[bad->count] = zone_pfn(zone, page);
		bad->page[bad->count] = *page;
	}
	WRITE_ONCE(bad->count, bad->count + 1);
}

void page_prep_leak(struct node *node, struct zone *zone, struct page *page)
{
	kassert(!page_prep_is_clean(page));
	kassert(spin_is_mine(&zone->lock) && zone->node == node);
	page_prep_note_bad(zone, page);
	page_set_state(zone, page, PAGE_LOOSE, PAGE_BAD);
	vmstat_add(&node->stat, VMSTAT_bad_page, 1UL << page->order);
}

struct page *page_prep_take(struct node *node, struct zone *zone,
                            unsigned int order, enum migratetype type,
                            unsigned int flags)
{
	enum migratetype grouped = pageblock_request_type(node, type);

	kassert(zone->node == node);
	kassert(order <= MAX_ORDER);
	for (unsigned int i = 0; i < BAD_BLOCKS; i++) {
		struct page *page = pageblock_take(zone, order, grouped, flags);

		if (page == NULL || page_prep_check(node, zone, page))
			return page;
	}
	return NULL;
}

struct page *page_prep_take_within(struct node *node, struct zone *zone,
                                   unsigned long first, unsigned long last)
{
	kassert(zone->node == node);
	kassert(first <= last);
	for (unsigned int i = 0; i < BAD_BLOCKS; i++) {
		struct page *page = buddy_take_within(zone, first, last);

		if (page == NULL || page_prep_check(node, zone, page))
			return page;
	}
	return NULL;
}

/* ---- Freeing ------------------------------------------------------------- */

void page_prep_give(struct node *node, struct zone *zone, struct page *page,
                    unsigned int order, uintptr_t caller)
{
	kassert(zone->node == node);
	kassert(page->zone == zone->type);
	kassert(page->order == order);
	page_prep_unclaim(zone, page);
	page_prep_retire(page, caller);
	if (!page_prep_check(node, zone, page))
		return;
	page_debug_give(&node->debug, page);
	buddy_give(zone, page, order);
	vmstat_add(&node->stat, VMSTAT_pgfree, 1UL << order);
	trace_mm_page_free(&node->trace, node_pfn(node, page), order);
}

bool page_prep_put(struct node *node, struct zone *zone, struct page *page,
                   uintptr_t caller)
{
	kassert(page->state == PAGE_USED && READ_ONCE(page->refcount) > 0);
	if (page->flags & PAGE_SATURATED)
		return false;
	if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) > 0)
		return false;
	page_prep_give(node, zone, page, page->order, caller);
	return true;
}
