/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/drain.c -- free pages of every CPU's lists go back to their zones.
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
#include "mm/pcp.h"

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
