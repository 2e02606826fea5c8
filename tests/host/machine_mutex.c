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

/* A thread without a window has the number 0, which as a holder means none. */
static uint64_t machine_mutex_me(void)
{
	return thread_owner_id(current_thread()) + 1;
}

static bool machine_mutex_take(void *data)
{
	struct mutex *mutex = data;

	if (mutex->holder != 0)
		return false;
	mutex->holder = machine_mutex_me();
	return true;
}

bool mutex_is_mine(const struct mutex *mutex)
{
	return mutex->holder == machine_mutex_me();
}

void mutex_lock(struct mutex *mutex)
{
	if (mutex_is_mine(mutex))
		panic("mutex %s: taken twice", mutex->name);
	might_sleep();
	wait_event(&mutex->queue, machine_mutex_take, mutex);
	held_take(HELD_MUTEX, mutex, RETURN_ADDRESS());
}

bool mutex_trylock(struct mutex *mutex)
{
	if (!may_sleep_here() || !machine_mutex_take(mutex))
		return false;
	held_take(HELD_MUTEX, mutex, RETURN_ADDRESS());
	return true;
}

void mutex_unlock(struct mutex *mutex)
{
	if (!mutex_is_mine(mutex))
		panic("mutex %s: released by another", mutex->name);
	held_drop(HELD_MUTEX, mutex);
	mutex->holder = 0;
	wake_up(&mutex->queue);
}
