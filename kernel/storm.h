/* SPDX-License-Identifier: MIT */
/*
 * kernel/storm.h -- all interrupts at once, and no memory.
 */
#ifndef KERNEL_STORM_H
#define KERNEL_STORM_H

#include "lib/types.h"

struct storm_report {
	unsigned int asked_hz; /* rate asked for */
	unsigned int hz;       /* rate programmed at last */
	unsigned int percent;  /* of hz delivered, by the TSC */
	uint64_t timer_interrupts;
	uint64_t keyboard_interrupts;
	uint64_t refills;         /* frames parked */
	uint64_t transfers;       /* hand-overs */
	uint64_t nulls;           /* NULL from the Labyrinth routine */
	uint64_t dropped_full;    /* samples lost while the pool was full */
	uint64_t dropped_drained; /* and while it was drained */
	unsigned long hoarded;    /* pages that the drain took */
	bool keyboard;            /* there is a controller to raise them */
	bool ended;               /* by ^C: not judged, and no failure */
	const char *broken;       /* NULL, or what did not hold */
};

/*
 * Drive the timer at HZ, raise keyboard interrupts through the i8042, TICKS
 * ticks with a full pool, TICKS with memory and pool drained to the last page,
 * TICKS of recovery; then check every invariant.
 *
 *   => thread context
 *   <= HZ was halved while the machine delivered less, but not below
 *      STORM_HZ_LEAST (or HZ, if that is lower)
 *   <= bounded by the TSC, even if no timer interrupt comes
 *   <= ^C on the console ends it early; other keys typed meanwhile are lost
 */
#define STORM_HZ_LEAST 1000U
void storm_run(unsigned int hz, unsigned int ticks,
               struct storm_report *report);

/* Print a report on the consoles. */
void storm_print(const struct storm_report *report);

/* Was storm given on the command line? */
bool storm_wanted(void);

#endif
