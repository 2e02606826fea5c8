/* SPDX-License-Identifier: MIT */
/*
 * mm/task.h -- what memory management knows of a thread.
 *
 * Each thread has one, thread->mm, for as long as it exists: the code that
 * creates the thread provides the storage, zeroed but for oom_score_adj, which is
 * inherited from the creator.  kernel/core knows the pointer and no field.
 *
 * Field locks: (t) only its own thread writes it.
 */
#ifndef MM_TASK_H
#define MM_TASK_H

#include "lib/types.h"

/* The smallest oom_score_adj: never chosen; the largest: chosen first. */
#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000

struct mm_task {
	unsigned long rss;        /* atomic: pages of its anonymous memory */
	unsigned long swapents;   /* atomic: its slots on swap */
	unsigned long reclaimed;  /* (t) pages that its shrinkers freed */
	uint64_t oom_since;       /* when it became a victim, microseconds */
	unsigned int fail_nth;    /* (t) requests until one fails; 0: none */
	unsigned int fail_failed; /* (t) requests that failed by fail_nth */
	struct capture *capture;  /* (t) the block that it compacts for */
	short oom_score_adj;
	bool make_it_fail; /* (t) fail_page_alloc with task_filter applies */
	bool fail_forever; /* (t) all requests after the fail_nth-th fail */
};

#endif
