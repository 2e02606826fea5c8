/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/kcompactd.h -- the thread that compacts before it is urgent.
 */
#ifndef MM_RECLAIM_KCOMPACTD_H
#define MM_RECLAIM_KCOMPACTD_H

#include "mm/node.h"

/*
 * Somebody wants a block of 2^ORDER pages in zones up to HIGHEST of NODE and cannot
 * compact for it.  kcompactd is woken if some zone is worth compacting for it; ORDER 0
 * is nothing to compact for.  Any context but NMI.  Linux: wakeup_kcompactd().
 */
void wakeup_kcompactd(struct node *node, unsigned int order,
                      enum zone_type highest);

/* The function of the thread "kcompactd0"; NODE is a struct node.  It never returns. */
void kcompactd_run(void *node);

/* Set how readily free memory is compacted that nobody has asked for: 0 (never) to 100.
 * Except for 0, kcompactd looks at it immediately.  Thread context. */
void kcompactd_set_proactiveness(struct node *node, unsigned long value);

/* ---- For tests ----------------------------------------------------------- */

/* State of kcompactd from one step to the next. */
struct kcompactd {
	uint64_t pause; /* until it looks by itself, microseconds */
};

#define KCOMPACTD_PAUSE 500000ULL /* microseconds */

/* Sleep until there is work or PAUSE is over, then do it once: kcompactd_run() is nothing
 * but this again and again. */
void kcompactd_step(struct node *node, struct kcompactd *kcompactd);

/* How fragmented NODE is, 0 to 100: the per cent of free memory in blocks smaller than a
 * pageblock, of each zone in proportion to its size.  Takes zone->lock.  Linux:
 * fragmentation_score_node(). */
unsigned int fragmentation_score_node(struct node *node);

/* The score above which NODE is compacted, or (LOW) down to which.  Linux:
 * fragmentation_score_wmark(). */
unsigned int fragmentation_score_wmark(const struct node *node, bool low);

#endif
