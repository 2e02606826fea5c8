/* SPDX-License-Identifier: MIT */
/*
 * kernel/thread.h -- making threads and waiting for their end.
 *
 * A thread has 16 KiB of stack with an unmapped page below it, and, being an
 * owner, a window.  Thread context for all functions.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "kernel/core/sched.h"

struct page;

/*
 * Start a thread that calls FUNCTION(ARGUMENT).  NAME is copied.  NULL: no
 * memory or no stack slot (64), said in the log.  Its priority is normal.
 */
__must_check struct thread *
thread_create(const char *name, void (*function)(void *), void *argument);

/* The same with a priority. */
__must_check struct thread *
thread_create_priority(const char *name, enum thread_priority priority,
                       void (*function)(void *), void *argument);

/* Wait until THREAD has ended, give its stack back, and say how it ended.
 * THREAD is dead afterwards. */
enum thread_end thread_join(struct thread *thread);

/*
 * Map PAGE, writable, at ADDRESS in the stack region, with a reference of the
 * mapping's own.  0, -EINVAL (not allocated), or -EBUSY: an exclusive page has
 * one mapping, its owner's, and nothing is changed.
 */
__must_check int map_kernel_page(uintptr_t address, struct page *page);
void unmap_kernel_page(uintptr_t address);

/* Visit all threads that were created and are alive.  A thread may end while it is
 * visited, but is not joined before VISIT has returned, which may wait, but not
 * join.  Any context. */
void thread_visit(void (*visit)(struct thread *thread, void *data), void *data);

/*
 * How many bytes of a stack have been written at the deepest.  A stack begins
 * as zeroes, so it is the distance from the lowest word that is not 0 to the top:
 * words written with 0 below it are not seen.  The thread is alive; the first
 * thread has the boot stack.  Thread context.
 */
unsigned long thread_stack_used(const struct thread *thread);
unsigned long double_fault_stack_used(void);
unsigned long nmi_stack_used(void);

#endif
