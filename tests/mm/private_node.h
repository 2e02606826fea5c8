/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/private_node.h -- a small node for a test, beside the real one.
 *
 * tests/mm/ has the suites of mm/ that run in the kernel and on the host alike; the
 * node below is what makes that possible.  ram_swap and space are a swap device and
 * an owner of pages that a test controls.
 *
 * Its frames are numbers only: there is no memory behind them, so a test of
 * this kind never touches the contents of a page (no __GFP_ZERO) and asks
 * zone_check() instead of node_check(), which would look for the frames in the
 * direct map.  There is one; private_node() initializes it again.
 */
#ifndef TESTS_MM_PRIVATE_NODE_H
#define TESTS_MM_PRIVATE_NODE_H

#include "mm/node.h"

/*
 * 256 struct pages, 16 KiB of .bss: the smallest that shows blocks of order 8,
 * a zone border inside one, and marks that differ.
 */
#define PRIVATE_PAGES 256UL

/*
 * The zones have PAGES[type] frames each, one behind the other from frame FIRST
 * on, together at most PRIVATE_PAGES; all are present, none is managed yet.
 * Marks and reserves are 0.
 */
struct node *private_node(unsigned long first,
                          const unsigned long pages[ZONE_COUNT]);

/* Zones at their real borders, nothing present: what node_init() makes. */
struct node *private_node_empty(unsigned long first, unsigned long count);

/* As private_node(), with all pages given to the buddies. */
struct node *private_node_full(unsigned long first,
                               const unsigned long pages[ZONE_COUNT]);

/* One zone of type NORMAL, full. */
struct zone *private_zone(unsigned long first, unsigned long pages);

/* NULL, or what zone_check() says about a zone of NODE. */
const char *private_check(struct node *node);

/* A block of the zone, USED as if taken from the front door; NULL. */
struct page *private_take(struct zone *zone, unsigned int order);
void private_give(struct zone *zone, struct page *page, unsigned int order);

#endif
