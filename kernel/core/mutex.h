/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/mutex.h -- one thread at a time, and the others sleep.
 *
 * For threads only; a handler uses a spinlock.  The holder releases, and nobody
 * else.  The order in which mutexes are taken is watched
 * (kernel/core/lock_order.h).  Waiters are not served in order, and a holder
 * does not inherit their priority.
 */
#ifndef KERNEL_CORE_MUTEX_H
#define KERNEL_CORE_MUTEX_H

#include "kernel/core/sched.h"

struct mutex {
	uint64_t holder; /* atomic: the thread's number, thread_owner_id(); 0 */
	uint64_t since;  /* the holder's: when it took it, microseconds */
	struct wait_queue queue;
	uint32_t order_class;
	const char *name;
};

#define MUTEX_INIT(mutex, text)                                                \
	{                                                                      \
		.queue = WAIT_QUEUE_INIT((mutex).queue), .name = (text)        \
	}
void mutex_init(struct mutex *mutex, const char *name);

/* Thread context; may sleep.  Taken twice by one thread: a panic. */
void mutex_lock(struct mutex *mutex);

/* True: taken.  Never waits. */
__must_check bool mutex_trylock(struct mutex *mutex);

/* By its holder, or a panic.  The next holder may free it immediately. */
void mutex_unlock(struct mutex *mutex);

/* Does the running thread hold it? */
bool mutex_is_mine(const struct mutex *mutex);

#endif
