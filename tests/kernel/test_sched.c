/* SPDX-License-Identifier: MIT */
/*
 * Threads that take turns, wait, and are kept waiting: preemption, priorities,
 * time limits, mutexes, semaphores, completions.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/lock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(sched);
SUITE(mutex);
SUITE(semaphore);

#define MILLISECOND 1000ULL

/* Guest time that something which works never needs. */
#define LIMIT       (2000 * MILLISECOND)

/* ---- Preemption ---------------------------------------------------------- */

struct spinner {
	volatile uint64_t rounds;
	volatile bool stop;
};

/* Never yields, never waits. */
static void spin(void *data)
{
	struct spinner *spinner = data;

	while (!spinner->stop)
		spinner->rounds++;
}

CASE(sched, threads_that_never_yield_share_the_cpu)
{
	struct spinner spinner[2] = { 0 };
	struct thread *thread[2];
	uint64_t deadline = clock_microseconds() + LIMIT;

	for (int i = 0; i < 2; i++) {
		thread[i] = thread_create("spinner", spin, &spinner[i]);
		EXPECT(thread[i] != NULL);
	}
	/* This thread does not yield either. */
	while ((spinner[0].rounds == 0 || spinner[1].rounds == 0) &&
	       clock_microseconds() < deadline)
		arch_relax();
	spinner[0].stop = true;
	spinner[1].stop = true;
	for (int i = 0; i < 2; i++)
		EXPECT(thread_join(thread[i]) == THREAD_END_RETURNED);
	EXPECT(spinner[0].rounds > 0 && spinner[1].rounds > 0);
	return NULL;
}

CASE(sched, nobody_runs_while_preemption_is_off)
{
	struct spinner spinner = { 0 };
	struct thread *thread;
	uint64_t end;

	thread =
		thread_create_priority("spinner", PRIORITY_LOW, spin, &spinner);
	EXPECT(thread != NULL);
	preempt_disable();
	thread_set_priority(thread, PRIORITY_HIGH);
	end = clock_microseconds() + 5 * SCHED_SLICE;
	while (clock_microseconds() < end)
		arch_relax();
	EXPECT_EQUAL(spinner.rounds, 0);
	spinner.stop = true;
	/* Here it takes over, finds that it is to stop, and ends. */
	preempt_enable();
	EXPECT(thread->state == THREAD_ENDED);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	return NULL;
}

static void note_time(void *data)
{
	*(volatile uint64_t *)data = arch_cycles();
}

CASE(sched, more_urgent_thread_runs_immediately_and_less_urgent_one_last)
{
	volatile uint64_t at[3] = { 0 };
	struct thread *low = thread_create_priority("low", PRIORITY_LOW,
	                                            note_time, (void *)&at[0]);
	struct thread *normal =
		thread_create("normal", note_time, (void *)&at[1]);
	struct thread *high = thread_create_priority("high", PRIORITY_HIGH,
	                                             note_time, (void *)&at[2]);

	EXPECT(low != NULL && normal != NULL && high != NULL);
	/* It was more urgent than this thread, and is over. */
	EXPECT(at[2] != 0);
	EXPECT(thread_join(high) == THREAD_END_RETURNED);
	EXPECT(thread_join(low) == THREAD_END_RETURNED);
	EXPECT(thread_join(normal) == THREAD_END_RETURNED);
	EXPECT(at[1] < at[0]);
	return NULL;
}

/* Its own exclusive page, written over and over; no yield. */
struct keeper {
	const char *wrong;
	volatile bool stop;
	uint64_t rounds;
};

static void keep_page(void *data)
{
	struct keeper *keeper = data;
	volatile uint64_t *words =
		labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (words == NULL) {
		keeper->wrong = "got no page";
		return;
	}
	while (!keeper->stop) {
		keeper->rounds++;
		for (unsigned int i = 0; i < PAGE_SIZE / 8; i++)
			words[i] = keeper->rounds * 1000 + i;
		for (unsigned int i = 0; i < PAGE_SIZE / 8; i++) {
			if (words[i] != keeper->rounds * 1000 + i)
				keeper->wrong = "found something else";
		}
	}
	if (exclusive_release((void *)words) != 0)
		keeper->wrong = "could not release its page";
}

