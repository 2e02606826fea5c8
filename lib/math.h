/* SPDX-License-Identifier: MIT */
/*
 * lib/math.h -- integer arithmetic.
 */
#ifndef LIB_MATH_H
#define LIB_MATH_H

#include "lib/types.h"

/*
 * The largest r with r * r <= x.  Bit by bit, 32 steps at most; any context.
 * Source: Warren, Hacker's Delight, 2nd ed., section 11-1.
 */
static inline unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;
	unsigned long bit = 1UL << 62;

	while (bit > x)
		bit >>= 2;
	for (; bit != 0; bit >>= 2) {
		if (x >= root + bit) {
			x -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

#endif
