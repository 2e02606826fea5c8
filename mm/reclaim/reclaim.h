/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/ -- memory that is in use becomes free again.
 *
 *	reclaim.h		the interface to the slow path: this file
 *	lru.h			used pages in the order of their last use
 *	reclaim.c		direct reclaim: which zones, lists and how many pages
 *	reclaim_page.c		the fate of one page: kept, activated, written, freed
 *	kswapd.h		the thread that reclaims before anybody has to wait
 *	shrinker.h		objects that are not on the lru
 *	page_lock.h		PG_locked, PG_dirty, PG_writeback
 *	page_writeback.h	limits for dirty memory; writers are throttled
 *	flusher.h		the thread that writes dirty pages of files
 *	oom.h			the last resort: a thread is killed for its memory
 *
 * The data is a part of the zones and the node: mm/reclaim/lru_state.h,
 * mm/reclaim/writeback_state.h.  Reclaim knows owners of pages by their address_space
 * (mm/reclaim/address_space.h), never mm/swap/ or mm/user/.  Above: mm/slow_path.c calls
 * through struct recovery_ops (mm/reclaim/recovery.h), which kernel/services.c fills in.
 *
 * Linux: mm/vmscan.c, mm/swap.c, mm/shrinker.c, mm/page-writeback.c, mm/oom_kill.c.
 */
#ifndef MM_RECLAIM_RECLAIM_H
#define MM_RECLAIM_RECLAIM_H

#include "mm/node.h"

/* Pages that direct reclaim is after, and pages looked at in one go. */
#define SWAP_CLUSTER_MAX 32UL

/* The first round looks at 1/2^12 of each list; priority 0 at all of it. */
#define DEF_PRIORITY     12

/* Direct reclaim: reclaim SWAP_CLUSTER_MAX pages from the zones that REQUEST may use,
 * as it allows (may_io, may_fs).  If all that could be reclaimed is on its way to the
 * disk, wait for some of it, at most a tenth of a second.  Returns how many pages were
 * freed: 0 if nothing can be reclaimed.  The caller has THREAD_MEMALLOC set
 * (memalloc_noreclaim_save()), for which the front door does not reclaim.  Thread
 * context, not inside reclaim; may sleep.  A member of struct recovery_ops. */
unsigned long reclaim_try_to_free_pages(struct node *node,
                                        const struct alloc_request *request);

/* Pages of ZONE that reclaim could still find: those of files, and anonymous
 * ones if there is swap; if there are none, as Linux 6.12, the free pages.  A
 * member of struct recovery_ops. */
unsigned long zone_reclaimable_pages(struct node *node, struct zone *zone);

/* Wait while the free pages of DMA .. NORMAL are at most half of their min
 * marks: the rest is for threads that free memory.  Not for threads that others
 * wait for (THREAD_MEMALLOC, THREAD_SERVICE) or that end (THREAD_KILLED); at
 * most a second without may_fs; not if kswapd has given up.  Thread context.  A
 * member of struct recovery_ops. */
void throttle_direct_reclaim(struct node *node,
                             const struct alloc_request *request);

/* Said by a file system where reclaim may call it, and by the block layer where a
 * request begins: counts reclaim_fs and reclaim_io if the running thread reclaims
 * (for I/O: if it is not kswapd), and reclaim_fs_nofs and reclaim_io_noio if it
 * does so for a request that does not allow it.  Any context but NMI. */
void reclaim_enters_fs(struct node *node);
void reclaim_begins_io(struct node *node);

/* FREE says how many free slots the swap areas have; NULL: there is no swap, and
 * anonymous pages stay. */
void reclaim_set_swap(struct node *node, unsigned long (*free)(void));

#endif
