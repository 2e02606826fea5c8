/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/sched.c -- kernel threads: running and waiting.
 *
 *	            switch_to()
 *	 RUNNABLE ---------------> on a CPU ----------------> ENDED
 *	 (run queue)  <----------    |      thread_exit()
 *	     ^       yield, or       |
 *	     |       preempted       | wait_event()
 *	     |                       v
 *	     +------------------- WAITING (wait queue)
 *	            wake_up(), or the deadline
 *
 * Invariants, all under sched_lock:
 *
 *  S1  A thread with on_cpu set is the `thread` of exactly one CPU, and its
 *      registers and stack are in use there.
 *  S2  A RUNNABLE thread is on the run queue of its priority if and only if it
 *      is not on_cpu.
 *  S3  A WAITING thread is on exactly one wait queue.  If it was preempted on
 *      its way to the wait it is on the run queue as well.
 *
 * sched_lock guards the run queues and every wait queue.  It stays held while
 * the stack changes and is released by the thread that arrives, so no other CPU
 * can take a thread whose stack is not free yet.  A thread's first code
 * therefore is sched_begin().  The lock is the innermost of all: a wait_event()
 * condition is called without it and may take other locks.
 *
 * Preemption.  Code that makes a thread runnable that is more urgent than the
 * running one, and the tick at the end of a turn, set need_resched.  It is
 * looked at in two places: where an interrupt returns to a thread with
 * preemption on, and where a thread switches preemption on again.  The thread
 * that must go keeps what it was: one that was preempted between begin_wait()
 * and its last look at the condition is WAITING and still has to run, or its
 * wake-up, which may be over already, would be lost.
 *
 * preempt_count belongs to the CPU, and to the thread while it runs: both sides
 * of a switch hold sched_lock and nothing else, so it is the same on both.
 * Windows: the entry stub keeps what was open on the stack of the interrupted
 * thread (trap.asm), by number, and opens it again on the CPU where the thread goes
 * on.
 *
 * No wake-up is lost.  A waiter is on its queue, and WAITING, before it looks
 * at the condition for the last time; a wake_up() between that look and the
 * switch makes it RUNNABLE again, and the switch does not happen.
 *
 * The end of a queue.  A mutex, a completion or a semaphore may be freed as soon as
 * the other side returns.  The other side need not wait at all: it looks at the
 * condition without the lock, finds it true, and goes on.  So what makes the
 * condition true comes last (wake_up_with()): the waiters are made runnable first,
 * which they cannot use before sched_lock is released, and then one store lets go
 * of the object.  A waiter that is not on the queue yet gets there under the lock,
 * behind the store, and its last look finds the condition true.
 *
 * Many threads.  Interrupts are not off for longer because more threads wait:
 * waking them, and finding the place of an alarm among the others, lets interrupts
 * in after some steps (let_interrupts_in()); a tick wakes a few whose alarm is due
 * and leaves the others to the next one.
 *
 * Idle.  A thread that must stop and finds no other halts the CPU on its own
 * stack, its window closed.  Interrupts are off between the last look at the
 * run queues and the `sti; hlt` that waits for one (Intel SDM vol. 2B, STI:
 * interrupts are recognised after the next instruction), so a wake-up by an
 * interrupt of this CPU ends the halt; an NMI between the two is returned from
 * behind the halt (trap.c).  A wake-up by another CPU will need an
 * interprocessor interrupt; there is one CPU now.
 *
 * Each thread catches its own faults: the chain of fault_catch() in struct cpu
 * follows the thread.
 */
#include "kernel/core/sched.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/switch.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/work.h"
#include "lib/format.h"

static struct spinlock sched_lock = SPINLOCK_INIT("sched");

