/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/timer_rate.h -- how many timer interrupts a second a machine bears.
 */
#ifndef KERNEL_DEMO_TIMER_RATE_H
#define KERNEL_DEMO_TIMER_RATE_H

/* Interrupts a second from which the search goes up. */
#define TIMER_RATE_LEAST 1000U

/*
 * The highest rate, at most ASKED, that the timer delivers and at which threads keep
 * three quarters of their time, with the handlers that are registered when this is
 * called; at least TIMER_RATE_LEAST, or ASKED if that is lower.  The timer runs at
 * some rate of the search afterwards.  Takes some tenths of a second.  Thread context.
 */
unsigned int timer_rate_find(unsigned int asked);

#endif
