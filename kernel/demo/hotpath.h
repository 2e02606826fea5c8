/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/hotpath.h -- the instructions of a page request, one at a time.
 *
 * A request that finds its page on this CPU's list, and the free that puts it back, are
 * run with the trap flag set (kernel/arch/step.h).  Each instruction is booked on its
 * function and on the file that it was compiled from: of an inlined function that is
 * another one than its caller's.
 */
#ifndef KERNEL_DEMO_HOTPATH_H
#define KERNEL_DEMO_HOTPATH_H

#include "lib/types.h"

enum hotpath_way {
	HOTPATH_ALLOC, /* alloc_page(GFP_ATOMIC) */
	HOTPATH_FREE,  /* __free_page() */
};

#define HOTPATH_PARTS 64

/* Instructions of one function that came from one file. */
struct hotpath_part {
	uintptr_t function; /* its address */
	const char *file;   /* from the root of the source; "?": unknown */
	unsigned long instructions;
};

/* In the order of their first instructions. */
struct hotpath {
	struct hotpath_part part[HOTPATH_PARTS];
	unsigned int parts;
	unsigned long instructions; /* those of parts that had no room, too */
	bool cut;                   /* only the first 2,000 were noted */
};

/*
 * Step one request, or one free, into PATH.  0, or -ENOMEM: no page, or no memory to note
 * the instructions.  Interrupts come and are not counted.  Thread context; one caller at a
 * time.
 */
__must_check int hotpath_measure(enum hotpath_way way, struct hotpath *path);

#endif
