/* SPDX-License-Identifier: MIT */
/*
 * kernel/thread.h -- making threads and waiting for their end.
 *
 * A thread has 16 KiB of stack with an unmapped page below it, and, being an
 * owner, a window.  Thread context, unless a line says otherwise.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "kernel/core/sched.h"

#define STACK_SIZE (16 * KIB)

/* Threads can be created from here on; memory, the slab allocator and vmalloc() are
 * up. */
void threads_start(void);

/*
 * Start a thread that calls FUNCTION(ARGUMENT).  NAME is copied.  NULL: no memory, or
 * no window (kernel/core/owner.h), said in the log; nothing is kept.  May wait, and
 * reclaims memory, but kills nobody for it.  Its priority is normal.
 */
__must_check struct thread *
thread_create(const char *name, void (*function)(void *), void *argument);

/* The same with a priority. */
__must_check struct thread *
thread_create_priority(const char *name, enum thread_priority priority,
                       void (*function)(void *), void *argument);

/* Wait until THREAD has ended, free it and its stack, and say how it ended. */
enum thread_end thread_join(struct thread *thread);

/*
 * Visit all threads that were created and are alive.  A thread may end while it is
 * visited, but is not joined before VISIT has returned, which may wait, but not
 * join.  One that is created meanwhile is not visited.  Any context but NMI.
 */
void thread_visit(void (*visit)(struct thread *thread, void *data), void *data);

/*
 * Visit the next few threads, THREADS_SOME at most: for interrupts, which may not take
 * long.  True: the last one has been among them, and the next call begins with the
 * first.  VISIT does not wait.  One caller; any context but NMI.
 */
#define THREADS_SOME 2U
bool thread_visit_some(void (*visit)(struct thread *thread, void *data),
                       void *data);

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
