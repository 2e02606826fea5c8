/* SPDX-License-Identifier: MIT */
/*
 * tests/sequence.h -- calls of the allocator, written as bytes.
 *
 * A sequence is what a fuzzer finds, what a search prints, and what the kernel replays
 * (kernel/selftest/replay.c): the same bytes make the same calls on the host and in
 * the kernel, on a private node that is rebuilt for each sequence.
 *
 *	byte 0	the node: 1 .. 64, one zone NORMAL of so many frames and no
 *		marks; anything else, three zones with marks and reserves
 *	then	steps of two bytes, OPERATION + 8 * x and y:
 *
 *	0	allocate with mask number x, order y % 12
 *	1	the same with interrupts off
 *	2	give the block number y % count that is held, as it must be
 *	3	free frame number y by order x % 12, legal or not
 *	4	allocate single pages with mask number x until none comes
 *	5	give everything back
 *	6	free a struct page that is none (y: which), by order x
 *	7	nothing
 *
 * After each step the node is compared with a model that is an array, and
 * zone_check() must hold; at the end everything is given back and the node must
 * be as it began.  There is no memory behind a private node's frames, so no
 * page is zeroed or exclusive.  All bytes are welcome; an odd one at the end is
 * ignored.
 */
#ifndef TESTS_SEQUENCE_H
#define TESTS_SEQUENCE_H

#include "lib/types.h"

#define SEQUENCE_STEP      2

/* Longer sequences are cut: a fuzzer's input, not a limit of the allocator. */
#define SEQUENCE_MAX_STEPS 4096

struct sequence_result {
	unsigned int steps; /* done, the one that failed included */
	const char *wrong;  /* NULL, or a sentence, kept until the next run */
};

/*
 * Run the SIZE bytes at DATA.  TELL (or NULL) hears of each step before its
 * call is made, in words, and what came of it.  Thread context, one at a time.
 */
void sequence_run(const uint8_t *data, size_t size,
                  void (*tell)(unsigned int step, const char *text),
                  struct sequence_result *result);

/* RESULT in words: "137 steps hold" or "step 12: why it is wrong". */
void sequence_verdict(const struct sequence_result *result, char *buffer,
                      size_t size);

/* Write a step: a block of ORDER with GFP_KERNEL, a free of frame FRAME. */
void sequence_alloc(uint8_t step[SEQUENCE_STEP], unsigned int order);
void sequence_free(uint8_t step[SEQUENCE_STEP], unsigned int frame,
                   unsigned int order);

#endif
