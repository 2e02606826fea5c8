/* SPDX-License-Identifier: MIT */
/*
 * Work that interrupts and threads leave to the worker: now, and at a later time.
 */
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/sched.h"
#include "kernel/core/work.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(work);

#define MILLISECOND 1000ULL

/* Guest time that something which works never needs, that it is never late by, and more
 * than both. */
#define LIMIT       (2000 * MILLISECOND)
#define MUCH        (300 * MILLISECOND)
#define FAR_AWAY    (100 * LIMIT)

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

/* ---- Delayed work -------------------------------------------------------- */

/* The piece gets the next number when it is done, and the time. */
struct alarm {
	struct delayed_work delayed;
	uint64_t again; /* queues itself again after so long; 0: it does not */
	uint64_t takes; /* it sleeps so long before it is done */
	unsigned int runs;
	unsigned int number;
	uint64_t at;
};

static unsigned int alarms_rung;
static struct wait_queue alarm_queue = WAIT_QUEUE_INIT(alarm_queue);

static void ring(struct work *work)
{
	struct alarm *alarm = container_of(work, struct alarm, delayed.work);

	alarm->at = clock_microseconds();
	if (alarm->takes != 0)
		thread_sleep(alarm->takes);
	alarm->number = ++alarms_rung;
	if (alarm->again != 0)
		queue_delayed_work(&alarm->delayed, alarm->again);
	__atomic_fetch_add(&alarm->runs, 1, __ATOMIC_RELEASE);
	wake_up(&alarm_queue);
}

static void alarm_init(struct alarm *alarm)
{
	work_init(&alarm->delayed.work, ring);
	alarm->again = 0;
	alarm->takes = 0;
	alarm->runs = 0;
	alarm->number = 0;
	alarm->at = 0;
	alarms_rung = 0;
}

static bool has_rung(void *data)
{
	const struct alarm *alarm = data;

	return __atomic_load_n(&alarm->runs, __ATOMIC_ACQUIRE) > 0;
}

static bool wait_for_alarm(struct alarm *alarm)
{
	return wait_event_timeout(&alarm_queue, has_rung, alarm, LIMIT);
}

/* On the stack of a case: the worker forgets it. */
static void alarm_end(struct alarm *alarm)
{
	cancel_delayed_work(&alarm->delayed);
	flush_work();
}

/* Both are queued before the worker runs. */
CASE(work, work_without_a_delay_is_done_before_work_queued_later)
{
	struct alarm first;
	struct alarm second;

	alarm_init(&first);
	alarm_init(&second);
	preempt_disable();
	queue_delayed_work(&first.delayed, 0);
	queue_work(&second.delayed.work);
	preempt_enable();
	flush_work();
	EXPECT_EQUAL(first.number, 1);
	EXPECT_EQUAL(second.number, 2);
	return NULL;
}

CASE(work, delayed_work_is_done_in_the_order_of_its_deadlines)
{
	static const unsigned int after[] = { 60, 20, 80, 40, 20 };
	static const unsigned int order[] = { 4, 1, 5, 3, 2 };
	struct alarm alarm[ARRAY_SIZE(after)];
	uint64_t earliest[ARRAY_SIZE(after)];

	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		alarm_init(&alarm[i]);
		earliest[i] = clock_microseconds() + after[i] * MILLISECOND;
		EXPECT(queue_delayed_work(&alarm[i].delayed,
		                          after[i] * MILLISECOND));
	}
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		EXPECT(wait_for_alarm(&alarm[i]));
	flush_work();
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		EXPECT_EQUAL(alarm[i].number, order[i]);
		EXPECT_EQUAL(alarm[i].runs, 1);
		EXPECT(alarm[i].at >= earliest[i]);
	}
	return NULL;
}

/* Twice: the kernel's own delayed work, which comes each second, wakes the worker for one
 * of them at most. */
CASE(work, delayed_work_that_is_earlier_than_the_rest_does_not_wait_for_it)
{
	struct alarm late;
	struct alarm early;
	bool in_time = true;

	alarm_init(&late);
	EXPECT(queue_delayed_work(&late.delayed, FAR_AWAY));
	for (unsigned int i = 0; i < 2; i++) {
		alarm_init(&early);
		/* The worker waits for the others now. */
		thread_sleep(20 * MILLISECOND);
		queue_delayed_work(&early.delayed, 20 * MILLISECOND);
		in_time &= wait_for_alarm(&early) &&
		           early.at < early.delayed.deadline + MUCH;
	}
	alarm_end(&late);
	alarm_end(&early);
	EXPECT(in_time);
	EXPECT_EQUAL(late.runs, 0);
	return NULL;
}

CASE(work, delayed_work_that_is_pending_keeps_its_time)
{
	struct alarm alarm;
	bool again;
	bool at_once;
	bool now;
	bool rung;

	alarm_init(&alarm);
	EXPECT(queue_delayed_work(&alarm.delayed, FAR_AWAY));
	again = queue_delayed_work(&alarm.delayed, MILLISECOND);
	at_once = queue_delayed_work(&alarm.delayed, 0);
	now = queue_work(&alarm.delayed.work);
	thread_sleep(30 * MILLISECOND);
	rung = alarm.runs > 0;
	alarm_end(&alarm);
	EXPECT(!again && !at_once && !now);
	EXPECT(!rung);
	/* Without a delay it is plain work. */
	EXPECT(queue_delayed_work(&alarm.delayed, 0));
	flush_work();
	EXPECT_EQUAL(alarm.runs, 1);
	return NULL;
}

