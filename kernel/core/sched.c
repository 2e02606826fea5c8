/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/sched.c -- cooperative threads.
 *
 *	            switch_to()
 *	 RUNNABLE ---------------> on a CPU ----------------> ENDED
 *	 (run queue)  <----------    |      thread_exit()
 *	     ^       thread_yield()  |
 *	     |                       | wait_event()
 *	     |      wake_up()        v
 *	     +------------------- WAITING (wait queue)
 *
 * Invariants, all under sched_lock:
 *
 *  S1  A thread with on_cpu set is the `thread` of exactly one CPU, and its
 *      registers and stack are in use there.
 *  S2  A thread is on the run queue if and only if it is RUNNABLE and not
 *      on_cpu.
 *  S3  A WAITING thread is on exactly one wait queue.
 *
 * sched_lock guards the run queue and every wait queue.  It stays held while
 * the stack changes and is released by the thread that arrives, so no other CPU
 * can take a thread whose stack is not free yet.  A thread's first code
 * therefore is sched_begin().  The lock is the innermost of all: a wait_event()
 * condition is called without it and may take locks of its own.
 *
 * No wake-up is lost.  A waiter is on its queue, and WAITING, before it looks
 * at the condition for the last time; a wake_up() between that look and the
 * switch makes it RUNNABLE again, and the switch does not happen.
 *
 * Idle.  A thread that must stop and finds no other halts the CPU on its own
 * stack, its window closed.  Interrupts are off between the last look at the
 * run queue and the `sti; hlt` that waits for one (Intel SDM vol. 2B, STI:
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
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"

static struct spinlock sched_lock = SPINLOCK_INIT("sched");
static struct list run_queue = LIST_INIT(run_queue); /* under sched_lock */

struct wait_queue thread_ended = WAIT_QUEUE_INIT(thread_ended);

/* Who sleeps, and the earliest time that one of them wants to wake. */
static struct wait_queue sleepers = WAIT_QUEUE_INIT(sleepers);
static uint64_t next_alarm = UINT64_MAX; /* written under sched_lock */

struct thread *current_thread(void)
{
	return this_cpu()->thread;
}

/* ---- Under sched_lock --------------------------------------------------- */

static void make_runnable(struct thread *thread)
{
	thread->state = THREAD_RUNNABLE;
	if (!thread->on_cpu)
		list_append(&run_queue, &thread->link);
}

static void wake_all(struct wait_queue *queue)
{
	while (!list_empty(&queue->waiters)) {
		struct thread *thread =
			list_first(&queue->waiters, struct thread, link);

		list_remove(&thread->link);
		make_runnable(thread);
	}
}

/* A thread at its end has given its window back. */
static void open_window_of(struct thread *thread)
{
	bool has_window =
		thread->owner.window.id != 0 && thread->end == THREAD_END_NONE;

	window_open(has_window ? &thread->owner.window : NULL);
}

static void idle(void)
{
	bool enabled;

	window_open(NULL);
	spin_unlock_irqrestore(&sched_lock, false);
	arch_wait_for_interrupt();
	arch_irq_disable();
	enabled = spin_lock_irqsave(&sched_lock);
	kassert(!enabled);
}

/*
 * Who runs next: the first of the run queue (taken off it), or SELF if nobody
 * else can and it still may; waits until there is somebody.
 */
static struct thread *take_next(struct thread *self)
{
	for (;;) {
		struct thread *next;

		/* The stack of an ended thread is left under the lock. */
		if (self->state == THREAD_ENDED)
			wake_all(&thread_ended);
		next = list_first(&run_queue, struct thread, link);
		if (next != NULL) {
			list_remove(&next->link);
			return next;
		}
		if (self->state == THREAD_RUNNABLE)
			return self;
		idle();
	}
}

/* Go on as NEXT; returns when somebody switches back. */
static void switch_to(struct thread *next)
{
	struct cpu *cpu = this_cpu();
	struct thread *self = cpu->thread;
	struct fault_expect *expect = cpu->expect;

	open_window_of(next);
	if (next == self)
		return;
	self->on_cpu = false;
	if (self->state == THREAD_RUNNABLE)
		list_append(&run_queue, &self->link);
	next->on_cpu = true;
	next->switches++;
	cpu->thread = next;
	cpu->expect = NULL;
	arch_switch_stack(&self->stack_pointer, next->stack_pointer);
	/* Perhaps another CPU: CPU is what this stack remembers. */
	this_cpu()->expect = expect;
}

/* Let the next thread run.  No other lock is held, nor an interrupt active. */
static void schedule(struct thread *self)
{
	kassert(preempt_count() == PREEMPT_ONE);
	switch_to(take_next(self));
}

/* ---- On and off a wait queue -------------------------------------------- */

static void begin_wait(struct thread *self, struct wait_queue *queue)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	kassert(!list_is_linked(&self->link));
	self->state = THREAD_WAITING;
	list_append(&queue->waiters, &self->link);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

/* Off the queue, unless a wake_up() was faster. */
static void end_wait(struct thread *self)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	self->state = THREAD_RUNNABLE;
	list_remove(&self->link);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

/* ---- Threads ------------------------------------------------------------- */

void sched_init(struct thread *main)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	list_init(&main->link);
	main->state = THREAD_RUNNABLE;
	main->on_cpu = true;
	this_cpu()->thread = main;
	open_window_of(main);
	spin_unlock_irqrestore(&sched_lock, enabled);
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
	bool enabled;

	if (!might_sleep())
		return;
	enabled = spin_lock_irqsave(&sched_lock);
	schedule(self);
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
	/* It may be ended inside a condition of wait_event(). */
	end_wait(self);
	arch_irq_disable();
	self->end = how;
	open_window_of(self);
	arch_irq_enable();
	owner_end(&self->owner);

	enabled = spin_lock_irqsave(&sched_lock);
	self->state = THREAD_ENDED;
	schedule(self);
	panic("thread %s runs after its end (interrupts were %s)",
	      self->owner.name, enabled ? "on" : "off");
}

