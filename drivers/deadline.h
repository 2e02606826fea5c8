/* SPDX-License-Identifier: MIT */
/*
 * drivers/deadline.h -- a time limit for polling a port.
 *
 * A wait ends when both the clock and a number of port reads say so, or when
 * four times that number of reads is used up.  So neither a TSC that runs too
 * fast can end it early, nor one that stands still make it last.  A read of an
 * ISA port takes about a microsecond, in an emulator less.
 *
 *	struct deadline deadline = deadline_in(1000);
 *
 *	while (busy()) {
 *		if (deadline_passed(&deadline))
 *			return -ETIMEDOUT;
 *		arch_relax();
 *	}
 */
#ifndef DRIVERS_DEADLINE_H
#define DRIVERS_DEADLINE_H

#include "kernel/core/clock.h"

struct deadline {
	uint64_t begin;
	uint64_t micros;
	uint64_t polls;
};

static inline struct deadline deadline_in(uint64_t micros)
{
	return (struct deadline){ clock_microseconds(), micros, 0 };
}

/* Call it once for each look at the port. */
static inline bool deadline_passed(struct deadline *deadline)
{
	deadline->polls++;
	if (deadline->polls > 4 * deadline->micros)
		return true;
	return deadline->polls > deadline->micros / 16 &&
	       clock_microseconds() - deadline->begin > deadline->micros;
}

#endif
