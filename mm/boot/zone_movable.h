/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/zone_movable.h -- where ZONE_MOVABLE begins: kernelcore= and movablecore=.
 *
 * Boot only; pure arithmetic.
 */
#ifndef MM_ZONE_MOVABLE_H
#define MM_ZONE_MOVABLE_H

#include "lib/types.h"

/* ZONE_MOVABLE begins at a multiple of the largest block. */
#define MOVABLE_ALIGN 1024UL

/* An amount of memory: PAGES, or PER_CENT of all if that is not 0. */
struct movable_amount {
	unsigned long pages;
	unsigned int per_cent;
};

/*
 * "1G", "4096k", "25%".  0, or -EINVAL (malformed), -ERANGE (above 100 per cent or
 * 2^64-1 bytes), -ENODEV ("mirror": no memory map that this kernel reads says what is
 * mirrored); then *AMOUNT is unchanged.
 */
__must_check int movable_amount_parse(const char *text,
                                      struct movable_amount *amount);

/* The memory of the machine. */
struct movable_memory {
	/* The first range of RAM of NODE that ends above frame FROM, cut at FROM; false: there
	 * is none. */
	bool (*next)(const void *data, unsigned int node, unsigned long from,
	             unsigned long *start, unsigned long *end);
	const void *data;
	unsigned int nodes; /* 1 or more; each has memory */
};

/*
 * Where ZONE_MOVABLE of each node of MEMORY begins, into START; 0: it has none.  CORE is
 * what the kernel keeps at least, MOVABLE what the zone is to have; zeroed: not said.
 * Linux: find_zone_movable_pfns_for_nodes().
 */
void zone_movable_find(const struct movable_memory *memory,
                       const struct movable_amount *core,
                       const struct movable_amount *movable,
                       unsigned long *start);

#endif
