/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/bench.c -- nine measurements, of which the shortest counts.
 *
 * Locking: one caller at a time.
 */
#include "kernel/demo/bench.h"

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"

#define BENCH_REPETITIONS 9
#define BENCH_PROBES      1000UL

/* The cost of measuring: ticks of BENCH_PROBES rounds, or readings. */
struct bench_cost {
	uint64_t rounds;
	uint64_t readings;
};

const struct bench *bench_at(unsigned int index)
{
	if (index < bench_pages_count)
		return &bench_pages[index];
	index -= bench_pages_count;
	return index < bench_owners_count ? &bench_owners[index] : NULL;
}

static uint64_t bench_empty_loop(void)
{
	uint64_t begin = arch_cycles();

	for (unsigned long i = 0; i < BENCH_PROBES; i++)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return arch_cycles() - begin;
}

static uint64_t bench_readings(void)
{
	uint64_t sum = 0;

	for (unsigned long i = 0; i < BENCH_PROBES; i++) {
		uint64_t begin = arch_cycles();

		sum += arch_cycles() - begin;
	}
	return sum;
}

static struct bench_cost bench_measure_cost(void)
{
	struct bench_cost cost = { UINT64_MAX, UINT64_MAX };

	for (unsigned int i = 0; i < BENCH_REPETITIONS; i++) {
		cost.rounds = min(cost.rounds, bench_empty_loop());
		cost.readings = min(cost.readings, bench_readings());
	}
	return cost;
}

uint64_t bench_reading_cost(void)
{
	return bench_measure_cost().readings / BENCH_PROBES;
}

/* Ticks of one operation of TIME. */
static uint64_t bench_net(const struct bench_time *time,
                          const struct bench_cost *cost)
{
	uint64_t less = time->rounds * cost->rounds / BENCH_PROBES +
	                time->readings * cost->readings / BENCH_PROBES;
	uint64_t net = time->ticks > less ? time->ticks - less : 0;

	kassert(time->operations > 0);
	return (net + time->operations - 1) / time->operations;
}

int bench_measure(const struct bench *bench, bool (*stop)(void),
                  uint64_t *ticks)
{
	struct bench_cost cost = bench_measure_cost();
	unsigned int count = bench->once ? 1 : BENCH_REPETITIONS;

	*ticks = UINT64_MAX;
	for (unsigned int i = 0; i < count; i++) {
		struct bench_time time = { 0 };

		if (stop())
			return -EINTR;
		if (!bench->run(&time))
			return -ENOMEM;
		*ticks = min(*ticks, bench_net(&time, &cost));
	}
	return 0;
}
