/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_pressure.c -- swap to the real disk, files, reclaim and the
 * storm's interrupts at the same time, with all memory of a small machine, or
 * the rest of a large one.
 */
#include "kernel/arch/irqsoff.h"
#include "kernel/block/block.h"
#include "kernel/demo/pressure.h"
#include "kernel/swap_device.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/swap/swapfile.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(pressure);

/* Pages that are left of a machine with more than SMALL. */
#define MEMORY   400UL
#define SMALL    4096UL
#define ROOMY    24576UL
#define PRIORITY 32767

/* Instructions with interrupts off: a block of order 10 comes and goes, too. */
#define OFF_MOST 100000ULL

/* The disk's swap partition, on; or the case is skipped. */
#define NEEDS_SWAP(device)                                                     \
	do {                                                                   \
		(device) = swap_device_find("hda2");                           \
		if ((device) == NULL)                                          \
			SKIP("disk");                                          \
	} while (0)

CASE(pressure, twice_the_memory_is_swapped_while_files_are_written)
{
	static struct pressure_report report;
	unsigned long all = node_managed(main_node());
	bool small = all <= SMALL;
	unsigned long memory = small ? all : MEMORY;
	struct irqsoff_stretch off;
	struct swap_device *device;
	struct ext2 *fs;
	int unmounted;
	int error;

	NEEDS_SWAP(device);
	EXPECT_EQUAL(ext2_mount(block_find("hda1"), false, &fs), 0);
	EXPECT_EQUAL(swapon(device, PRIORITY, NULL), 0);
	irqsoff_forget_recent();
	pressure_run(small ? 1 : 2, memory, fs, &report);
	off = irqsoff_recent();
	error = swapoff(device);
	unmounted = ext2_unmount(fs);
	test_note("%u Hz, %lu pages to swap, %lu moved, %lu ranges, %lu files "
	          "written, %lu errors",
	          report.hz, report.swapped_out, report.moved, report.ranges,
	          report.files.written, report.files.told);
	if (report.broken != NULL)
		return test_failure("%s", report.broken);
	EXPECT_EQUAL(error, 0);
	EXPECT_EQUAL(unmounted, 0);
	EXPECT(report.pages == 2 * memory && report.answered > 0);
	EXPECT(report.with_files && report.flushed > 0);
	EXPECT(report.file_pages > 0);
	/* A small machine has one or two pageblocks that could be compacted, and a
	 * large one enough of them that are free. */
	EXPECT(report.moved > 0 || small || all > ROOMY);
#ifndef CHECKED
	EXPECT(off.ticks <= OFF_MOST * irqsoff_ticks_per_instruction() ||
	       irqsoff_ticks_per_instruction() == 0);
#else
	(void)off;
#endif
	return NULL;
}
