/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/storm.h -- all interrupts together, and no memory.
 */
#ifndef KERNEL_DEMO_STORM_H
#define KERNEL_DEMO_STORM_H

#include "lib/types.h"

/*
 * How a storm ended.  A host that has other things to do gives a machine less than
 * the time that a storm needs.  Then nothing was proved and nothing refuted.
 */
enum storm_outcome {
	STORM_HELD,     /* it was a storm, and every invariant held */
	STORM_BROKEN,   /* something did not hold: report->reason */
	STORM_TOO_SLOW, /* no storm at any rate: report->reason */
	STORM_ENDED,    /* by ^C: what was seen until then held */
};

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
	uint64_t rounds;          /* of the storm's own thread */
	bool keyboard;            /* there is a controller to raise them */
	bool ended;               /* by ^C */
	const char *wrong;        /* NULL, or what is wrong in the books */
	char said[160];           /* by a check, for it */
	enum storm_outcome outcome;
	const char *reason; /* of STORM_BROKEN and STORM_TOO_SLOW */
};

/*
 * Drive the timer at HZ, raise keyboard interrupts through the i8042, TICKS
 * ticks with a full pool, TICKS with memory and pool drained to the last page,
 * TICKS of recovery; then check every invariant.
 *
 *   => thread context
 *   => PROGRESS: say on the consoles what is going on, first of all before the
 *      rate is measured
 *   <= REPORT, with its outcome
 *   <= HZ was halved while the machine delivered less, but not below
 *      TIMER_RATE_LEAST (or HZ, if that is lower)
 *   <= bounded by the TSC, even if no timer interrupt comes
 *   <= ^C on the console ends it early; other keys typed meanwhile are lost
 */
void storm_run(unsigned int hz, unsigned int ticks, bool progress,
               struct storm_report *report);

/* Fill in outcome and reason from the rest of the report.  Wrong accounting
 * is wrong at any speed; a missing sign of a storm is not, and so it counts only if
 * the host was fast enough for a storm. */
void storm_judge(struct storm_report *report);

/* Print a report on the consoles. */
void storm_print(const struct storm_report *report);

/* Was storm given on the command line? */
bool storm_wanted(void);

#endif
