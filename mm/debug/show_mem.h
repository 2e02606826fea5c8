/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/show_mem.h -- the memory report.
 */
#ifndef MM_DEBUG_SHOW_MEM_H
#define MM_DEBUG_SHOW_MEM_H

#include "mm/zone.h"

struct node;

/* Linux's memory report (show_mem) into the log, and a summary of it to the
 * consoles.  Reads without locks. */
void show_mem(struct node *node);

/* The data of a report: numbers of the node, and its ZONE_COUNT zones. */
struct mem_report {
	const struct zone *zone;
	unsigned long parked;
	unsigned long parked_low;
	unsigned long parked_high;
	unsigned long tables_left;
	bool hopeless; /* all_unreclaimable */
};
void show_mem_print(const struct mem_report *report);

/* A copy for later; only its numbers and names may be used.  Any context. */
struct mem_copy {
	struct mem_report report;
	struct zone zone[ZONE_COUNT];
};
void show_mem_copy(const struct node *node, struct mem_copy *copy);

#endif
