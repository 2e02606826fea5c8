/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_block.c -- pageblocks that are parked as a whole.
 *
 * A single frame is hidden by splitting the region of the direct map that it lies in.
 * That costs a table, a flush for each frame, and the large page for everybody else in
 * the region.  A zone that is large enough has pageblocks to spare: one that is free is
 * hidden by clearing one entry, with one flush, and its 512 frames are parked.
 *
 *	buddy --take--> LOOSE, zero, hide the region --> 512 frames PARKED
 *	buddy <--give-- LOOSE <---- show the region <--- 512 frames PARKED, all or none
 *
 * From then on its frames are taken and released as others are, but they stay hidden
 * whatever happens to them; only a pageblock with all frames parked can go back.  When
 * parked frames must go (exclusive_shrink()) and there is none such, one is broken up:
 * its region is split, and its frames are single ones from then on.
 *
 * pageblock->hidden is 0, or 1 and the number of its parked frames, but those that a CPU
 * has on its stack (exclusive_stack.c): a caller that needs a whole one drains that.
 *
 * Locking: pool->busy for all of it; zone->lock and pool->lock for one frame at a time.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

#define HIDDEN_FULL (1 + PAGEBLOCK_PAGES)

static_assert(PAGEBLOCK_PAGES == REGION_FRAMES, "one entry of the direct map");

bool exclusive_block_count(struct node *node, const struct page *page,
                           int change)
{
	struct exclusive_pool *pool = &node->pool;
	struct pageblock *block =
		pageblock_of(page_zone(node, page), node_pfn(node, page));

	kassert(spin_is_mine(&pool->lock));
	if (block->hidden == 0)
		return false;
	pool->full -= block->hidden == HIDDEN_FULL;
	WRITE_ONCE(block->hidden, (uint16_t)(block->hidden + change));
	pool->full += block->hidden == HIDDEN_FULL;
	kassert(block->hidden >= 1 && block->hidden <= HIDDEN_FULL);
	return true;
}

/* The pageblock is hidden as a whole from now on, or no longer. */
static void exclusive_block_set(struct exclusive_pool *pool,
                                struct pageblock *block, bool hidden)
{
	bool enabled = spin_lock_irqsave(&pool->lock);

	if (hidden) {
		kassert(block->hidden == 0);
		pool->blocks++;
	} else {
		kassert(block->hidden > 0 && pool->blocks > 0);
		pool->blocks--;
		pool->full -= block->hidden == HIDDEN_FULL;
		pool->in_whole -= block->hidden - 1UL;
	}
	WRITE_ONCE(block->hidden, (uint16_t)hidden);
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, enabled);
}

/* ---- In ------------------------------------------------------------------ */

/* A free pageblock of ZONE, LOOSE, if the low mark allows; its region is not split. */
static struct page *exclusive_block_take(struct node *node, struct zone *zone)
{
	struct page *page = NULL;
	unsigned long pfn;
	bool enabled;

	if (should_fail_alloc_page(node, GFP_NOWAIT, PAGEBLOCK_ORDER))
		return NULL;
	enabled = spin_lock_irqsave(&zone->lock);
	if (watermark_ok(zone, PAGEBLOCK_ORDER, wmark_pages(zone, WMARK_LOW),
	                 ZONE_NORMAL, RESERVE_NONE))
		page = page_prep_take(node, zone, PAGEBLOCK_ORDER,
		                      MIGRATE_UNMOVABLE, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
	page_prep_report_bad(node, zone);
	if (page == NULL)
		return NULL;
	pfn = node_pfn(node, page);
	if (!direct_map_is_split(pfn) || exclusive_region_join(node, pfn))
		return page;
	enabled = spin_lock_irqsave(&zone->lock);
	buddy_give(zone, page, PAGEBLOCK_ORDER);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return NULL;
}

/* The LOOSE page is the first of a block: halve it down to a single one. */
static void exclusive_block_single(struct zone *zone, struct page *page)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(page->state == PAGE_LOOSE);
	while (page->order > 0)
		page_prep_halve(page);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

unsigned long exclusive_block_park(struct node *node)
{
	kassert(READ_ONCE(node->pool.busy));
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		struct zone *zone = &node->zone[type];
		struct page *page;
		unsigned long pfn;

		if (zone->managed < EXCLUSIVE_BLOCK_ZONE)
			continue;
		page = exclusive_block_take(node, zone);
		if (page == NULL)
			continue;
		pfn = node_pfn(node, page);
		for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++)
			arch_clear_page(frame_address(pfn + i));
		direct_map_hide_region(pfn);
		exclusive_block_set(&node->pool, pageblock_of(zone, pfn), true);
		for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++) {
			exclusive_block_single(zone, page + i);
			exclusive_pool_park_loose(node, page + i);
		}
		count_vm_event(node, VMSTAT_exclusive_block_park);
		return PAGEBLOCK_PAGES;
	}
	return 0;
}

