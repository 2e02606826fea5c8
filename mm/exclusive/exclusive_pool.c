/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_pool.c -- the pool of parked frames, and who fills it.
 *
 * A parked frame is ready to be taken at once: out of the buddy, out of the
 * direct map, flushed, zeroed.  A thread, the refiller, makes it so:
 *
 *	buddy --take_frame()--> LOOSE --split, zero, hide--> park --> PARKED
 *	buddy <--give_frame()-- LOOSE <-------- show ------- unpark <--+
 *
 * It has exactly GFP_ATOMIC's right to the reserve, so that the emergency
 * reserve serves the Labyrinth routine: over refills with nothing released, an
 * interrupt gets all that was parked, and max(0, free - floor) pages more.
 *
 * The direct map is made of 2 MiB entries.  To hide one frame its entry is split
 * into 512; the table for that was set aside at boot, so a split never
 * allocates.  Frames of regions that are split already are preferred, and a
 * region that hides nothing any more is joined again: the regions split at any
 * time are at most those with an exclusive page in them, plus one.
 *
 * Locking: zone->lock, then pool->lock.  pool->busy admits one at a time to
 * the tables and regions.
 */
#include "mm/exclusive_pool.h"

#include "kernel/arch/direct_map.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_prep.h"
#include "mm/page_state.h"
#include "mm/watermark.h"

/* ---- Waking the refiller ------------------------------------------------ */

/* Note that a wake-up is due; true if the caller must call exclusive_wake_refiller()
 * when it has dropped the lock.  pool->lock held. */
bool exclusive_request_wake(struct exclusive_pool *pool)
{
	bool due = !pool->wake_pending;

	pool->wake_pending = true;
	return due;
}

void exclusive_wake_refiller(struct node *node)
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
		wake = exclusive_request_wake(pool);
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
	if (wake)
		exclusive_wake_refiller(node);
}

bool exclusive_wants_balance(void *data)
{
	const struct node *node = data;

	return READ_ONCE(node->pool.wake_pending);
}

/* ---- Arrows between LOOSE and PARKED: park, unpark ---------------------- */

/* The frame is hidden and zeroed. */
static void park_loose(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool inner = spin_lock_irqsave(&pool->lock);

	page_set_state(zone, page, PAGE_LOOSE, PAGE_PARKED);
	list_push(&pool->parked, &page->link);
	pool->count++;
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, inner);
	spin_unlock_irqrestore(&zone->lock, enabled);
	count_vm_event(node, VMSTAT_exclusive_park);
	trace_mm_exclusive_park(&node->trace, node_pfn(node, page));
}

/* The oldest parked page, or NULL.  The answer may be old when it arrives. */
static struct page *oldest_parked(struct exclusive_pool *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	struct page *page = NULL;

	if (!list_empty(&pool->parked))
		page = container_of(pool->parked.prev, struct page, link);
	spin_unlock_irqrestore(&pool->lock, enabled);
	return page;
}

/* PAGE, if it is parked still, becomes LOOSE; it stays hidden. */
static bool unpark_loose(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool inner = spin_lock_irqsave(&pool->lock);
	bool parked = page->state == PAGE_PARKED;

	if (parked) {
		list_remove(&page->link);
		pool->count--;
		pool->changes++;
		page_set_state(zone, page, PAGE_PARKED, PAGE_LOOSE);
	}
	spin_unlock_irqrestore(&pool->lock, inner);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return parked;
}

/* Put a page that is on no list and mapped nowhere, zeroed, into the pool;
 * true: the refiller is to be woken.  pool->lock held. */
bool exclusive_park_locked(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;

	page_set_state(page_zone(node, page), page,
	               (enum page_state)page->state, PAGE_PARKED);
	page->owner = NULL;
	page->receiver = NULL;
	list_push(&pool->parked, &page->link);
	pool->count++;
	pool->changes++;
	return pool->count > pool->high && exclusive_request_wake(pool);
}

/* ---- The refiller: frames ------------------------------------------------ */

static bool may_split(const struct exclusive_pool *pool)
{
	return pool->tables_left > 0 && pool->regions < EXCLUSIVE_MAX_REGIONS;
}

static bool right_allows(const struct zone *zone, enum watermark mark,
                         enum reserve_right right)
{
	return watermark_ok(zone, 0, zone->watermark[mark], ZONE_NORMAL, right);
}

/* Where a search of the regions that are split already is. */
struct split_search {
	unsigned int regions; /* still to look at, the newest first */
	unsigned long pfn;    /* the next frame; -1: of a new region */
};

/*
 * A frame of ZONE that looked free, in a region that is split already, or -1:
 * there is no more.  There may be hundreds of thousands to look at, so this is
 * done without the lock: the answer is a guess.
 */
