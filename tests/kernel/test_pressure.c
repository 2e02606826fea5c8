/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_pressure.c -- swap to the real disk, reclaim and the storm's
 * interrupts at once, on a machine that is made small for it.
 */
#include "kernel/block/block.h"
#include "kernel/pressure.h"
#include "kernel/swap_device.h"
#include "lib/string.h"
#include "mm/swapfile.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(pressure);

#define MEMORY   400UL /* pages */
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
	struct swap_device *device;
	int error;

	NEEDS_SWAP(device);
	EXPECT_EQUAL(swapon(device, PRIORITY, NULL), 0);
	pressure_run(ROUNDS, MEMORY, &report);
	error = swapoff(device);
	if (report.broken != NULL)
		return test_failure("%s", report.broken);
	EXPECT_EQUAL(error, 0);
	EXPECT(report.pages == 2 * MEMORY && report.answered > 0);
	return NULL;
}
