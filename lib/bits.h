/* SPDX-License-Identifier: MIT */
/*
 * lib/bits.h -- counting bits.  Any context.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include "lib/types.h"

/*
 * How many bits of WORD are set.  (The compiler's builtin would need its runtime
 * library, or POPCNT, which the first x86_64 CPUs lack.)
 * Source: Warren, Hacker's Delight, 2nd ed., section 5-1.
 */
static inline unsigned int bits_weight(uint64_t word)
{
	word -= (word >> 1) & 0x5555555555555555ULL;
	word = (word & 0x3333333333333333ULL) +
	       ((word >> 2) & 0x3333333333333333ULL);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned int)((word * 0x0101010101010101ULL) >> 56);
}

#endif
