/* SPDX-License-Identifier: MIT */
/*
 * drivers/tsc_rate.c -- how fast does the TSC run?
 *
 * A measurement that is interrupted, by the host that runs the emulator, by firmware,
 * is too long or too short by any amount, and nothing shows it: three windows of 2 ms
 * may have 10.4, 10.9 and 10.6 million cycles, and the next one 4.6.  Which is right?
 * Choosing among such numbers is guessing.  So none is measured that way: the TSC is
 * read on both sides of each look at the counter.
 *
 *	TSC	   b0  b1                              e0  e1
 *	            |--|                                |--|
 *	counter	     ^ look ------- N counts ------------^ look
 *
 * Wherever in the two gaps the looks were, at least e0 - b1 and at most e1 - b0
 * cycles have passed between them, and more than N - 1 and less than N + 1 counts.
 * That is an interval which has the true rate in it, whatever was interrupted: a
 * late look makes it wide, never wrong.  All windows together leave what all of
 * their intervals have in common.  It only gets smaller; so a rate that was reported
 * is not disproved by the next measurement.  Interrupts between the looks do no
 * harm, as long as the counter does not wrap (its driver ensures that).
 *
 * Where the intervals have nothing in common, one of the two clocks is broken: the
 * count of windows starts again.
 *
 * Source: Intel SDM vol. 3B, 19.7.3 "Determining the Processor Base Frequency", for
 * leaves 0x15 and 0x16; 0x40000010 is what hypervisors have agreed on.
 */
#include "drivers/tsc_rate.h"

/* The interval may be as wide as a 200th of the rate, and two windows agree. */
#define EXACT_ENOUGH  200U
#define AGREEING      2U

/* The stated rate may differ from the measured one by a hundredth. */
#define STATED_WITHIN 100U

static uint64_t per_counts(uint64_t cycles, uint64_t counts, uint64_t frequency)
{
	return cycles * (frequency / 1000) / counts;
}

bool tsc_rate_add(struct tsc_rate *rate, const struct tsc_window *window,
                  uint64_t frequency)
{
	uint64_t least = window->end_before - window->begin_after;
	uint64_t most = window->end_after - window->begin_before;
	uint64_t low;
	uint64_t high;

	/* A TSC that goes back, or nothing that was counted: no window. */
	if (window->counts < 2 || window->end_before < window->begin_after ||
	    most < least || most > UINT64_MAX / (frequency / 1000))
		return false;
	low = per_counts(least, window->counts + 1, frequency);
	/* Rounded up, also the frequency. */
	high = per_counts(most, window->counts - 1, frequency + 999) + 1;
	if (rate->windows > 0) {
		low = max(low, rate->low);
		high = min(high, rate->high);
	}
	if (low > high) {
		rate->windows = 0;
		rate->disagreed++;
		return false;
	}
	rate->low = low;
	rate->high = high;
	rate->windows++;
	return rate->windows >= AGREEING && high - low <= low / EXACT_ENOUGH;
}

uint64_t tsc_rate_khz(const struct tsc_rate *rate)
{
	return rate->windows == 0 ? 0
	                          : rate->low + (rate->high - rate->low) / 2;
}

bool tsc_rate_allows(const struct tsc_rate *rate, uint64_t khz)
{
	if (rate->windows == 0)
		return true;
	return khz >= rate->low - rate->low / STATED_WITHIN &&
	       khz <= rate->high + rate->high / STATED_WITHIN;
}

uint64_t tsc_stated_khz(const struct tsc_leaves *leaves, const char **source)
{
	uint64_t crystal_khz = leaves->crystal_hz / 1000;

	*source = "";
	if (leaves->hypervisor_khz != 0) {
		*source = "leaf 0x40000010";
		return leaves->hypervisor_khz;
	}
	if (leaves->denominator == 0 || leaves->numerator == 0)
		return 0;
	if (crystal_khz != 0) {
		*source = "leaf 0x15";
		return (uint64_t)leaves->crystal_hz * leaves->numerator /
		       leaves->denominator / 1000;
	}
	/* The ratio alone; then the TSC runs at the base frequency. */
	*source = "leaf 0x16";
	return (uint64_t)leaves->base_mhz * 1000;
}
