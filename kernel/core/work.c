/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/work.c -- what an interrupt leaves for a thread to do.
 *
 *	interrupt: queue_work() ----------> queue --> thread: work->function(work)
 *	                                      ^
 *	queue_delayed_work() --> timeline ----+ when its time has come
 *
 * `pending` is cleared before the function is called, so that an interrupt
 * which finds new work while the old is done has it done once more.
 *
 * Delayed work is on the timeline, the earliest deadline first.  The worker waits
 * until that deadline at most, and is woken when an earlier one is queued.  A few
 * services use the timeline, so the walk along it is short.
 *
 * Each piece gets a number when it gets on the queue; because they are done in order,
 * "everything up to number N" is what flush_work() waits for.  A piece that is cancelled
 * leaves a gap, so nobody counts: the oldest number that is not done says it.
 *
 * Locking: work_lock, for all of it.
 */
#include "kernel/core/work.h"

#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"

static struct spinlock work_lock = SPINLOCK_INIT("work");

/* Under work_lock. */
static struct list queue = LIST_INIT(queue);
static struct list timeline = LIST_INIT(timeline); /* struct delayed_work */
static uint64_t queued;                            /* the last number given */
static uint64_t running; /* the number of the piece that is done now; 0: none */

static uint64_t done; /* the worker's */

static struct wait_queue work_queue = WAIT_QUEUE_INIT(work_queue);
static struct wait_queue flushers = WAIT_QUEUE_INIT(flushers);

void work_init(struct work *work, void (*function)(struct work *work))
{
	list_init(&work->link);
	work->function = function;
	work->pending = false;
}

/* ---- Under work_lock ----------------------------------------------------- */

static void work_append(struct work *work)
{
	kassert(work->pending && !list_is_linked(&work->link));
	work->number = ++queued;
	list_append(&queue, &work->link);
}

static struct delayed_work *timeline_first(void)
{
	return list_first(&timeline, struct delayed_work, work.link);
}

static uint64_t first_deadline(void)
{
	const struct delayed_work *first = timeline_first();

	return first == NULL ? FOREVER : first->deadline;
}

/* Behind those that are not later. */
static void timeline_insert(struct delayed_work *delayed)
{
	struct list *at = timeline.prev;

	while (at != &timeline &&
	       container_of(at, struct delayed_work, work.link)->deadline >
	               delayed->deadline)
		at = at->prev;
	list_push(at, &delayed->work.link);
}

/* Delayed work whose time has come gets on the queue. */
static void queue_what_is_due(void)
{
	while (first_deadline() <= clock_microseconds()) {
		struct work *work = &timeline_first()->work;

		list_remove(&work->link);
		work_append(work);
	}
}

/* The number of the oldest piece that is queued and not done. */
static uint64_t oldest_number(void)
{
	const struct work *first = list_first(&queue, struct work, link);

	if (running != 0)
		return running;
	return first == NULL ? queued + 1 : first->number;
}

/* ---- Queueing ------------------------------------------------------------ */

bool queue_work(struct work *work)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	bool is_new = !work->pending;

	if (is_new) {
		work->pending = true;
		work_append(work);
	}
	spin_unlock_irqrestore(&work_lock, enabled);
	if (is_new)
		wake_up(&work_queue);
	return is_new;
}

bool queue_delayed_work(struct delayed_work *delayed, uint64_t microseconds)
{
	uint64_t now = clock_microseconds();
	bool is_first = false;
	bool is_new;
	bool enabled;

	if (microseconds == 0)
		return queue_work(&delayed->work);
	enabled = spin_lock_irqsave(&work_lock);
	is_new = !delayed->work.pending;
	if (is_new) {
		delayed->work.pending = true;
		delayed->deadline = now + min(microseconds, FOREVER - 1 - now);
		timeline_insert(delayed);
		is_first = timeline_first() == delayed;
	}
	spin_unlock_irqrestore(&work_lock, enabled);
	if (is_first)
		wake_up(&work_queue);
	return is_new;
}

bool cancel_delayed_work(struct delayed_work *delayed)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	bool was_pending = delayed->work.pending;

	if (was_pending) {
		list_remove(&delayed->work.link);
		delayed->work.pending = false;
	}
	spin_unlock_irqrestore(&work_lock, enabled);
	/* Perhaps it was what they waited for. */
	if (was_pending)
		wake_up(&flushers);
	return was_pending;
}

/* ---- The worker ---------------------------------------------------------- */

struct work_wait {
	struct work *work; /* NULL: only the time to wait has changed */
	uint64_t deadline; /* until when the worker waits */
};

/* Takes the first piece off the queue; also true if there will be one earlier than at the
 * time that the worker waits for. */
static bool take_work(void *data)
{
	struct work_wait *wait = data;
	bool enabled = spin_lock_irqsave(&work_lock);
	bool is_earlier;

	queue_what_is_due();
	wait->work = list_first(&queue, struct work, link);
	if (wait->work != NULL) {
		list_remove(&wait->work->link);
		wait->work->pending = false;
		running = wait->work->number;
	}
	is_earlier = first_deadline() < wait->deadline;
	spin_unlock_irqrestore(&work_lock, enabled);
	return wait->work != NULL || is_earlier;
}

/* The next piece; waits for it. */
static struct work *next_work(void)
{
	struct work_wait next = { .work = NULL };

	while (next.work == NULL) {
		bool enabled = spin_lock_irqsave(&work_lock);
		uint64_t now = clock_microseconds();

		next.deadline = first_deadline();
		spin_unlock_irqrestore(&work_lock, enabled);
		wait_event_timeout(&work_queue, take_work, &next,
		                   next.deadline - min(next.deadline, now));
	}
	return next.work;
}

static void end_work(void)
{
	bool enabled = spin_lock_irqsave(&work_lock);

	running = 0;
	spin_unlock_irqrestore(&work_lock, enabled);
}

void work_thread(void *unused __unused)
{
	/* I/O may end here that threads in reclaim wait for. */
	thread_set_flags(current_thread(), THREAD_SERVICE);
	for (;;) {
		struct work *work = next_work();

		work->function(work);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
		end_work();
		wake_up(&flushers);
	}
}

static bool work_is_done(void *data)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	bool is_done = oldest_number() > *(const uint64_t *)data;

	spin_unlock_irqrestore(&work_lock, enabled);
	return is_done;
}

void flush_work(void)
{
	bool enabled = spin_lock_irqsave(&work_lock);
	uint64_t until;

	queue_what_is_due();
	until = queued;
	spin_unlock_irqrestore(&work_lock, enabled);
	wait_event_checked(&flushers, work_is_done, &until, FOREVER,
	                   might_sleep());
}

struct cpu_work {
	struct work work;
	void (*function)(void *data);
	void *data;
};

static void run_cpu_work(struct work *work)
{
	struct cpu_work *item = container_of(work, struct cpu_work, work);

	item->function(item->data);
}

void work_on_cpu(unsigned int cpu, void (*function)(void *data), void *data)
{
	struct cpu_work item = { .function = function, .data = data };

	kassert(cpu == 0);
	work_init(&item.work, run_cpu_work);
	queue_work(&item.work);
	flush_work();
}

uint64_t work_done(void)
{
	return __atomic_load_n(&done, __ATOMIC_ACQUIRE);
}
