/* SPDX-License-Identifier: MIT */
/*
 * mm/pcp.h -- per-CPU page lists: free pages at hand, without the zone's lock.
 *
 * Any context but NMI, unless noted.  None of these functions waits.
 */
#ifndef MM_PCP_H
#define MM_PCP_H

#include "mm/node.h"

/* Pages that a request moves to a list or from it; and at most, one after the other, those
 * that come from other lists for a request that cannot sleep. */
#define PCP_MOVES        8UL
#define PCP_MOVES_LIMIT  64UL

/* set->types where pages are grouped by mobility: all bits of a type. */
#define PCP_TYPES        3U

/* A zone of so many managed pages keeps a block of PAGEBLOCK_ORDER for each CPU. */
#define PCP_LARGE_ZONE   51200UL

/* The smallest percpu_pagelist_high_fraction but 0. */
#define PCP_FRACTION_MIN 8UL

/* The lists of NODE are on, for CPUS CPUs (at least 1), in CPUS structures that stay
 * until pcp_stop(); off, and empty.  While no other thread uses the node, and after
 * vmstat_start().  A node begins with its lists off. */
void pcp_start(struct node *node, struct pcp_cpu *lists, unsigned int cpus);
void pcp_stop(struct node *node);

/* A switch that pcp_shortcut_is_open() reads has been turned, or the main node or its lists
 * are others: this_cpu_lists() of all CPUs follow.  Any context but NMI; takes a lock. */
void pcp_shortcut_update(void);

/* Pages of ZONE on the lists of this CPU. */
static inline unsigned long pcp_local_pages(const struct zone *zone)
{
	return zone->pcp[0] == NULL
	               ? 0
	               : READ_ONCE(zone->pcp[arch_cpu_id()]->count);
}

/* PCP_LISTS empty lists. */
static inline void pcp_init_lists(struct list *lists)
{
	for (unsigned int i = 0; i < PCP_LISTS; i++)
		list_init(&lists[i]);
}

/* The marks of NODE have changed: batch, high_min and high_max follow.  Linux:
 * zone_set_pageset_high_and_batch(). */
void pcp_setup(struct node *node);

/* Linux's percpu_pagelist_high_fraction: 0: by the marks; else a list holds at most this
 * fraction of its zone.  0, or -EINVAL for 1..7.  Thread context. */
int pcp_set_fraction(struct node *node, unsigned long fraction);

/* The batch of a zone of MANAGED pages.  Linux: zone_batchsize(). */
unsigned int pcp_batch(unsigned long managed);

/* REQUEST was served by ZONE: fetch what is left of PCP_MOVES pages, as long as the low
 * mark holds.  Call page_prep_report_bad() afterwards. */
void pcp_refill(struct zone *zone, const struct alloc_request *request);

/* A block of ORDER for pages of TYPE off this CPU's list, USED, with one reference; NULL:
 * there is none, or an interrupt has come between the steps of another call.  A corrupt
 * block is leaked: call page_prep_report_bad() if it is NULL. */
__must_check struct page *pcp_take(struct zone *zone, unsigned int order,
                                   enum migratetype type, bool compound);

/* Blocks go back if SET, which is locked, has too many, those of LIST first. */
void pcp_trim(struct pcp_set *set, const struct list *list);

/* PAGES pages of SET, which is locked, go back to ZONE, or a block more, those of list AT
 * first.  How many pages it was. */
unsigned long pcp_drain(struct zone *zone, struct pcp_set *set, unsigned int at,
                        unsigned long pages);

/*
 * NULL, or a sentence in BUFFER about the first broken invariant of this CPU's lists of
 * ZONE.  Calls in interrupts use the zone meanwhile.
 */
const char *pcp_check(struct zone *zone, char *buffer, size_t size);

/* ---- mm/reclaim/drain.c -------------------------------------------------- */

/* At least PCP_MOVES pages of this CPU's lists, if there are so many, go back to one of the
 * zones that REQUEST may use.  0: there are none. */
unsigned long pcp_give_back(struct node *node,
                            const struct alloc_request *request);

/* All pages of this CPU's lists go back to ZONE; to all zones.  Linux: drain_pages_zone(),
 * drain_pages(). */
void pcp_drain_zone(struct zone *zone);
void pcp_drain_node(struct node *node);

/* This CPU's lists that are long without need become shorter; call it each second.  Linux:
 * decay_pcp_high(), which its vmstat worker calls.  In the kernel kernel/services.c does. */
void pcp_decay(struct node *node);

#endif
