/* SPDX-License-Identifier: MIT */
/*
 * kernel/thread.c -- making threads.
 *
 * A thread is an object of a cache, and its stack an area of vmalloc():
 *
 *	| guard |  stack: 16 KiB  | guard |  stack  | guard |  memory of somebody  |
 *	  never mapped              of this area      of this one
 *
 * An area has its guard page behind it, and so the page below a stack is the guard of
 * the area before it, or belongs to nobody.  A stack that overflows meets it, and the
 * fault is named (kernel/core/fault.c).  All of a stack is mapped, in the tables that
 * every CPU has, before the thread starts: no fault ever brings in a part of it.
 *
 * How many threads there are is a matter of memory.  Making one may wait for memory,
 * and reclaim it, but kills nobody.
 *
 * Freeing.  A thread ends on its own stack, so that it can free neither the stack nor
 * itself: thread_join() does, once no CPU runs on it any more.
 *
 * The list.  All threads but the first are on a list, from their start until they are
 * joined.  A walk along it holds the thread that it has come to: it adds itself to the
 * visitors of that, and moves on to the next one under the lock.  thread_join() takes a
 * thread off the list when it has no visitors.  So the lock is held for a step, not for
 * the walk; a visit may wait, and the list may change meanwhile.  A walk ends behind the
 * newest thread of the moment when it began.
 *
 * A walk in slices (thread_visit_some()) must not keep a thread from being joined
 * between two slices: it notes the next thread, and who takes that off the list notes
 * the one behind it.
 *
 * Locking: threads_lock guards the list, and visitors that come; they leave without it.
 * A thread belongs to its creator until it starts, and after its end to the thread
 * that joins it.
 */
#include "kernel/thread.h"

#include "kernel/arch/image.h"
#include "kernel/arch/switch.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "mm/task.h"
#include "mm/user/anon.h"

/* record->visitors: a bit, and a number above it. */
#define RECORD_JOINING 1U /* somebody waits for the last visitor */
#define RECORD_VISITOR 2U

/* A thread that cannot be made is an answer: nobody is killed for it. */
#define THREAD_GFP     (GFP_KERNEL | __GFP_RETRY_MAYFAIL)

struct thread_record {
	struct thread thread;
	struct mm_task task;
	struct list link;  /* (l) on the list of all threads */
	uint32_t visitors; /* atomic; (l) to add one */
};

static struct spinlock threads_lock = SPINLOCK_INIT("threads");
/* Under threads_lock, (l) above. */
static struct list all_threads = LIST_INIT(all_threads);
static struct list *next_some =
	&all_threads;  /* thread_visit_some() goes on here */
static bool some_left; /* that walk has not come to its end */

static struct kmem_cache *thread_cache; /* constant after threads_start() */
static struct wait_queue visitors_left = WAIT_QUEUE_INIT(visitors_left);

static struct thread_record *record_of(struct thread *thread)
{
	return container_of(thread, struct thread_record, thread);
}

/* ---- The list ------------------------------------------------------------ */

static uint64_t number_at(const struct list *at)
{
	return container_of(at, struct thread_record, link)->thread.owner.id;
}

/* The list is in the order of the numbers.  One that was given later may be here first:
 * there are as many steps as threads are being made. */
static void enter_thread_list(struct thread_record *record)
{
	bool enabled = spin_lock_irqsave(&threads_lock);
	struct list *at = all_threads.prev;

	while (at != &all_threads && number_at(at) > record->thread.owner.id)
		at = at->prev;
	list_push(at, &record->link);
	spin_unlock_irqrestore(&threads_lock, enabled);
}

/* Take the thread off the list, unless it has visitors. */
static bool leave_thread_list(void *data)
{
	struct thread_record *record = data;
	bool enabled = spin_lock_irqsave(&threads_lock);
	bool alone = __atomic_load_n(&record->visitors, __ATOMIC_ACQUIRE) ==
	             RECORD_JOINING;

	if (alone) {
		if (next_some == &record->link)
			next_some = record->link.next;
		list_remove(&record->link);
	}
	spin_unlock_irqrestore(&threads_lock, enabled);
	return alone;
}

