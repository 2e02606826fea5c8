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
 * Locking: one CPU creates threads at a time; creation and joining happen in
 * thread context and do not yield while the table is touched.
 */
#include "kernel/thread.h"

#include "kernel/arch/paging.h"
#include "kernel/arch/switch.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

static struct thread threads[STACK_SLOTS];
static bool slot_used[STACK_SLOTS];

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
	int error = pin_page(page);

	if (error != 0)
		return error;
	paging_map_stack_page(address, page_to_pfn(page) << PAGE_SHIFT);
	return 0;
}

void unmap_kernel_page(uintptr_t address)
{
	uint64_t physical = paging_unmap_stack_page(address);

	if (physical != 0)
		put_page(pfn_to_page(physical >> PAGE_SHIFT));
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

static int find_slot(void)
{
	for (int slot = 0; slot < STACK_SLOTS; slot++) {
		if (!slot_used[slot])
			return slot;
	}
	return -ENOSPC;
}

static int prepare(struct thread *thread, const char *name,
                   void (*function)(void *), void *argument)
{
	unsigned int slot = thread_slot(thread);
	int error;

	*thread = (struct thread){
		.function = function,
		.argument = argument,
		.stack = (void *)stack_base(slot),
	};
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

struct thread *thread_create(const char *name, void (*function)(void *),
                             void *argument)
{
	int slot = find_slot();
	int error = slot < 0
	                    ? slot
	                    : prepare(&threads[slot], name, function, argument);

	if (error != 0) {
		pr_err("thread %s cannot be created: error %d\n", name, -error);
		return NULL;
	}
	slot_used[slot] = true;
	sched_start(&threads[slot]);
	return &threads[slot];
}

enum thread_end thread_join(struct thread *thread)
{
	unsigned int slot = thread_slot(thread);

	kassert(slot < STACK_SLOTS && slot_used[slot]);
	wait_event(&thread_ended, thread_has_ended, thread);
	free_stack(slot);
	slot_used[slot] = false;
	return thread->end;
}

void thread_visit(void (*visit)(const struct thread *thread, void *data),
                  void *data)
{
	for (unsigned int slot = 0; slot < STACK_SLOTS; slot++) {
		if (slot_used[slot] && threads[slot].state != THREAD_ENDED)
			visit(&threads[slot], data);
	}
}