CASE(sched, preempted_threads_find_their_windows_as_they_left_them)
{
	struct keeper keeper[3] = { 0 };
	struct thread *thread[3];
	uint64_t preempted = 0;

	for (int i = 0; i < 3; i++) {
		thread[i] = thread_create("keeper", keep_page, &keeper[i]);
		EXPECT(thread[i] != NULL);
	}
	thread_sleep(10 * SCHED_SLICE);
	for (int i = 0; i < 3; i++) {
		preempted += READ_ONCE(thread[i]->preempted);
		keeper[i].stop = true;
	}
	for (int i = 0; i < 3; i++) {
		EXPECT(thread_join(thread[i]) == THREAD_END_RETURNED);
		if (keeper[i].wrong != NULL)
			return test_failure("keeper %d %s", i, keeper[i].wrong);
		EXPECT(keeper[i].rounds > 0);
	}
	/* Or this has shown nothing.  It counts up from 0. */
	EXPECT(preempted > 0 && preempted < 1000);
	return NULL;
}

/* ---- Time limits --------------------------------------------------------- */

static struct wait_queue queue = WAIT_QUEUE_INIT(queue);

static bool is_set(void *data)
{
	return *(volatile bool *)data;
}

static void set_and_wake(void *data)
{
	*(volatile bool *)data = true;
	wake_up(&queue);
}

CASE(sched, time_limit_ends_a_wait_that_nobody_ends)
{
	volatile bool flag = false;
	uint64_t begin = clock_microseconds();

	EXPECT(!wait_event_timeout(&queue, is_set, (void *)&flag,
	                           20 * MILLISECOND));
	EXPECT(clock_microseconds() - begin >= 20 * MILLISECOND);
	EXPECT(list_empty(&queue.waiters));
	return NULL;
}

CASE(sched, wake_up_in_an_interrupt_ends_a_wait_before_its_limit)
{
	volatile bool flag = false;
	struct thread *thread;

	thread = thread_create("waker", set_and_wake, (void *)&flag);
	EXPECT(thread != NULL);
	EXPECT(wait_event_timeout(&queue, is_set, (void *)&flag, LIMIT));
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	flag = false;
	EXPECT(in_timer_interrupt(set_and_wake, (void *)&flag));
	EXPECT(wait_event_timeout(&queue, is_set, (void *)&flag, LIMIT));
	return NULL;
}

struct waiter {
	volatile bool flag;
	volatile bool met;
	volatile unsigned int ticks;
};

static void wait_for_flag(void *data)
{
	struct waiter *waiter = data;

	waiter->met = wait_event_timeout(&queue, is_set, (void *)&waiter->flag,
	                                 LIMIT);
}

/* By the third tick everybody waits, and the CPU halts. */
static void set_both(void *data)
{
	struct waiter *waiter = data;

	if (++waiter->ticks < 3)
		return;
	waiter[0].flag = true;
	waiter[1].flag = true;
	wake_up(&queue);
}

/* This thread sleeps first, so one of the two is the last to stop, and the CPU
 * halts on its stack. */
CASE(sched, two_threads_woken_by_one_interrupt_of_an_idle_cpu_both_run)
{
	struct waiter waiter[2] = { 0 };
	struct thread *thread[2];

	for (int i = 0; i < 2; i++) {
		thread[i] = thread_create("waiter", wait_for_flag, &waiter[i]);
		EXPECT(thread[i] != NULL);
	}
	pit_set_listener(set_both, waiter);
	thread_sleep(20 * MILLISECOND);
	pit_set_listener(NULL, NULL);
	EXPECT(waiter[0].met && waiter[1].met);
	for (int i = 0; i < 2; i++)
		EXPECT(thread_join(thread[i]) == THREAD_END_RETURNED);
	return NULL;
}

