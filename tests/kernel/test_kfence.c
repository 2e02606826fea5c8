/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_kfence.c -- objects between guards on the machine itself: each mistake is
 * made, and the fault or the report has the file and line of the statement.
 *
 * Without a pool these cases are skipped; the boot test kfence_selftest has one.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/clock.h"
#include "kernel/core/owner.h"
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "mm/node.h"
#include "mm/slab/kfence.h"
#include "mm/slab/kmalloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/touch.h"
#include "tests/suite.h"

SUITE(kfence);

#define SAMPLE_SIZE 128

static unsigned int sample_line;

/* A pointer that is used too late, which the compiler does not see. */
static uint8_t *volatile stale;

static bool has_pool(void)
{
	struct kfence_counts counts;

	kfence_read(main_node(), &counts);
	return counts.objects > 0;
}

/* An object of the pool, at the END of its page or at its start.  NULL: the pool is in use. */
static uint8_t *kfence_sample_at(bool end)
{
	for (unsigned int i = 0; i < 10000; i++) {
		uint8_t *object;

		kfence_open(main_node());
		sample_line = __LINE__ + 1;
		object = kmalloc(SAMPLE_SIZE, GFP_KERNEL);
		if (object == NULL)
			return NULL;
		if (is_kfence_address(main_node(), object) &&
		    ((uintptr_t)object % PAGE_SIZE != 0) == end)
			return object;
		kfree(object);
	}
	return NULL;
}

/* NULL, or what is wrong with the fault of a write to byte number AT of OBJECT. */
static const char *kfence_expect(const uint8_t *object, long at,
                                 enum fault_kind kind, unsigned int line)
{
	struct touched touched = {
		.memory = (uint8_t *)((uintptr_t)object + (uintptr_t)at),
	};

	EXPECT(touch_faults(&touched));
	EXPECT_EQUAL(touched.kind, kind);
	EXPECT_EQUAL(touched.area.start, (uintptr_t)object);
	EXPECT_EQUAL(touched.area.size, SAMPLE_SIZE);
	EXPECT_EQUAL(touched.area.taker, current_owner_id());
	EXPECT(is_line_of(touched.area.caller, __FILE__, line));
	return NULL;
}

/* A byte behind an object at the end of its page, or before one at its start. */
static const char *kfence_out_of_bounds(bool behind)
{
	const char *wrong;
	uint8_t *object;

	if (!has_pool())
		SKIP("kfence=1");
	object = kfence_sample_at(behind);
	EXPECT(object != NULL);
	memset(object, 0x41, SAMPLE_SIZE);
	wrong = kfence_expect(object, behind ? SAMPLE_SIZE : -1,
	                      FAULT_OBJECT_BOUNDS, sample_line);
	kfree(object);
	return wrong;
}

CASE(kfence, a_byte_behind_an_object_faults_and_names_the_line_that_took_it)
{
	return kfence_out_of_bounds(true);
}

CASE(kfence, a_byte_before_an_object_faults_and_names_the_line_that_took_it)
{
	return kfence_out_of_bounds(false);
}

CASE(kfence, a_write_to_a_freed_object_faults_and_names_the_line_of_the_kfree)
{
	unsigned int line;
	uint8_t *object;

	if (!has_pool())
		SKIP("kfence=1");
	object = kfence_sample_at(true);
	EXPECT(object != NULL);
	stale = object;
	line = __LINE__ + 1;
	kfree(object);
	object = stale;
	return kfence_expect(object, 8, FAULT_OBJECT_FREED, line);
}

CASE(kfence, a_damaged_canary_is_reported_by_the_kfree)
{
	uint64_t mark = log_mark();
	struct kfence_counts before;
	struct kfence_counts after;
	uint8_t *object;

	if (!has_pool())
		SKIP("kfence=1");
	object = kfence_sample_at(false);
	EXPECT(object != NULL);
	kfence_read(main_node(), &before);
	object[SAMPLE_SIZE + 2] = 0x41;
	kfree(object);
	kfence_read(main_node(), &after);
	EXPECT(log_contains_since(mark, "0x41 instead of 0xa8, 2 bytes"));
	EXPECT(log_contains_since(mark, "behind its 128"));
	EXPECT_EQUAL(after.bugs, before.bugs + 1);
	return NULL;
}

CASE(kfence, a_second_kfree_is_refused_and_the_first_is_named)
{
	uint64_t mark = log_mark();
	uint8_t *object;

	if (!has_pool())
		SKIP("kfence=1");
	object = kfence_sample_at(true);
	EXPECT(object != NULL);
	stale = object;
	kfree(object);
	kfree(stale);
	EXPECT(log_contains_since(mark, "it is free already (double free)"));
	EXPECT(log_contains_since(mark, "is a page of kfence"));
	EXPECT(log_contains_since(mark, "  freed at "));
	return NULL;
}

/* Instructions of a sample and its free at most: two backtraces and a page of canaries. */
#ifdef CHECKED
#define SAMPLE_MOST 100000U
#else
#define SAMPLE_MOST 20000U
#endif

CASE(kfence, a_sample_and_its_free_take_no_more_instructions_than_the_book_says)
{
	uint64_t shortest = UINT64_MAX;

	if (!has_pool())
		SKIP("kfence=1");
	NEEDS_COUNT();
	for (unsigned int i = 0; i < 16; i++) {
		uint64_t begin;

		kfence_open(main_node());
		begin = arch_cycles();
		kfree(kmalloc(SAMPLE_SIZE, GFP_KERNEL));
		shortest = min(shortest, arch_cycles() - begin);
	}
	shortest /= irqsoff_ticks_per_instruction();
	test_note("a sample and its free: %llu instructions",
	          (unsigned long long)shortest);
	EXPECT(shortest > 1000 && shortest < SAMPLE_MOST);
	return NULL;
}

/* Nobody but the worker opens the pool here. */
CASE(kfence, requests_become_samples_again_and_again)
{
	uint64_t end = clock_microseconds() + 10000000;
	struct kfence_counts before;
	struct kfence_counts now;

	if (!has_pool())
		SKIP("kfence=1");
	kfence_read(main_node(), &before);
	do {
		kfree(kmalloc(SAMPLE_SIZE, GFP_KERNEL));
		kfence_read(main_node(), &now);
	} while (now.sampled < before.sampled + 3 &&
	         clock_microseconds() < end);
	EXPECT(now.sampled >= before.sampled + 3);
	EXPECT_EQUAL(now.skipped, before.skipped);
	return NULL;
}
