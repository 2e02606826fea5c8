/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_refill.c -- frames into the pool, and out of it.
 *
 * A thread, the refiller, does the slow work, frame by frame where it cannot have whole
 * pageblocks (exclusive_block.c):
 *
 *	buddy --take--> LOOSE --split, zero, hide--> park --> PARKED
 *	buddy <--give-- LOOSE <------- show ------- unpark <----+
 *
 * It has exactly GFP_ATOMIC's right to the reserve, so that the emergency reserve
 * serves the Labyrinth routine: over refills with no release, an interrupt gets all
 * parked frames, and max(0, free - floor) pages more.
 *
 * Locking: pool->busy for a whole refill or shrink; zone->lock for one frame.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/watermark.h"

/* ---- Frames from the buddy and back ------------------------------------ */

static bool exclusive_refill_right_allows(const struct zone *zone,
                                          enum watermark mark,
                                          enum reserve_right right)
{
	kassert(mark < WMARK_COUNT);
	kassert(spin_is_mine(&zone->lock));
	/* As for any request with a right to the reserve, a boost is no reason to refuse. */
	return watermark_ok(zone, 0,
	                    mark == WMARK_MIN && right != RESERVE_NONE
	                            ? zone->watermark[mark]
	                            : wmark_pages(zone, mark),
	                    ZONE_NORMAL, right);
}

static bool exclusive_refill_zone_allows(struct zone *zone, enum watermark mark,
                                         enum reserve_right right)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool allowed = exclusive_refill_right_allows(zone, mark, right);

	spin_unlock_irqrestore(&zone->lock, enabled);
	return allowed;
}

bool exclusive_refill_would_find(struct node *node, struct zone *zone,
                                 enum reserve_right right)
{
	return exclusive_refill_zone_allows(zone, WMARK_MIN, right) &&
	       (exclusive_region_may_split(&node->pool) ||
	        exclusive_region_has_free(node, zone));
}

/* Frame PFN of ZONE, LOOSE, or any frame (PFN is -1), if RIGHT at MARK allows
 * and it is free. */
static struct page *exclusive_refill_take_at(struct node *node,
                                             struct zone *zone,
                                             enum watermark mark,
                                             enum reserve_right right,
                                             unsigned long pfn)
{
	struct page *page = NULL;
	bool allowed = false;

	kassert(pfn == -1UL || zone_contains(zone, pfn));
	do {
		bool enabled = spin_lock_irqsave(&zone->lock);

		allowed = allowed ||
		          exclusive_refill_right_allows(zone, mark, right);
		if (allowed)
			page = pfn == -1UL ? page_prep_take(
						     node, zone, 0,
						     MIGRATE_UNMOVABLE,
						     highatomic_flags(0, right))
			                   : page_prep_take_within(node, zone,
			                                           pfn, pfn);
		spin_unlock_irqrestore(&zone->lock, enabled);
	} while (page == NULL && pageblock_settle(zone));
	page_prep_report_bad(node, zone);
	if (page != NULL)
		page_debug_open(&node->debug, page, RETURN_ADDRESS());
	return page;
}

/* One page of ZONE, LOOSE, if RIGHT at MARK allows; its region is split or can
 * be. */
static struct page *exclusive_refill_take_from_zone(struct node *node,
                                                    struct zone *zone,
                                                    enum watermark mark,
                                                    enum reserve_right right)
{
	struct exclusive_region_search search = { node->pool.regions, -1UL };
	struct page *page = NULL;
	unsigned long pfn;

	kassert(zone->node == node);
	if (!exclusive_refill_zone_allows(zone, mark, right))
		return NULL;
	while (page == NULL && (pfn = exclusive_region_find(&node->pool, zone,
	                                                    &search)) != -1UL)
		page = exclusive_refill_take_at(node, zone, mark, right, pfn);
	if (page == NULL && exclusive_region_may_split(&node->pool))
		page = exclusive_refill_take_at(node, zone, mark, right, -1UL);
	return page;
}

static struct page *exclusive_refill_take(struct node *node,
                                          enum watermark mark,
                                          enum reserve_right right)
{
	if (should_fail_alloc_page(node, GFP_ATOMIC, 0))
		return NULL;
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		struct page *page = exclusive_refill_take_from_zone(
			node, &node->zone[type], mark, right);

		if (page != NULL)
			return page;
	}
	return NULL;
}

void exclusive_refill_give(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(page->zone == zone->type);
	page_debug_close(&node->debug, page);
	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
	count_vm_event(node, VMSTAT_exclusive_unpark);
	trace_mm_exclusive_unpark(&node->trace, node_pfn(node, page));
}

/* ---- Refill and shrink ------------------------------------------------- */

/* Park one more frame with RIGHT at MARK; false if none may be taken. */
static bool exclusive_refill_one(struct node *node, enum watermark mark,
                                 enum reserve_right right)
{
	struct page *page = exclusive_refill_take(node, mark, right);
	unsigned long pfn;

