/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/pressure.h -- twice as much anonymous memory as there is, and files.
 */
#ifndef KERNEL_DEMO_PRESSURE_H
#define KERNEL_DEMO_PRESSURE_H

#include "kernel/demo/pressure_files.h"

struct pressure_report {
	unsigned long memory; /* pages that were there for it */
	unsigned long pages;  /* anonymous ones, twice as many */
	unsigned int rounds;  /* after the first filling */

	unsigned long wrong;      /* pages with other contents than written */
	unsigned long failed;     /* pages that could not be read */
	unsigned long swapped_in; /* pages read from swap */
	unsigned long swapped_out;
	unsigned long by_kswapd; /* pages reclaimed by it */
	unsigned long by_others; /* by threads that asked for memory */
	unsigned long kills;
	unsigned long moved;  /* pages, by compaction */
	unsigned long ranges; /* times 2 MiB in one piece were made and taken */

	unsigned int hz;
	uint64_t timer_interrupts;
	uint64_t keyboard_interrupts;
	bool keyboard;          /* there is a controller to raise them */
	uint64_t exclusive;     /* exclusive pages that interrupts took */
	uint64_t dropped;       /* samples for which the pool had none */
	unsigned long asked;    /* GFP_ATOMIC requests in interrupts */
	unsigned long answered; /* with a page */
	unsigned long starved;  /* NULL although a zone was above its floor */
	uint64_t microseconds;  /* how long it took */

	bool with_files;
	struct pressure_files_report files;
	unsigned long file_pages;   /* reclaimed */
	unsigned long flushed;      /* pages that the flusher wrote */
	unsigned long throttled;    /* times a writer waited for the disk */
	unsigned long reclaim_fs;   /* times reclaim entered ext2 */
	unsigned long reclaim_kept; /* times it was kept out: NOFS */
	unsigned long reclaim_nofs; /* times it was not: never */
	unsigned long reclaim_noio; /* I/O for a mask without __GFP_IO: never */

	bool ended;         /* by ^C: not judged, and no failure */
	const char *broken; /* NULL, or what did not hold */
	char said[160];     /* by a check, for it */
};

/*
 * Swap is on.  Fill anonymous memory of twice the machine's size, then go
 * through it ROUNDS times, checking every page and writing every other one,
 * while timer and keyboard interrupts take exclusive pages and plain ones and,
 * unless FS is NULL, two threads write, read and remove files in FS; then check
 * every invariant.  A third thread compacts all of memory the whole time, and empties
 * ranges of frames (alloc_contig_pages()).
 *
 *   => FS is mounted for writing; PRESSURE_FILES files stay in its root
 *   => MEMORY: leave so many pages that GFP_KERNEL requests get without reclaim,
 *      the rest is taken meanwhile; 0: as many as swap can hold twice
 *   => thread context
 *   <= ends by itself: the rounds are counted
 *   <= ^C on the console ends it early; other keys typed meanwhile are lost
 */
void pressure_run(unsigned int rounds, unsigned long memory, struct ext2 *fs,
                  struct pressure_report *report);

/* Print a report on the consoles. */
void pressure_print(const struct pressure_report *report);

#endif
