/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/drain.c -- free pages of the CPUs' lists go back to their zones.
 *
 * Before a request gets NULL, each second if lists are long without need, or all.
 *
 * A set has no lock, so that its CPU needs none: nobody else may touch it (mm/pcp.c).  The
 * lists of this CPU are emptied here, those of another one by code that runs there:
 *
 *	this CPU:	pcp_drain_zone()
 *	another:	node->run_on(cpu, ...) --> its worker: pcp_drain_zone()
 *
 * One CPU after the other; one whose lists seem to be empty is left alone.  The
 * thread may move to another CPU in between.  Then it empties the lists of the new one
 * twice, and those of the old one by its worker, or not at all if they were next: a guess
 * of how much is free is not better than that.
 *
 * Locking: none here.
 *
 * Source: Linux 6.12 mm/page_alloc.c, __drain_all_pages().  There a set has a lock,
 * so one CPU empties all; and one caller at a time does it.
 */
#include "mm/reclaim/drain.h"

#include "kernel/arch/arch.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "mm/pcp_hot.h"

/* Decay goes down by at most batch << PCP_SCALE, and by an eighth.  Linux:
 * CONFIG_PCP_BATCH_SCALE_MAX. */
#define PCP_SCALE 5

/* ---- The lists of this CPU ----------------------------------------------- */

/* Pages of this CPU's lists go back to ZONE, PCP_MOVES at a time, until TARGET are left; not
 * more than there are now, for others give some meanwhile. */
static void pcp_shrink(struct zone *zone, unsigned int target)
{
	unsigned long left = pcp_local_pages(zone);

	kassert(!in_nmi());
	left -= min(left, target + 0UL);
	while (left > 0) {
		struct pcp_set *set = pcp_enter(zone);
		unsigned long moved;

		if (set == NULL)
			return;
		moved = pcp_drain(zone, set, 0, min(left, PCP_MOVES));
		pcp_unlock();
		left = moved == 0 ? 0 : left - min(left, moved);
	}
}

void pcp_drain_zone(struct zone *zone)
{
	pcp_shrink(zone, 0);
}

void pcp_drain_node(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		pcp_drain_zone(&node->zone[type]);
}

unsigned long pcp_give_back(struct node *node,
                            const struct alloc_request *request)
{
	unsigned long moved = 0;

	kassert(request->highest_zone < ZONE_COUNT);
	for (int type = request->highest_zone; moved == 0 && type >= ZONE_DMA;
	     type--) {
		struct zone *zone = &node->zone[type];
		struct pcp_set *set;

		if (pcp_local_pages(zone) == 0)
			continue;
		set = pcp_enter(zone);
		if (set == NULL)
			continue;
		moved = pcp_drain(zone, set, 0, PCP_MOVES);
		pcp_unlock();
	}
	return moved;
}

void pcp_decay(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		struct pcp_set *set = pcp_enter(zone);
		unsigned int step;
		unsigned int high;

		if (set == NULL)
			continue;
		step = set->batch << PCP_SCALE;
		if (set->high > set->high_min) {
			high = set->count - min(set->count, step);
			high = max(high, set->high - set->high / 8);
			set->high = max(high, set->high_min);
		}
		high = set->high;
		pcp_unlock();
		pcp_shrink(zone, high);
	}
}

/* ---- Those of all CPUs --------------------------------------------------- */

struct drain {
	struct node *node;
	struct zone *zone; /* NULL: each */
};

static void drain_local_pages(void *data)
{
	const struct drain *drain = data;

	kassert(drain->zone == NULL || drain->zone->node == drain->node);
	if (drain->zone != NULL)
		pcp_drain_zone(drain->zone);
	else
		pcp_drain_node(drain->node);
}

/* Has CPU pages on its lists?  A guess: they come and go. */
static bool drain_finds_pages(const struct drain *drain, unsigned int cpu)
{
	kassert(cpu < drain->node->pcp_cpus);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &drain->node->zone[type];

		if ((drain->zone == NULL || drain->zone == zone) &&
		    zone->pcp[0] != NULL &&
		    READ_ONCE(zone->pcp[cpu]->count) > 0)
			return true;
	}
	return false;
}

void drain_all_pages(struct node *node, struct zone *zone)
{
	struct drain drain = { .node = node, .zone = zone };

	kassert(may_sleep_here());
	for (unsigned int cpu = 0; cpu < node->pcp_cpus; cpu++) {
		if (cpu == arch_cpu_id())
			drain_local_pages(&drain);
		else if (node->run_on != NULL && drain_finds_pages(&drain, cpu))
			node->run_on(cpu, drain_local_pages, &drain);
	}
}
