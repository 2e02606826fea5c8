/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/oom.h -- who is killed when there is no memory left.
 *
 * Candidates are the threads that own anonymous memory: thread->mm->rss pages, and
 * thread->mm->swapents more on swap.  Threads without any, and those whose
 * oom_score_adj is -1000, are never chosen.
 */
#ifndef MM_RECLAIM_OOM_H
#define MM_RECLAIM_OOM_H

#include "kernel/core/sched.h"
#include "mm/node.h"

/* The reaper begins so long after the kill, and tries so often. */
#define OOM_REAPER_DELAY 2000000ULL /* microseconds */
#define OOM_REAPER_PAUSE 100000ULL  /* microseconds */
#define OOM_REAPER_TRIES 10

/* The owner of the threads registers how to visit all that are alive.  EACH does
 * not wait; while it runs, its thread's place in memory is not given to another. */
void oom_register_threads(void (*visit)(void (*each)(struct thread *thread,
                                                     void *data),
                                        void *data));

/* A mechanism that holds memory for threads can free it without them.  reap() frees
 * what it has of the thread with that number, which is to end and may not use it any
 * more; false: not all could be freed now.  It runs in the reaper's thread, may wait
 * for a short time, and must not allocate.  The link begins as LIST_INIT(). */
struct oom_reaper {
	bool (*reap)(uint64_t owner);
	struct list link;
};
void oom_register_reaper(struct oom_reaper *reaper);

/* How many pages swap has; without, none. */
void oom_register_swap(unsigned long (*pages)(void));

/* How much would be won by killing THREAD, of TOTAL pages of memory and swap:
 * rss + swapents + page-table pages + oom_score_adj * (TOTAL / 1000).
 * OOM_NEVER: it is not a candidate.  Source: Linux mm/oom_kill.c, oom_badness(). */
#define OOM_NEVER INT64_MIN
int64_t oom_badness(const struct thread *thread, unsigned long total);

/* The node's recovery.oom: REQUEST found no page anywhere.  True: memory is on
 * its way, or somebody else must bring it (a request without FS kills nobody).
 * While a victim is alive and has memory, nobody else is killed.  Without any
 * candidate and without pages on the lists of CPUs this is a panic.  Thread context;
 * one call at a time. */
bool out_of_memory(struct node *node, const struct alloc_request *request);

/* The reaper's thread; never returns. */
void oom_reaper_run(void *unused);

/* One piece of its work: take the memory of a victim, if there is one, and wait
 * as is due.  True: there was one.  Thread context. */
bool oom_reap_one(void);

/* THREAD begins a new life: it has given up everything, or what ^C has ended.
 * Thread context. */
void oom_pardon(struct thread *thread);

#endif
