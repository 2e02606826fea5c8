/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_pool.h -- the data of the pool of parked frames (a part of
 * struct node), and what the reports of others read in it.  Its functions:
 * mm/exclusive/exclusive.h.
 */
#ifndef MM_EXCLUSIVE_EXCLUSIVE_POOL_H
#define MM_EXCLUSIVE_EXCLUSIVE_POOL_H

#include "kernel/arch/arch.h"
#include "kernel/arch/window.h"
#include "kernel/core/lock.h"
#include "lib/list.h"
#include "lib/types.h"
#include "mm/page.h"

struct zone;

/*
 * Tables for splitting: at most 512, which covers 1 GiB of frames region by
 * region; beyond that a refill that would have to split region 513 finds no
 * frame.  Sixteen more regions may have been split at boot.
 */
#define EXCLUSIVE_MAX_TABLES  512
#define EXCLUSIVE_MAX_REGIONS (EXCLUSIVE_MAX_TABLES + 16)

/*
 * Zones of so many pages park whole pageblocks, while fewer frames than the second are
 * parked: mm/exclusive/exclusive_block.c.
 */
#define EXCLUSIVE_BLOCK_ZONE  51200UL
#define EXCLUSIVE_BLOCK_LOW   256UL

/*
 * Windows in use are numbered below 512 * groups.  Not all of these are for owners: 0 is
 * none, and a few scrub frames.
 */
#define WINDOWS_KEPT          8U

/*
 * The parked frames that a CPU has at hand.  Only this CPU writes it, with interrupts off;
 * others may read it, and know that it moves.  The size is the promise: so many frames of
 * each other CPU may be out of reach (exclusive_stack.c).
 */
#define EXCLUSIVE_STACK       8U
struct exclusive_stack {
	unsigned int count;
	unsigned long changes;               /* ever */
	struct page *frame[EXCLUSIVE_STACK]; /* the last one is taken next */
	char apart[64]; /* no two CPUs' are in one line of the cache */
};

/*
 * Field locks: (p) pool->lock, (r) the refiller alone, (c) constant after
 * exclusive_pool_init().
 */
struct exclusive_pool {
	struct exclusive_stack stack[MAX_CPUS];
	unsigned int cpus; /* those that have one; constant after boot */

	struct spinlock lock; /* a leaf: nothing is taken under it */
	struct list parked;   /* (p) of struct page: single frames */
	struct list whole;   /* (p) those of pageblocks that are hidden whole */
	unsigned long count; /* (p) on both lists: exclusive_pool_parked() */
	unsigned long in_whole; /* (p) on the second one */
	unsigned long blocks;   /* (p) pageblocks that are hidden whole */
	unsigned long full;     /* (p) those with all frames parked */
	unsigned long low;      /* (c) below it the refiller is woken */
	unsigned long high;     /* (c) the refiller fills up to here */
	unsigned long top;      /* (c) above it single frames go back */
	bool wake_pending;      /* (p) a wake-up is on its way */
	bool starved;           /* (p) the last refill found no frame */
	void (*wake)(void);     /* (c) wakes the refiller; or NULL */

	unsigned long changes;    /* (p) of lists, owners and windows, ever */
	unsigned long handover;   /* (p) HANDOVER pages, but orphans */
	unsigned long orphans;    /* (p) pages of the dead, being scrubbed */
	struct list owners;       /* (p) alive, by owner->all */
	unsigned int owner_count; /* (p) of them */
	unsigned int groups;      /* (p) of windows in use, a power of 2 */
	/* (p) From window number to owner, by group; NULL: not in use. */
	struct owner **by_window[WINDOW_GROUPS];
	struct owner *first_windows[WINDOW_GROUP]; /* (p) of group 0 */
	unsigned int group_pages; /* (p) pages that the other groups took */

	struct spinlock scrub_lock; /* guards the scrub window */
	struct window scrub;        /* where frames of the dead are zeroed */
	bool busy;                  /* (p) a thread refills or shrinks */

	/*
	 * Tables set aside for splitting the direct map, linked through their
	 * first word, and the regions that are split: those that were split at
	 * boot first, then ours, newest last.
	 */
	void **tables;                          /* (r) */
	unsigned long tables_left;              /* (r) */
	unsigned long tables_total;             /* (c) */
	unsigned int boot_regions;              /* (c) */
	unsigned int regions;                   /* (r) in region[] */
	uint32_t region[EXCLUSIVE_MAX_REGIONS]; /* (r) pfn / REGION_FRAMES */
};

/* Frames on the stacks of all CPUs.  Exact while these do not move. */
static inline unsigned long
exclusive_pool_stacked(const struct exclusive_pool *pool)
{
	unsigned long stacked = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		stacked += READ_ONCE(pool->stack[cpu].count);
	return stacked;
}

/* All parked frames: those on the lists, and those on the stacks. */
static inline unsigned long
exclusive_pool_parked(const struct exclusive_pool *pool)
{
	return READ_ONCE(pool->count) + exclusive_pool_stacked(pool);
}

/* The columns of ZONE: PARKED; OWNED and HANDOVER.  Exact while no stack moves.  Any
 * context. */
unsigned long exclusive_zone_parked(const struct zone *zone);
unsigned long exclusive_zone_owned(const struct zone *zone);

#endif
