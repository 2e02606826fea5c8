/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/floor.c -- a stack of frames over a bitmap of those that are free.
 *
 *	stack	[ frame, frame, ... ]	taken from and given to its end
 *	bitmap	a word of it fills an empty stack; half of a full stack goes back
 *
 * A frame is in the stack, in the bitmap, or in use.
 */
#include "tests/bench/floor.h"

#include <stdio.h>
#include <stdlib.h>

#define FLOOR_DEPTH 256U
#define FLOOR_WORD  64U
/* Bits of a mask that a stack cannot serve. */
#define FLOOR_RARE  0xff00U

static struct {
	unsigned int depth;
	bool busy;
	struct floor_page *stack[FLOOR_DEPTH];
} at_hand;

static struct floor_page *all;
static uint64_t *free_bits;
static size_t words;

static void *floor_memory(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		fprintf(stderr, "no memory for %zu frames\n", count);
		exit(1);
	}
	return memory;
}

void floor_start(size_t frames)
{
	words = frames / FLOOR_WORD;
	all = floor_memory(frames, sizeof(*all));
	free_bits = floor_memory(words, sizeof(*free_bits));
	for (size_t i = 0; i < words; i++)
		free_bits[i] = UINT64_MAX;
	at_hand.depth = 0;
}

static __cold __noinline bool floor_refill(void)
{
	size_t word = 0;

	while (word < words && free_bits[word] == 0)
		word++;
	if (word == words)
		return false;
	for (; free_bits[word] != 0; free_bits[word] &= free_bits[word] - 1)
		at_hand.stack[at_hand.depth++] =
			&all[word * FLOOR_WORD +
		             (size_t)__builtin_ctzll(free_bits[word])];
	return true;
}

static __cold __noinline void floor_drain(void)
{
	while (at_hand.depth > FLOOR_DEPTH / 2) {
		size_t frame = (size_t)(at_hand.stack[--at_hand.depth] - all);

		free_bits[frame / FLOOR_WORD] |= 1ULL << frame % FLOOR_WORD;
	}
}

static void floor_begin(void)
{
	WRITE_ONCE(at_hand.busy, true);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void floor_end(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(at_hand.busy, false);
}

struct floor_page *floor_take(unsigned int mask, unsigned int order)
{
	struct floor_page *page = NULL;

	floor_begin();
	if (likely(((mask & FLOOR_RARE) | order) == 0) &&
	    (likely(at_hand.depth > 0) || floor_refill())) {
		page = at_hand.stack[--at_hand.depth];
		page->references = 1;
	}
	floor_end();
	return page;
}

void floor_give(struct floor_page *page, unsigned int order)
{
	if (unlikely(page->references != 1 || page->order != order))
		abort();
	page->references = 0;
	floor_begin();
	if (unlikely(at_hand.depth == FLOOR_DEPTH))
		floor_drain();
	at_hand.stack[at_hand.depth++] = page;
	floor_end();
}
