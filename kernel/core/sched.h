/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/sched.h -- cooperative kernel threads.
 *
 * A thread runs until it yields, waits or ends; interrupts wake waiting ones.
 * Round robin.  With nothing to run the CPU halts until an interrupt.  Threads
 * are created on floor 9 (kernel/thread.h); they run, wait and wake here.
 */
#ifndef KERNEL_CORE_SCHED_H
#define KERNEL_CORE_SCHED_H

#include "kernel/core/owner.h"
#include "lib/list.h"
#include "lib/types.h"

enum thread_state {
	THREAD_RUNNABLE,
	THREAD_WAITING,
	THREAD_ENDED,
};

enum thread_end {
	THREAD_END_NONE,     /* still alive */
	THREAD_END_RETURNED, /* its function returned or called thread_exit() */
	THREAD_END_INTRUDED, /* ended for touching another's exclusive page */
};

#define THREAD_MEMALLOC 1U /* Linux's PF_MEMALLOC */

struct thread {
	struct owner owner;     /* name, window, pages */
	uint64_t stack_pointer; /* while it does not run */
	bool on_cpu;            /* some CPU uses its registers and its stack */
	enum thread_state state;
	enum thread_end end;
	unsigned int flags; /* THREAD_... */
	void (*function)(void *);
	void *argument;
	struct list link;  /* on the run queue or a wait queue */
	struct list all;   /* on the list of threads */
	void *stack;       /* floor 9's business */
	uint64_t switches; /* times it was switched to */
};

/* Something to wait for.  Locks itself. */
struct wait_queue {
	struct list waiters;
};
#define WAIT_QUEUE_INIT(name)                                                  \
	{                                                                      \
		LIST_INIT((name).waiters)                                      \
	}

/* The caller becomes thread MAIN; from now on threads exist. */
void sched_init(struct thread *main);

/* The running thread, NULL before sched_init().  Any context. */
struct thread *current_thread(void);

/* Put a prepared thread on the run queue. */
void sched_start(struct thread *thread);

/*
 * The first thing that the entry of a new thread's stack calls: completes the
 * switch to it and enables interrupts.
 */
void sched_begin(void);

/* Let others run.  Thread context. */
void thread_yield(void);

/* Wait until *CONDITION(DATA) is true; checked before and after each wake. */
void wait_event(struct wait_queue *queue, bool (*condition)(void *data),
                void *data);

/* Wake all waiters.  Any context but NMI. */
void wake_up(struct wait_queue *queue);

/* Wait at least MICROSECONDS; other threads run.  Thread context.  Needs the
 * timer's interrupts. */
void thread_sleep(uint64_t microseconds);

/* Wakes who has slept enough; clock_tick() calls it. */
void sched_tick(void);

/*
 * End the running thread: its owner ends (pages are scrubbed and parked), who
 * joins is woken.  The stack stays until thread_join().
 */
__noreturn void thread_exit(enum thread_end how);

/*
 * For thread_join(): wait_event(&thread_ended, thread_has_ended, thread).  True
 * once THREAD (a struct thread) has ended and no CPU stands on its stack.
 */
extern struct wait_queue thread_ended;
bool thread_has_ended(void *thread);

#endif
