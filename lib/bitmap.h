/* SPDX-License-Identifier: MIT */
/*
 * lib/bitmap.h -- arrays of bits.  Not atomic: the caller holds the lock.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

#define BITS_PER_LONG      64UL
#define BITMAP_LONGS(bits) (((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool bitmap_test(const unsigned long *map, unsigned long bit)
{
	return (map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG)) & 1;
}

static inline void bitmap_set(unsigned long *map, unsigned long bit)
{
	map[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
}

static inline void bitmap_clear(unsigned long *map, unsigned long bit)
{
	map[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
}

/*
 * The first clear bit at or after START, wrapping around at the end; BITS if all
 * are set.  BITS is a multiple of 64, START below BITS.  Reads each word at
 * most twice: at most 2 * BITS / 64 steps.
 */
unsigned long bitmap_find_clear(const unsigned long *map, unsigned long bits,
                                unsigned long start);

/* How many of the first BITS bits are set.  BITS is a multiple of 64. */
unsigned long bitmap_weight(const unsigned long *map, unsigned long bits);

#endif
