/* SPDX-License-Identifier: MIT */
/*
 * The trace, written by a thread, by the timer's interrupt on top of it, and by
 * NMIs on top of both.
 */
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/nmi.h"
#include "mm/debug/trace.h"
#include "tests/kernel/nmi_source.h"
#include "tests/suite.h"

SUITE(trace_interrupts);

#define RING    32UL
#define TICKS   50UL
#define LIMIT   10000000ULL /* microseconds */
#define THREAD  1UL
#define TIMER   2UL
#define AN_NMI  3UL
#define SOURCES 4UL

static struct trace_record ring[RING];
static struct trace trace;
static unsigned long written[SOURCES];

/* The same value in several shapes, so that a mixture of two would show. */
static void test_trace_write_one(unsigned long source)
{
	unsigned long value = ++written[source];

	trace_reclaim_retry_zone(&trace, ZONE_DMA, (unsigned int)source, value,
	                         value * 3, (unsigned int)(value + source));
}

static void timer_writes(void *data)
{
	(void)data;
	test_trace_write_one(TIMER);
}

static void nmi_writes(uintptr_t rip, void *data)
{
	(void)rip;
	(void)data;
	test_trace_write_one(AN_NMI);
}

static bool test_trace_is_whole(const struct trace_record *record)
{
	static const uint16_t context[SOURCES] = {
		[TIMER] = TRACE_HARDIRQ,
		[AN_NMI] = TRACE_NMI,
	};
	uint64_t source = record->argument[1];
	uint64_t value = record->argument[2];

	return source >= THREAD && source < SOURCES &&
	       record->argument[3] == value * 3 &&
	       record->argument[4] == value + source &&
	       (record->context & context[source]) == context[source] &&
	       (source != THREAD ||
	        !(record->context & (TRACE_HARDIRQ | TRACE_NMI)));
}

/*
 * Read the available records; *TOLD counts numbers.  False: a record is a
 * mixture.
 */
static bool test_trace_read_some(struct trace_reader *reader, uint64_t *told)
{
	struct trace_record record;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	while ((answer = trace_read(reader, &record, &number, &count)) !=
	       TRACE_NOTHING) {
		*told += count;
		if (answer == TRACE_GOT && !test_trace_is_whole(&record))
			return false;
	}
	return true;
}

/* Write and read until both interrupts have written TICKS records. */
static bool write_until_interrupted(struct trace_reader *reader, uint64_t *told)
{
	uint64_t limit = clock_microseconds() + LIMIT;

	while (READ_ONCE(written[TIMER]) < TICKS ||
	       READ_ONCE(written[AN_NMI]) < TICKS) {
		for (int i = 0; i < 10; i++)
			test_trace_write_one(THREAD);
		if (!test_trace_read_some(reader, told) ||
		    clock_microseconds() > limit)
			return false;
	}
	return true;
}

CASE(trace_interrupts, records_of_nmis_interrupts_and_threads_are_whole)
{
	struct trace_reader reader;
	uint64_t told = 0;
	uint64_t sum = 0;
	bool whole;

	if (!nmi_source_begin())
		SKIP("apic");
	trace_init(&trace, ring, RING);
	EXPECT_EQUAL(trace_enable(&trace, TRACE_ALL), 0);
	trace_read_begin(&reader, &trace, 0);
	for (unsigned long i = 0; i < SOURCES; i++)
		written[i] = 0;
	pit_set_listener(timer_writes, NULL);
	nmi_set_handler(nmi_writes, NULL);
	nmi_on_ticks(true);
	whole = write_until_interrupted(&reader, &told);
	nmi_on_ticks(false);
	pit_set_listener(NULL, NULL);
	nmi_set_handler(NULL, NULL);
	nmi_source_end();
	EXPECT(whole);
	EXPECT(test_trace_read_some(&reader, &told));
	for (unsigned long i = 0; i < SOURCES; i++)
		sum += written[i];
	EXPECT_EQUAL(told, sum);
	EXPECT_EQUAL(trace.writers, 0);
	test_note("trace: %lu records of a thread, %lu of the timer, %lu of "
	          "NMIs; %llu lost",
	          written[THREAD], written[TIMER], written[AN_NMI],
	          (unsigned long long)reader.lost);
	return NULL;
}
