/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/bench.h -- helpers of the kernel's suites: running a function in a
 * real interrupt, catching a declared fault, draining memory.
 *
 * tests/kernel/ has the suites that need the machine: real interrupts, threads,
 * faults, mappings and disks.  They are linked into the kernel and run by
 * kernel/selftest/.  Suites that need no machine are in tests/lib/, core/, drivers/
 * and mm/, and run in the kernel and on the host; tests/host/ has those that only a
 * scripted machine can run.
 */
#ifndef TESTS_KERNEL_BENCH_H
#define TESTS_KERNEL_BENCH_H

#include "drivers/i8042.h"
#include "kernel/core/fault.h"
#include "kernel/core/owner.h"
#include "lib/list.h"
#include "mm/gfp.h"

/* First in a case that raises keyboard interrupts. */
#define NEEDS_I8042()                                                          \
	do {                                                                   \
		if (!i8042_present())                                          \
			SKIP("i8042");                                         \
	} while (0)

/* First in a case that counts instructions. */
#define NEEDS_COUNT()                                                          \
	do {                                                                   \
		if (irqsoff_ticks_per_instruction() == 0)                      \
			SKIP("instructions");                                  \
	} while (0)

/*
 * Call FUNCTION(DATA) once inside the next timer interrupt, or inside a
 * keyboard interrupt that the i8042 raises, and return when it has run.  False:
 * no interrupt came within a second.
 */
__must_check bool in_timer_interrupt(void (*function)(void *), void *data);
__must_check bool in_keyboard_interrupt(void (*function)(void *), void *data);

/*
 * Call FUNCTION(DATA) in a keyboard interrupt on top of a timer interrupt that
 * has enabled interrupts, or the other way round; OUTER(DATA) runs first, in
 * the interrupt beneath.
 */
__must_check bool keyboard_on_timer(void (*outer)(void *),
                                    void (*inner)(void *), void *data);
__must_check bool timer_on_keyboard(void (*outer)(void *),
                                    void (*inner)(void *), void *data);

/* The owners of the two lines. */
struct owner *timer_owner(void);
struct owner *keyboard_owner(void);

/*
 * Read (or write) one byte at ADDRESS and expect a fault on an exclusive page
 * with exactly this address, OWNER and INTRUDER.  NULL, or a sentence.  Any
 * other fault is not caught.
 */
const char *expect_exclusive_fault(void *address, bool write,
                                   const struct owner *owner,
                                   const struct owner *intruder);

/*
 * Pages taken with MASK until NULL, linked by page->link: large blocks first, as
 * long as they come, then smaller ones, so that gigabytes are soon gone; single
 * pages decide where it ends.  COUNT is in pages.  From drained_init() to
 * drained_free() no zone is boosted: the marks stay where they are.
 */
struct drained {
	struct list pages;
	unsigned long count;
	unsigned long boost_factor; /* to be restored */
};
void drained_init(struct drained *drained);
void drain(struct drained *drained, gfp_t mask);
void drained_free(struct drained *drained);

/*
 * A small machine, whatever its size: small marks (16/24/32 pages in each zone, no
 * reserves), and all of memory taken down to the min marks, waking nobody, but
 * for ROOM pages.  The refiller pauses.  restore_room() ends it all.
 */
void set_small_marks(void);
void leave_room(struct drained *drained, unsigned long room);
void restore_room(struct drained *drained);

/* Pages in use, once the refiller has nothing to do. */
unsigned long pages_not_free(void);

/*
 * The number of pages that, by the rules, order-0 requests with RIGHT at the
 * min mark get from the kernel's node now: the sum over the zones of max(0,
 * free - floor - lowmem reserve).
 */
unsigned long allowed_by_rules(enum reserve_right right);

/* The same, and what is on CPUs' lists stays there, uncounted. */
unsigned long allowed_by_rules_besides_lists(enum reserve_right right);

#endif
