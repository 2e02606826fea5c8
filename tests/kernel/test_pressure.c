/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_pressure.c -- swap to the real disk, reclaim and the storm's
 * interrupts at once, with all memory of a small machine, or what is left of a
 * large one.
 */
#include "kernel/block/block.h"
#include "kernel/pressure.h"
#include "kernel/swap_device.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/swapfile.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(pressure);

/* Pages that are left of a machine with more than SMALL. */
#define MEMORY   400UL
#define SMALL    4096UL
#define ROUNDS   2U
#define PRIORITY 32767

/* The disk's swap partition, on; or the case is skipped. */
#define NEEDS_SWAP(device)                                                     \
	do {                                                                   \
		(device) = swap_device_find("hda2");                           \
		if ((device) == NULL)                                          \
			SKIP("disk");                                          \
	} while (0)

CASE(pressure, twice_the_memory_is_swapped_while_interrupts_take_pages)
{
	static struct pressure_report report;
	unsigned long all = node_managed(page_alloc_node());
	unsigned long memory = all <= SMALL ? all : MEMORY;
	struct swap_device *device;
	int error;

	NEEDS_SWAP(device);
	EXPECT_EQUAL(swapon(device, PRIORITY, NULL), 0);
	pressure_run(ROUNDS, memory, NULL, &report);
	error = swapoff(device);
	if (report.broken != NULL)
		return test_failure("%s", report.broken);
	EXPECT_EQUAL(error, 0);
	EXPECT(report.pages == 2 * memory && report.answered > 0);
	return NULL;
}
