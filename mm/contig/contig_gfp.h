/* SPDX-License-Identifier: MIT */
/* mm/contig/contig_gfp.h -- what a mask means to alloc_contig_range(). */
#ifndef MM_CONTIG_CONTIG_GFP_H
#define MM_CONTIG_CONTIG_GFP_H

#include "mm/gfp.h"

struct contig_gfp {
	gfp_t mask;    /* the caller's, for reports */
	gfp_t targets; /* for the pages that others move to */
	bool may_fs;
	bool compound;
	bool zero;
};

/*
 * Read MASK, as the scopes of the running thread leave it.  False: it has a flag beyond IO,
 * FS, RECLAIM, COMP, RETRY_MAYFAIL, NOWARN and ZERO.  Zone, mobility and place (HARDWALL,
 * THISNODE, WRITE) are ignored: the range says where.  Linux: __alloc_contig_verify_gfp_mask().
 */
__must_check bool contig_gfp_read(gfp_t mask, struct contig_gfp *read);

#endif
