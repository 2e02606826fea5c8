/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/recorder.h -- the first user of exclusive pages.
 *
 * kernel/demo/ puts the allocator under real load, and judges what it sees:
 *
 *	recorder	interrupts that hand pages to a thread, all the time
 *	storm		all interrupts together, and no memory
 *	pressure	more anonymous memory and files than there is memory
 *	timer_rate	the highest rate that the storm may ask for
 *
 * No other part of the kernel depends on it, except the shell and the self-test.
 *
 * The timer's and the keyboard's interrupt handlers write one sample an
 * interrupt into their own exclusive page.  A full page is handed over to
 * the recorder thread, which checks the numbers of the samples, counts them and
 * releases the page.  When the allocator returns NULL the sample is dropped, and
 * the next page says how many were lost.
 *
 *	seen + dropped = taken, once a line is stopped
 *
 * `taken` is counted in the interrupt's entry stub, `seen` by the thread from
 * the contents of the pages, `dropped` by the handler.
 */
#ifndef KERNEL_DEMO_RECORDER_H
#define KERNEL_DEMO_RECORDER_H

#include "lib/types.h"

enum recorder_line {
	RECORDER_TIMER,
	RECORDER_KEYBOARD,
	RECORDER_LINES,
};

struct recorder_statistics {
	const char *name;
	unsigned int irq;
	bool running;
	uint64_t taken;   /* interrupts since recording began */
	uint64_t seen;    /* samples the thread found in pages */
	uint64_t dropped; /* samples for which there was no page */
	uint64_t pages;   /* handed over */
	uint64_t errors;  /* gaps in the numbers that no page explains */
	uint64_t pending; /* samples in a page that is not handed over yet */
};

/* Start the thread.  Boot, once. */
void recorder_init(void);

/* Start both lines, unless they run; forget a stop that timed out.  Thread
 * context. */
void recorder_start(void);

/*
 * Stop both lines and wait until the thread has seen all.  The timer's line
 * stops in its next interrupt; the keyboard's is given one by the i8042; a line
 * that is not registered stops immediately.  Returns 0, or -ETIMEDOUT if a line had
 * no interrupt for a second: it runs on and stops in its next one.
 */
int recorder_stop(void);

/* PROBE() is called in each interrupt of the timer's line, after its sample is
 * taken, while the line runs; NULL: nothing.  Thread context. */
void recorder_set_probe(void (*probe)(void));

/* Of stopped lines: NULL, or a sentence that says what does not add up.  Thread
 * context. */
const char *recorder_check(void);

/* Thread context. */
void recorder_statistics(enum recorder_line line,
                         struct recorder_statistics *statistics);

#endif