/* Under sched_lock. */
static struct list run_queue[PRIORITY_COUNT] = {
	LIST_INIT(run_queue[PRIORITY_LOW]),
	LIST_INIT(run_queue[PRIORITY_NORMAL]),
	LIST_INIT(run_queue[PRIORITY_HIGH]),
};
/* Threads with a deadline, the earliest first, and that deadline. */
static struct list timers = LIST_INIT(timers);
static uint64_t next_alarm = FOREVER;
static uint64_t idle_time;
static uint64_t ended_time; /* of threads that have ended */
static uint64_t last_switch;

struct wait_queue thread_ended = WAIT_QUEUE_INIT(thread_ended);

/* Nobody ever wakes it. */
static struct wait_queue sleep = WAIT_QUEUE_INIT(sleep);

void wait_queue_init(struct wait_queue *queue, const char *name)
{
	list_init(&queue->waiters);
	queue->name = name;
}

/* ---- Under sched_lock --------------------------------------------------- */

/*
 * A long walk lets interrupts in after a slice.  Preemption stays off, so that no
 * thread runs meanwhile: what an interrupt can change is what has changed.
 */
#define SCHED_WALK_SLICE 16U

static void let_interrupts_in(bool *enabled)
{
	preempt_disable();
	spin_unlock_irqrestore_no_resched(&sched_lock, *enabled);
	*enabled = spin_lock_irqsave(&sched_lock);
	preempt_enable_no_resched();
}

/* Should THREAD, which can run now, take over? */
static void ask_for_switch(const struct thread *thread)
{
	const struct thread *self = this_cpu_read(thread);

	if (self != NULL && thread->priority > self->priority)
		set_need_resched();
}

static void make_runnable(struct thread *thread)
{
	thread->state = THREAD_RUNNABLE;
	thread->waits_on = NULL;
	if (thread->on_cpu || list_is_linked(&thread->run_link))
		return;
	list_append(&run_queue[thread->priority], &thread->run_link);
	ask_for_switch(thread);
}

static void wake(struct thread *thread)
{
	list_remove(&thread->link);
	make_runnable(thread);
}

static void wake_all(struct wait_queue *queue)
{
	struct thread *thread;

	while ((thread = list_first(&queue->waiters, struct thread, link)) !=
	       NULL)
		wake(thread);
}

/* Wake the first waiters.  True: there are more. */
static bool wake_some(struct wait_queue *queue)
{
	struct thread *thread;

	for (unsigned int i = 0; i < SCHED_WALK_SLICE; i++) {
		thread = list_first(&queue->waiters, struct thread, link);
		if (thread == NULL)
			return false;
		wake(thread);
	}
	return !list_empty(&queue->waiters);
}

/* A thread at its end has given its window back. */
static void open_window_of(struct thread *thread)
{
	bool has_window =
		thread->owner.window.id != 0 && thread->end == THREAD_END_NONE;

	window_open(has_window ? &thread->owner.window : NULL);
}

/* The time since SELF's began is booked to *BOOK, and NEXT's begins: no
 * microsecond belongs to two, and none to nobody. */
static void account(uint64_t *book, const struct thread *self,
                    struct thread *next)
{
	uint64_t now = clock_microseconds();

	*book += now - self->began;
	next->began = now;
	last_switch = now;
}

/* On the stack of SELF. */
static void idle(struct thread *self)
{
	bool enabled;

	account(&self->runtime, self, self);
	window_open(NULL);
	/* An interrupt from here on finds nothing that could be preempted. */
	preempt_disable();
	spin_unlock_irqrestore_no_resched(&sched_lock, false);
	arch_wait_for_interrupt();
	arch_irq_disable();
	enabled = spin_lock_irqsave(&sched_lock);
	preempt_enable_no_resched();
	kassert(!enabled);
	account(&idle_time, self, self);
}

/* The next thread of at least priority LOWEST, or NULL; it stays queued. */
static struct thread *first_runnable(enum thread_priority lowest)
{
	for (int at = PRIORITY_COUNT - 1; at >= (int)lowest; at--) {
		struct thread *thread =
			list_first(&run_queue[at], struct thread, run_link);

		if (thread != NULL)
			return thread;
	}
	return NULL;
}

