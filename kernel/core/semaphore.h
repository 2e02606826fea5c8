/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/semaphore.h -- counted permission, and something that happens.
 */
#ifndef KERNEL_CORE_SEMAPHORE_H
#define KERNEL_CORE_SEMAPHORE_H

#include "kernel/core/sched.h"

/* ---- Semaphores: a count of what there is -------------------------------- */

struct semaphore {
	int count; /* atomic, never below 0 */
	struct wait_queue queue;
};

void sema_init(struct semaphore *semaphore, int count);

/* Take one; waits until there is one.  Thread context. */
void down(struct semaphore *semaphore);

/* 0, or -ETIMEDOUT after MICROSECONDS without one.  Thread context. */
__must_check int down_timeout(struct semaphore *semaphore,
                              uint64_t microseconds);

/* True: taken.  Never waits; any context. */
__must_check bool down_trylock(struct semaphore *semaphore);

/* Increment; the waiter that takes it may free the semaphore immediately.  Any
 * context but NMI. */
void up(struct semaphore *semaphore);

/* ---- Completions: it has happened ---------------------------------------- */

struct completion {
	struct semaphore semaphore;
	bool all; /* atomic: complete_all() */
};

void init_completion(struct completion *completion);

/* Release one waiter, now or later; it may free the completion immediately.  Any
 * context but NMI. */
void complete(struct completion *completion);

/* Everybody may go on, until it is initialised again. */
void complete_all(struct completion *completion);

/* Thread context. */
void wait_for_completion(struct completion *completion);

/* 0, or -ETIMEDOUT. */
__must_check int wait_for_completion_timeout(struct completion *completion,
                                             uint64_t microseconds);

#endif
