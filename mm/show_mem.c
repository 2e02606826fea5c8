/* SPDX-License-Identifier: MIT */
/*
 * mm/show_mem.c -- the memory report.
 *
 * The report has the shape of Linux's (mm/show_mem.c), with the columns that
 * Labyrinth has and Linux has not.  It reads without locks: a number may be old
 * when it is printed.
 */
#include "mm/show_mem.h"

#include "kernel/core/printk.h"
#include "lib/format.h"
#include "mm/lru.h"
#include "mm/node.h"

/* The lists of reclaim: Linux prints the first line of these. */
static void show_lists(const struct node *node)
{
	pr_warn("active_anon:%lu inactive_anon:%lu active_file:%lu "
	        "inactive_file:%lu unevictable:%lu dirty:%lu writeback:%lu\n",
	        node_lru_count(node, LRU_ACTIVE_ANON),
	        node_lru_count(node, LRU_INACTIVE_ANON),
	        node_lru_count(node, LRU_ACTIVE_FILE),
	        node_lru_count(node, LRU_INACTIVE_FILE),
	        node_lru_count(node, LRU_UNEVICTABLE), node_file_dirty(node),
	        node_writeback(node));
	if (READ_ONCE(node->reclaim.kswapd_failures) >= MAX_RECLAIM_RETRIES)
		pr_warn("all_unreclaimable? yes\n");
}

/* "Normal: 3*4kB (U) 1*8kB ... = 1234kB" */
static void show_free_lists(const struct zone *zone)
{
	char line[224];
	int at = scnprintf(line, sizeof(line), "%s:", zone->name);

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		at += scnprintf(line + at, sizeof(line) - (size_t)at,
		                " %lu*%lukB", zone->free_area[order].count,
		                (PAGE_SIZE / KIB) << order);
	pr_warn("%s = %lukB\n", line, zone->free_pages * (PAGE_SIZE / KIB));
}

static void show_zone(const struct zone *zone)
{
	const unsigned long kb = PAGE_SIZE / KIB;

	pr_warn("%s free:%lukB boost:0kB min:%lukB low:%lukB high:%lukB "
	        "reserved_highatomic:0KB present:%lukB managed:%lukB "
	        "parked:%lukB exclusive:%lukB used:%lukB bad:%lukB "
	        "in_flight:%lukB\n",
	        zone->name, zone->free_pages * kb,
	        zone->watermark[WMARK_MIN] * kb,
	        zone->watermark[WMARK_LOW] * kb,
	        zone->watermark[WMARK_HIGH] * kb, zone->present * kb,
	        zone->managed * kb, zone->parked_pages * kb,
	        zone->exclusive_pages * kb, zone->used_pages * kb,
	        zone->bad_pages * kb, zone->loose_pages * kb);
	pr_warn("lowmem_reserve[]: %lu %lu %lu %lu\n",
	        zone->lowmem_reserve[ZONE_DMA],
	        zone->lowmem_reserve[ZONE_DMA32],
	        zone->lowmem_reserve[ZONE_NORMAL],
	        zone->lowmem_reserve[ZONE_MOVABLE]);
}

void show_mem(struct node *node)
{
	pr_warn("Mem-Info:\n");
	show_lists(node);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].managed > 0)
			show_zone(&node->zone[type]);
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].managed > 0)
			show_free_lists(&node->zone[type]);
	}
	pr_warn("parked pool: %lu of %lu..%lu, %lu tables for splitting\n",
	        node->pool.count, node->pool.low, node->pool.high,
	        node->pool.tables_left);
	pr_warn("%lu pages RAM, %lu pages managed, %lu free\n",
	        node->zone[ZONE_DMA].present + node->zone[ZONE_DMA32].present +
	                node->zone[ZONE_NORMAL].present,
	        node_managed(node), node_free(node));
}