static unsigned long find_in_split_region(const struct exclusive_pool *pool,
                                          const struct zone *zone,
                                          struct split_search *search)
{
	while (search->regions > 0) {
		unsigned long first =
			pool->region[search->regions - 1] * REGION_FRAMES;
		unsigned long last = first + REGION_FRAMES - 1;
		unsigned long pfn = buddy_find_within(
			zone, search->pfn == -1UL ? first : search->pfn, last);

		if (pfn != -1UL) {
			search->pfn = pfn + 1;
			return pfn;
		}
		search->regions--;
		search->pfn = -1UL;
	}
	return -1UL;
}

/* Has ZONE a free page in a region that is split already?  A guess. */
static bool has_split_region(const struct node *node, const struct zone *zone)
{
	struct split_search search = { node->pool.regions, -1UL };

	return find_in_split_region(&node->pool, zone, &search) != -1UL;
}

static bool zone_allows(struct zone *zone, enum watermark mark,
                        enum reserve_right right)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool allowed = right_allows(zone, mark, right);

	spin_unlock_irqrestore(&zone->lock, enabled);
	return allowed;
}

bool exclusive_frame_available(struct node *node, struct zone *zone,
                               enum reserve_right right)
{
	return zone_allows(zone, WMARK_MIN, right) &&
	       (may_split(&node->pool) || has_split_region(node, zone));
}

/* Frame PFN of ZONE, LOOSE, or any frame (PFN is -1), if RIGHT at MARK allows
 * and it is free. */
static struct page *take_frame_at(struct node *node, struct zone *zone,
                                  enum watermark mark, enum reserve_right right,
                                  unsigned long pfn)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct page *page = NULL;

	if (right_allows(zone, mark, right))
		page = pfn == -1UL
		               ? page_prep_take(node, zone, 0)
		               : page_prep_take_within(node, zone, pfn, pfn);
	spin_unlock_irqrestore(&zone->lock, enabled);
	page_prep_report_bad(node, zone);
	return page;
}

/* One page of ZONE, LOOSE, if RIGHT at MARK allows; its region is split or can
 * be. */
static struct page *exclusive_pool_take_from_zone(struct node *node,
                                                  struct zone *zone,
                                                  enum watermark mark,
                                                  enum reserve_right right)
{
	struct split_search search = { node->pool.regions, -1UL };
	struct page *page = NULL;
	unsigned long pfn;

	if (!zone_allows(zone, mark, right))
		return NULL;
	while (page == NULL &&
	       (pfn = find_in_split_region(&node->pool, zone, &search)) != -1UL)
		page = take_frame_at(node, zone, mark, right, pfn);
	if (page == NULL && may_split(&node->pool))
		page = take_frame_at(node, zone, mark, right, -1UL);
	return page;
}

static struct page *take_frame(struct node *node, enum watermark mark,
                               enum reserve_right right)
{
	if (should_fail_alloc_page(node, GFP_ATOMIC, 0))
		return NULL;
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		struct page *page = exclusive_pool_take_from_zone(
			node, &node->zone[type], mark, right);

		if (page != NULL)
			return page;
	}
	return NULL;
}

static void give_frame(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);

	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

/* ---- The refiller: regions ---------------------------------------------- */

static void put_table(struct exclusive_pool *pool, void *table)
{
	*(void **)table = pool->tables;
	pool->tables = table;
	pool->tables_left++;
}

static void *get_table(struct exclusive_pool *pool)
{
	void *table = pool->tables;

	pool->tables = *(void **)table;
	pool->tables_left--;
	return table;
}

static void split_region(struct node *node, unsigned long pfn)
{
	struct exclusive_pool *pool = &node->pool;

	if (direct_map_is_split(pfn))
		return;
	kassert(may_split(pool));
	direct_map_split(pfn, get_table(pool));
	pool->region[pool->regions++] = (uint32_t)(pfn / REGION_FRAMES);
	count_vm_event(node, VMSTAT_direct_map_level2_splits);
}

/* Join the regions that we split and that hide nothing any more, but keep the
 * newest split: a pool that breathes does not split and join all day. */
static void join_regions(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned int kept = pool->boot_regions;

	for (unsigned int i = pool->boot_regions; i < pool->regions; i++) {
		unsigned long pfn = pool->region[i] * REGION_FRAMES;
		void *table =
			i + 1 < pool->regions ? direct_map_join(pfn) : NULL;

		if (table == NULL) {
			pool->region[kept++] = pool->region[i];
			continue;
		}
		put_table(pool, table);
		count_vm_event(node, VMSTAT_direct_map_level2_joins);
	}
	pool->regions = kept;
}

/* ---- The refiller: refill and shrink ------------------------------------ */

