/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/bench_latency.c -- how long each of many operations takes.
 *
 * A mean says nothing about the request that finds its list empty.  So each operation is
 * timed alone, and counted in a bucket.  There are sixteen buckets to a doubling, so that a
 * bucket is at most a sixteenth as wide as where it begins:
 *
 *	ticks 0 1 2 ... 31   a bucket each
 *	      32..63         two ticks each
 *	      64..127        four ...
 *
 * Pages are taken in bursts that are larger than a CPU's list, so that the lists are
 * filled and emptied, and given back in the same order.
 *
 * Locking: one caller at a time.
 */
#include "kernel/core/panic.h"
#include "kernel/demo/bench.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/node.h"
#include "mm/page_alloc.h"

#define LATENCY_BURSTS     6
#define LATENCY_INTERRUPTS 10000UL

unsigned int latency_bucket(uint64_t ticks)
{
	unsigned int shift = 0;

	while (ticks >> shift >= 2UL * LATENCY_STEPS)
		shift++;
	return min(shift * LATENCY_STEPS + (unsigned int)(ticks >> shift),
	           LATENCY_BUCKETS - 1);
}

uint64_t latency_bucket_start(unsigned int bucket)
{
	unsigned int shift = bucket / LATENCY_STEPS;

	kassert(bucket < LATENCY_BUCKETS);
	if (shift < 2)
		return bucket;
	return (uint64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS)
	       << (shift - 1);
}

/* An operation took TICKS, and READING of them are the measurement's. */
static void latency_note(struct bench_latency *of, uint64_t ticks,
                         uint64_t reading)
{
	uint64_t net = ticks > reading ? ticks - reading : 0;

	of->count[latency_bucket(net)]++;
	of->worst = max(of->worst, net);
	of->operations++;
}

/* False: there were not enough pages. */
static bool latency_burst(struct bench_latencies *into, uint64_t reading)
{
	unsigned long pages = bench_burst();
	struct list burst = LIST_INIT(burst);
	struct page *page;
	unsigned long count = 0;

	for (; count < pages; count++) {
		uint64_t ticks = bench_time_alloc(&page);

		if (page == NULL)
			break;
		latency_note(&into->alloc, ticks, reading);
		list_push(&burst, &page->link);
	}
	while ((page = list_first(&burst, struct page, link)) != NULL) {
		list_remove(&page->link);
		latency_note(&into->free, bench_time_free(page), reading);
	}
	return count == pages && pages > 0;
}

int bench_latency(struct bench_latencies *into, bool (*stop)(void))
{
	uint64_t reading = bench_reading_cost();
	uint64_t ticks;

	*into = (struct bench_latencies){ 0 };
	for (unsigned int i = 0; i < LATENCY_BURSTS; i++) {
		if (stop())
			return -EINTR;
		if (!latency_burst(into, reading))
			return -ENOMEM;
	}
	for (unsigned long i = 0; i < LATENCY_INTERRUPTS; i++) {
		if (!bench_time_interrupt(&ticks))
			return -EBUSY;
		latency_note(&into->interrupt, ticks, reading);
	}
	return 0;
}
