/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/floor.h -- the least that an allocator of single pages can do.
 *
 * A yardstick, and no allocator to use: frames of order 0 in one stack for one CPU, with
 * the checks that nobody can leave out (is the mask a plain one; was the page in use
 * exactly once), and nothing else: no types, no lists, no statistics, no owner.  They are
 * the reason why mm/ takes longer.
 *
 * Not safe against interrupts or a second thread; it does what would make it safe, a
 * busy mark around each step.
 */
#ifndef TESTS_BENCH_FLOOR_H
#define TESTS_BENCH_FLOOR_H

#include "lib/types.h"

struct floor_page {
	uint32_t references; /* 0: free */
	uint16_t flags;
	uint8_t order;
	uint8_t zone;
};

/* FRAMES frames, a multiple of 64, all free. */
void floor_start(size_t frames);

/* A page, or NULL: none is left, or MASK has bits that need more than a stack. */
struct floor_page *floor_take(unsigned int mask, unsigned int order);

/* Ends the program if the page is not in use once. */
void floor_give(struct floor_page *page, unsigned int order);

#endif
