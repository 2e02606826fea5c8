/* SPDX-License-Identifier: MIT */
/*
 * Threads that take turns, wait, and are kept waiting: preemption, priorities,
 * time limits, mutexes, semaphores, completions, deferred work, the order of
 * locks, the watchdog.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/work.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(sched);
SUITE(mutex);
SUITE(semaphore);
SUITE(work);
SUITE(lock_order);
SUITE(watchdog);

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

	for (int i = 0; i < 3; i++) {
		thread[i] = thread_create("keeper", keep_page, &keeper[i]);
		EXPECT(thread[i] != NULL);
	}
	thread_sleep(10 * SCHED_SLICE);
	for (int i = 0; i < 3; i++)
		keeper[i].stop = true;
	for (int i = 0; i < 3; i++) {
		EXPECT(thread_join(thread[i]) == THREAD_END_RETURNED);
		if (keeper[i].wrong != NULL)
			return test_failure("keeper %d %s", i, keeper[i].wrong);
		EXPECT(keeper[i].rounds > 0);
	}
	/* Or this has shown nothing. */
	EXPECT(thread[0]->preempted + thread[1]->preempted +
	               thread[2]->preempted >
	       0);
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
	EXPECT(mutex_trylock(&test_mutex));
	mutex_unlock(&test_mutex);
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

/* ---- Deferred work ------------------------------------------------------- */

struct job {
	struct work work;
	unsigned int runs;
	bool may_sleep;
};

static void run_job(struct work *work)
{
	struct job *job = container_of(work, struct job, work);

	job->runs++;
	job->may_sleep = may_sleep_here();
	thread_sleep(MILLISECOND);
}

static void queue_job(void *data)
{
	struct job *job = data;

	/* The second time it is pending already. */
	queue_work(&job->work);
	queue_work(&job->work);
}

CASE(work, interrupt_leaves_work_that_sleeps_to_a_thread)
{
	struct job job = { .runs = 0 };

	work_init(&job.work, run_job);
	EXPECT(in_timer_interrupt(queue_job, &job));
	flush_work();
	EXPECT_EQUAL(job.runs, 1);
	EXPECT(job.may_sleep);
	EXPECT(!job.work.pending);
	return NULL;
}

/* Queues itself again, once. */
static void run_again(struct work *work)
{
	struct job *job = container_of(work, struct job, work);

	if (++job->runs == 1)
		queue_work(work);
}

CASE(work, work_queued_while_it_runs_runs_once_more)
{
	struct job job = { .runs = 0 };

	work_init(&job.work, run_again);
	EXPECT(queue_work(&job.work));
	flush_work(); /* the first time, in which it is queued */
	flush_work();
	EXPECT_EQUAL(job.runs, 2);
	return NULL;
}

/* ---- The order of locks -------------------------------------------------- */

static struct spinlock first = SPINLOCK_INIT("test first");
static struct spinlock second = SPINLOCK_INIT("test second");
static struct spinlock third = SPINLOCK_INIT("test third");

static __noinline void take_in_order(struct spinlock *outer,
                                     struct spinlock *inner)
{
	bool enabled = spin_lock_irqsave(outer);
	bool also = spin_lock_irqsave(inner);

	spin_unlock_irqrestore(inner, also);
	spin_unlock_irqrestore(outer, enabled);
}

/*
 * Each order is reported only once: a case that has run before, in this boot,
 * gets no report. *KNOWN is the case's; returns how many reports it expects.
 */
static unsigned int reports_expected(bool *known)
{
	unsigned int expected = *known ? 0 : 1;

	*known = true;
	return expected;
}

CASE(lock_order, circle_over_three_locks_is_reported_once_with_both_places)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	take_in_order(&first, &second);
	take_in_order(&second, &third);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	take_in_order(&third, &first);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1) {
		EXPECT(log_contains_since(
			mark, "takes test first at take_in_order+"));
		EXPECT(log_contains_since(
			mark, "holding test third since take_in_order+"));
		EXPECT(log_contains_since(
			mark, "test second was taken under test first"));
	}
	take_in_order(&third, &first);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	return NULL;
}

