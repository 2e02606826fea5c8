/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/vmstat.c -- the rows of the event counters, and their names.
 */
#include "mm/debug/vmstat.h"

#include "lib/string.h"

#define VMSTAT_NAME(name, meaning)    #name,
#define VMSTAT_MEANING(name, meaning) meaning,

void vmstat_init(struct vmstat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->way = arch_counter_way(stat->first);
}

void vmstat_start(struct vmstat *stat, struct vmstat_row *rows,
                  unsigned int cpus)
{
	kassert(cpus > 0 && cpus <= MAX_CPUS && stat->row == NULL);
	stat->row = rows;
	stat->cpus = cpus;
	/* Events before this are in `first`. */
	WRITE_ONCE(stat->way, arch_counter_way(rows->count));
}

void vmstat_clear(struct vmstat *stat)
{
	memset(stat->first, 0, sizeof(stat->first));
	for (unsigned int cpu = 0; cpu < stat->cpus; cpu++)
		memset(&stat->row[cpu], 0, sizeof(stat->row[cpu]));
}

unsigned long vmstat_read(const struct vmstat *stat, enum vmstat_event event)
{
	unsigned long sum;

	kassert(event < VMSTAT_COUNT);
	sum = READ_ONCE(stat->first[event]);
	if (stat->row != NULL)
		sum += arch_counter_read(&stat->row->count[event], stat->cpus);
	return sum;
}

const char *vmstat_name(enum vmstat_event event)
{
	static const char *const name[VMSTAT_COUNT] = { VMSTAT_EVENTS(
		VMSTAT_NAME) };

	return (unsigned int)event < VMSTAT_COUNT ? name[event] : "?";
}

const char *vmstat_meaning(enum vmstat_event event)
{
	static const char *const meaning[VMSTAT_COUNT] = { VMSTAT_EVENTS(
		VMSTAT_MEANING) };

	return (unsigned int)event < VMSTAT_COUNT ? meaning[event] : "?";
}
