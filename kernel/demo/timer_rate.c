/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/timer_rate.c -- how many timer interrupts a second a machine bears.
 *
 * Interrupts that take all of the time are a standstill: no thread would run to
 * lower the rate again.  So the search goes up, and a rate is tried only if half of
 * it has left threads three quarters of what a quiet machine leaves them.  At twice
 * the rate they keep half of it then; it is chosen if they keep three quarters,
 * because a handler that records, or finds no memory, takes several times as long.
 *
 * An emulator on a busy host delivers less than the timer was set to.  Neither such a
 * rate nor a moment in which the host was away is a result: each measurement is
 * the best of three, unless the machine's time is counted in instructions.
 */
#include "kernel/demo/timer_rate.h"

#include "drivers/pit.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "lib/types.h"

#define SECOND   1000000ULL
#define MOMENT   20000ULL
#define TICKS    50U /* at least: one more or less is 2 % */
#define REPEATS  3U
#define QUIET_HZ 100U

struct rate_sample {
	uint64_t looks;       /* a second, that a thread had at the clock */
	unsigned int percent; /* of the rate */
};

static uint64_t timer_interrupts(void)
{
	struct irq_statistics statistics;

	irq_statistics(0, &statistics);
	return statistics.taken;
}

static struct rate_sample sample_once(unsigned int hz)
{
	/* At the quiet rate only the looks count. */
	uint64_t duration =
		hz == QUIET_HZ ? MOMENT : max(MOMENT, TICKS * SECOND / hz);
	uint64_t ticks = timer_interrupts();
	uint64_t begin = clock_microseconds();
	uint64_t elapsed;
	uint64_t looks = 0;

	do {
		looks++;
		elapsed = clock_microseconds() - begin;
	} while (elapsed < duration);
	ticks = timer_interrupts() - ticks;
	return (struct rate_sample){
		.looks = looks * SECOND / elapsed,
		.percent =
			(unsigned int)(ticks * 100 * SECOND / (elapsed * hz)),
	};
}

/* Measure at HZ, to which the timer is set. */
static struct rate_sample sample_rate(unsigned int hz)
{
	unsigned int repeats =
		irqsoff_ticks_per_instruction() > 0 ? 1 : REPEATS;
	struct rate_sample best = { 0, 0 };

	pit_set_hz(hz);
	for (unsigned int i = 0; i < repeats; i++) {
		struct rate_sample sample = sample_once(hz);

		best.looks = max(best.looks, sample.looks);
		best.percent = max(best.percent, sample.percent);
	}
	return best;
}

unsigned int timer_rate_find(unsigned int asked)
{
	unsigned int hz = min(asked, TIMER_RATE_LEAST);
	struct rate_sample now;
	uint64_t quiet;

	if (hz == asked)
		return asked;
	quiet = sample_rate(QUIET_HZ).looks;
	now = sample_rate(hz);
	while (hz < asked && now.looks >= quiet / 4 * 3) {
		unsigned int next = min(2 * hz, asked);

		now = sample_rate(next);
		if (now.percent < 90 || now.looks < quiet / 4 * 3)
			break;
		hz = next;
	}
	return hz;
}
