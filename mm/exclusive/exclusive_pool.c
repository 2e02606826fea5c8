/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_pool.c -- the pool of parked frames.
 *
 * A parked frame is ready to be taken immediately: out of the buddy, out of the
 * direct map, flushed, zeroed.
 *
 *	LOOSE, hidden, zeroed --exclusive_pool_park_loose()--> PARKED
 *	LOOSE, hidden <--exclusive_pool_unpark_loose()-------- PARKED
 *	OWNED, HANDOVER, zeroed --exclusive_pool_park()------> PARKED
 *
 * The frames here are the node's; each CPU has a few at hand (exclusive_stack.c).
 *
 * exclusive_refill.c moves frames between the pool and the buddy; the owners take
 * them (exclusive.c).  A free that returns memory to the buddy wakes the refiller
 * if the last refill found none (starved).
 *
 * Locking: zone->lock, then pool->lock.  pool->busy admits one thread at a time to
 * the tables and regions (exclusive_region.c).
 */
#include "mm/exclusive/exclusive_pool.h"

#include "kernel/arch/direct_map.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_state.h"
#include "mm/pcp.h"
#include "mm/zone.h"

/* ---- Waking the refiller ------------------------------------------------ */

bool exclusive_pool_request_wake(struct exclusive_pool *pool)
{
	bool due = !pool->wake_pending;

	kassert(spin_is_mine(&pool->lock));
	pool->wake_pending = true;
	return due;
}

void exclusive_pool_wake(struct node *node)
{
	count_vm_event(node, VMSTAT_exclusive_wake);
	if (node->pool.wake != NULL)
		node->pool.wake();
}

void exclusive_memory_freed(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	bool wake = false;
	bool enabled;

	if (!READ_ONCE(pool->starved))
		return;
	enabled = spin_lock_irqsave(&pool->lock);
	if (pool->starved) {
		pool->starved = false;
		wake = exclusive_pool_request_wake(pool);
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
	pcp_shortcut_update();
	if (wake)
		exclusive_pool_wake(node);
}

bool exclusive_wants_balance(void *data)
{
	const struct node *node = data;

	return READ_ONCE(node->pool.wake_pending);
}

/* ---- The two lists ------------------------------------------------------- */

/* More than should stay: a single frame, or a whole pageblock. */
static bool exclusive_pool_has_surplus(const struct exclusive_pool *pool)
{
	kassert(spin_is_mine(&pool->lock));
	if (pool->full > 0 &&
	    pool->count >= EXCLUSIVE_BLOCK_LOW + PAGEBLOCK_PAGES)
		return true;
	return pool->count > pool->top && pool->count > pool->in_whole;
}

bool exclusive_pool_request_wake_for_surplus(struct exclusive_pool *pool)
{
	return exclusive_pool_has_surplus(pool) &&
	       exclusive_pool_request_wake(pool);
}

void exclusive_pool_link(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;

	kassert(spin_is_mine(&pool->lock));
	kassert(page->state == PAGE_PARKED && page->private == 0);
	if (exclusive_block_count(node, page, 1)) {
		list_push(&pool->whole, &page->link);
		pool->in_whole++;
	} else {
		list_push(&pool->parked, &page->link);
	}
	pool->count++;
	pool->changes++;
}

void exclusive_pool_unlink(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;

	kassert(spin_is_mine(&pool->lock));
	kassert(page->state == PAGE_PARKED && pool->count > 0);
	if (exclusive_block_count(node, page, -1))
		pool->in_whole--;
	list_remove(&page->link);
	pool->count--;
	pool->changes++;
}

struct page *exclusive_pool_first(const struct exclusive_pool *pool)
{
	kassert(spin_is_mine(&pool->lock));
	return list_empty(&pool->whole)
	               ? list_first(&pool->parked, struct page, link)
	               : list_first(&pool->whole, struct page, link);
}

/* ---- Arrows between LOOSE and PARKED: park, unpark ---------------------- */

void exclusive_pool_park_loose(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool inner = spin_lock_irqsave(&pool->lock);

	kassert(page->owner == NULL && page->receiver == NULL);
	kassert(page->refcount == 0 && page->mapcount == 0);
	kassert(!direct_map_visible(node_pfn(node, page)));
	page->private = 0;
	page_set_state(zone, page, PAGE_LOOSE, PAGE_PARKED);
	exclusive_pool_link(node, page);
	spin_unlock_irqrestore(&pool->lock, inner);
	spin_unlock_irqrestore(&zone->lock, enabled);
	count_vm_event(node, VMSTAT_exclusive_park);
	trace_mm_exclusive_park(&node->trace, node_pfn(node, page));
}

struct page *exclusive_pool_oldest(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&pool->lock);
	struct page *page = NULL;

	if (list_empty(&pool->parked))
		exclusive_stack_drain(node);
	if (!list_empty(&pool->parked))
		page = container_of(pool->parked.prev, struct page, link);
	spin_unlock_irqrestore(&pool->lock, enabled);
	return page;
}

