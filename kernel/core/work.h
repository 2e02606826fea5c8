/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/work.h -- what an interrupt leaves for a thread to do, now or later.
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
	uint64_t number; /* counts what is queued; while it is on the queue */
	bool pending;    /* queued, or to be queued later; and not begun */
};

void work_init(struct work *work, void (*function)(struct work *work));

/* False: it is queued already, and will be done once.  While it is done it can
 * be queued again.  Any context but NMI. */
bool queue_work(struct work *work);

/* Work that is queued when its time has come.  work_init(&delayed->work) prepares it. */
struct delayed_work {
	struct work work;
	uint64_t deadline; /* clock_microseconds() */
};

/*
 * Queue DELAYED->work in MICROSECONDS, or as soon after that as the worker can; 0: now.
 * False: it is pending already, and keeps its time.  Linux: queue_delayed_work().  Any
 * context but NMI.
 */
bool queue_delayed_work(struct delayed_work *delayed, uint64_t microseconds);

/*
 * It will not be done, unless it is queued again.  False: it was not pending.  Its
 * function may be running: flush_work() waits for that.  Linux: cancel_delayed_work().
 * Any context but NMI.
 */
bool cancel_delayed_work(struct delayed_work *delayed);

/* Wait until everything that was queued before is done or cancelled; delayed work whose
 * time has not come is not queued.  Thread context; not from work. */
void flush_work(void);

/*
 * Run FUNCTION(DATA) in the worker of CPU, and wait until it is done, with all that was
 * queued before.  There is one worker now, that of CPU 0.  Linux: work_on_cpu().  Thread
 * context; not from work.
 */
void work_on_cpu(unsigned int cpu, void (*function)(void *data), void *data);

/* The worker thread's function; it never returns. */
void work_thread(void *unused);

/* Pieces of work done since boot. */
uint64_t work_done(void);

#endif