/* ---- Waiting ------------------------------------------------------------- */

/* Stop, if no wake_up() has come since begin_wait(). */
static void wait(struct thread *self)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	if (self->state == THREAD_WAITING)
		schedule(self);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

void wait_event(struct wait_queue *queue, bool (*condition)(void *data),
                void *data)
{
	struct thread *self = current_thread();
	bool may_wait = might_sleep();

	if (condition(data))
		return;
	if (!may_wait)
		panic("%s cannot wait (preempt_count %#x, interrupts %s)",
		      context_name(), preempt_count(),
		      arch_irq_enabled() ? "on" : "off");
	for (;;) {
		begin_wait(self, queue);
		if (condition(data))
			break;
		wait(self);
	}
	end_wait(self);
}

void wake_up(struct wait_queue *queue)
{
	bool enabled = spin_lock_irqsave(&sched_lock);

	wake_all(queue);
	spin_unlock_irqrestore(&sched_lock, enabled);
}

/* ---- Sleeping ------------------------------------------------------------ */

/* Has the time *DATA come?  If not, the timer is told to look out for it. */
static bool is_past(void *data)
{
	uint64_t deadline = *(uint64_t *)data;
	bool enabled;

	if (clock_microseconds() >= deadline)
		return true;
	enabled = spin_lock_irqsave(&sched_lock);
	if (deadline < next_alarm)
		WRITE_ONCE(next_alarm, deadline);
	spin_unlock_irqrestore(&sched_lock, enabled);
	return false;
}

void thread_sleep(uint64_t microseconds)
{
	uint64_t now = clock_microseconds();
	uint64_t deadline = now + min(microseconds, UINT64_MAX - now);

	wait_event(&sleepers, is_past, &deadline);
}

void sched_tick(void)
{
	bool enabled;

	if (clock_microseconds() < READ_ONCE(next_alarm))
		return;
	enabled = spin_lock_irqsave(&sched_lock);
	WRITE_ONCE(next_alarm, UINT64_MAX);
	wake_all(&sleepers);
	spin_unlock_irqrestore(&sched_lock, enabled);
}
