/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/lru_state.h -- the data of reclaim: a part of each zone, and one of the
 * node.  Its functions: mm/reclaim/lru.h, reclaim.h, kswapd.h.
 */
#ifndef MM_RECLAIM_LRU_STATE_H
#define MM_RECLAIM_LRU_STATE_H

#include "kernel/core/lock.h"
#include "kernel/core/sched.h"
#include "lib/list.h"
#include "mm/gfp.h"
#include "mm/reclaim/kcompactd_state.h"

/* Linux's names and order: active is inactive + 1, file is anon + 2. */
enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	LRU_COUNT,
};

/* Where the contents of a page are when it is not in memory. */
enum lru_kind {
	LRU_ANON, /* on swap */
	LRU_FILE, /* in a file */
	LRU_KINDS,
};

static inline enum lru_kind lru_kind_of(enum lru_list list)
{
	return list < LRU_INACTIVE_FILE ? LRU_ANON : LRU_FILE;
}

static inline bool lru_is_active(enum lru_list list)
{
	return list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE;
}

/* Sums over a zone's pages, in addition to the lists. */
enum lru_sum {
	LRU_DIRTY = LRU_COUNT, /* pages with PG_dirty */
	LRU_FILE_DIRTY,        /* and no PG_swapbacked */
	LRU_WRITEBACK,         /* with PG_writeback */
	LRU_SUMS,
};

/* A count of all pages of a zone that is under way, as mm/zone.h#audit: lists by
 * enum lru_list, then enum lru_sum. */
struct page;
struct lru_audit {
	struct lru_audit *next;
	const struct page *end; /* pages before it are counted */
	unsigned long sum[LRU_SUMS];
};

/* The newest page is at the front, the next to go at the back. */
struct lru {
	struct spinlock lock;              /* a leaf */
	struct list pages[LRU_COUNT];      /* (lock) by page->link */
	unsigned long count[LRU_COUNT];    /* (lock) */
	unsigned long isolated[LRU_KINDS]; /* (lock) in reclaim's hands */
	unsigned long dirty;               /* (lock) pages with PG_dirty */
	unsigned long file_dirty;          /* (lock) and no PG_swapbacked */
	unsigned long writeback;           /* (lock) with PG_writeback */
	unsigned long changes;             /* (lock) of the lists, ever */
	struct lru_audit *audits;          /* (lock) usually none */
};

/* kswapd_highest if no request has woken it. */
#define KSWAPD_NO_ZONE      ZONE_COUNT

/* After so many runs without a page reclaimed the node is hopeless, and left to
 * direct reclaim. */
#define MAX_RECLAIM_RETRIES 16

struct reclaim_state {
	struct spinlock lock;          /* shrinkers; a leaf */
	struct list shrinkers;         /* (lock) by shrinker->link */
	struct wait_queue unregister;  /* a shrinker is not in use any more */
	unsigned long cost[LRU_KINDS]; /* atomic: of reclaiming each kind */

	/* Free slots in swap areas; NULL: there is no swap. */
	unsigned long (*free_swap)(void);

	struct wait_queue kswapd_wait; /* kswapd sleeps here */
	bool kswapd_sleeps;            /* atomic */
	bool kswapd_called;            /* atomic: a wake-up for it */
	unsigned int kswapd_order;     /* atomic: the largest asked for */
	enum zone_type kswapd_highest; /* atomic: the highest asked for */
	unsigned int kswapd_failures;  /* atomic: runs without progress */
	struct kcompactd_state kcompactd;
	struct wait_queue
		pfmemalloc_wait; /* direct reclaim that is throttled */

	bool writeback_flood;  /* kswapd meets nothing but PG_writeback */
	unsigned long written; /* atomic: writes that reclaim wanted, done */
	struct wait_queue writeback_wait; /* until some of them are */
	struct wait_queue isolated_wait;  /* until fewer pages are isolated */
	unsigned long in_hand; /* atomic: references that reclaim has */
};

#endif