static void sleep_long(void *data)
{
	thread_sleep(300 * MILLISECOND);
	WRITE_ONCE(*(bool *)data, true);
}

CASE(sched, a_shorter_sleep_that_begins_later_ends_first)
{
	bool has_slept = false;
	bool was_first;
	struct thread *thread =
		thread_create("sleeper", sleep_long, &has_slept);
	uint64_t begin;

	EXPECT(thread != NULL);
	thread_yield();
	begin = clock_microseconds();
	thread_sleep(20 * MILLISECOND);
	was_first = !READ_ONCE(has_slept);
	begin = clock_microseconds() - begin;
	thread_join(thread);
	EXPECT(was_first);
	EXPECT(begin < 200 * MILLISECOND);
	return NULL;
}

static void add_runtime(struct thread *thread, void *data)
{
	struct sched_times *sum = data;

	if (thread != current_thread())
		sum->idle += thread_runtime(thread, sum->now);
}

/* How many microseconds are booked too much; idle, threads, and ended ones. */
static int64_t booked_too_much(struct sched_times *times)
{
	struct sched_times sum;
	int64_t difference;

	preempt_disable();
	sched_times(times);
	sum = *times;
	sum.idle += thread_runtime(current_thread(), sum.now);
	thread_visit(add_runtime, &sum);
	difference = (int64_t)(sum.idle + sum.ended - sum.now);
	preempt_enable();
	return difference;
}

/* Rest, a thread that works and ends, one that is kept waiting: after each the
 * books add up to the microsecond. */
CASE(sched, every_microsecond_is_booked_once)
{
	struct spinner spinner = { 0 };
	struct sched_times before;
	struct sched_times after;
	struct thread *thread;
	uint64_t slept;

	EXPECT_EQUAL(booked_too_much(&before), 0);
	slept = clock_microseconds();
	thread_sleep(50 * MILLISECOND);
	slept = clock_microseconds() - slept;
	EXPECT_EQUAL(booked_too_much(&after), 0);
	/* The CPU rested nearly all the time, and no longer than that. */
	EXPECT(after.idle > before.idle);
	EXPECT(after.idle - before.idle <= after.now - before.now);
	EXPECT(slept >= 50 * MILLISECOND);

	thread = thread_create("spinner", spin, &spinner);
	EXPECT(thread != NULL);
	thread_sleep(20 * MILLISECOND);
	EXPECT_EQUAL(booked_too_much(&before), 0);
	EXPECT(thread_runtime(thread, before.now) > 0);
	spinner.stop = true;
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(booked_too_much(&after), 0);
	EXPECT(after.ended > before.ended);
	return NULL;
}

struct slow {
	unsigned int calls;
	uint64_t preempted;
	volatile bool done;
};

/*
 * False at first; then, being WAITING by now, it is preempted before it can
 * report that the event it waits for has happened meanwhile.
 */
static bool slow_condition(void *data)
{
	struct slow *slow = data;
	struct thread *self = current_thread();
	uint64_t deadline = clock_microseconds() + LIMIT;

	if (slow->calls++ == 0)
		return false;
	slow->preempted = self->preempted;
	while (READ_ONCE(self->preempted) == slow->preempted &&
	       clock_microseconds() < deadline)
		arch_relax();
	return true;
}

static void wait_slowly(void *data)
{
	struct slow *slow = data;

	wait_event(&queue, slow_condition, slow);
	slow->done = true;
}

CASE(sched, thread_that_is_preempted_on_its_way_to_a_wait_still_looks)
{
	struct slow slow = { 0 };
	uint64_t deadline = clock_microseconds() + LIMIT;
	struct thread *thread = thread_create("slow", wait_slowly, &slow);

	EXPECT(thread != NULL);
	/* Nobody wakes it, and this thread wants the CPU, too. */
	while (!slow.done && clock_microseconds() < deadline)
		arch_relax();
	EXPECT(slow.done);
	EXPECT(thread->preempted > slow.preempted);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	return NULL;
}