bool exclusive_pool_unpark_loose(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool inner = spin_lock_irqsave(&pool->lock);
	bool parked;

	if (page->state == PAGE_PARKED && page->private == EXCLUSIVE_STACKED)
		exclusive_stack_drain(node);
	/* Still on a stack: that of another CPU. */
	parked = page->state == PAGE_PARKED && page->private == 0;
	if (parked) {
		exclusive_pool_unlink(node, page);
		page_set_state(zone, page, PAGE_PARKED, PAGE_LOOSE);
	}
	spin_unlock_irqrestore(&pool->lock, inner);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return parked;
}

bool exclusive_pool_park(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;

	kassert(spin_is_mine(&pool->lock));
	kassert(page->state == PAGE_OWNED || page->state == PAGE_HANDOVER);
	kassert(page->refcount == 0 && page->mapcount == 0);
	page_set_state(page_zone(node, page), page,
	               (enum page_state)page->state, PAGE_PARKED);
	page->owner = NULL;
	page->receiver = NULL;
	page->private = 0;
	exclusive_pool_link(node, page);
	return exclusive_pool_request_wake_for_surplus(pool);
}

/* ---- One thread at a time ---------------------------------------------- */

bool exclusive_pool_begin_busy(struct exclusive_pool *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool mine = !pool->busy;

	pool->busy = true;
	spin_unlock_irqrestore(&pool->lock, enabled);
	return mine;
}

void exclusive_pool_end_busy(struct exclusive_pool *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);

	kassert(pool->busy);
	pool->busy = false;
	spin_unlock_irqrestore(&pool->lock, enabled);
}

/* ---- Owners ------------------------------------------------------------ */

/* An owner that has ended may still be in its window's place, and a new one in its
 * memory; neither is alive with this number.  See exclusive_owner.c. */
struct owner *exclusive_find_owner(const struct exclusive_pool *pool,
                                   uint64_t id)
{
	kassert(spin_is_mine(&pool->lock));
	for (unsigned int groups = pool->groups; groups > 0; groups /= 2) {
		struct owner *owner = exclusive_window_owner(
			pool,
			(unsigned int)(id % (1UL * groups * WINDOW_GROUP)));

		if (owner != NULL && owner->id == id && owner->alive)
			return owner;
	}
	return NULL;
}

/* ---- Beginning --------------------------------------------------------- */

unsigned long exclusive_pool_high(unsigned long managed)
{
	return clamp(managed / 512, 8UL, 256UL);
}

void exclusive_pool_init(struct node *node, void *table, unsigned long tables)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long managed = node_lowmem(node);

	/* No compound literal: a compiler may build it on the stack first. */
	memset(pool, 0, sizeof(*pool));
	pool->cpus = 1;
	pool->lock.name = "exclusive pool";
	pool->scrub_lock.name = "scrub window";
	pool->high = exclusive_pool_high(managed);
	pool->low = pool->high / 2;
	pool->top = pool->high;
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++) {
		if (node->zone[type].managed >= EXCLUSIVE_BLOCK_ZONE)
			pool->top = max(pool->high, EXCLUSIVE_BLOCK_LOW);
	}
	list_init(&pool->parked);
	list_init(&pool->whole);
	list_init(&pool->owners);
	pool->groups = 1;
	pool->by_window[0] = pool->first_windows;
	exclusive_region_init(node, table, tables);
}