/* ---- Out ----------------------------------------------------------------- */

/* The first page of a pageblock that is hidden as a whole and of which at least FEWEST
 * frames are parked, or NULL.  A guess: read without the lock. */
static struct page *exclusive_block_find(struct node *node,
                                         unsigned long fewest)
{
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		struct zone *zone = &node->zone[type];

		for (unsigned long i = 0; i < pageblock_count(zone); i++) {
			unsigned long first = zone->start_pfn / PAGEBLOCK_PAGES;

			if (READ_ONCE(zone->blocks[i].hidden) > fewest)
				return zone_page(zone,
				                 (first + i) * PAGEBLOCK_PAGES);
		}
	}
	return NULL;
}

/* Make all frames of the pageblock at PAGE LOOSE, or none: one was taken meanwhile. */
static bool exclusive_block_unpark(struct node *node, struct page *page)
{
	unsigned long done = 0;

	while (done < PAGEBLOCK_PAGES &&
	       exclusive_pool_unpark_loose(node, page + done))
		done++;
	if (done == PAGEBLOCK_PAGES)
		return true;
	while (done-- > 0)
		exclusive_pool_park_loose(node, page + done);
	return false;
}

/* Frames of hidden pageblocks may be on the stack. */
static void exclusive_block_drain(struct node *node)
{
	bool enabled = spin_lock_irqsave(&node->pool.lock);

	if (node->pool.blocks > 0)
		exclusive_stack_drain(node);
	spin_unlock_irqrestore(&node->pool.lock, enabled);
}

unsigned long exclusive_block_give(struct node *node, unsigned long keep)
{
	struct exclusive_pool *pool = &node->pool;
	struct page *page;
	unsigned long pfn;

	kassert(READ_ONCE(pool->busy));
	exclusive_block_drain(node);
	if (READ_ONCE(pool->full) == 0 ||
	    READ_ONCE(pool->count) < keep + PAGEBLOCK_PAGES)
		return 0;
	page = exclusive_block_find(node, PAGEBLOCK_PAGES);
	if (page == NULL || !exclusive_block_unpark(node, page))
		return 0;
	pfn = node_pfn(node, page);
	exclusive_block_set(pool, pageblock_of(page_zone(node, page), pfn),
	                    false);
	direct_map_show_region(pfn);
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++)
		exclusive_refill_give(node, page + i);
	count_vm_event(node, VMSTAT_exclusive_block_unpark);
	return PAGEBLOCK_PAGES;
}

/* PAGE is a single frame from now on, if it is parked. */
static void exclusive_block_move(struct exclusive_pool *pool, struct page *page)
{
	bool enabled = spin_lock_irqsave(&pool->lock);

	if (page->state == PAGE_PARKED && page->private == 0) {
		list_remove(&page->link);
		list_append(&pool->parked, &page->link);
		pool->changes++;
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
}

bool exclusive_block_break(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	struct page *page;
	unsigned long pfn;

	kassert(READ_ONCE(pool->busy));
	exclusive_block_drain(node);
	page = exclusive_block_find(node, 1);
	if (page == NULL || !exclusive_region_may_split(pool))
		return false;
	pfn = node_pfn(node, page);
	exclusive_region_split(node, pfn);
	exclusive_block_set(pool, pageblock_of(page_zone(node, page), pfn),
	                    false);
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++)
		exclusive_block_move(pool, page + i);
	count_vm_event(node, VMSTAT_exclusive_block_break);
	return true;
}
