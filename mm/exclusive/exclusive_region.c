/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_region.c -- regions of the direct map that are split.
 *
 * The direct map consists of 2 MiB entries.  To hide one frame, its entry is split
 * into 512; the table for that was set aside at boot, so a split never allocates.
 * Frames of regions that are already split are preferred, and a region that no
 * longer hides a frame is merged into one entry again: the regions split at any
 * time are at most those with an exclusive page in them, plus one.
 *
 * Locking: pool->busy, held by the caller (exclusive_pool_begin_busy()), guards
 * tables and regions.  The search reads them without it: its result is a guess.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/core/panic.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/pageblock.h"

/* ---- Tables ------------------------------------------------------------ */

static void exclusive_region_put_table(struct exclusive_pool *pool, void *table)
{
	kassert(table != NULL && (uintptr_t)table % PAGE_SIZE == 0);
	kassert(pool->tables_left < pool->tables_total);
	*(void **)table = pool->tables;
	pool->tables = table;
	pool->tables_left++;
}

static void *exclusive_region_get_table(struct exclusive_pool *pool)
{
	void *table = pool->tables;

	kassert(table != NULL && pool->tables_left > 0);
	pool->tables = *(void **)table;
	pool->tables_left--;
	return table;
}

/* ---- Splitting and merging --------------------------------------------- */

bool exclusive_region_may_split(const struct exclusive_pool *pool)
{
	return pool->tables_left > 0 && pool->regions < EXCLUSIVE_MAX_REGIONS;
}

void exclusive_region_split(struct node *node, unsigned long pfn)
{
	struct exclusive_pool *pool = &node->pool;

	kassert(READ_ONCE(pool->busy));
	if (direct_map_is_split(pfn))
		return;
	kassert(pool->regions < EXCLUSIVE_MAX_REGIONS);
	direct_map_split(pfn, exclusive_region_get_table(pool));
	pool->region[pool->regions++] = (uint32_t)(pfn / REGION_FRAMES);
	count_vm_event(node, VMSTAT_direct_map_level2_splits);
}

bool exclusive_region_join(struct node *node, unsigned long pfn)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned int i = pool->boot_regions;
	void *table;

	kassert(READ_ONCE(pool->busy));
	kassert(pfn % REGION_FRAMES == 0 && direct_map_is_split(pfn));
	while (i < pool->regions && pool->region[i] != pfn / REGION_FRAMES)
		i++;
	if (i == pool->regions)
		return false;
	table = direct_map_join(pfn);
	if (table == NULL)
		return false;
	exclusive_region_put_table(pool, table);
	count_vm_event(node, VMSTAT_direct_map_level2_joins);
	for (pool->regions--; i < pool->regions; i++)
		pool->region[i] = pool->region[i + 1];
	return true;
}

void exclusive_region_join_empty(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned int kept = pool->boot_regions;

	kassert(READ_ONCE(pool->busy));
	kassert(pool->boot_regions <= pool->regions);
	for (unsigned int i = pool->boot_regions; i < pool->regions; i++) {
		unsigned long pfn = pool->region[i] * REGION_FRAMES;
		void *table =
			i + 1 < pool->regions ? direct_map_join(pfn) : NULL;

		if (table == NULL) {
			pool->region[kept++] = pool->region[i];
			continue;
		}
		exclusive_region_put_table(pool, table);
		count_vm_event(node, VMSTAT_direct_map_level2_joins);
	}
	pool->regions = kept;
	/* Each table is free or that of a region that was split after boot. */
	kassert(pool->tables_left + (kept - pool->boot_regions) ==
	        pool->tables_total);
}

/* ---- Searching --------------------------------------------------------- */

unsigned long exclusive_region_find(const struct exclusive_pool *pool,
                                    const struct zone *zone,
                                    struct exclusive_region_search *search)
{
	kassert(search->regions <= EXCLUSIVE_MAX_REGIONS);
	while (search->regions > 0) {
		unsigned long first =
			pool->region[search->regions - 1] * REGION_FRAMES;
		unsigned long last = first + REGION_FRAMES - 1;
		unsigned long pfn = buddy_find_within(
			zone, search->pfn == -1UL ? first : search->pfn, last);

		/* CMA pageblocks are for movable pages only. */
		if (pfn != -1UL && pageblock_type(zone, pfn) != MIGRATE_CMA) {
			search->pfn = pfn + 1;
			return pfn;
		}
		search->regions--;
		search->pfn = -1UL;
	}
	return -1UL;
}

bool exclusive_region_has_free(const struct node *node, const struct zone *zone)
{
	struct exclusive_region_search search = { node->pool.regions, -1UL };

	return exclusive_region_find(&node->pool, zone, &search) != -1UL;
}

/* ---- Beginning --------------------------------------------------------- */

unsigned long exclusive_region_tables(unsigned long pages)
{
	unsigned long regions = (pages + REGION_FRAMES - 1) / REGION_FRAMES;

	return min(regions, (unsigned long)EXCLUSIVE_MAX_TABLES);
}

void exclusive_region_init(struct node *node, void *table, unsigned long tables)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long limit = EXCLUSIVE_MAX_REGIONS - EXCLUSIVE_MAX_TABLES;

	kassert(table != NULL || tables == 0);
	pool->tables_total = min(tables, (unsigned long)EXCLUSIVE_MAX_TABLES);
	for (unsigned long i = pool->tables_total; i > 0; i--)
		exclusive_region_put_table(pool,
		                           (char *)table + (i - 1) * PAGE_SIZE);
	if (node_managed(node) == 0)
		return;
	for (unsigned long pfn = ALIGN_DOWN(node->start_pfn, REGION_FRAMES);
	     pfn < end && pool->regions < limit; pfn += REGION_FRAMES) {
		if (direct_map_is_split(pfn))
			pool->region[pool->regions++] =
				(uint32_t)(pfn / REGION_FRAMES);
	}
	pool->boot_regions = pool->regions;
}
