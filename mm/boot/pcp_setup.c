/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/pcp_setup.c -- per-CPU lists are turned on, and how long they may be.
 *
 * The table at the head of mm/pcp.c shows the sizes of an example.  They follow the
 * marks of the zone: pcp_setup() is called again when these change.
 *
 * Source: Linux 6.12 mm/page_alloc.c, zone_batchsize(), zone_highsize(),
 * zone_set_pageset_high_and_batch().
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pcp_hot.h"
#include "mm/watermark.h"

unsigned int pcp_batch(unsigned long managed)
{
	unsigned long batch = clamp(managed >> 12, 1UL, 64UL);

	batch += batch / 2;
	batch = (1UL << (63 - __builtin_clzl(batch))) - 1;
	return (unsigned int)max(batch, 1UL);
}

static void pcp_set_sizes(const struct zone *zone, struct pcp_set *set)
{
	const struct node *node = zone->node;
	unsigned int batch = pcp_batch(zone->managed);
	unsigned long lowest = zone->watermark[WMARK_LOW] / node->pcp_cpus;
	unsigned long most = zone->managed / 8 / node->pcp_cpus;

	kassert(batch > 0);
	if (node->pcp_fraction != 0) {
		most = zone->managed / node->pcp_fraction / node->pcp_cpus;
		lowest = most;
	}
	lowest = max(lowest, 4UL * batch);
	most = max(most, 4UL * batch);
	kassert(lowest > 0 && most >= 4UL * batch);
	WRITE_ONCE(set->batch, batch);
	WRITE_ONCE(set->types, node->no_mobility ? 0U : PCP_TYPES);
	WRITE_ONCE(set->high_min, (unsigned int)lowest);
	WRITE_ONCE(set->high_max, (unsigned int)most);
	if (set->high > most)
		WRITE_ONCE(set->high, (unsigned int)most);
	if (set->high < lowest)
		WRITE_ONCE(set->high, (unsigned int)lowest);
}

/* From one with memory to the next higher one all are empty, so that no lowmem reserve
 * protects the first from requests of the others.  NULL: there is none.  Linux:
 * preferred_zoneref. */
static struct pcp_set *pcp_preferred_set(struct pcp_cpu *lists,
                                         enum zone_type highest)
{
	for (int type = (int)highest; type >= ZONE_DMA; type--) {
		if (lists->set[type].zone->managed > 0)
			return &lists->set[type];
	}
	return NULL;
}

/* The list for the hot requests of GFP. */
static void pcp_set_hot(struct pcp_cpu *lists, gfp_t gfp)
{
	struct pcp_set *set = pcp_preferred_set(lists, gfp_hot_zone(gfp));
	enum migratetype type = gfp_migratetype(gfp);
	bool has = set != NULL && type < MIGRATE_PCPTYPES;

	kassert(gfp < PCP_HOT_MASKS);
	kassert(set == NULL || set->zone->managed > 0);
	WRITE_ONCE(lists->hot_set[gfp], has ? set : &lists->set[0]);
	WRITE_ONCE(lists->hot_list[gfp],
	           has ? pcp_list(set, 0, type) : lists->none);
}

static void pcp_setup_cpu(const struct node *node, struct pcp_cpu *lists)
{
	kassert(lists->page_count == node->page_count);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		pcp_set_sizes(&node->zone[type], &lists->set[type]);
	for (gfp_t mask = 0; mask < PCP_HOT_MASKS; mask++)
		pcp_set_hot(lists, gfp_hot_list(mask));
}

void pcp_setup(struct node *node)
{
	for (unsigned int cpu = 0; cpu < node->pcp_cpus; cpu++)
		pcp_setup_cpu(node, node->pcp[cpu]);
}

int pcp_set_fraction(struct node *node, unsigned long fraction)
{
	if (fraction != 0 && fraction < PCP_FRACTION_MIN)
		return -EINVAL;
	node->pcp_fraction = fraction;
	pcp_setup(node);
	return 0;
}

static void pcp_init(struct pcp_set *set, struct zone *zone)
{
	unsigned long *way = zone->node->stat.way;

	*set = (struct pcp_set){ .zone = zone,
		                 .pgalloc = way + VMSTAT_PGALLOC(zone->type),
		                 .pgfree = way + VMSTAT_pgfree,
		                 .batch = 1,
		                 .word = PAGE_WORD(state, PAGE_PCP) |
		                         PAGE_WORD(zone, zone->type) };
	pcp_init_lists(set->blocks);
}

static void pcp_init_cpu(struct node *node, struct pcp_cpu *lists,
                         unsigned int cpu)
{
	lists->pages = node->pages;
	lists->page_count = node->page_count;
	pcp_init_lists(lists->none);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		kassert(zone->pcp[cpu] == NULL);
		kassert(zone->node == node);
		pcp_init(&lists->set[type], zone);
		lists->zone_set[type] = &lists->set[type];
		if (zone->managed > 0)
			zone->pcp[cpu] = &lists->set[type];
	}
	node->pcp[cpu] = lists;
}

void pcp_start(struct node *node, struct pcp_cpu *lists, unsigned int cpus)
{
	kassert(cpus > 0 && cpus <= MAX_CPUS);
	kassert(lists != NULL && node->pcp_cpus == 0);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		pcp_init_cpu(node, &lists[cpu], cpu);
	node->pcp_cpus = cpus;
	pcp_setup(node);
	pcp_shortcut_update();
}

void pcp_stop(struct node *node)
{
	pcp_drain_node(node);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		kassert(zone_pcp_pages(&node->zone[type]) == 0);
		memset(node->zone[type].pcp, 0, sizeof(node->zone[type].pcp));
	}
	node->pcp_cpus = 0;
	pcp_shortcut_update();
	memset(node->pcp, 0, sizeof(node->pcp));
}
