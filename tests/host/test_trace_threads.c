/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_trace_threads.c -- the trace, written by several processors
 * while another one reads.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(trace_threads);

#define RING    2UL
#define WRITERS 3UL
#define RECORDS 400000UL

static struct trace_record ring[RING];
static struct trace trace;
static unsigned int ended; /* atomic: writers */

/* Each record holds one number in several shapes: a mixture would show. */
static void test_trace_threads_write_one(uint64_t value)
{
	trace_reclaim_retry_zone(&trace, ZONE_NORMAL, (unsigned int)value,
	                         value * 3, value * 5, (unsigned int)value);
}

static bool test_trace_threads_is_whole(const struct trace_record *record)
{
	uint64_t value = record->argument[1];

	return record->event == TRACE_reclaim_retry_zone &&
	       record->argument[0] == ZONE_NORMAL &&
	       record->argument[2] == value * 3 &&
	       record->argument[3] == value * 5 && record->argument[4] == value;
}

static void *writer(void *data)
{
	unsigned long first = (unsigned long)(uintptr_t)data * RECORDS;

	for (unsigned long i = 0; i < RECORDS; i++) {
		test_trace_threads_write_one(first + i);
		if (i % 512 == 0)
			sched_yield();
	}
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static const char *read_while_written(struct trace_reader *reader)
{
	uint64_t last[WRITERS] = { 0 };
	uint64_t expected = 0;
	uint64_t got = 0;
	bool over = false;

	for (;;) {
		struct trace_record record;
		uint64_t number;
		uint64_t count;
		enum trace_answer answer =
			trace_read(reader, &record, &number, &count);

		if (answer == TRACE_NOTHING) {
			if (over)
				break;
			over = __atomic_load_n(&ended, __ATOMIC_ACQUIRE) ==
			       WRITERS;
			sched_yield();
			continue;
		}
		EXPECT_EQUAL(number, expected);
		expected += count;
		if (answer == TRACE_LOST)
			continue;
		EXPECT(test_trace_threads_is_whole(&record));
		got++;
		/* Each writer's records come in its order. */
		EXPECT(record.argument[1] + 1 >
		       last[record.argument[1] / RECORDS]);
		last[record.argument[1] / RECORDS] = record.argument[1] + 1;
	}
	EXPECT_EQUAL(expected, WRITERS * RECORDS);
	EXPECT_EQUAL(got + reader->lost, WRITERS * RECORDS);
	test_note("trace: %llu read, %llu lost", (unsigned long long)got,
	          (unsigned long long)reader->lost);
	EXPECT(got > RING);
	return NULL;
}

CASE(trace_threads, records_are_whole_and_each_is_told_once)
{
	struct trace_reader reader;
	pthread_t thread[WRITERS];
	const char *broken;

	machine_start(1);
	trace_init(&trace, ring, RING);
	EXPECT_EQUAL(trace_enable(&trace, TRACE_ALL), 0);
	trace_read_begin(&reader, &trace, 0);
	ended = 0;
	for (uintptr_t i = 0; i < WRITERS; i++)
		EXPECT_EQUAL(
			pthread_create(&thread[i], NULL, writer, (void *)i), 0);
	broken = read_while_written(&reader);
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	return broken;
}

/* ---- Overwritten while it is copied -------------------------------------- */

static struct trace_record *protected_record;

/* The copy has looked at the record, loaded some of it, and faults at the first
 * store: now the writers lap the reader. */
static void lap_reader(int signal __unused)
{
	if (mprotect(protected_record, PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
		panic("mprotect");
	for (uint64_t i = 0; i < RING; i++)
		test_trace_threads_write_one(100 + i);
}

CASE(trace_threads, a_record_that_is_overwritten_while_it_is_copied_is_lost)
{
	struct sigaction action = { .sa_handler = lap_reader };
	struct sigaction before;
	struct trace_reader reader;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	machine_start(1);
	trace_init(&trace, ring, RING);
	EXPECT_EQUAL(trace_enable(&trace, TRACE_ALL), 0);
	protected_record = mmap(NULL, PAGE_SIZE, PROT_NONE,
	                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(protected_record != MAP_FAILED);
	trace_read_begin(&reader, &trace, 0);
	test_trace_threads_write_one(7);
	sigaction(SIGSEGV, &action, &before);
	answer = trace_read(&reader, protected_record, &number, &count);
	sigaction(SIGSEGV, &before, NULL);
	EXPECT_EQUAL(answer, TRACE_LOST);
	EXPECT_EQUAL(number, 0);
	EXPECT_EQUAL(count, 1);
	EXPECT_EQUAL(trace_read(&reader, protected_record, &number, &count),
	             TRACE_GOT);
	EXPECT(test_trace_threads_is_whole(protected_record));
	EXPECT_EQUAL(protected_record->argument[1], 100);
	munmap(protected_record, PAGE_SIZE);
	return NULL;
}
