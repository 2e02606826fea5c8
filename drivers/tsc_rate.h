/* SPDX-License-Identifier: MIT */
/*
 * drivers/tsc_rate.h -- how fast does the TSC run?  Pure: readings in, a rate out.
 */
#ifndef DRIVERS_TSC_RATE_H
#define DRIVERS_TSC_RATE_H

#include "lib/types.h"

/*
 * Two looks at a counter of known frequency, with the TSC read before and after
 * each of them: the look was at some moment between the two.
 */
struct tsc_window {
	uint64_t begin_before;
	uint64_t begin_after;
	uint64_t end_before;
	uint64_t end_after;
	uint64_t
		counts; /* what the counter has counted from one to the other */
};

/* The rate is in LOW..HIGH. */
struct tsc_rate {
	uint64_t low; /* kHz */
	uint64_t high;
	unsigned int windows;   /* that agree */
	unsigned int disagreed; /* times that none could be right */
};

/* All zero: nothing is known yet. */

/* Add what WINDOW shows, of a counter of FREQUENCY Hz, 100 kHz to 10 MHz.  True:
 * the rate is known to half a percent; false: measure another window. */
bool tsc_rate_add(struct tsc_rate *rate, const struct tsc_window *window,
                  uint64_t frequency);

/* Return the middle of the range, in kHz; 0: nothing is known. */
uint64_t tsc_rate_khz(const struct tsc_rate *rate);

/* Can KHZ, which somebody stated, be right?  True also if nothing is known. */
bool tsc_rate_allows(const struct tsc_rate *rate, uint64_t khz);

/* Registers of CPUID; 0 for a leaf that is not there. */
struct tsc_leaves {
	uint32_t denominator;    /* leaf 0x15, EAX */
	uint32_t numerator;      /* EBX */
	uint32_t crystal_hz;     /* ECX */
	uint32_t base_mhz;       /* leaf 0x16, EAX */
	uint32_t hypervisor_khz; /* leaf 0x40000010, EAX */
};

/* Return the rate in kHz that CPUID states, and the leaf in *SOURCE; 0: none. */
uint64_t tsc_stated_khz(const struct tsc_leaves *leaves, const char **source);

#endif
