/* SPDX-License-Identifier: MIT */
/*
 * The recorder and the storm, on real interrupts.
 */
#include "drivers/i8042.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/recorder.h"
#include "kernel/storm.h"
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
		thread_yield();
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
	storm_run(10000, 1000, &report);
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
	return report.ended ? "^C ended it" : report.broken;
}
