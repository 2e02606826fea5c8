/* SPDX-License-Identifier: MIT */
/*
 * mm/zone.c -- setting up a zone, and its columns.
 *
 * Every managed page of a zone is in exactly one column, and the column
 * follows from the state of its block's head:
 *
 *	FREE	USED	PCP		PARKED	OWNED HANDOVER	BAD	LOOSE
 *	free	used	on lists	parked	   exclusive	bad	in flight
 *
 * Between USED and PCP a page moves without a lock.  So used_pages counts both, and the
 * sets of the CPUs know how many are PCP (zone_used_pages()).  So it is between PARKED and
 * OWNED: exclusive_pages counts what is on CPUs' stacks (exclusive_zone_owned()).
 *
 * Code that changes the state updates the counters; zone_check() counts the pages
 * again (mm/debug/zone_check.c).
 *
 * Locking: zone->lock; the columns parked and exclusive change under the pool's lock.
 */
#include "mm/zone.h"

#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/page_state.h"

const char *page_state_name(enum page_state state)
{
	static const char *const name[PAGE_STATE_COUNT] = {
		[PAGE_NONE] = "reserved",
		[PAGE_FREE] = "free",
		[PAGE_LOOSE] = "in flight",
		[PAGE_USED] = "used",
		[PAGE_PCP] = "on a CPU's list",
		[PAGE_PARKED] = "parked",
		[PAGE_OWNED] = "owned",
		[PAGE_HANDOVER] = "handed over",
		[PAGE_BAD] = "bad",
	};

	return (unsigned int)state < PAGE_STATE_COUNT ? name[state] : "corrupt";
}

struct page *zone_block_head(const struct zone *zone, unsigned long pfn)
{
	struct page *itself = zone_page(zone, pfn);
	unsigned long first = ALIGN_DOWN(pfn, 1UL << MAX_ORDER);
	unsigned long far;

	if (READ_ONCE(itself->state) != PAGE_NONE)
		return itself;
	/* PFN aligned to each order; those that are the same once: by the bits of PFN. */
	for (; (far = pfn - first) != 0;
	     first += 1UL << (63 - __builtin_clzl(far))) {
		struct page *page;

		if (first < zone->start_pfn)
			continue;
		page = itself - far;
		if (READ_ONCE(page->state) != PAGE_NONE &&
		    far < 1UL << min(READ_ONCE(page->order),
		                     (uint8_t)MAX_ORDER))
			return page;
	}
	return NULL;
}

unsigned long zone_pcp_pages(const struct zone *zone)
{
	unsigned long pages = 0;

	if (zone->pcp[0] == NULL)
		return 0;
	for (unsigned int cpu = 0; cpu < zone->node->pcp_cpus; cpu++)
		pages += READ_ONCE(zone->pcp[cpu]->count);
	return pages;
}

unsigned long zone_used_pages(const struct zone *zone)
{
	return READ_ONCE(zone->used_pages) - zone_pcp_pages(zone);
}

static void lru_init(struct lru *lru)
{
	lru->lock.name = "lru";
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		list_init(&lru->pages[list]);
}

void zone_init(struct zone *zone, enum zone_type type, struct page *pages,
               struct pageblock *blocks, unsigned long start_pfn,
               unsigned long count)
{
	kassert(type < ZONE_COUNT);
	kassert(pages != NULL || count == 0);
	*zone = (struct zone){
		.name = zone_type_name(type),
		.type = type,
		.start_pfn = start_pfn,
		.spanned = count,
		.pages = pages,
		.blocks = blocks,
		.blocks_from = (uintptr_t)pages -
		               start_pfn % PAGEBLOCK_PAGES * sizeof(*pages),
		.lock = SPINLOCK_INIT("zone"),
	};
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int list = 0; list < MIGRATE_TYPES; list++)
			list_init(&zone->free_area[order].blocks[list]);
	}
	for (unsigned long i = 0; i < PAGEBLOCK_COUNT(count); i++)
		blocks[i] = (struct pageblock){ .type = MIGRATE_MOVABLE };
	lru_init(&zone->lru);
	memset(pages, 0, count * sizeof(*pages));
}

void zone_add_present(struct zone *zone, unsigned long start, unsigned long end)
{
	kassert(start < end && zone_contains(zone, start) &&
	        zone_contains(zone, end - 1));
	zone->present += end - start;
	kassert(zone->present <= zone->spanned);
}

/* The largest order at which a block may start at START and end by END. */
static unsigned int largest_order(unsigned long start, unsigned long end)
{
	unsigned int order = 0;

	kassert(start < end);
	while (order < MAX_ORDER && start % (2UL << order) == 0 &&
	       start + (2UL << order) <= end)
		order++;
	return order;
}

void zone_release(struct zone *zone, unsigned long start, unsigned long end)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(start >= end ||
	        (zone_contains(zone, start) && zone_contains(zone, end - 1)));
	while (start < end) {
		unsigned int order = largest_order(start, end);
		struct page *page = zone_page(zone, start);

		kassert(zone_block_head(zone, start) == NULL);
		page->state = PAGE_LOOSE;
		page->order = (uint8_t)order;
		page->zone = (uint8_t)zone->type;
		audit_move(zone, page, 1UL << order, PAGE_NONE, PAGE_LOOSE);
		zone->loose_pages += 1UL << order;
		zone->managed += 1UL << order;
		buddy_give(zone, page, order);
		start += 1UL << order;
	}
	kassert(zone->managed <= zone->present);
	spin_unlock_irqrestore(&zone->lock, enabled);
}