/* The thread whose link is AT, with one visitor more.  threads_lock held. */
static struct thread_record *begin_visit(struct list *at)
{
	struct thread_record *record =
		container_of(at, struct thread_record, link);

	kassert(spin_is_mine(&threads_lock) && at != &all_threads);
	__atomic_fetch_add(&record->visitors, RECORD_VISITOR, __ATOMIC_RELAXED);
	return record;
}

/* The thread may be gone when this returns. */
static void end_visit(struct thread_record *record)
{
	uint32_t left = __atomic_sub_fetch(&record->visitors, RECORD_VISITOR,
	                                   __ATOMIC_RELEASE);

	if (left == RECORD_JOINING)
		wake_up(&visitors_left);
}

static void visit_one(struct thread_record *record,
                      void (*visit)(struct thread *thread, void *data),
                      void *data)
{
	if (READ_ONCE(record->thread.state) != THREAD_ENDED)
		visit(&record->thread, data);
}

/* The number of the newest thread; 0: there is none. */
static uint64_t newest_thread(void)
{
	bool enabled = spin_lock_irqsave(&threads_lock);
	uint64_t id = 0;

	if (!list_empty(&all_threads))
		id = number_at(all_threads.prev);
	spin_unlock_irqrestore(&threads_lock, enabled);
	return id;
}

/* From the thread AT, or the beginning (NULL), to the next one; NULL: that was the
 * last one up to number LAST. */
static struct thread_record *step_visit(struct thread_record *at, uint64_t last)
{
	struct thread_record *next = NULL;
	bool enabled = spin_lock_irqsave(&threads_lock);
	struct list *link = at == NULL ? all_threads.next : at->link.next;

	if (link != &all_threads)
		next = begin_visit(link);
	spin_unlock_irqrestore(&threads_lock, enabled);
	if (at != NULL)
		end_visit(at);
	if (next != NULL && next->thread.owner.id > last) {
		end_visit(next);
		return NULL;
	}
	return next;
}

void thread_visit(void (*visit)(struct thread *thread, void *data), void *data)
{
	uint64_t last = newest_thread();
	struct thread_record *at = step_visit(NULL, last);

	for (; at != NULL; at = step_visit(at, last))
		visit_one(at, visit, data);
}

/* The lock is taken once for all of them, because that costs more than a step. */
bool thread_visit_some(void (*visit)(struct thread *thread, void *data),
                       void *data)
{
	struct thread_record *some[THREADS_SOME];
	unsigned int count = 0;
	bool enabled = spin_lock_irqsave(&threads_lock);
	bool over;

	/* The end may also be near because the last thread was joined. */
	if (!some_left)
		next_some = all_threads.next;
	for (; count < THREADS_SOME && next_some != &all_threads; count++) {
		some[count] = begin_visit(next_some);
		next_some = next_some->next;
	}
	over = next_some == &all_threads;
	some_left = !over;
	spin_unlock_irqrestore(&threads_lock, enabled);
	for (unsigned int i = 0; i < count; i++) {
		visit_one(some[i], visit, data);
		end_visit(some[i]);
	}
	return over;
}

/* ---- Making and joining -------------------------------------------------- */

void threads_start(void)
{
	thread_cache = kmem_cache_create(
		"thread", sizeof(struct thread_record), 0,
		SLAB_HWCACHE_ALIGN | SLAB_POISON | SLAB_PANIC, NULL);
}

/* The first code of every thread, on its own stack. */
static void thread_begin(void)
{
	struct thread *thread = current_thread();

	sched_begin();
	thread->function(thread->argument);
	thread_exit(THREAD_END_RETURNED);
}