static struct spinlock both = SPINLOCK_INIT("test both");

static __noinline void take_both(void *data __unused)
{
	bool enabled = spin_lock_irqsave(&both);

	spin_unlock_irqrestore(&both, enabled);
}

CASE(lock_order, lock_of_interrupts_held_with_interrupts_on_is_reported)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	EXPECT(in_timer_interrupt(take_both, NULL));
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	spin_lock(&both);
	EXPECT(arch_irq_enabled());
	spin_unlock(&both);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1)
		EXPECT(log_contains_since(
			mark, "lock test both is taken in interrupts, at "
			      "take_both+"));
	return NULL;
}

static struct mutex inner_mutex = MUTEX_INIT(inner_mutex, "test inner mutex");

CASE(lock_order, mutexes_taken_both_ways_round_are_reported)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	mutex_lock(&test_mutex);
	mutex_lock(&inner_mutex);
	mutex_unlock(&inner_mutex);
	mutex_unlock(&test_mutex);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	mutex_lock(&inner_mutex);
	mutex_lock(&test_mutex);
	mutex_unlock(&test_mutex);
	mutex_unlock(&inner_mutex);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1)
		EXPECT(log_contains_since(mark, "takes test mutex at"));
	return NULL;
}

CASE(lock_order, sleeping_under_a_spinlock_is_reported_with_both_places)
{
	unsigned long before = might_sleep_violations();
	static bool known;
	unsigned int expected = reports_expected(&known);
	uint64_t mark = log_mark();
	bool enabled = spin_lock_irqsave(&first);

	thread_yield();
	spin_unlock_irqrestore(&first, enabled);
	EXPECT_EQUAL(might_sleep_violations(), before + 1);
	EXPECT_EQUAL(log_count_since(mark, "sleeping function thread_yield "
	                                   "called by thread shell at "
	                                   "case_lock_order_sleeping"),
	             expected);
	EXPECT_EQUAL(log_count_since(mark, "spinlock test first is held since"),
	             expected);
	return NULL;
}

/* ---- The watchdog -------------------------------------------------------- */

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
	wait_event(&queue, is_set, data);
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
	set_and_wake((void *)&flag);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(watchdog_reports(), before + 1);
	EXPECT(log_contains_since(mark,
	                          "thread poor has waited for memory for"));
	EXPECT(log_contains_since(mark, "wait_for_memory+"));
	return NULL;
}

/* ---- Visits of threads --------------------------------------------------- */

SUITE(visit);

/* A visitor stays with TARGET, which ends meanwhile, until it may leave. */
static struct {
	struct thread *target;
	struct completion may_end;
	struct completion inside;
	struct completion may_leave;
	uint64_t number;          /* of the visited thread, at the end */
	unsigned long stack_used; /* the same */
	bool joined;
} visited;

static void visited_run(void *data __unused)
{
	wait_for_completion(&visited.may_end);
}

static void stay_with(struct thread *thread, void *data __unused)
{
	if (thread != visited.target)
		return;
	complete(&visited.inside);
	wait_for_completion(&visited.may_leave);
	visited.number = thread_owner_id(thread);
	visited.stack_used = thread_stack_used(thread);
}

static void visitor_run(void *data __unused)
{
	thread_visit(stay_with, NULL);
}

static void joiner_run(void *data __unused)
{
	thread_join(visited.target);
	WRITE_ONCE(visited.joined, true);
}

