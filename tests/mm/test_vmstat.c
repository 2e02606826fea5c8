/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_vmstat.c -- the event counters: names, and what they count.
 */
#include "lib/string.h"
#include "mm/debug/vmstat.h"
#include "tests/suite.h"

SUITE(vmstat);

CASE(vmstat, every_event_has_its_own_name_and_a_meaning)
{
	for (unsigned int a = 0; a < VMSTAT_COUNT; a++) {
		const char *name = vmstat_name((enum vmstat_event)a);

		EXPECT(strlen(name) > 1);
		EXPECT(strlen(vmstat_meaning((enum vmstat_event)a)) > 1);
		for (unsigned int b = 0; b < a; b++)
			EXPECT(strcmp(name,
			              vmstat_name((enum vmstat_event)b)) != 0);
	}
	return NULL;
}

CASE(vmstat, names_are_those_of_the_events)
{
	EXPECT(strcmp(vmstat_name(VMSTAT_pgalloc_dma), "pgalloc_dma") == 0);
	EXPECT(strcmp(vmstat_name(VMSTAT_pgfree), "pgfree") == 0);
	EXPECT(strcmp(vmstat_meaning(VMSTAT_pgfree), "pages freed") == 0);
	return NULL;
}

CASE(vmstat, numbers_that_are_not_events_are_shown_as_such)
{
	EXPECT(strcmp(vmstat_name(VMSTAT_COUNT), "?") == 0);
	EXPECT(strcmp(vmstat_meaning(VMSTAT_COUNT), "?") == 0);
	return NULL;
}

CASE(vmstat, a_counter_grows_alone)
{
	struct vmstat stat;

	vmstat_init(&stat);
	vmstat_add(&stat, VMSTAT_pgfree, 3);
	vmstat_add(&stat, VMSTAT_pgfree, 4);
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++)
		EXPECT_EQUAL(vmstat_read(&stat, (enum vmstat_event)i),
		             i == VMSTAT_pgfree ? 7 : 0);
	return NULL;
}

struct vmstat_rows {
	struct vmstat stat;
	struct vmstat_row row[2];
};
SUITE_OBJECT(struct vmstat_rows, rows);

CASE(vmstat, what_was_counted_before_there_were_rows_stays_in_the_sum)
{
	struct vmstat *stat = &rows->stat;
	unsigned int me = arch_cpu_id();

	EXPECT(me < ARRAY_SIZE(rows->row));
	memset(rows->row, 0, sizeof(rows->row));
	vmstat_init(stat);
	vmstat_add(stat, VMSTAT_pgfree, 3);
	vmstat_start(stat, rows->row, ARRAY_SIZE(rows->row));
	vmstat_add(stat, VMSTAT_pgfree, 4);
	EXPECT_EQUAL(stat->first[VMSTAT_pgfree], 3);
	EXPECT_EQUAL(rows->row[me].count[VMSTAT_pgfree], 4);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_pgfree), 7);
	/* Another CPU's. */
	rows->row[1 - me].count[VMSTAT_pgfree] = 5;
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_pgfree), 12);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_pgalloc_dma), 0);
	vmstat_clear(stat);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_pgfree), 0);
	return NULL;
}