static bool begin_busy(struct exclusive_pool *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool mine = !pool->busy;

	pool->busy = true;
	spin_unlock_irqrestore(&pool->lock, enabled);
	return mine;
}

static void end_busy(struct exclusive_pool *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);

	pool->busy = false;
	spin_unlock_irqrestore(&pool->lock, enabled);
}

/* Park one more frame with RIGHT at MARK; false if none may be taken. */
static bool park_one(struct node *node, enum watermark mark,
                     enum reserve_right right)
{
	struct page *page = take_frame(node, mark, right);
	unsigned long pfn;

	if (page == NULL)
		return false;
	pfn = node_pfn(node, page);
	split_region(node, pfn);
	memset(frame_address(pfn), 0, PAGE_SIZE);
	direct_map_hide(pfn);
	park_loose(node, page);
	return true;
}

unsigned long exclusive_refill(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long parked = 0;

	if (!begin_busy(pool))
		return 0;
	while (READ_ONCE(pool->count) < target &&
	       park_one(node, WMARK_MIN, RESERVE_ATOMIC))
		parked++;
	end_busy(pool);
	return parked;
}

bool exclusive_refill_for(struct node *node, enum watermark mark,
                          enum reserve_right right)
{
	struct exclusive_pool *pool = &node->pool;
	bool some;

	while (!begin_busy(pool))
		thread_sleep(UNTIL_NEXT_TICK);
	some = READ_ONCE(pool->count) > 0 || park_one(node, mark, right);
	end_busy(pool);
	return some;
}

bool exclusive_memory_would_help(struct node *node)
{
	return exclusive_can_take(node) && may_split(&node->pool);
}

unsigned long exclusive_shrink(struct node *node, unsigned long target)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long given = 0;

	if (!begin_busy(pool))
		return 0;
	while (READ_ONCE(pool->count) > target) {
		struct page *page = oldest_parked(pool);

		if (page == NULL)
			break;
		if (!unpark_loose(node, page))
			continue;
		direct_map_show(node_pfn(node, page));
		give_frame(node, page);
		count_vm_event(node, VMSTAT_exclusive_unpark);
		trace_mm_exclusive_unpark(&node->trace, node_pfn(node, page));
		given++;
	}
	join_regions(node);
	end_busy(pool);
	return given;
}

void exclusive_balance(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&pool->lock);

	pool->wake_pending = false;
	/* Until the pool is known to be full enough, each free wakes again. */
	pool->starved = true;
	spin_unlock_irqrestore(&pool->lock, enabled);

	if (READ_ONCE(pool->count) > pool->high)
		exclusive_shrink(node, pool->high);
	else
		exclusive_refill(node, pool->high);

	enabled = spin_lock_irqsave(&pool->lock);
	pool->starved = pool->count < pool->low;
	spin_unlock_irqrestore(&pool->lock, enabled);
}

/* ---- Beginning ------------------------------------------------------------------ */

unsigned long exclusive_pool_high(unsigned long managed)
{
	return clamp(managed / 512, 8UL, 256UL);
}

unsigned long exclusive_tables_wanted(unsigned long pages)
{
	unsigned long regions = (pages + REGION_FRAMES - 1) / REGION_FRAMES;

	return min(regions, (unsigned long)EXCLUSIVE_MAX_TABLES);
}

/* Frames of a region that was split at boot are parked without splitting. */
static void find_boot_regions(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long limit = EXCLUSIVE_MAX_REGIONS - EXCLUSIVE_MAX_TABLES;

	for (unsigned long pfn = ALIGN_DOWN(node->start_pfn, REGION_FRAMES);
	     pfn < end && pool->regions < limit; pfn += REGION_FRAMES) {
		if (direct_map_is_split(pfn))
			pool->region[pool->regions++] =
				(uint32_t)(pfn / REGION_FRAMES);
	}
	pool->boot_regions = pool->regions;
}

void exclusive_pool_init(struct node *node, void *table, unsigned long tables)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long managed = node_managed(node);

	/* No compound literal: a compiler may build it on the stack first. */
	memset(pool, 0, sizeof(*pool));
	pool->lock.name = "exclusive pool";
	pool->scrub_lock.name = "scrub window";
	pool->high = exclusive_pool_high(managed);
	pool->tables_total = min(tables, (unsigned long)EXCLUSIVE_MAX_TABLES);
	pool->low = pool->high / 2;
	list_init(&pool->parked);
	list_init(&pool->owners);
	for (unsigned int i = 0; i < OWNER_BUCKETS; i++)
		list_init(&pool->by_id[i]);
	for (unsigned long i = pool->tables_total; i > 0; i--)
		put_table(pool, (char *)table + (i - 1) * PAGE_SIZE);
	if (managed > 0)
		find_boot_regions(node);
}
