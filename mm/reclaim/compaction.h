/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/compaction.h -- movable pages to one end of a zone, free memory to the other.
 *
 * Theory and locks: mm/reclaim/compaction.c.  Linux: mm/compaction.c.
 */
#ifndef MM_RECLAIM_COMPACTION_H
#define MM_RECLAIM_COMPACTION_H

#include "mm/node.h"
#include "mm/reclaim/recovery.h"

/* For recovery_ops.compact: rungs 3 and 7 of the slow path. */
enum compact_result compact_for_request(struct node *node,
                                        const struct alloc_request *request,
                                        enum compact_priority priority,
                                        struct page **page);

/*
 * Compact all of NODE, whatever it costs, as `compact` in the shell does (Linux:
 * /proc/sys/vm/compact_memory).  Returns the number of pages moved.  Thread context; may
 * sleep.
 */
unsigned long compact_node(struct node *node);

/*
 * The same until ENOUGH(zone) is true of each zone, or its scanners meet; a page's lock is
 * waited for, a write is not.  For kcompactd, which nobody has asked.
 */
void compact_node_until(struct node *node, bool (*enough)(struct zone *zone));

/*
 * Compact ZONE until it has a block of ORDER, as SYNC_LIGHT, though no request of the
 * caller's waits for it.  COMPACT_SUCCESS, FAILED or CONTENDED.  Thread context; may sleep.
 */
enum compact_result compact_zone_in_advance(struct zone *zone,
                                            unsigned int order);

/* Has ZONE no block of ORDER at its min mark, and is it worth compacting for one?  Takes
 * zone->lock.  Linux: compaction_suit_allocation_order(). */
bool compaction_is_needed(struct zone *zone, unsigned int order,
                          enum zone_type highest);

/*
 * Is ZONE worth compacting for a block of ORDER?  Enough pages are free to move others to:
 * low (an order above 3) or min, plus 2 << ORDER; and for such an order the zone's
 * fragmentation index says that fragments are the trouble: negative, or above 500.
 * Takes zone->lock.  Linux: compaction_suitable().
 */
bool compaction_suitable(struct zone *zone, unsigned int order,
                         enum zone_type highest);

/* Is an attempt to be skipped, because so many have failed?  Counts it.  Linux:
 * compaction_deferred(). */
bool compaction_deferred(struct zone *zone, unsigned int order);

/* An attempt has failed: skip 1, 3, 7 ... 63 of the next.  Linux: defer_compaction(). */
void defer_compaction(struct zone *zone, unsigned int order);

/* An attempt has made a block; GOT: and the request got it.  Linux:
 * compaction_defer_reset(). */
void compaction_defer_reset(struct zone *zone, unsigned int order, bool got);

/* kswapd is going to sleep: forget which pageblocks had nothing.  Linux:
 * reset_isolation_suitable(). */
void compaction_forget(struct node *node);

#endif
