/* SPDX-License-Identifier: MIT */
#include "lib/bitmap.h"

#include "lib/bits.h"

unsigned long bitmap_find_clear(const unsigned long *map, unsigned long bits,
                                unsigned long start)
{
	unsigned long words = bits / BITS_PER_LONG;
	unsigned long word = start / BITS_PER_LONG;
	/* Bits below START in its own word wait for the second visit. */
	unsigned long clear = ~map[word] & (~0UL << (start % BITS_PER_LONG));

	for (unsigned long step = 0; step <= words; step++) {
		if (clear != 0)
			return word * BITS_PER_LONG +
			       (unsigned long)__builtin_ctzl(clear);
		word = (word + 1) % words;
		clear = ~map[word];
	}
	return bits;
}

unsigned long bitmap_weight(const unsigned long *map, unsigned long bits)
{
	unsigned long weight = 0;

	for (unsigned long word = 0; word < bits / BITS_PER_LONG; word++)
		weight += bits_weight(map[word]);
	return weight;
}