	kassert(READ_ONCE(node->pool.busy));
	if (page == NULL)
		return false;
	pfn = node_pfn(node, page);
	exclusive_region_split(node, pfn);
	arch_clear_page(frame_address(pfn));
	direct_map_hide(pfn);
	exclusive_pool_park_loose(node, page);
	return true;
}

unsigned long exclusive_refill(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long parked = 0;

	if (!exclusive_pool_begin_busy(pool))
		return 0;
	while (exclusive_reach(pool) < target &&
	       exclusive_refill_one(node, WMARK_MIN, RESERVE_ATOMIC))
		parked++;
	exclusive_pool_end_busy(pool);
	return parked;
}

bool exclusive_refill_for(struct node *node, enum watermark mark,
                          enum reserve_right right)
{
	struct exclusive_pool *pool = &node->pool;
	bool some;

	kassert(mark < WMARK_COUNT);
	while (!exclusive_pool_begin_busy(pool))
		thread_sleep(UNTIL_NEXT_TICK);
	some = exclusive_reach_here(pool) > 0 ||
	       exclusive_refill_one(node, mark, right);
	exclusive_pool_end_busy(pool);
	return some;
}

bool exclusive_memory_would_help(struct node *node)
{
	return exclusive_can_take(node) &&
	       exclusive_region_may_split(&node->pool);
}

/* Give back the oldest single frames until TARGET are parked, or no single ones. */
static unsigned long exclusive_shrink_single(struct node *node,
                                             unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long given = 0;

	kassert(READ_ONCE(pool->busy));
	while (exclusive_reach_here(pool) > target) {
		struct page *page = exclusive_pool_oldest(node);

		if (page == NULL)
			break;
		if (!exclusive_pool_unpark_loose(node, page))
			continue;
		direct_map_show(node_pfn(node, page));
		exclusive_refill_give(node, page);
		given++;
	}
	return given;
}

unsigned long exclusive_shrink(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long given = 0;
	unsigned long more;

	if (!exclusive_pool_begin_busy(pool))
		return 0;
	exclusive_stack_drain_others(node);
	do {
		more = exclusive_block_give(node, target);
		if (more == 0)
			more = exclusive_shrink_single(node, target);
		given += more;
	} while (exclusive_reach_here(pool) > target &&
	         (more > 0 || exclusive_block_break(node)));
	exclusive_region_join_empty(node);
	exclusive_pool_end_busy(pool);
	return given;
}

unsigned long exclusive_spare(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&pool->lock);
	unsigned long count;
	unsigned long blocks;
	unsigned long spare;

	/* A trim would do the same first. */
	exclusive_stack_drain(node);
	count = pool->count;
	blocks = (count - min(count, EXCLUSIVE_BLOCK_LOW)) / PAGEBLOCK_PAGES;
	spare = min(blocks, pool->full) * PAGEBLOCK_PAGES;
	kassert(pool->in_whole <= count && pool->full <= pool->blocks);
	if (count - spare > target)
		spare += min(count - spare - target, count - pool->in_whole);
	spin_unlock_irqrestore(&pool->lock, enabled);
	return spare;
}

unsigned long exclusive_trim(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long given = 0;
	unsigned long more;

	if (!exclusive_pool_begin_busy(pool))
		return 0;
	while ((more = exclusive_block_give(node, EXCLUSIVE_BLOCK_LOW)) > 0)
		given += more;
	given += exclusive_shrink_single(node, target);
	exclusive_region_join_empty(node);
	exclusive_pool_end_busy(pool);
	return given;
}

/* Park whole pageblocks until EXCLUSIVE_BLOCK_LOW frames are parked, or there is none. */
static void exclusive_refill_blocks(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;

	if (!exclusive_pool_begin_busy(pool))
		return;
	while (exclusive_reach(pool) < EXCLUSIVE_BLOCK_LOW &&
	       exclusive_block_park(node) > 0)
		;
	exclusive_pool_end_busy(pool);
}

void exclusive_balance(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&pool->lock);

	pool->wake_pending = false;
	/* Until the pool is known to be full enough, each free wakes again.  The shortcut is
	 * closed for as long; a free that opens it has woken us. */
	pool->starved = true;
	spin_unlock_irqrestore(&pool->lock, enabled);
	pcp_shortcut_update();

	exclusive_refill_blocks(node);
	if (exclusive_reach(pool) > pool->top)
		exclusive_trim(node, pool->top);
	else
		exclusive_refill(node, pool->high);

	enabled = spin_lock_irqsave(&pool->lock);
	pool->starved = exclusive_reach(pool) < pool->low;
	spin_unlock_irqrestore(&pool->lock, enabled);
	pcp_shortcut_update();
}
