/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_mutex.c -- mutexes on the host.
 *
 * Those of kernel/core/mutex.h, without its watch on their order.  They wait as
 * the machine waits: if the test has no hook in which another thread releases it,
 * everybody sleeps.
 */
#include "kernel/core/context.h"
#include "kernel/core/mutex.h"
#include "tests/host/libmm.h"

void mutex_init(struct mutex *mutex, const char *name)
{
	*mutex = (struct mutex){ .name = name };
	wait_queue_init(&mutex->queue, name);
}

static bool take(void *data)
{
	struct mutex *mutex = data;

	if (mutex->holder != 0)
		return false;
	mutex->holder = thread_owner_id(current_thread());
	return true;
}

bool mutex_is_mine(const struct mutex *mutex)
{
	return mutex->holder == thread_owner_id(current_thread());
}

void mutex_lock(struct mutex *mutex)
{
	if (mutex_is_mine(mutex))
		panic("mutex %s: taken twice", mutex->name);
	might_sleep();
	wait_event(&mutex->queue, take, mutex);
}

bool mutex_trylock(struct mutex *mutex)
{
	return may_sleep_here() && take(mutex);
}

void mutex_unlock(struct mutex *mutex)
{
	if (!mutex_is_mine(mutex))
		panic("mutex %s: released by another", mutex->name);
	mutex->holder = 0;
	wake_up(&mutex->queue);
}
