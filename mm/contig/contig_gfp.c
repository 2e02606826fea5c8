/* SPDX-License-Identifier: MIT */
/* mm/contig/contig_gfp.c -- what a mask means to alloc_contig_range(). */
#include "mm/contig/contig_gfp.h"

#include "kernel/core/panic.h"

/* Effort: what emptying the range may do. */
#define CONTIG_GFP_EFFORT (__GFP_IO | __GFP_FS | __GFP_RECLAIM)

/* The state in which the pages are wanted. */
#define CONTIG_GFP_ACTION                                                      \
	(__GFP_COMP | __GFP_RETRY_MAYFAIL | __GFP_NOWARN | __GFP_ZERO)

/* The range says it already. */
#define CONTIG_GFP_IGNORED                                                     \
	(__GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE |             \
	 __GFP_RECLAIMABLE | __GFP_WRITE | __GFP_HARDWALL | __GFP_THISNODE)

bool contig_gfp_read(gfp_t mask, struct contig_gfp *read)
{
	const struct alloc_context context = gfp_context();
	gfp_t wanted =
		gfp_in_scope(mask, &context) & ~(gfp_t)CONTIG_GFP_IGNORED;

	*read = (struct contig_gfp){
		.mask = mask,
		.targets = (wanted & (CONTIG_GFP_EFFORT | __GFP_NOWARN)) |
		           __GFP_HARDWALL | __GFP_MOVABLE | __GFP_RETRY_MAYFAIL,
		.may_fs = (wanted & __GFP_FS) != 0,
		.compound = (wanted & __GFP_COMP) != 0,
		.zero = (wanted & __GFP_ZERO) != 0,
	};
	kassert(gfp_migratetype(read->targets) == MIGRATE_MOVABLE);
	return (wanted & ~(gfp_t)(CONTIG_GFP_EFFORT | CONTIG_GFP_ACTION)) == 0;
}
