/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/extfrag.h -- how fragmented the free memory of a zone is, for one order.
 *
 * Two figures in thousandths, as in Linux (mm/vmstat.c):
 *
 *	index		why would a block not be found?  Near 0: too little is free.
 *			Near 1000: enough is free, in pieces that are too small.
 *	unusable	how much of the free memory is useless for it: it is in
 *			smaller blocks.
 *
 * The counts are read under zone->lock; the figures are pure arithmetic.
 */
#ifndef MM_DEBUG_EXTFRAG_H
#define MM_DEBUG_EXTFRAG_H

#include "mm/zone.h"

/* The free memory of a zone as a request for one order sees it. */
struct extfrag {
	unsigned int order;
	unsigned long pages;  /* free */
	unsigned long blocks; /* free, of any order */
	unsigned long
		suitable; /* blocks of the order that they make without merging */
};

/* Takes zone->lock.  Any context but NMI.  Linux: fill_contig_page_info(). */
struct extfrag extfrag_read(struct zone *zone, unsigned int order);

/*
 * -1000: a block fits.  0: nothing is free.  Else 1000 - (1000 + 1000 * pages / 2^order)
 * / blocks, which is negative for a few large blocks (Linux: __fragmentation_index()).
 */
long extfrag_index(const struct extfrag *free);

/* 0..1000: 1000 * (pages - suitable * 2^order) / pages; 1000 if none is free (Linux:
 * unusable_free_index()). */
unsigned long extfrag_unusable(const struct extfrag *free);

#endif