/* 0, or -ENOMEM or what owner_begin() says, and nothing is kept. */
static int thread_prepare(struct thread *thread, const char *name)
{
	int error;

	/* A stack begins as zeroes: thread_stack_used(). */
	thread->stack = __vmalloc(STACK_SIZE, THREAD_GFP | __GFP_ZERO);
	if (thread->stack == NULL)
		return -ENOMEM;
	error = owner_begin(&thread->owner, OWNER_THREAD, name);
	if (error != 0) {
		vfree(thread->stack);
		return error;
	}
	thread->stack_pointer = arch_prepare_stack(
		(char *)thread->stack + STACK_SIZE, thread_begin);
	return 0;
}

/* A thread that was never started, or has been taken off the list. */
static void free_thread(struct thread_record *record)
{
	kassert(!list_is_linked(&record->link));
	kmem_cache_free(thread_cache, record);
}

static struct thread_record *make_thread(const char *name,
                                         enum thread_priority priority,
                                         void (*function)(void *),
                                         void *argument, int *error)
{
	struct thread_record *record =
		kmem_cache_alloc(thread_cache, THREAD_GFP);

	*error = -ENOMEM;
	if (record == NULL)
		return NULL;
	*record = (struct thread_record){
		.thread = { .function = function,
		            .argument = argument,
		            .mm = &record->task },
		.task = { .oom_score_adj =
		                  current_thread()->mm->oom_score_adj },
	};
	list_init(&record->link);
	sched_prepare(&record->thread, name, priority);
	*error = thread_prepare(&record->thread, name);
	if (*error == 0)
		return record;
	free_thread(record);
	return NULL;
}

struct thread *thread_create_priority(const char *name,
                                      enum thread_priority priority,
                                      void (*function)(void *), void *argument)
{
	struct thread_record *record;
	char own_name[OWNER_NAME_SIZE];
	int error;

	/* Whose name is foreign memory is ended here, where it holds nothing. */
	scnprintf(own_name, sizeof(own_name), "%s", name);
	record = make_thread(own_name, priority, function, argument, &error);
	if (record == NULL) {
		pr_err("thread %s cannot be created: error %d\n", own_name,
		       -error);
		return NULL;
	}
	enter_thread_list(record);
	sched_start(&record->thread);
	return &record->thread;
}

struct thread *thread_create(const char *name, void (*function)(void *),
                             void *argument)
{
	return thread_create_priority(name, PRIORITY_NORMAL, function,
	                              argument);
}

enum thread_end thread_join(struct thread *thread)
{
	struct thread_record *record = record_of(thread);
	enum thread_end end;

	kassert(kmem_cache_has(thread_cache, record));
	wait_event_checked(&thread_ended, thread_has_ended, thread, FOREVER,
	                   might_sleep());
	end = thread->end;
	__atomic_fetch_or(&record->visitors, RECORD_JOINING, __ATOMIC_ACQ_REL);
	wait_event(&visitors_left, leave_thread_list, record);
	anon_disown(thread);
	fail_nth_set(thread, 0, false);
	vfree(thread->stack);
	free_thread(record);
	return end;
}

/* ---- How deep? ----------------------------------------------------------- */

static unsigned long used(uintptr_t bottom, uintptr_t top)
{
	uintptr_t at = bottom;

	while (at < top && *(const volatile uint64_t *)at == 0)
		at += sizeof(uint64_t);
	return top - at;
}

static unsigned long used_above(const char *guard, const char *top)
{
	return used((uintptr_t)guard + PAGE_SIZE, (uintptr_t)top);
}

unsigned long thread_stack_used(const struct thread *thread)
{
	uintptr_t bottom = (uintptr_t)thread->stack;

	if (bottom == 0)
		return used_above(boot_stack_guard, boot_stack_top);
	return used(bottom, bottom + STACK_SIZE);
}

unsigned long double_fault_stack_used(void)
{
	return used_above(double_fault_stack_guard, double_fault_stack_top);
}

unsigned long nmi_stack_used(void)
{
	return used_above(nmi_stack_guard, nmi_stack_top);
}
