/* SPDX-License-Identifier: MIT */
/*
 * kernel/thread.c -- making threads.
 *
 * The stack region has 64 slots of 32 KiB; slot N belongs to threads[N]:
 *
 *	|  guard, never mapped: 16 KiB  |  stack: 16 KiB, mapped  |
 *	base                                                      top
 *
 * The stack's pages are allocated one by one and mapped there with
 * map_kernel_page(), which refuses an exclusive page as every second mapping.
 *
 * Locking: threads_lock guards which slots are taken.  The contents of a slot
 * belong to its creator until the thread starts, and after its end to the thread that
 * joins it.
 *
 * Visitors.  thread_visit() takes no lock, for a visit may come in an interrupt, and
 * may wait.  A slot is one word, its state and a count of visitors: a visitor adds
 * itself while the state is ALIVE, in one compare-and-exchange; thread_join() changes
 * the state, so that no more come, and waits until the last has left.  Until then the
 * thread may end, but its slot and its stack stay what they were.
 */
#include "kernel/thread.h"

#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/switch.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/task.h"
#include "mm/user/anon.h"

enum slot_state {
	SLOT_FREE,
	SLOT_TAKEN, /* a thread is being made, or taken apart */
	SLOT_ALIVE,
};
#define SLOT_STATE   0xffU
#define SLOT_VISITOR 0x100U

static struct spinlock threads_lock = SPINLOCK_INIT("threads");
static struct thread threads[STACK_SLOTS];
/* (t) What mm/ knows of threads[N]. */
static struct mm_task thread_tasks[STACK_SLOTS];
/* A state, and visitors: atomic; without visitors changed under threads_lock. */
static uint32_t slots[STACK_SLOTS];
static struct wait_queue visitors_left = WAIT_QUEUE_INIT(visitors_left);

static uintptr_t stack_base(unsigned int slot)
{
	return STACK_BASE + (slot + 1) * STACK_SLOT_SIZE - STACK_SIZE;
}

static unsigned int thread_slot(const struct thread *thread)
{
	return (unsigned int)(thread - threads);
}

/* Map PAGE at ADDRESS in the stack region.  0, or -EBUSY for an exclusive
 * page: it has one mapping, its owner's. */
int map_kernel_page(uintptr_t address, struct page *page)
{
	int error = page_add_mapping(page);

	if (error != 0)
		return error;
	paging_map_stack_page(address, page_to_pfn(page) << PAGE_SHIFT);
	return 0;
}

void unmap_kernel_page(uintptr_t address)
{
	uint64_t physical = paging_unmap_stack_page(address);

	if (physical != 0)
		page_remove_mapping(pfn_to_page(physical >> PAGE_SHIFT));
}

static void free_stack(unsigned int slot)
{
	for (unsigned long at = 0; at < STACK_SIZE; at += PAGE_SIZE)
		unmap_kernel_page(stack_base(slot) + at);
}

static int alloc_stack(unsigned int slot)
{
	for (unsigned long at = 0; at < STACK_SIZE; at += PAGE_SIZE) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		int error = -ENOMEM;

		if (page != NULL) {
			error = map_kernel_page(stack_base(slot) + at, page);
			/* The mapping keeps its own reference. */
			__free_page(page);
		}
		if (error != 0) {
			free_stack(slot);
			return error;
		}
	}
	return 0;
}

/* The first code of every thread, on its own stack. */
static void thread_begin(void)
{
	struct thread *thread = current_thread();

	sched_begin();
	thread->function(thread->argument);
	thread_exit(THREAD_END_RETURNED);
}

static void set_slot(int slot, enum slot_state state)
{
	spin_lock(&threads_lock);
	slots[slot] = state;
	spin_unlock(&threads_lock);
}

static int thread_take_slot(void)
{
	int found = -ENOSPC;

	spin_lock(&threads_lock);
	for (int slot = 0; slot < STACK_SLOTS && found < 0; slot++) {
		if (slots[slot] == SLOT_FREE)
			found = slot;
	}
	if (found >= 0)
		slots[found] = SLOT_TAKEN;
	spin_unlock(&threads_lock);
	return found;
}

