/* SPDX-License-Identifier: MIT */
/*
 * tests/host/pile.h -- pages that a test has taken and must give back.
 *
 * Inline, for host suites; a pile holds as many pages as the largest machine
 * of the suites has.
 */
#ifndef TESTS_HOST_PILE_H
#define TESTS_HOST_PILE_H

#include "tests/host/libmm.h"

#define PILE_PAGES 65536UL

struct pile {
	struct node *node;
	unsigned long count;
	struct page *page[PILE_PAGES];
};

/* Allocate single pages with MASK until NULL, at most LIMIT; how many came. */
static inline unsigned long pile_drain(struct pile *pile, gfp_t mask,
                                       unsigned long limit)
{
	unsigned long got = 0;

	while (got < limit && pile->count < PILE_PAGES) {
		struct page *page = alloc_pages_node(pile->node, mask, 0);

		if (page == NULL)
			break;
		pile->page[pile->count++] = page;
		got++;
	}
	return got;
}

/* Give COUNT pages back, those taken last first. */
static inline void pile_give(struct pile *pile, unsigned long count)
{
	while (count-- > 0 && pile->count > 0)
		free_pages_node(pile->node, pile->page[--pile->count], 0,
		                RETURN_ADDRESS());
}

/* Give all back of which the test has not given some itself (NULL). */
static inline void pile_clear(struct pile *pile)
{
	for (unsigned long i = 0; i < pile->count; i++) {
		if (pile->page[i] != NULL)
			free_pages_node(pile->node, pile->page[i], 0,
			                RETURN_ADDRESS());
	}
	pile->count = 0;
}

/* Leave FREE pages free in the whole node, and the counters at 0. */
static inline void pile_leave(struct pile *pile, unsigned long free)
{
	unsigned long now = node_free(pile->node);

	if (now > free)
		pile_drain(pile, __GFP_MEMALLOC | __GFP_HIGHMEM | __GFP_MOVABLE,
		           now - free);
	else
		pile_give(pile, free - now);
	vmstat_clear(&pile->node->stat);
}

#endif
