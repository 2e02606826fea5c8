/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/mutex.c -- one thread at a time, and the others sleep.
 *
 * A mutex is the number of its holder.  Taking it is one compare-and-exchange
 * from 0; a thread that loses waits for "I have taken it" to become true, which
 * the release makes possible and the waiters fight for.  A number, because it is
 * never given again: a thread that ended with a mutex in its hands has left its
 * place in memory to another, who does not hold it.
 */
#include "kernel/core/mutex.h"

#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/watchdog.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

void mutex_init(struct mutex *mutex, const char *name)
{
	*mutex = (struct mutex){ .name = name };
	wait_queue_init(&mutex->queue, name);
}

static bool mutex_take(void *data)
{
	struct mutex *mutex = data;
	uint64_t nobody = 0;

	return __atomic_compare_exchange_n(
		&mutex->holder, &nobody, thread_owner_id(current_thread()),
		false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool mutex_is_mine(const struct mutex *mutex)
{
	return __atomic_load_n(&mutex->holder, __ATOMIC_RELAXED) ==
	       thread_owner_id(current_thread());
}

void mutex_lock(struct mutex *mutex)
{
	struct thread *self = current_thread();
	bool may_wait = might_sleep();

	if (mutex_is_mine(mutex))
		panic("mutex %s: taken twice by %s", mutex->name, self->title);
	lock_order_take_mutex(&self->mutexes, &mutex->order_class, mutex->name,
	                      CALLER);
	if (!mutex_take(mutex)) {
		lock_wait_begin(mutex);
		wait_event_checked(&mutex->queue, mutex_take, mutex, FOREVER,
		                   may_wait);
		lock_wait_end();
	}
	mutex->since = clock_microseconds();
	held_take(HELD_MUTEX, mutex, CALLER);
}

bool mutex_trylock(struct mutex *mutex)
{
	struct thread *self = current_thread();

	if (!may_sleep_here() || mutex_is_mine(mutex) || !mutex_take(mutex))
		return false;
	mutex->since = clock_microseconds();
	lock_order_take_mutex(&self->mutexes, &mutex->order_class, mutex->name,
	                      CALLER);
	held_take(HELD_MUTEX, mutex, CALLER);
	return true;
}

static void mutex_let_go(void *data)
{
	struct mutex *mutex = data;

	__atomic_store_n(&mutex->holder, 0, __ATOMIC_RELEASE);
}

void mutex_unlock(struct mutex *mutex)
{
	struct thread *self = current_thread();

	if (!mutex_is_mine(mutex))
		panic("mutex %s: released by %s, who does not hold it",
		      mutex->name, context_name());
	lock_order_release_mutex(&self->mutexes, mutex->order_class);
	held_drop(HELD_MUTEX, mutex);
	wake_up_with(&mutex->queue, mutex_let_go, mutex);
}
