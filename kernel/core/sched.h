/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/sched.h -- kernel threads: running and waiting.
 *
 * Preemptive.  The most urgent runnable thread runs; those of one priority take
 * turns of SCHED_SLICE microseconds.  A thread is preempted when an interrupt
 * returns to it, or when it enables preemption again, never in between.  With
 * nothing to run the CPU halts until an interrupt.  Threads are created on
 * floor 9 (kernel/thread.h); they run, wait and wake here.
 */
#ifndef KERNEL_CORE_SCHED_H
#define KERNEL_CORE_SCHED_H

#include "kernel/core/held.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/owner.h"
#include "lib/list.h"
#include "lib/types.h"
#if !__STDC_HOSTED__
#include "kernel/arch/percpu.h"
#endif

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

/* From what runs when nothing else wants to, to what keeps others waiting. */
enum thread_priority {
	PRIORITY_LOW,
	PRIORITY_NORMAL,
	PRIORITY_HIGH,
	PRIORITY_COUNT,
};

/* How long a thread runs before another of its priority does, microseconds. */
#define SCHED_SLICE 10000ULL

/* Never: for deadlines and time limits. */
#define FOREVER     UINT64_MAX

/* thread->flags: what a thread may ask of memory, and what becomes of it. */
enum thread_flag {
	THREAD_MEMALLOC = 1 << 0,      /* Linux's PF_MEMALLOC */
	THREAD_MEMALLOC_NOIO = 1 << 1, /* mm/scope.h */
	THREAD_MEMALLOC_NOFS = 1 << 2, /* mm/scope.h */
	THREAD_KSWAPD = 1 << 3,        /* it is kswapd */
	THREAD_KILLED = 1 << 4,        /* to end as soon as it notices */
	THREAD_OOM_VICTIM = 1 << 5,    /* chosen by the OOM killer */
	THREAD_OOM_REAPED = 1 << 6,    /* its memory is gone, or out of reach */
	THREAD_SERVICE = 1 << 7,       /* others wait for what it does */
	THREAD_INTERRUPTED = 1 << 8,   /* KILLED is about what it does now */
};

struct wait_queue;
struct work;
struct mutex;
struct mm_task;

/* Field locks: (s) sched_lock, (t) its own thread, (c) constant. */
struct thread {
	struct owner owner;              /* name, window, pages */
	char title[8 + OWNER_NAME_SIZE]; /* (c) "thread " and the name */
	uint64_t stack_pointer;          /* (s) while it does not run */
	enum thread_state state;         /* (s) */
	enum thread_priority priority;   /* (s) */
	enum thread_end end;
	unsigned int flags;          /* atomic: THREAD_... */
	struct work *at_end;         /* (t) queued when it ends; NULL: none */
	struct mm_task *mm;          /* (c) the fields of mm/: mm/task.h */
	void (*function)(void *);    /* (c) */
	void *argument;              /* (c) */
	struct list run_link;        /* (s) on the run queue */
	struct list link;            /* (s) on a wait queue */
	struct list timer;           /* (s) among those with a deadline */
	uint64_t deadline;           /* (s) */
	struct wait_queue *waits_on; /* (s) */
	uint64_t memory_wait;        /* (t) since when it waits for memory; 0 */
	uint64_t lock_wait;          /* (t) the same for a mutex, a semaphore */
	struct mutex *lock_wanted;   /* (t) the mutex it is; NULL: it is none */
	bool on_cpu;           /* (s) some CPU uses its registers and stack */
	bool memory_wait_told; /* watchdog.c's */
	bool lock_wait_told;   /* the same */
	struct held_mutexes mutexes; /* (t) */
	struct held_list held;       /* (t) held.c's */
	void *stack;        /* (c) its lowest byte; NULL: the boot stack */
	uint64_t switches;  /* (s) times it was switched to */
	uint64_t preempted; /* (s) times it was switched away from
	                                 * although it could have gone on */
	uint64_t runtime;   /* (s) microseconds until then */
	uint64_t began;     /* (s) when it last began to run */
	uint64_t sampled;   /* for `ps`: its runtime when all were looked at */
};

/* Something to wait for.  Locks itself. */
struct wait_queue {
	struct list waiters;
	const char *name; /* what one waits for, in `ps` */
};
#define WAIT_QUEUE_INIT(queue)                                                 \
	{                                                                      \
		LIST_INIT((queue).waiters), #queue                             \
	}
void wait_queue_init(struct wait_queue *queue, const char *name);

/* The caller becomes thread MAIN; from now on threads exist. */
void sched_init(struct thread *main);

/* Fill in what sched.c needs of a thread that will be started; NAME is what its
 * owner is called. */
void sched_prepare(struct thread *thread, const char *name,
                   enum thread_priority priority);

/* The running thread, NULL before sched_init().  Any context. */
#if __STDC_HOSTED__
struct thread *current_thread(void);
#else
static inline struct thread *current_thread(void)
{
	return this_cpu_read(thread);
}
#endif

/* The number that names THREAD, forever; THREAD has not been joined.  Any
 * context. */