/* ---- Mutexes ------------------------------------------------------------- */

static struct mutex test_mutex = MUTEX_INIT(test_mutex, "test mutex");

struct counter {
	unsigned long value;
	unsigned long inside;
	bool broken;
};

static void count_with_mutex(void *data)
{
	struct counter *counter = data;

	for (int i = 0; i < 200; i++) {
		unsigned long value;

		mutex_lock(&test_mutex);
		if (++counter->inside != 1)
			counter->broken = true;
		value = counter->value;
		if (i % 8 == 0)
			thread_yield();
		counter->value = value + 1;
		counter->inside--;
		mutex_unlock(&test_mutex);
	}
}

CASE(mutex, one_thread_at_a_time_is_inside)
{
	struct counter counter = { 0 };
	struct thread *thread[4];

	for (int i = 0; i < 4; i++) {
		thread[i] =
			thread_create("counter", count_with_mutex, &counter);
		EXPECT(thread[i] != NULL);
	}
	for (int i = 0; i < 4; i++)
		EXPECT(thread_join(thread[i]) == THREAD_END_RETURNED);
	EXPECT(!counter.broken);
	EXPECT_EQUAL(counter.value, 4 * 200);
	return NULL;
}

static void try_mutex(void *data)
{
	*(bool *)data = mutex_trylock(&test_mutex);
}

CASE(mutex, trylock_of_a_mutex_that_is_held_fails_and_never_waits)
{
	unsigned int held = held_total();
	bool taken = true;
	struct thread *thread;

	mutex_lock(&test_mutex);
	EXPECT(mutex_is_mine(&test_mutex));
	thread = thread_create("trier", try_mutex, &taken);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(!taken);
	EXPECT(!mutex_trylock(&test_mutex));
	mutex_unlock(&test_mutex);
	EXPECT_EQUAL(held_total(), held);
	EXPECT(mutex_trylock(&test_mutex));
	EXPECT_EQUAL(held_total(), held + 1);
	mutex_unlock(&test_mutex);
	EXPECT_EQUAL(held_total(), held);
	EXPECT(!mutex_is_mine(&test_mutex));
	return NULL;
}

/* ---- Semaphores and completions ------------------------------------------ */

struct buffer {
	struct semaphore full;
	struct semaphore empty;
	unsigned int number;
	unsigned long sum;
};

static void consume(void *data)
{
	struct buffer *buffer = data;

	for (int i = 0; i < 100; i++) {
		down(&buffer->full);
		buffer->sum += buffer->number;
		up(&buffer->empty);
	}
}

CASE(semaphore, producer_and_consumer_take_turns)
{
	struct buffer buffer = { 0 };
	struct thread *thread;

	sema_init(&buffer.full, 0);
	sema_init(&buffer.empty, 1);
	thread = thread_create("consumer", consume, &buffer);
	EXPECT(thread != NULL);
	for (unsigned int i = 1; i <= 100; i++) {
		EXPECT_EQUAL(down_timeout(&buffer.empty, LIMIT), 0);
		buffer.number = i;
		up(&buffer.full);
	}
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(buffer.sum, 100 * 101 / 2);
	EXPECT(!down_trylock(&buffer.full));
	EXPECT_EQUAL(down_timeout(&buffer.full, MILLISECOND),
	             (unsigned long long)-ETIMEDOUT);
	return NULL;
}

static void complete_it(void *data)
{
	complete(data);
}

CASE(semaphore, completion_by_an_interrupt_lets_one_waiter_go)
{
	struct completion done;

	init_completion(&done);
	EXPECT(wait_for_completion_timeout(&done, MILLISECOND) == -ETIMEDOUT);
	EXPECT(in_timer_interrupt(complete_it, &done));
	EXPECT_EQUAL(wait_for_completion_timeout(&done, LIMIT), 0);
	EXPECT(wait_for_completion_timeout(&done, MILLISECOND) == -ETIMEDOUT);
	complete_all(&done);
	wait_for_completion(&done);
	wait_for_completion(&done);
	return NULL;
}
