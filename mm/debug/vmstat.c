/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/vmstat.c -- the names of the event counters.
 */
#include "mm/debug/vmstat.h"

#define VMSTAT_NAME(name, meaning)    #name,
#define VMSTAT_MEANING(name, meaning) meaning,

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
