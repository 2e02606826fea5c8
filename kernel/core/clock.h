/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/clock.h -- time since boot.  Any context, no lock.
 */
#ifndef KERNEL_CORE_CLOCK_H
#define KERNEL_CORE_CLOCK_H

#include "lib/types.h"

/* Microseconds since the kernel's entry: TSC over the calibrated rate. */
uint64_t clock_microseconds(void);

/* The same in cycles of the TSC. */
uint64_t clock_cycles(void);

/* TSC cycles a microsecond, as the timer's driver found; at least 1. */
uint64_t clock_cycles_per_microsecond(void);

/* The timer's driver calls it: the TSC has KHZ cycles a millisecond. */
void clock_calibrated(uint64_t khz);
void clock_init(uint64_t entry_cycles);

/* Timer interrupts since boot, and their rate (hz=). */
uint64_t clock_ticks(void);
unsigned int clock_hz(void);
void clock_tick(void);              /* the timer's handler calls it */
void clock_set_hz(unsigned int hz); /* the timer's driver calls it */

#endif