static int thread_prepare(struct thread *thread, const char *name,
                          enum thread_priority priority,
                          void (*function)(void *), void *argument)
{
	unsigned int slot = thread_slot(thread);
	int error;

	*thread = (struct thread){
		.function = function,
		.argument = argument,
		.stack = (void *)stack_base(slot),
		.mm = &thread_tasks[slot],
	};
	*thread->mm = (struct mm_task){
		.oom_score_adj = current_thread()->mm->oom_score_adj,
	};
	sched_prepare(thread, name, priority);
	error = alloc_stack(slot);
	if (error != 0)
		return error;
	error = owner_begin(&thread->owner, OWNER_THREAD, name);
	if (error != 0) {
		free_stack(slot);
		return error;
	}
	thread->stack_pointer = arch_prepare_stack(
		(void *)(stack_base(slot) + STACK_SIZE), thread_begin);
	return 0;
}

struct thread *thread_create_priority(const char *name,
                                      enum thread_priority priority,
                                      void (*function)(void *), void *argument)
{
	char own_name[OWNER_NAME_SIZE];
	int slot;
	int error;

	/* Whose name is foreign memory is ended here, where it holds no slot. */
	scnprintf(own_name, sizeof(own_name), "%s", name);
	slot = thread_take_slot();
	error = slot;
	if (slot >= 0)
		error = thread_prepare(&threads[slot], own_name, priority,
		                       function, argument);
	if (error != 0) {
		if (slot >= 0)
			set_slot(slot, SLOT_FREE);
		pr_err("thread %s cannot be created: error %d\n", own_name,
		       -error);
		return NULL;
	}
	set_slot(slot, SLOT_ALIVE);
	sched_start(&threads[slot]);
	return &threads[slot];
}

struct thread *thread_create(const char *name, void (*function)(void *),
                             void *argument)
{
	return thread_create_priority(name, PRIORITY_NORMAL, function,
	                              argument);
}

static enum slot_state slot_state(unsigned int slot)
{
	return (enum slot_state)(READ_ONCE(slots[slot]) & SLOT_STATE);
}

static bool slot_has_no_visitors(void *data)
{
	return __atomic_load_n((uint32_t *)data, __ATOMIC_ACQUIRE) ==
	       SLOT_TAKEN;
}

enum thread_end thread_join(struct thread *thread)
{
	unsigned int slot = thread_slot(thread);
	enum thread_end end;

	kassert(slot < STACK_SLOTS && slot_state(slot) == SLOT_ALIVE);
	wait_event_checked(&thread_ended, thread_has_ended, thread, FOREVER,
	                   might_sleep());
	end = thread->end;
	/* No visit begins any more; wait for those that have. */
	__atomic_fetch_sub(&slots[slot], SLOT_ALIVE - SLOT_TAKEN,
	                   __ATOMIC_ACQ_REL);
	wait_event(&visitors_left, slot_has_no_visitors, &slots[slot]);
	anon_disown(thread);
	free_stack(slot);
	set_slot((int)slot, SLOT_FREE);
	return end;
}

/* False: nobody lives there. */
static bool begin_visit(unsigned int slot)
{
	uint32_t word = READ_ONCE(slots[slot]);

	while ((word & SLOT_STATE) == SLOT_ALIVE) {
		if (__atomic_compare_exchange_n(
			    &slots[slot], &word, word + SLOT_VISITOR, false,
			    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* In an NMI nobody joins meanwhile, so nobody is woken. */
static void end_visit(unsigned int slot)
{
	uint32_t left = __atomic_sub_fetch(&slots[slot], SLOT_VISITOR,
	                                   __ATOMIC_RELEASE);

	if (left == SLOT_TAKEN && !in_nmi())
		wake_up(&visitors_left);
}

void thread_visit(void (*visit)(struct thread *thread, void *data), void *data)
{
	for (unsigned int slot = 0; slot < STACK_SLOTS; slot++) {
		if (!begin_visit(slot))
			continue;
		if (READ_ONCE(threads[slot].state) != THREAD_ENDED)
			visit(&threads[slot], data);
		end_visit(slot);
	}
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
