/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/bench.h -- what the operations of the allocator cost.
 *
 * A measurement is a loop, timed with the time-stamp counter; nine of them are made and
 * the shortest counts, less what loop and reading cost by themselves.  Where the counter
 * counts instructions (QEMU with -icount shift=0), the results repeat exactly and can be
 * compared between two versions of the code.  On other machines a cycle is what it is.
 *
 * Numbers for people and for `make bench`.  Tests compare counts of instructions, and no
 * test passes or fails by the time that something took.
 */
#ifndef KERNEL_DEMO_BENCH_H
#define KERNEL_DEMO_BENCH_H

#include "lib/types.h"

/* The time of a measurement, and its number of operations. */
struct bench_time {
	uint64_t ticks;
	uint64_t operations;
	uint64_t rounds;   /* of the loop, whose cost is not the operation's */
	uint64_t readings; /* pairs of readings of the counter in TICKS */
};

struct bench {
	const char *name;
	const char *about; /* what an operation is */
	/* One measurement into TIME, which is zeroed.  False: not enough memory. */
	bool (*run)(struct bench_time *time);
	bool once; /* it repeats by itself, and may take long */
};

/* Number INDEX, or NULL after the last. */
const struct bench *bench_at(unsigned int index);

/*
 * Measure: ticks of the time-stamp counter for one operation, rounded up, into TICKS.
 * 0, -ENOMEM, or -EINTR: STOP, asked between two measurements, said so.  Thread context;
 * may sleep.
 */
__must_check int bench_measure(const struct bench *bench, bool (*stop)(void),
                               uint64_t *ticks);

/* ---- A histogram (kernel/demo/bench_latency.c) --------------------------- */

/* Buckets to a doubling, and in all: the last begins at 2,031,616 ticks and has no end. */
#define LATENCY_STEPS   16U
#define LATENCY_BUCKETS 288U

struct bench_latency {
	unsigned int count[LATENCY_BUCKETS];
	uint64_t worst; /* ticks */
	uint64_t operations;
};

struct bench_latencies {
	struct bench_latency alloc;     /* alloc_page(GFP_ATOMIC) */
	struct bench_latency free;      /* __free_page() */
	struct bench_latency interrupt; /* in and out, an empty handler */
};

/* The bucket of TICKS, and the least number of ticks that BUCKET holds. */
unsigned int latency_bucket(uint64_t ticks);
uint64_t latency_bucket_start(unsigned int bucket);

/*
 * Time each of some 100,000 requests and frees and 10,000 interrupts, INTO.  0, -ENOMEM,
 * -EBUSY: the line of the interrupts is in use, or -EINTR: STOP said so.  Thread context.
 */
__must_check int bench_latency(struct bench_latencies *into,
                               bool (*stop)(void));

/* The boot is over after TICKS since the kernel's entry. */
void bench_note_boot(uint64_t ticks);

/* ---- For the files of benches -------------------------------------------- */

struct page;

/* Ticks of one operation with interrupts off: a request by GFP_ATOMIC, a page's free. */
uint64_t bench_time_alloc(struct page **page);
uint64_t bench_time_free(struct page *page);
/* Pages of a burst: more than a list keeps, so that lists are filled and emptied. */
unsigned long bench_burst(void);
/* TICKS of an interrupt and its return; false: its line is in use. */
bool bench_time_interrupt(uint64_t *ticks);
/* Ticks between two readings of the counter, one after the other. */
uint64_t bench_reading_cost(void);

extern const struct bench bench_pages[];
extern const unsigned int bench_pages_count;
extern const struct bench bench_owners[];
extern const unsigned int bench_owners_count;

#endif
