/* SPDX-License-Identifier: MIT */
/*
 * mm/scope.h -- rights that a thread gives up, or takes, for a while.
 *
 * A file system that holds a lock which reclaim would need may not let reclaim
 * call it back.  Instead of passing GFP_NOFS down through every function it sets
 * a flag once, for all allocations of the thread until it clears it:
 *
 *	unsigned int scope = memalloc_nofs_save();
 *	...				GFP_KERNEL means GFP_NOFS here
 *	memalloc_nofs_restore(scope);
 *
 * save() returns the flags that it has newly set and restore() clears just
 * those, so scopes nest: an inner one that finds its flag set already leaves it
 * set.  NOIO also takes away FS: it is the stronger one.  noreclaim is Linux's
 * PF_MEMALLOC: every page, no mark, no reclaim; for code that is about to free memory.
 * A scope is one of the things that a thread holds (kernel/core/held.h).
 *
 * Thread context.  Source: Linux include/linux/sched/mm.h.
 */
#ifndef MM_SCOPE_H
#define MM_SCOPE_H

#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"

static inline unsigned int memalloc_noio_save(void)
{
	kassert(!in_interrupt());
	held_take(HELD_SCOPE, NULL, 0);
	return thread_set_flags(current_thread(), THREAD_MEMALLOC_NOIO);
}

static inline void memalloc_noio_restore(unsigned int newly_set)
{
	held_drop(HELD_SCOPE, NULL);
	thread_clear_flags(current_thread(), newly_set);
}

static inline unsigned int memalloc_nofs_save(void)
{
	kassert(!in_interrupt());
	held_take(HELD_SCOPE, NULL, 0);
	return thread_set_flags(current_thread(), THREAD_MEMALLOC_NOFS);
}

static inline void memalloc_nofs_restore(unsigned int newly_set)
{
	held_drop(HELD_SCOPE, NULL);
	thread_clear_flags(current_thread(), newly_set);
}

static inline unsigned int memalloc_noreclaim_save(void)
{
	kassert(!in_interrupt());
	held_take(HELD_SCOPE, NULL, 0);
	return thread_set_flags(current_thread(), THREAD_MEMALLOC);
}

static inline void memalloc_noreclaim_restore(unsigned int newly_set)
{
	held_drop(HELD_SCOPE, NULL);
	thread_clear_flags(current_thread(), newly_set);
}

#endif
