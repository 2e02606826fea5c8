/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/shrinker.h -- memory that is not on the lru and can be freed.
 *
 * A mechanism that keeps objects for speed alone (a cache, a pool) registers a
 * shrinker.  Under pressure reclaim calls it: count the objects, then scan N of
 * them.  Names and arithmetic are Linux's (mm/reclaim/shrinker.c).
 */
#ifndef MM_RECLAIM_SHRINKER_H
#define MM_RECLAIM_SHRINKER_H

#include "mm/node.h"

/* count_objects: nothing to look at.  The same as 0, in words. */
#define SHRINK_EMPTY  (~0UL - 1)
/* scan_objects: not now (a lock is taken, or MASK does not allow it). */
#define SHRINK_STOP   (~0UL)

/* The cost of making an object again, in disk seeks; Linux's default. */
#define DEFAULT_SEEKS 2
#define SHRINK_BATCH  128L

struct shrinker {
	const char *name;

	/*
	 * Both are called in a thread that reclaims, with no lock held, with
	 * the mask of the request: gfp_may_fs() and gfp_may_io() say what it
	 * allows.  A shrinker that needs more returns SHRINK_STOP.
	 */

	/* How many objects could be freed?  An estimate; cheap. */
	unsigned long (*count_objects)(struct shrinker *shrinker, gfp_t mask);

	/*
	 * Look at NR objects and free those that are not in use.  Returns how
	 * many were freed, or SHRINK_STOP.  Pages that became free are
	 * reported by mm_account_reclaimed_pages().
	 */
	unsigned long (*scan_objects)(struct shrinker *shrinker, gfp_t mask,
	                              unsigned long nr);

	int seeks;  /* 0: objects cost nothing, half of them are asked for */
	long batch; /* objects at a time; 0: SHRINK_BATCH */

	/* The rest is mm/reclaim/shrinker.c's. */
	unsigned long nr_deferred; /* atomic: asked for, and not looked at */
	unsigned int users;        /* (reclaim.lock) calls that go on */
	struct list link;          /* (reclaim.lock) */
};

/* Of the main node.  Thread context; unregister_shrinker() waits until nobody
 * is in the shrinker's functions. */
void register_shrinker(struct shrinker *shrinker);
void unregister_shrinker(struct shrinker *shrinker);

/* From scan_objects: PAGES pages are free now; they count as reclaimed. */
void mm_account_reclaimed_pages(unsigned long pages);

/*
 * Ask each shrinker of NODE for its share at PRIORITY (12: 1/4096 of its
 * objects ... 0: all).  Returns the objects freed.  Thread context.
 */
unsigned long shrink_slab(struct node *node, gfp_t mask, int priority);

#endif
