/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/semaphore.c -- counted permission, and something that happens.
 *
 * Taking one is the condition that wait_event() waits for: the count goes down
 * by one if it is above zero, in one compare-and-exchange, which is
 * the only race between a waiter and a caller that does not wait.
 *
 * up() and complete() do not touch the object after the change itself
 * (wake_up_with()), so it may be on the stack of its waiter.
 */
#include "kernel/core/semaphore.h"

#include "kernel/core/context.h"
#include "kernel/core/watchdog.h"
#include "lib/errno.h"

/* ---- Semaphores ---------------------------------------------------------- */

void sema_init(struct semaphore *semaphore, int count)
{
	semaphore->count = count;
	wait_queue_init(&semaphore->queue, "semaphore");
}

static bool semaphore_take_one(void *data)
{
	struct semaphore *semaphore = data;
	int count = __atomic_load_n(&semaphore->count, __ATOMIC_RELAXED);

	while (count > 0) {
		if (__atomic_compare_exchange_n(
			    &semaphore->count, &count, count - 1, false,
			    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void down(struct semaphore *semaphore)
{
	bool may_wait = might_sleep();

	if (down_trylock(semaphore))
		return;
	lock_wait_begin(NULL);
	wait_event_checked(&semaphore->queue, semaphore_take_one, semaphore,
	                   FOREVER, may_wait);
	lock_wait_end();
}

int down_timeout(struct semaphore *semaphore, uint64_t microseconds)
{
	bool taken = wait_event_checked(&semaphore->queue, semaphore_take_one,
	                                semaphore, microseconds, might_sleep());

	return taken ? 0 : -ETIMEDOUT;
}

bool down_trylock(struct semaphore *semaphore)
{
	return semaphore_take_one(semaphore);
}

static void give_one(void *data)
{
	struct semaphore *semaphore = data;

	__atomic_fetch_add(&semaphore->count, 1, __ATOMIC_RELEASE);
}

void up(struct semaphore *semaphore)
{
	wake_up_with(&semaphore->queue, give_one, semaphore);
}

/* ---- Completions --------------------------------------------------------- */

void init_completion(struct completion *completion)
{
	completion->all = false;
	sema_init(&completion->semaphore, 0);
	completion->semaphore.queue.name = "completion";
}

static bool semaphore_is_complete(void *data)
{
	struct completion *completion = data;

	return __atomic_load_n(&completion->all, __ATOMIC_ACQUIRE) ||
	       semaphore_take_one(&completion->semaphore);
}

void complete(struct completion *completion)
{
	up(&completion->semaphore);
}

static void open_for_all(void *data)
{
	struct completion *completion = data;

	__atomic_store_n(&completion->all, true, __ATOMIC_RELEASE);
}

void complete_all(struct completion *completion)
{
	wake_up_with(&completion->semaphore.queue, open_for_all, completion);
}

void wait_for_completion(struct completion *completion)
{
	bool may_wait = might_sleep();

	if (semaphore_is_complete(completion))
		return;
	lock_wait_begin(NULL);
	wait_event_checked(&completion->semaphore.queue, semaphore_is_complete,
	                   completion, FOREVER, may_wait);
	lock_wait_end();
}

int wait_for_completion_timeout(struct completion *completion,
                                uint64_t microseconds)
{
	bool done = wait_event_checked(&completion->semaphore.queue,
	                               semaphore_is_complete, completion,
	                               microseconds, might_sleep());

	return done ? 0 : -ETIMEDOUT;
}