/* Choose the thread after SELF, which cannot continue; wait until one is runnable. */
static struct thread *next_after(struct thread *self)
{
	for (;;) {
		struct thread *next;

		/* The stack of an ended thread is left under the lock. */
		if (self->state == THREAD_ENDED)
			wake_all(&thread_ended);
		next = first_runnable(PRIORITY_LOW);
		if (self->state == THREAD_RUNNABLE) {
			/* Woken while it stood by, perhaps with others. */
			if (next == NULL)
				return self;
			list_append(&run_queue[self->priority],
			            &self->run_link);
		}
		if (next != NULL)
			return next;
		idle(self);
	}
}

/* Go on as NEXT; returns when somebody switches back. */
static void switch_to(struct thread *next)
{
	struct thread *self = current_thread();
	struct fault_expect *expect = this_cpu_read(expect);

	/* Nothing but sched_lock, and no interrupt. */
	kassert(preempt_count() == PREEMPT_ONE);
	clear_need_resched();
	open_window_of(next);
	account(&self->runtime, self, next);
	if (self->state == THREAD_ENDED)
		ended_time += self->runtime;
	if (next == self)
		return;
	self->on_cpu = false;
	list_remove(&next->run_link);
	next->on_cpu = true;
	next->switches++;
	this_cpu_write(thread, next);
	this_cpu_write(owner, &next->owner);
	this_cpu_write(expect, NULL);
	arch_switch_stack(&self->stack_pointer, next->stack_pointer);
	this_cpu_write(expect, expect);
}

/* Is the turn of the running thread over? */
static bool turn_is_over(const struct thread *self)
{
	return clock_microseconds() - self->began >= SCHED_SLICE;
}

/*
 * Let a more urgent thread, or the next in turn, run now; SELF returns to the run
 * queue in its present state.  Interrupts are off.
 */
