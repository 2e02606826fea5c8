/* SPDX-License-Identifier: MIT */
/*
 * The recorder and the storm, on real interrupts.
 */
#include "drivers/i8042.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/storm.h"
#include "kernel/thread.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(recorder);

/* Ten seconds at most: what is missing then is counted by the caller. */
static void wait_ticks(uint64_t ticks)
{
	uint64_t limit = clock_microseconds() + 10000000;
	uint64_t end = clock_ticks() + ticks;

	while (clock_ticks() < end && clock_microseconds() < limit)
		thread_sleep(1000000 / clock_hz());
}

/* Nothing in here returns early: the recorder must not be left running. */
static unsigned int record_some(int *stopped)
{
	unsigned int raised = 0;

	recorder_start();
	wait_ticks(400);
	for (int i = 0; i < 40; i++) {
		raised += i8042_raise(0xd9) == 0;
		wait_ticks(1);
	}
	*stopped = recorder_stop();
	return raised;
}

CASE(recorder, every_interrupt_is_seen_when_memory_is_plentiful)
{
	struct recorder_statistics timer;
	struct recorder_statistics keyboard;
	unsigned int raised;
	int stopped;

	NEEDS_I8042();
	raised = record_some(&stopped);
	EXPECT_EQUAL(stopped, 0);
	EXPECT_EQUAL(raised, 40);
	recorder_statistics(RECORDER_TIMER, &timer);
	recorder_statistics(RECORDER_KEYBOARD, &keyboard);
	test_note("recorder: timer %llu taken, %llu seen; keyboard %llu "
	          "taken, %llu seen",
	          (unsigned long long)timer.taken,
	          (unsigned long long)timer.seen,
	          (unsigned long long)keyboard.taken,
	          (unsigned long long)keyboard.seen);
	EXPECT(timer.taken >= 440);
	EXPECT(keyboard.taken >= 40);
	EXPECT_EQUAL(timer.dropped, 0);
	EXPECT_EQUAL(keyboard.dropped, 0);
	EXPECT_EQUAL(timer.seen, timer.taken);
	EXPECT_EQUAL(keyboard.seen, keyboard.taken);
	EXPECT_EQUAL(timer.errors, 0);
	EXPECT_EQUAL(keyboard.errors, 0);
	EXPECT(timer.pages >= 4);
	return NULL;
}

CASE(recorder, storm_loses_nothing_that_it_does_not_count)
{
	static struct storm_report report;

	/* Which rate the machine delivers is not the kernel's doing; a boot
	 * test that owns the machine's time asks for 10 kHz. */
	NEEDS_I8042();
	storm_run(10000, 1000, false, &report);
	test_note("storm: asked 10000 Hz, ran at %u Hz: %llu timer interrupts, "
	          "%u %% of the rate",
	          report.hz, (unsigned long long)report.timer_interrupts,
	          report.percent);
	test_note("storm: %llu keyboard interrupts, %llu refills, %llu "
	          "hand-overs, %llu NULLs, %llu and %llu dropped",
	          (unsigned long long)report.keyboard_interrupts,
	          (unsigned long long)report.refills,
	          (unsigned long long)report.transfers,
	          (unsigned long long)report.nulls,
	          (unsigned long long)report.dropped_full,
	          (unsigned long long)report.dropped_drained);
	switch (report.outcome) {
	case STORM_HELD:
		return NULL;
	case STORM_TOO_SLOW:
		return test_failure(SKIP_PREFIX "this host is too slow to "
		                                "tell: %s",
		                    report.reason);
	case STORM_ENDED:
		return "^C ended it";
	case STORM_BROKEN:
		break;
	}
	return report.reason;
}

/* A storm that held, as the books tell it. */
static struct storm_report good_storm(void)
{
	return (struct storm_report){ .asked_hz = 10000,
		                      .hz = 10000,
		                      .percent = 99,
		                      .timer_interrupts = 3000,
		                      .keyboard_interrupts = 20000,
		                      .refills = 60,
		                      .transfers = 900,
		                      .nulls = 16000,
		                      .dropped_drained = 1000,
		                      .rounds = 20000,
		                      .keyboard = true };
}

static bool is_judged(struct storm_report report, enum storm_outcome outcome)
{
	storm_judge(&report);
	return report.outcome == outcome &&
	       (report.reason != NULL) ==
	               (outcome == STORM_BROKEN || outcome == STORM_TOO_SLOW);
}

CASE(recorder, storm_that_lacked_something_is_broken)
{
	struct storm_report report = good_storm();

	EXPECT(is_judged(report, STORM_HELD));
	report.keyboard_interrupts = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	report.keyboard = false;
	EXPECT(is_judged(report, STORM_HELD));
	report = good_storm();
	report.refills = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	report = good_storm();
	report.transfers = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	report = good_storm();
	report.nulls = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	report = good_storm();
	report.dropped_drained = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	report = good_storm();
	report.dropped_full = 1;
	EXPECT(is_judged(report, STORM_BROKEN));
	return NULL;
}

CASE(recorder, storm_of_a_slow_host_is_neither_held_nor_broken)
{
	struct storm_report report = good_storm();

	report.percent = 79;
	EXPECT(is_judged(report, STORM_TOO_SLOW));
	/* A slow host has not proved that samples must not be lost ... */
	report.dropped_full = 1;
	report.transfers = 0;
	EXPECT(is_judged(report, STORM_TOO_SLOW));
	report = good_storm();
	report.rounds = report.timer_interrupts / 20;
	EXPECT(is_judged(report, STORM_TOO_SLOW));
	/* ... but its books must be right, and a dead timer is not slow. */
	report.wrong = "the samples' numbers do not add up";
	EXPECT(is_judged(report, STORM_BROKEN));
	report = good_storm();
	report.percent = 0;
	report.timer_interrupts = 0;
	EXPECT(is_judged(report, STORM_BROKEN));
	return NULL;
}

CASE(recorder, storm_that_was_ended_is_not_judged_beyond_its_books)
{
	struct storm_report report = good_storm();

	report.ended = true;
	report.percent = 3;
	report.timer_interrupts = 0;
	report.nulls = 0;
	EXPECT(is_judged(report, STORM_ENDED));
	report.wrong = "the samples' numbers do not add up";
	EXPECT(is_judged(report, STORM_BROKEN));
	return NULL;
}