CASE(visit, a_thread_is_not_joined_while_it_is_visited)
{
	struct thread *visitor;
	struct thread *joiner;
	uint64_t number;
	bool too_early;

	memset(&visited, 0, sizeof(visited));
	init_completion(&visited.may_end);
	init_completion(&visited.inside);
	init_completion(&visited.may_leave);
	visited.target = thread_create("visited", visited_run, NULL);
	EXPECT(visited.target != NULL);
	number = thread_owner_id(visited.target);
	visitor = thread_create("visitor", visitor_run, NULL);
	EXPECT(visitor != NULL);
	wait_for_completion(&visited.inside);
	/*
	 * More urgent: it runs until it has to wait, immediately and when the
	 * thread has ended.
	 */
	joiner = thread_create_priority("joiner", PRIORITY_HIGH, joiner_run,
	                                NULL);
	EXPECT(joiner != NULL);
	complete(&visited.may_end);
	wait_event(&thread_ended, thread_has_ended, visited.target);
	thread_yield();
	too_early = READ_ONCE(visited.joined);
	complete(&visited.may_leave);
	thread_join(visitor);
	thread_join(joiner);
	EXPECT(!too_early);
	EXPECT(visited.joined);
	EXPECT_EQUAL(visited.number, number);
	EXPECT(visited.stack_used > 0);
	return NULL;
}

/* ---- Visits in slices ---------------------------------------------------- */

#define SLICED 30U

static struct {
	struct thread *thread[SLICED]; /* NULL: joined */
	struct semaphore may_end[SLICED];
	unsigned int visits[SLICED];
} sliced;

static void sliced_run(void *may_end)
{
	down(may_end);
}

static void sliced_join(unsigned int i)
{
	up(&sliced.may_end[i]);
	thread_join(sliced.thread[i]);
	sliced.thread[i] = NULL;
}

static void count_visit(struct thread *thread, void *data __unused)
{
	for (unsigned int i = 0; i < SLICED; i++)
		sliced.visits[i] += thread == sliced.thread[i];
}

static bool begin_sliced(void)
{
	memset(&sliced, 0, sizeof(sliced));
	for (unsigned int i = 0; i < SLICED; i++) {
		sema_init(&sliced.may_end[i], 0);
		sliced.thread[i] =
			thread_create("sliced", sliced_run, &sliced.may_end[i]);
		if (sliced.thread[i] == NULL)
			return false;
	}
	/* The next slice begins with the first thread. */
	while (!thread_visit_some(count_visit, NULL))
		;
	memset(sliced.visits, 0, sizeof(sliced.visits));
	return true;
}

/* After each slice, the thread is joined with which the next one would begin. */
static unsigned int visit_and_join(void)
{
	unsigned int joined = 0;
	unsigned int next;

	while (!thread_visit_some(count_visit, NULL)) {
		for (next = 0; next < SLICED && sliced.visits[next] > 0; next++)
			;
		if (next == 0 || next == SLICED)
			continue;
		sliced_join(next);
		sliced.visits[next] = 1;
		joined++;
	}
	return joined;
}

/* The watchdog does not look meanwhile: there is one walk in slices. */
CASE(visit, slices_of_a_walk_meet_each_thread_once_while_some_are_joined)
{
	uint64_t limit = watchdog_limit();
	unsigned int joined = 0;
	bool begun;

	watchdog_set_limit(0);
	begun = begin_sliced();
	if (begun)
		joined = visit_and_join();
	watchdog_set_limit(limit);
	for (unsigned int i = 0; i < SLICED; i++) {
		if (sliced.thread[i] != NULL)
			sliced_join(i);
	}
	EXPECT(begun);
	EXPECT(joined >= SLICED / THREADS_SOME - 1);
	for (unsigned int i = 0; i < SLICED; i++)
		EXPECT_EQUAL(sliced.visits[i], 1);
	return NULL;
}

static void visit_and_make(struct thread *thread, void *data)
{
	struct thread **made = data;

	if (*made == NULL)
		*made = thread_create("made", sliced_run, &sliced.may_end[0]);
	else if (thread == *made)
		sliced.visits[0]++;
}

CASE(visit, a_thread_that_is_made_during_a_walk_is_not_visited)
{
	struct thread *made = NULL;

	memset(&sliced, 0, sizeof(sliced));
	sema_init(&sliced.may_end[0], 0);
	thread_visit(visit_and_make, &made);
	EXPECT(made != NULL);
	up(&sliced.may_end[0]);
	thread_join(made);
	EXPECT_EQUAL(sliced.visits[0], 0);
	return NULL;
}