CASE(work, delayed_work_that_is_cancelled_is_not_done)
{
	struct alarm alarm;

	alarm_init(&alarm);
	EXPECT(!cancel_delayed_work(&alarm.delayed));
	EXPECT(queue_delayed_work(&alarm.delayed, 20 * MILLISECOND));
	EXPECT(cancel_delayed_work(&alarm.delayed));
	EXPECT(!cancel_delayed_work(&alarm.delayed));
	thread_sleep(60 * MILLISECOND);
	flush_work();
	EXPECT_EQUAL(alarm.runs, 0);
	EXPECT(queue_delayed_work(&alarm.delayed, 20 * MILLISECOND));
	EXPECT(wait_for_alarm(&alarm));
	EXPECT(!cancel_delayed_work(&alarm.delayed));
	flush_work();
	EXPECT_EQUAL(alarm.runs, 1);
	return NULL;
}

/* Keeps the worker until it is told to stop. */
struct blocker {
	struct work work;
	volatile bool stop;
};

static void block_worker(struct work *work)
{
	struct blocker *blocker = container_of(work, struct blocker, work);

	while (!blocker->stop)
		thread_sleep(MILLISECOND);
}

/* Its time is over and it is on the queue, but the worker is busy. */
CASE(work, delayed_work_is_cancelled_until_it_begins)
{
	struct blocker blocker = { .stop = false };
	struct alarm due;
	struct alarm queued;
	bool cancelled;

	work_init(&blocker.work, block_worker);
	alarm_init(&due);
	alarm_init(&queued);
	EXPECT(queue_work(&blocker.work));
	EXPECT(queue_delayed_work(&due.delayed, MILLISECOND));
	EXPECT(queue_delayed_work(&queued.delayed, 0));
	thread_sleep(30 * MILLISECOND);
	cancelled = cancel_delayed_work(&due.delayed) &&
	            cancel_delayed_work(&queued.delayed);
	blocker.stop = true;
	flush_work();
	EXPECT(cancelled);
	EXPECT_EQUAL(due.runs + queued.runs, 0);
	return NULL;
}

CASE(work, delayed_work_that_queues_itself_comes_again_and_again)
{
	struct alarm alarm;
	uint64_t begin = clock_microseconds();
	uint64_t until = begin + LIMIT;

	alarm_init(&alarm);
	alarm.again = 15 * MILLISECOND;
	EXPECT(queue_delayed_work(&alarm.delayed, 15 * MILLISECOND));
	while (__atomic_load_n(&alarm.runs, __ATOMIC_ACQUIRE) < 3 &&
	       clock_microseconds() < until)
		thread_sleep(MILLISECOND);
	alarm.again = 0;
	alarm_end(&alarm);
	EXPECT(alarm.runs >= 3);
	EXPECT(alarm.at - begin >= 15 * MILLISECOND * alarm.runs);
	return NULL;
}

static void queue_alarm(void *data)
{
	struct alarm *alarm = data;

	queue_delayed_work(&alarm->delayed, 20 * MILLISECOND);
}

static void cancel_alarm(void *data)
{
	struct alarm *alarm = data;

	cancel_delayed_work(&alarm->delayed);
}

CASE(work, interrupts_queue_and_cancel_delayed_work)
{
	struct alarm alarm;
	uint64_t begin = clock_microseconds();

	alarm_init(&alarm);
	EXPECT(in_timer_interrupt(queue_alarm, &alarm));
	EXPECT(wait_for_alarm(&alarm));
	EXPECT(alarm.at >= begin + 20 * MILLISECOND);
	EXPECT(queue_delayed_work(&alarm.delayed, FAR_AWAY));
	EXPECT(in_timer_interrupt(cancel_alarm, &alarm));
	EXPECT(!alarm.delayed.work.pending);
	flush_work();
	EXPECT_EQUAL(alarm.runs, 1);
	return NULL;
}

/* The worker is busy when the time of DUE comes: only the flush sees it. */
CASE(work, flush_waits_for_delayed_work_that_is_due_and_for_no_other)
{
	struct alarm busy;
	struct alarm late;
	struct alarm due;
	unsigned int late_runs;
	unsigned int due_runs;

	alarm_init(&busy);
	alarm_init(&late);
	alarm_init(&due);
	busy.takes = 60 * MILLISECOND;
	due.takes = 20 * MILLISECOND;
	EXPECT(queue_work(&busy.delayed.work));
	EXPECT(queue_delayed_work(&late.delayed, FAR_AWAY));
	EXPECT(queue_delayed_work(&due.delayed, 10 * MILLISECOND));
	thread_sleep(30 * MILLISECOND);
	flush_work();
	due_runs = due.runs;
	late_runs = late.runs;
	alarm_end(&late);
	EXPECT_EQUAL(due_runs, 1);
	EXPECT_EQUAL(late_runs, 0);
	return NULL;
}
