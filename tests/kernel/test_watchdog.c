/* SPDX-License-Identifier: MIT */
/*
 * Threads and CPUs that are stuck are reported, and others are not.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/core/watchdog.h"
#include "kernel/thread.h"
#include "lib/format.h"
#include "tests/suite.h"

SUITE(watchdog);

#define MILLISECOND 1000ULL

static struct wait_queue wanted_queue = WAIT_QUEUE_INIT(wanted_queue);

static bool wanted_is_set(void *flag)
{
	return *(volatile bool *)flag;
}

CASE(watchdog, cpu_that_cannot_switch_threads_is_reported_with_a_backtrace)
{
	uint64_t mark = log_mark();
	unsigned long before = watchdog_reports();
	uint64_t limit = watchdog_limit();
	uint64_t end;

	watchdog_set_limit(20 * MILLISECOND);
	preempt_disable();
	end = clock_microseconds() + 100 * MILLISECOND;
	while (clock_microseconds() < end)
		arch_relax();
	preempt_enable();
	watchdog_set_limit(limit);
	EXPECT_EQUAL(watchdog_reports(), before + 1);
	EXPECT(log_contains_since(mark, "has kept its CPU for"));
	EXPECT(log_contains_since(mark, "selftest_try+"));
	return NULL;
}

static void wait_for_memory(void *data)
{
	memory_wait_begin();
	wait_event(&wanted_queue, wanted_is_set, data);
	memory_wait_end();
}

static struct mutex wanted_mutex = MUTEX_INIT(wanted_mutex, "test wanted");
static struct semaphore wanted_semaphore;
static struct completion wanted_completion;

static void want_mutex(void *unused __unused)
{
	mutex_lock(&wanted_mutex);
	mutex_unlock(&wanted_mutex);
}

static void want_semaphore(void *unused __unused)
{
	down(&wanted_semaphore);
}

static void want_completion(void *unused __unused)
{
	wait_for_completion(&wanted_completion);
}

/* Until the watchdog has reported once more than BEFORE, a second at most. */
static void wait_for_report(unsigned long before)
{
	uint64_t end = clock_microseconds() + 1000 * MILLISECOND;

	while (watchdog_reports() == before && clock_microseconds() < end)
		thread_sleep(MILLISECOND);
}

/*
 * Return the watchdog's reports of a thread that runs FUNCTION, until RELEASE.
 */
static unsigned long reports_of(void (*function)(void *), void (*release)(void))
{
	unsigned long before = watchdog_reports();
	uint64_t limit = watchdog_limit();
	struct thread *thread = thread_create("waiter", function, NULL);

	if (thread == NULL)
		return 0;
	watchdog_set_limit(40 * MILLISECOND);
	wait_for_report(before);
	/* It is reported once. */
	thread_sleep(100 * MILLISECOND);
	watchdog_set_limit(limit);
	release();
	thread_join(thread);
	return watchdog_reports() - before;
}

static void release_mutex(void)
{
	mutex_unlock(&wanted_mutex);
}

CASE(watchdog, thread_that_waits_for_a_mutex_is_reported_with_its_holder)
{
	uint64_t mark = log_mark();
	char holder[96];

	scnprintf(holder, sizeof(holder), "  %s has held it for ",
	          current_thread()->title);
	mutex_lock(&wanted_mutex);
	EXPECT_EQUAL(reports_of(want_mutex, release_mutex), 1);
	EXPECT_EQUAL(log_count_since(mark, "BUG: watchdog: thread waiter has "
	                                   "waited for mutex test wanted for "),
	             1);
	EXPECT_EQUAL(log_count_since(mark, holder), 1);
	EXPECT(log_contains_since(mark, "want_mutex+"));
	EXPECT(log_contains_since(mark, "reports_of+"));
	return NULL;
}

static void give_semaphore(void)
{
	up(&wanted_semaphore);
}

static void give_completion(void)
{
	complete(&wanted_completion);
}

CASE(watchdog, waits_for_a_semaphore_and_a_completion_are_reported_too)
{
	uint64_t mark = log_mark();

	sema_init(&wanted_semaphore, 0);
	init_completion(&wanted_completion);
	EXPECT_EQUAL(reports_of(want_semaphore, give_semaphore), 1);
	EXPECT_EQUAL(reports_of(want_completion, give_completion), 1);
	EXPECT(log_contains_since(mark, "waiter has waited for semaphore for"));
	EXPECT(log_contains_since(mark,
	                          "waiter has waited for completion for"));
	EXPECT(log_contains_since(mark, "want_semaphore+"));
	EXPECT(log_contains_since(mark, "want_completion+"));
	return NULL;
}

CASE(watchdog, short_waits_for_a_mutex_and_waits_for_events_are_not_reported)
{
	unsigned long before = watchdog_reports();
	uint64_t limit = watchdog_limit();

	/* The service threads wait for something to do meanwhile. */
	watchdog_set_limit(40 * MILLISECOND);
	for (unsigned int i = 0; i < 20; i++) {
		struct thread *thread;

		mutex_lock(&wanted_mutex);
		thread = thread_create("waiter", want_mutex, NULL);
		thread_sleep(10 * MILLISECOND);
		mutex_unlock(&wanted_mutex);
		if (thread != NULL)
			thread_join(thread);
	}
	watchdog_set_limit(limit);
	EXPECT_EQUAL(watchdog_reports(), before);
	return NULL;
}

CASE(watchdog, thread_that_waits_for_memory_is_reported_with_its_backtrace)
{
	uint64_t mark = log_mark();
	unsigned long before = watchdog_reports();
	uint64_t limit = watchdog_limit();
	volatile bool flag = false;
	struct thread *thread =
		thread_create("poor", wait_for_memory, (void *)&flag);

	EXPECT(thread != NULL);
	watchdog_set_limit(20 * MILLISECOND);
	thread_sleep(100 * MILLISECOND);
	watchdog_set_limit(limit);
	flag = true;
	wake_up(&wanted_queue);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(watchdog_reports(), before + 1);
	EXPECT(log_contains_since(mark,
	                          "thread poor has waited for memory for"));
	EXPECT(log_contains_since(mark, "wait_for_memory+"));
	return NULL;
}