static void preempt(struct thread *self)
{
	bool enabled = spin_lock_irqsave(&sched_lock);
	bool over = turn_is_over(self);
	struct thread *next = first_runnable(
		over ? self->priority
		     : (enum thread_priority)(self->priority + 1));

	clear_need_resched();
	if (next != NULL) {
		struct list *queue = &run_queue[self->priority];

		/* Or it is the next of its priority. */
		if (over)
			list_append(queue, &self->run_link);
		else
			list_push(queue, &self->run_link);
		self->preempted++;
		switch_to(next);
	} else if (over) {
		account(&self->runtime, self, self);
	}
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

/* ---- On and off a wait queue -------------------------------------------- */

/* SELF's alarm goes towards the front, past those that are later.  True: that took too
 * long, and it is not in its place yet. */
static bool move_alarm(struct thread *self)
{
	struct list *at = &self->timer;
	bool in_place = !list_is_linked(at);

	for (unsigned int i = 0; i < SCHED_WALK_SLICE && !in_place; i++) {
		in_place = at->prev == &timers ||
		           container_of(at->prev, struct thread, timer)
		                           ->deadline <= self->deadline;
		if (!in_place)
			at = at->prev;
	}
	if (at != &self->timer) {
		list_remove(&self->timer);
		list_append(at, &self->timer);
	}
	return !in_place;
}

/* When the first alarm is due. */
static void note_next_alarm(void)
{
	const struct thread *first = list_first(&timers, struct thread, timer);

	WRITE_ONCE(next_alarm, first == NULL ? FOREVER : first->deadline);
}

/* Most deadlines are later than all others.  An alarm that rings before it is in its
 * place finds the thread still awake, which looks at the clock before it stops. */
static void set_alarm(struct thread *self, uint64_t deadline, bool *enabled)
{
	self->deadline = deadline;
	list_append(&timers, &self->timer);
	while (move_alarm(self))
		let_interrupts_in(enabled);
	note_next_alarm();
}

static void begin_wait(struct thread *self, struct wait_queue *queue,
                       uint64_t deadline)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	if (!list_is_linked(&self->link))
		list_append(&queue->waiters, &self->link);
	self->state = THREAD_WAITING;
	self->waits_on = queue;
	if (deadline != FOREVER && !list_is_linked(&self->timer))
		set_alarm(self, deadline, &enabled);
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

/* Off the queue, unless a wake_up() was faster. */
static void end_wait(struct thread *self)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	self->state = THREAD_RUNNABLE;
	self->waits_on = NULL;
	list_remove(&self->link);
	list_remove(&self->timer);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

/* ---- Threads ------------------------------------------------------------- */

void sched_prepare(struct thread *thread, const char *name,
                   enum thread_priority priority)
{
	list_init(&thread->run_link);
	list_init(&thread->link);
	list_init(&thread->timer);
	thread->state = THREAD_RUNNABLE;
	thread->priority = priority;
	scnprintf(thread->title, sizeof(thread->title), "thread %s", name);
}

void sched_init(struct thread *main)
{
	bool enabled;

	sched_prepare(main, "shell", PRIORITY_NORMAL);
	enabled = spin_lock_irqsave(&sched_lock);
	main->on_cpu = true;
	/* The boot so far was its work, too. */
	main->began = 0;
	this_cpu_write(thread, main);
	this_cpu_write(owner, &main->owner);
	open_window_of(main);
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

void sched_begin(void)
{
	spin_unlock_irqrestore(&sched_lock, true);
}

void sched_start(struct thread *thread)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	thread->on_cpu = false;
	make_runnable(thread);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

void thread_yield(void)
{
	struct thread *self = current_thread();
	struct thread *next;
	bool enabled;

	if (!might_sleep())
		return;
	enabled = spin_lock_irqsave(&sched_lock);
	next = first_runnable(self->priority);
	if (next != NULL) {
		list_append(&run_queue[self->priority], &self->run_link);
		switch_to(next);
	}
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

void thread_set_priority(struct thread *thread, enum thread_priority priority)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	thread->priority = priority;
	if (list_is_linked(&thread->run_link)) {
		list_remove(&thread->run_link);
		list_append(&run_queue[priority], &thread->run_link);
		ask_for_switch(thread);
	} else if (thread->on_cpu) {
		set_need_resched();
	}
	spin_unlock_irqrestore(&sched_lock, enabled);
}

bool thread_has_ended(void *data)
{
	const struct thread *thread = data;
	bool enabled = spin_lock_irqsave(&sched_lock);
	bool ended = thread->state == THREAD_ENDED && !thread->on_cpu;

	spin_unlock_irqrestore(&sched_lock, enabled);
	return ended;
}

__noreturn void thread_exit(enum thread_end how)
{
	struct thread *self = current_thread();
	bool enabled;

	if (self == NULL || preempt_count() != 0)
		panic("%s ends with preempt_count %#x", context_name(),
		      preempt_count());
	held_expect(0, "the thread");
	/* It may be ended inside a condition of wait_event(). */
	end_wait(self);
	console_leave(self);
	arch_irq_disable();
	self->end = how;
	open_window_of(self);
	arch_irq_enable();
	owner_end(&self->owner);
	if (self->at_end != NULL)
		queue_work(self->at_end);

	enabled = spin_lock_irqsave(&sched_lock);
	self->state = THREAD_ENDED;
	switch_to(next_after(self));
	panic("%s runs after its end (interrupts were %s)", self->title,
	      enabled ? "on" : "off");
}

/* ---- Preemption ---------------------------------------------------------- */

static bool may_preempt(void)
{
	return preempt_is_due() && current_thread() != NULL &&
	       !panic_in_progress();
}

void sched_irq_exit(void)
{
	if (may_preempt())
		preempt(current_thread());
}

void sched_preempt(void)
{
	while (may_preempt() && arch_irq_enabled()) {
		arch_irq_disable();
		preempt(current_thread());
		arch_irq_enable();
	}
}

/* ---- Waiting ------------------------------------------------------------- */

/* Stop, if no wake_up() has come since begin_wait(). */
static void wait(struct thread *self)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	if (self->state == THREAD_WAITING)
		switch_to(next_after(self));
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

bool wait_event_checked(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds, bool may_wait)
{
	struct thread *self = current_thread();
	uint64_t now = clock_microseconds();
	uint64_t deadline = now + min(microseconds, FOREVER - now);
	bool met;

	if (condition(data))
		return true;
	if (!may_wait)
		panic("%s cannot wait (preempt_count %#x, interrupts %s)",
		      context_name(), preempt_count(),
		      arch_irq_enabled() ? "on" : "off");
	for (;;) {
		begin_wait(self, queue, deadline);
		met = condition(data);
		if (met || clock_microseconds() >= deadline)
			break;
		wait(self);
	}
	end_wait(self);
	return met;
}

void wait_event(struct wait_queue *queue, bool (*condition)(void *data),
                void *data)
{
	wait_event_checked(queue, condition, data, FOREVER, might_sleep());
}

bool wait_event_timeout(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds)
{
	return wait_event_checked(queue, condition, data, microseconds,
	                          might_sleep());
}

void wake_up(struct wait_queue *queue)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	while (wake_some(queue))
		let_interrupts_in(&enabled);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

void wake_up_with(struct wait_queue *queue, void (*change)(void *data),
                  void *data)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	while (wake_some(queue))
		let_interrupts_in(&enabled);
	change(data);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

void thread_kill(struct thread *thread)
{
	bool enabled;

	thread_set_flags(thread, THREAD_KILLED);
	enabled = spin_lock_irqsave(&sched_lock);
	if (thread->state == THREAD_WAITING)
		wake(thread);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

/* KILLED is set last: a thread that sees it sees the reason also. */
void thread_interrupt(struct thread *thread)
{
	if (thread_has_flags(thread, THREAD_KILLED))
		return;
	thread_set_flags(thread, THREAD_INTERRUPTED);
	thread_kill(thread);
}

static bool never(void *data __unused)
{
	return false;
}

void thread_sleep(uint64_t microseconds)
{
	wait_event_checked(&sleep, never, NULL, microseconds, might_sleep());
}

/* ---- The tick ------------------------------------------------------------ */

/* Threads that a tick wakes at most: interrupts are off meanwhile. */
#define ALARMS_A_TICK 8

/* Wake the threads whose deadline is over at NOW, and find the next one.  The
 * rest is for the next tick. */
static void ring_alarms(uint64_t now)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	for (unsigned int rung = 0; rung < ALARMS_A_TICK; rung++) {
		struct thread *thread =
			list_first(&timers, struct thread, timer);

		if (thread == NULL || thread->deadline > now)
			break;
		list_remove(&thread->timer);
		if (thread->state == THREAD_WAITING)
			wake(thread);
	}
	note_next_alarm();
	spin_unlock_irqrestore_no_resched(&sched_lock, enabled);
}

void sched_tick(void)
{
	const struct thread *self = current_thread();
	uint64_t now = clock_microseconds();

	if (now >= READ_ONCE(next_alarm))
		ring_alarms(now);
	if (self != NULL && turn_is_over(self))
		set_need_resched();
}

void sched_times(struct sched_times *times)
{
	bool enabled = spin_lock_irqsave(&sched_lock);
	const struct sched_times now = {
		.now = clock_microseconds(),
		.idle = idle_time,
		.ended = ended_time,
	};

	spin_unlock_irqrestore(&sched_lock, enabled);
	*times = now;
}

uint64_t thread_runtime(const struct thread *thread, uint64_t now)
{
	bool enabled = spin_lock_irqsave(&sched_lock);
	uint64_t time = thread->runtime;

	if (thread->on_cpu && now > thread->began)
		time += now - thread->began;
	spin_unlock_irqrestore(&sched_lock, enabled);
	return time;
}

uint64_t sched_last_switch(void)
{
	return READ_ONCE(last_switch);
}
