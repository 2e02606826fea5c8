/* SPDX-License-Identifier: MIT */
/*
 * mm/show_mem.c -- the memory report.
 *
 * The report has the lines of Linux's (mm/show_mem.c), less the columns of what
 * Labyrinth has not.  Linux's line of a zone would be longer than a line of the log
 * can be: the lists have one of their own, and so has what Linux has not.
 *
 * It reads without locks: a number may be old when it is printed.
 */
#include "mm/show_mem.h"

#include "kernel/core/printk.h"
#include "lib/format.h"
#include "mm/lru.h"
#include "mm/node.h"

#define KB (PAGE_SIZE / KIB)

static unsigned long isolated(const struct node *node, enum lru_kind kind)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		sum += READ_ONCE(node->zone[type].lru.isolated[kind]);
	return sum;
}

/* In pages, of all zones. */
static void show_lists(const struct node *node)
{
	pr_warn("active_anon:%lu inactive_anon:%lu isolated_anon:%lu\n",
	        node_lru_count(node, LRU_ACTIVE_ANON),
	        node_lru_count(node, LRU_INACTIVE_ANON),
	        isolated(node, LRU_ANON));
	pr_warn(" active_file:%lu inactive_file:%lu isolated_file:%lu\n",
	        node_lru_count(node, LRU_ACTIVE_FILE),
	        node_lru_count(node, LRU_INACTIVE_FILE),
	        isolated(node, LRU_FILE));
	pr_warn(" unevictable:%lu dirty:%lu writeback:%lu\n",
	        node_lru_count(node, LRU_UNEVICTABLE), node_file_dirty(node),
	        node_writeback(node));
	pr_warn(" free:%lu free_pcp:0 free_cma:0\n", node_free(node));
}

/* In kilobytes.  There is one node. */
static void show_node(const struct node *node)
{
	bool hopeless =
		READ_ONCE(node->reclaim.kswapd_failures) >= MAX_RECLAIM_RETRIES;

	pr_warn("Node 0 active_anon:%lukB inactive_anon:%lukB "
	        "active_file:%lukB inactive_file:%lukB unevictable:%lukB "
	        "dirty:%lukB writeback:%lukB all_unreclaimable? %s\n",
	        node_lru_count(node, LRU_ACTIVE_ANON) * KB,
	        node_lru_count(node, LRU_INACTIVE_ANON) * KB,
	        node_lru_count(node, LRU_ACTIVE_FILE) * KB,
	        node_lru_count(node, LRU_INACTIVE_FILE) * KB,
	        node_lru_count(node, LRU_UNEVICTABLE) * KB,
	        node_file_dirty(node) * KB, node_writeback(node) * KB,
	        hopeless ? "yes" : "no");
}

/* "Node 0 Normal: 3*4kB 1*8kB ... = 1234kB"; Linux puts a letter for each type of
 * block behind the number, and there are no types here. */
static void show_free_lists(const struct zone *zone)
{
	char line[224];
	int at = scnprintf(line, sizeof(line), "Node 0 %s:", zone->name);

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		at += scnprintf(line + at, sizeof(line) - (size_t)at,
		                " %lu*%lukB", zone->free_area[order].count,
		                KB << order);
	pr_warn("%s = %lukB\n", line, zone->free_pages * KB);
}

static void show_zone(const struct zone *zone)
{
	const unsigned long *list = zone->lru.count;

	pr_warn("Node 0 %s free:%lukB boost:0kB min:%lukB low:%lukB "
	        "high:%lukB reserved_highatomic:0KB present:%lukB "
	        "managed:%lukB\n",
	        zone->name, zone->free_pages * KB,
	        zone->watermark[WMARK_MIN] * KB,
	        zone->watermark[WMARK_LOW] * KB,
	        zone->watermark[WMARK_HIGH] * KB, zone->present * KB,
	        zone->managed * KB);
	pr_warn(" active_anon:%lukB inactive_anon:%lukB active_file:%lukB "
	        "inactive_file:%lukB unevictable:%lukB writepending:%lukB\n",
	        list[LRU_ACTIVE_ANON] * KB, list[LRU_INACTIVE_ANON] * KB,
	        list[LRU_ACTIVE_FILE] * KB, list[LRU_INACTIVE_FILE] * KB,
	        list[LRU_UNEVICTABLE] * KB,
	        (zone->lru.file_dirty + zone->lru.writeback) * KB);
	pr_warn(" parked:%lukB exclusive:%lukB used:%lukB bad:%lukB "
	        "in_flight:%lukB\n",
	        zone->parked_pages * KB, zone->exclusive_pages * KB,
	        zone->used_pages * KB, zone->bad_pages * KB,
	        zone->loose_pages * KB);
	pr_warn("lowmem_reserve[]: %lu %lu %lu %lu\n",
	        zone->lowmem_reserve[ZONE_DMA],
	        zone->lowmem_reserve[ZONE_DMA32],
	        zone->lowmem_reserve[ZONE_NORMAL],
	        zone->lowmem_reserve[ZONE_MOVABLE]);
}

static unsigned long present_pages(const struct node *node)
{
	unsigned long present = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		present += node->zone[type].present;
	return present;
}

void show_mem(struct node *node)
{
	pr_warn("Mem-Info:\n");
	show_lists(node);
	show_node(node);
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
	pr_warn("%lu pages RAM\n", present_pages(node));
	pr_warn("%lu pages reserved\n",
	        present_pages(node) - node_managed(node));
}
