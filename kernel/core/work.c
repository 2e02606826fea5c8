/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/work.c -- what an interrupt leaves for a thread to do.
 *
 *	interrupt: queue_work() --> list --> thread: work->function(work)
 *
 * `pending` is cleared before the function is called, so that an interrupt
 * which finds new work while the old is done has it done once more.
 *
 * Each piece gets a number when it is queued; because they are done in order,
 * "everything up to number N" is what flush_work() waits for.
 */
#include "kernel/core/work.h"

#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/sched.h"

static struct spinlock work_lock = SPINLOCK_INIT("work");
static struct list queue = LIST_INIT(queue); /* under work_lock */
static uint64_t queued;                      /* under work_lock */
static uint64_t done;                        /* the worker's */

static struct wait_queue work_queue = WAIT_QUEUE_INIT(work_queue);
static struct wait_queue flushers = WAIT_QUEUE_INIT(flushers);

void work_init(struct work *work, void (*function)(struct work *work))
{
	list_init(&work->link);
	work->function = function;
	work->pending = false;
}

bool queue_work(struct work *work)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	bool is_new = !work->pending;

	if (is_new) {
		work->pending = true;
		list_append(&queue, &work->link);
		queued++;
	}
	spin_unlock_irqrestore(&work_lock, enabled);
	if (is_new)
		wake_up(&work_queue);
	return is_new;
}

/* Takes the first piece off the queue, into *DATA. */
static bool take_work(void *data)
{
	struct work **work = data;
	bool enabled = spin_lock_irqsave(&work_lock);

	*work = list_first(&queue, struct work, link);
	if (*work != NULL) {
		list_remove(&(*work)->link);
		(*work)->pending = false;
	}
	spin_unlock_irqrestore(&work_lock, enabled);
	return *work != NULL;
}

void work_thread(void *unused __unused)
{
	/* I/O may end here that threads in reclaim wait for. */
	thread_set_flags(current_thread(), THREAD_SERVICE);
	for (;;) {
		struct work *work;

		wait_event(&work_queue, take_work, &work);
		work->function(work);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
		wake_up(&flushers);
	}
}

static bool work_is_done(void *data)
{
	return work_done() >= *(const uint64_t *)data;
}

void flush_work(void)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	uint64_t until = queued;

	spin_unlock_irqrestore(&work_lock, enabled);
	wait_event_checked(&flushers, work_is_done, &until, FOREVER,
	                   might_sleep());
}

uint64_t work_done(void)
{
	return __atomic_load_n(&done, __ATOMIC_ACQUIRE);
}