static inline uint64_t thread_owner_id(const struct thread *thread)
{
	return thread->owner.id;
}

/* Put a prepared thread on the run queue. */
void sched_start(struct thread *thread);

/*
 * The first thing that the entry of a new thread's stack calls: completes the
 * switch to it and enables interrupts.
 */
void sched_begin(void);

/* Let others of the same or a higher priority run.  Thread context. */
void thread_yield(void);

/* Set FLAGS of THREAD, and say which of them were not set.  Any context. */
static inline unsigned int thread_set_flags(struct thread *thread,
                                            unsigned int flags)
{
	return flags &
	       ~__atomic_fetch_or(&thread->flags, flags, __ATOMIC_ACQ_REL);
}

static inline void thread_clear_flags(struct thread *thread, unsigned int flags)
{
	__atomic_fetch_and(&thread->flags, ~flags, __ATOMIC_ACQ_REL);
}

/* Any of FLAGS? */
static inline bool thread_has_flags(const struct thread *thread,
                                    unsigned int flags)
{
	return (READ_ONCE(thread->flags) & flags) != 0;
}

/*
 * THREAD is to end: it is woken, and finds THREAD_KILLED set.  Its reaction
 * is up to it; a condition of wait_event() that does not check the flag continues
 * to wait.  Any context but NMI.
 */
void thread_kill(struct thread *thread);

/*
 * End the present work of THREAD, by ^C: the same as thread_kill(), and
 * THREAD_INTERRUPTED is set, so that THREAD can tell it from its end and continue
 * (oom_pardon()).  For a thread that was killed already, nothing changes.  Any
 * context but NMI.
 */
void thread_interrupt(struct thread *thread);

void thread_set_priority(struct thread *thread, enum thread_priority priority);

/* ---- Waiting ------------------------------------------------------------- */

/*
 * Wait until CONDITION(DATA) is true.  It is called in the waiting thread,
 * before and after each wake-up, with no lock held, and may take what it waits
 * for: it is not called again once it has returned true.  Thread context.
 */
void wait_event(struct wait_queue *queue, bool (*condition)(void *data),
                void *data);

/* The same for at most MICROSECONDS.  False: they are over, and the condition
 * was still false.  Needs the timer's interrupts. */
bool wait_event_timeout(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds);

/*
 * The same for a function that waits for its caller's sake (mutex_lock(),
 * down()) and has asked might_sleep() itself, so that its caller is reported;
 * MAY_WAIT is the answer.  Panics if it is false and the condition, too.
 */
bool wait_event_checked(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds, bool may_wait);

/* Wake all waiters.  QUEUE outlives the call: see wake_up_with().  Any context
 * but NMI. */
void wake_up(struct wait_queue *queue);

/*
 * The same, and CHANGE(DATA), which makes what they wait for true, as one step.
 * CHANGE is the last that touches QUEUE and the object around it: code that sees the
 * condition true may free both immediately, whether it has waited or not.  CHANGE
 * stores a word or two and calls nothing; interrupts are off.  Any context but
 * NMI.
 */
void wake_up_with(struct wait_queue *queue, void (*change)(void *data),
                  void *data);

/* Wait at least MICROSECONDS; other threads run.  Thread context.  Needs the
 * timer's interrupts. */
void thread_sleep(uint64_t microseconds);

/* The shortest sleep: the next tick ends it. */
#define UNTIL_NEXT_TICK 1

/* ---- What others call ---------------------------------------------------- */

/* Wakes who has slept enough, and ends turns; clock_tick() calls it. */
void sched_tick(void);

/* An interrupt returns to a thread that may be preempted. */
void sched_irq_exit(void);

/*
 * Where the time went, in microseconds.  Each one since the kernel's entry is
 * booked once: at one moment (preemption off) the sum of thread_runtime(., now)
 * over all threads that have not ended, and `idle` and `ended`, is `now`.  The
 * time of interrupts is that of whom they interrupt, the boot is the first
 * thread's.  Any context but NMI.
 */
struct sched_times {
	uint64_t now;   /* clock_microseconds() */
	uint64_t idle;  /* the CPU had nothing to do */
	uint64_t ended; /* of threads that have ended */
};
void sched_times(struct sched_times *times);

/* How long THREAD has run until NOW, which sched_times() said.  Any context but
 * NMI. */
uint64_t thread_runtime(const struct thread *thread, uint64_t now);

/* When this CPU last switched threads or was idle, clock_microseconds(). */
uint64_t sched_last_switch(void);

/*
 * End the running thread, which holds nothing (kernel/core/held.h): a panic if it
 * does.  Its owner ends (pages are scrubbed and parked), who joins is woken.  The
 * stack stays until thread_join().
 */
__noreturn void thread_exit(enum thread_end how);

/*
 * For thread_join(): wait_event(&thread_ended, thread_has_ended, thread).  True
 * once THREAD (a struct thread) has ended and no CPU stands on its stack.
 */
extern struct wait_queue thread_ended;
bool thread_has_ended(void *thread);

#endif
