/* SPDX-License-Identifier: MIT */
/*
 * drivers/pit.h -- the 8254 timer: the tick, and the yardstick of the TSC.
 */
#ifndef DRIVERS_PIT_H
#define DRIVERS_PIT_H

#include "lib/types.h"

#define PIT_HZ_MIN 19 /* the largest divisor, 65535, is 18.2 Hz */
#define PIT_HZ_MAX 10000

/*
 * Tell the clock the rate of the TSC: what CPUID states, if measuring does not
 * disprove it, or what was measured against the 8254, to half a percent (about 10
 * ms; more on a busy host; bounded if the 8254 does not count, or the result cannot
 * be: a message, and an assumed rate); program the rate of
 * the parameter hz= (default 1000); register the handler of line 0.  Returns 0,
 * or what request_irq() said (said in the log, too).  Once, thread context.
 */
int pit_init(void);

/*
 * Do timer interrupts come?  Waits for the first one, three periods and 0.2 s
 * by the TSC at most.  Returns 0, or -ETIMEDOUT (said in the log).  Interrupts
 * on, after pit_init(), thread context.
 */
int pit_check(void);

/*
 * Interrupts a second from now on, PIT_HZ_MIN..PIT_HZ_MAX; the current period
 * starts again.  Returns 0 or -EINVAL.  Thread context.
 */
int pit_set_hz(unsigned int hz);

/* The rate that the divisor for HZ really gives, in thousandths of a hertz. */
uint64_t pit_millihertz(unsigned int hz);

/*
 * LISTENER(DATA) is called in each timer interrupt from now on, after the
 * tick is counted; NULL: nobody.  On return a call of the former listener may
 * still be running on another CPU, never on this one.  Thread context.
 */
void pit_set_listener(void (*listener)(void *data), void *data);

#endif
