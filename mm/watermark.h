/* SPDX-License-Identifier: MIT */
/*
 * mm/watermark.h -- how much of a zone must stay free, for which request.
 *
 * Pure arithmetic; Linux's formulas (mm/page_alloc.c: 
 * calculate_min_free_kbytes(), __setup_per_zone_wmarks(),
 * setup_per_zone_lowmem_reserve(), __zone_watermark_ok(), boost_watermark()).
 */
#ifndef MM_WATERMARK_H
#define MM_WATERMARK_H

#include "mm/zone.h"

struct node;

/* Linux's defaults. */
#define WATERMARK_SCALE_FACTOR 10    /* gap in 1/10000 of managed */
#define WATERMARK_BOOST_FACTOR 15000 /* largest boost in 1/10000 of high */
#define LOWMEM_RATIO_DMA       256
#define LOWMEM_RATIO_DMA32     256
#define LOWMEM_RATIO_NORMAL    32

/* The limits of min_free_kbytes. */
#define MIN_FREE_KBYTES_MIN    128UL
#define MIN_FREE_KBYTES_MAX    262144UL

/* min_free_kbytes for LOWMEM_KB kilobytes of managed memory:
 * clamp(floor(sqrt(16 * lowmem_kb)), 128, 262144). */
unsigned long watermark_min_free_kbytes(unsigned long lowmem_kb);

/*
 * Set watermark[] and lowmem_reserve[] of every zone of NODE from its
 * managed_pages and NODE->min_free_kbytes / watermark_scale_factor /
 * lowmem_reserve_ratio; a boost ends.  At any time; takes each zone->lock.
 */
void watermark_setup(struct node *node);

/* A mark as it is now, boost included.  Linux: wmark_pages(). */
static inline unsigned long wmark_pages(const struct zone *zone,
                                        enum watermark mark)
{
	return zone->watermark[mark] + READ_ONCE(zone->watermark_boost);
}

/* Does a boost of a zone raise MARK?  Not for one page, and a request that may
 * use a part of the reserve without being an OOM victim. */
static inline bool watermark_boost_counts(unsigned int order,
                                          enum watermark mark,
                                          enum reserve_right right)
{
	return order > 0 || mark != WMARK_MIN ||
	       (right != RESERVE_HALF && right != RESERVE_ATOMIC);
}

/*
 * The largest boost of ZONE in pages: its high mark times watermark_boost_factor / 10000,
 * or one pageblock if that is more.  0 for a zone of fewer than 4 pageblocks or without
 * marks, and with a factor of 0.
 */
unsigned long watermark_boost_limit(const struct zone *zone);

/*
 * Raise all marks of ZONE by BLOCKS pageblocks, at most to watermark_boost_limit(); kswapd
 * takes the boost away (mm/reclaim/kswapd.c).  True: it was raised, or is at its limit,
 * which is not 0.  zone->lock held.
 */
bool watermark_boost(struct zone *zone, unsigned int blocks);

/*
 * Change NODE's watermark_boost_factor and return the one before.  A boost above the new
 * limit is cut: 0 ends all boosts.  Thread context; takes each zone->lock.
 */
unsigned long watermark_set_boost_factor(struct node *node,
                                         unsigned long factor);

/*
 * Pages below which a request with RIGHT may not push a zone whose MIN mark is
 * MIN: all of it, half, 3/8, or 0 (integer arithmetic, as in Linux).
 */
static inline unsigned long watermark_floor(unsigned long min,
                                            enum reserve_right right)
{
	unsigned long half = min - min / 2;

	if (right <= RESERVE_NOWAIT)
		return min;
	if (right == RESERVE_ALL)
		return 0;
	return right == RESERVE_ATOMIC ? half - half / 4 : half;
}

/*
 * May a request of 2^ORDER pages whose highest zone is HIGHEST take them from
 * ZONE, leaving more than MARK pages (less RIGHT) and its lowmem reserve?
 * Pass iff free - (2^order - 1) > floor + reserve, and a block exists that it may take;
 * for RESERVE_NONE less the free pages of HIGHATOMIC blocks.
 * RESERVE_ALL needs the block only.  Linux: zone_watermark_ok().  The result lasts only
 * while zone->lock is held.
 */
bool watermark_ok(const struct zone *zone, unsigned int order,
                  unsigned long mark, enum zone_type highest,
                  enum reserve_right right);

/* The same for a request that may use CMA pages, or not (watermark_ok()): then they do not
 * count.  Linux: ALLOC_CMA. */
bool watermark_ok_cma(const struct zone *zone, unsigned int order,
                      unsigned long mark, enum zone_type highest,
                      enum reserve_right right, bool cma);

/* A free block of 2^ORDER pages or more in ZONE that RIGHT, and CMA, may take? */
bool watermark_has_block(const struct zone *zone, unsigned int order,
                         enum reserve_right right, bool cma);

/* Pages that a request with RIGHT must leave free in ZONE; CMA: those of CMA pageblocks
 * are for it, too. */
static inline unsigned long
watermark_to_leave(const struct zone *zone, unsigned long mark,
                   enum zone_type highest, enum reserve_right right, bool cma)
{
	kassert(highest < ZONE_COUNT && right <= RESERVE_ALL);
	if (right == RESERVE_ALL)
		return 0;
	return watermark_floor(mark, right) + zone->lowmem_reserve[highest] +
	       (right == RESERVE_NONE ? READ_ONCE(zone->nr_free_highatomic)
	                              : 0) +
	       (cma ? 0 : READ_ONCE(zone->nr_free_cma));
}

/* watermark_ok_cma() if FREE pages of ZONE were free, and LEAVE of them must stay:
 * watermark_to_leave().  Any page makes a block of order 0; for a higher order a block must
 * exist now, as in Linux. */
static inline bool watermark_would_pass(const struct zone *zone,
                                        unsigned int order, unsigned long free,
                                        unsigned long leave,
                                        enum reserve_right right, bool cma)
{
	kassert(order <= MAX_ORDER);
	return free > leave + (1UL << order) - 1 &&
	       (order == 0 || watermark_has_block(zone, order, right, cma));
}

/*
 * How many order-0 requests would pass now, one after the other:
 * max(0, free - floor - reserve), at most those that RIGHT may take.
 */
unsigned long watermark_headroom(const struct zone *zone, unsigned long mark,
                                 enum zone_type highest,
                                 enum reserve_right right);

#endif
