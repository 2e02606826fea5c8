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
#include "mm/pcp.h"
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

void pcp_setup(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		if (zone->pcp[0] == NULL)
			continue;
		for (unsigned int cpu = 0; cpu < node->pcp_cpus; cpu++)
			pcp_set_sizes(zone, zone->pcp[cpu]);
	}
}

int pcp_set_fraction(struct node *node, unsigned long fraction)
{
	if (fraction != 0 && fraction < PCP_FRACTION_MIN)
		return -EINVAL;
	node->pcp_fraction = fraction;
	pcp_setup(node);
	return 0;
}

static void pcp_init(struct pcp_set *set, enum zone_type type)
{
	*set = (struct pcp_set){ .batch = 1,
		                 .word = PAGE_WORD(state, PAGE_PCP) |
		                         PAGE_WORD(zone, type) };
	for (unsigned int list = 0; list < PCP_LISTS; list++)
		list_init(&set->blocks[list]);
}

/* From one with memory to the next higher one all are empty, so that no lowmem reserve
 * protects the first from requests of the others. */
static void pcp_find_preferred_zones(struct node *node)
{
	struct zone *zone = NULL;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].pcp[0] != NULL)
			zone = &node->zone[type];
		kassert(zone == NULL || zone->managed > 0);
		node->preferred_zone[type] = zone;
	}
}

void pcp_start(struct node *node, struct pcp_set *sets, unsigned int cpus)
{
	kassert(cpus > 0 && cpus <= MAX_CPUS);
	kassert(sets != NULL && node->pcp_cpus == 0);
	node->pcp_cpus = cpus;
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		for (unsigned int cpu = 0; cpu < cpus; cpu++) {
			struct pcp_set *set = &sets[(size_t)type * cpus + cpu];

			kassert(node->zone[type].pcp[cpu] == NULL);
			pcp_init(set, (enum zone_type)type);
			if (node->zone[type].managed > 0)
				node->zone[type].pcp[cpu] = set;
		}
	}
	pcp_setup(node);
	pcp_find_preferred_zones(node);
}

void pcp_stop(struct node *node)
{
	pcp_drain_node(node);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		kassert(zone_pcp_pages(&node->zone[type]) == 0);
		memset(node->zone[type].pcp, 0, sizeof(node->zone[type].pcp));
	}
	pcp_find_preferred_zones(node);
	node->pcp_cpus = 0;
}
