/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/work.h -- what an interrupt leaves for a thread to do.
 *
 * A piece of work is queued in any context (but an NMI) and done later, in the
 * order of queueing, by one thread, which may sleep in it.
 */
#ifndef KERNEL_CORE_WORK_H
#define KERNEL_CORE_WORK_H

#include "lib/list.h"
#include "lib/types.h"

struct work {
	struct list link;
	void (*function)(struct work *work);
	bool pending; /* queued, and not begun */
};

void work_init(struct work *work, void (*function)(struct work *work));

/* False: it is queued already, and will be done once.  While it is done it can
 * be queued again. */
bool queue_work(struct work *work);

/* Wait until everything that was queued before is done.  Thread context; not
 * from work. */
void flush_work(void);

/* The worker thread's function; it never returns. */
void work_thread(void *unused);

/* Pieces of work done since boot. */
uint64_t work_done(void);

#endif
