/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_fault_inject.c -- allocations that fail on request, on a private
 * node of 256 pages.
 */
#include "kernel/core/context.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "mm/debug/fault_inject.h"
#include "mm/page_alloc.h"
#include "mm/task.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(fault_inject);

static struct node *node;

/* A node whose fail_page_alloc is Linux's default but for PROBABILITY; it says
 * nothing. */
static struct fault_attr *test_fault_inject_begin(unsigned int probability,
                                                  int times)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 256, 0, 0 };

	node = private_node_full(0, pages);
	node->fail_page_alloc.probability = probability;
	node->fail_page_alloc.times = times;
	node->fail_page_alloc.verbose = 0;
	return &node->fail_page_alloc;
}

/* How many of COUNT requests fail. */
static unsigned int failures(gfp_t gfp, unsigned int order, unsigned int count)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct page *page = alloc_pages_node(node, gfp, order);

		if (page == NULL)
			failed++;
		else
			free_pages_node(node, page, order, 0);
	}
	return failed;
}

static unsigned long injected(void)
{
	return vmstat_read(&node->stat, VMSTAT_fault_injected);
}

CASE(fault_inject, nothing_fails_by_default)
{
	struct fault_attr attr;

	fault_attr_init(&attr);
	EXPECT_EQUAL(attr.probability, 0);
	EXPECT_EQUAL(attr.verbose, 2);
	test_fault_inject_begin(0, 1);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 20), 0);
	EXPECT_EQUAL(failures(GFP_KERNEL, 0, 20), 0);
	EXPECT_EQUAL(injected(), 0);
	return NULL;
}

CASE(fault_inject, atomic_order_1_fails_exactly_three_times)
{
	test_fault_inject_begin(100, 3);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 0, 20), 0);
	EXPECT_EQUAL(failures(GFP_KERNEL, 0, 20), 0);
	EXPECT_EQUAL(failures(GFP_KERNEL, 3, 20), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 20), 3);
	EXPECT_EQUAL(injected(), 3);
	EXPECT_EQUAL(node->fail_page_alloc.times, 0);
	return NULL;
}

CASE(fault_inject, failure_touches_nothing_but_its_counter)
{
	unsigned long free;

	test_fault_inject_begin(100, FAULT_TIMES_ALL);
	free = node_free(node);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 2, 5), 5);
	EXPECT_EQUAL(node_free(node), free);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_freelist_pass), 0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_fail), 0);
	EXPECT_EQUAL(injected(), 5);
	return NULL;
}

CASE(fault_inject, failure_is_told_unless_the_request_is_silent)
{
	uint64_t mark;

	test_fault_inject_begin(100, FAULT_TIMES_ALL)->verbose = 1;
	mark = log_mark();
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_NOWARN, 1, 1), 1);
	EXPECT_EQUAL(log_count_since(mark, "forcing a failure"), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 1), 1);
	EXPECT_EQUAL(log_count_since(mark, "forcing a failure"), 1);
	return NULL;
}

CASE(fault_inject, min_order_spares_smaller_requests)
{
	test_fault_inject_begin(100, FAULT_TIMES_ALL)->min_order = 3;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 2, 5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 3, 5), 5);
	node->fail_page_alloc.min_order = 0;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 0, 5), 5);
	return NULL;
}

CASE(fault_inject, max_order_spares_larger_requests)
{
	test_fault_inject_begin(100, FAULT_TIMES_ALL)->max_order = 2;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 3, 5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 2, 5), 5);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 0, 5), 0);
	return NULL;
}

CASE(fault_inject, zone_spares_requests_with_another_highest_zone)
{
	struct fault_attr *attr = test_fault_inject_begin(100, FAULT_TIMES_ALL);

	attr->ignore_gfp_highmem = false;
	attr->zone = ZONE_DMA32 + 1;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_DMA32, 1, 5), 5);
	attr->zone = ZONE_NORMAL + 1;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 5);
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_DMA32, 1, 5), 0);
	attr->zone = ZONE_MOVABLE + 1;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_HIGHMEM | __GFP_MOVABLE, 1, 5),
	             5);
	return NULL;
}

CASE(fault_inject, ignore_flags_spare_waiters_and_high_memory)
{
	struct fault_attr *attr = test_fault_inject_begin(100, FAULT_TIMES_ALL);

	EXPECT_EQUAL(failures(GFP_KERNEL, 1, 5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_HIGHMEM, 1, 5), 0);
	attr->ignore_gfp_wait = false;
	EXPECT_EQUAL(failures(GFP_KERNEL, 1, 5), 5);
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_HIGHMEM, 1, 5), 0);
	attr->ignore_gfp_highmem = false;
	EXPECT_EQUAL(failures(GFP_ATOMIC | __GFP_HIGHMEM, 1, 5), 5);
	return NULL;
}

/* The decision alone is tested: a mask with NOFAIL need not work yet. */
CASE(fault_inject, nofail_never_fails)
{
	struct fault_attr *attr = test_fault_inject_begin(100, FAULT_TIMES_ALL);
	bool failed;

	attr->min_order = 0;
	attr->ignore_gfp_wait = false;
	EXPECT(should_fail_alloc_page(node, GFP_KERNEL, 0));
	EXPECT(!should_fail_alloc_page(node, GFP_KERNEL | __GFP_NOFAIL, 0));
	fail_nth_set(current_thread(), 1, true);
	failed = should_fail_alloc_page(node, GFP_KERNEL | __GFP_NOFAIL, 0);
	fail_nth_set(current_thread(), 0, false);
	EXPECT(!failed);
	return NULL;
}

CASE(fault_inject, space_spares_that_many_pages_first)
{
	test_fault_inject_begin(100, FAULT_TIMES_ALL)->space = 9;
	/* As in Linux: 9 > 4, 5 > 4, and 1 is not. */
	EXPECT_EQUAL(failures(GFP_ATOMIC, 2, 2), 0);
	EXPECT_EQUAL(node->fail_page_alloc.space, 1);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 2, 3), 3);
	EXPECT_EQUAL(node->fail_page_alloc.space, 1);
	return NULL;
}

CASE(fault_inject, interval_fails_each_nth_and_is_checked_after_space)
{
	struct fault_attr *attr = test_fault_inject_begin(100, FAULT_TIMES_ALL);

	attr->interval = 4;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 3), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 1), 1);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 40), 10);
	attr->space = 1000;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 40), 0);
	EXPECT_EQUAL(attr->count, 44);
	return NULL;
}

CASE(fault_inject, times_is_checked_before_space)
{
	test_fault_inject_begin(100, 0)->space = 100;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 10), 0);
	EXPECT_EQUAL(node->fail_page_alloc.space, 100);
	return NULL;
}

CASE(fault_inject, probability_is_met_and_the_seed_repeats_it)
{
	struct fault_attr *attr = test_fault_inject_begin(30, FAULT_TIMES_ALL);
	unsigned int failed;

	attr->seed = test_seed();
	failed = failures(GFP_ATOMIC, 1, 2000);
	/* 600, and five standard deviations of 20.5. */
	EXPECT(failed > 497 && failed < 703);
	attr->count = 0;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 2000), failed);
	return NULL;
}

CASE(fault_inject, task_filter_spares_threads_that_are_not_marked)
{
	struct thread *thread = current_thread();
	unsigned int marked;

	test_fault_inject_begin(100, FAULT_TIMES_ALL)->task_filter = true;
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 0);
	thread->mm->make_it_fail = true;
	marked = failures(GFP_ATOMIC, 1, 5);
	thread->mm->make_it_fail = false;
	EXPECT_EQUAL(marked, 5);
	return NULL;
}

static unsigned int failures_in_interrupt(unsigned int count)
{
	unsigned int failed;

	preempt_count_add(HARDIRQ_ONE);
	failed = failures(GFP_ATOMIC, 1, count);
	preempt_count_sub(HARDIRQ_ONE);
	return failed;
}

CASE(fault_inject, context_spares_the_other_one)
{
	struct fault_attr *attr = test_fault_inject_begin(100, FAULT_TIMES_ALL);

	EXPECT_EQUAL(failures_in_interrupt(5), 5);
	attr->context = FAULT_CONTEXT_THREAD;
	EXPECT_EQUAL(failures_in_interrupt(5), 0);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 5);
	attr->context = FAULT_CONTEXT_INTERRUPT;
	EXPECT_EQUAL(failures_in_interrupt(5), 5);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 5), 0);
	return NULL;
}

CASE(fault_inject, illegal_requests_are_refused_and_not_failed)
{
	test_fault_inject_begin(100, FAULT_TIMES_ALL);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC, MAX_ORDER + 1) == NULL);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC | 0x3, 1) == NULL);
	EXPECT_EQUAL(injected(), 0);
	return NULL;
}

/* ---- fail_nth ------------------------------------------------------------ */

static unsigned int failures_of_nth(unsigned int nth, bool forever,
                                    unsigned int count)
{
	unsigned int failed;

	fail_nth_set(current_thread(), nth, forever);
	failed = failures(GFP_KERNEL, 0, count);
	fail_nth_set(current_thread(), 0, false);
	return failed;
}

CASE(fault_inject, nth_request_fails_once_whatever_its_mask)
{
	struct thread *thread = current_thread();
	struct page *page[4];

	test_fault_inject_begin(0, 1);
	fail_nth_set(thread, 3, false);
	for (unsigned int i = 0; i < 4; i++)
		page[i] = alloc_pages_node(node, GFP_KERNEL, 0);
	fail_nth_set(thread, thread->mm->fail_nth, false);
	EXPECT_EQUAL(thread->mm->fail_nth, 0);
	EXPECT(page[0] != NULL && page[1] != NULL);
	EXPECT(page[2] == NULL && page[3] != NULL);
	EXPECT_EQUAL(injected(), 1);
	return NULL;
}

CASE(fault_inject, forever_fails_from_the_nth_on)
{
	test_fault_inject_begin(0, 1);
	EXPECT_EQUAL(failures_of_nth(4, true, 10), 7);
	EXPECT_EQUAL(failures_of_nth(4, false, 10), 1);
	EXPECT_EQUAL(failures_of_nth(11, true, 10), 0);
	EXPECT_EQUAL(failures(GFP_KERNEL, 0, 10), 0);
	return NULL;
}

CASE(fault_inject, nth_counts_its_failures)
{
	test_fault_inject_begin(0, 1);
	fail_nth_set(current_thread(), 2, true);
	failures(GFP_KERNEL, 0, 5);
	EXPECT_EQUAL(fail_nth_failed(current_thread()), 4);
	fail_nth_set(current_thread(), 0, false);
	EXPECT_EQUAL(fail_nth_failed(current_thread()), 0);
	return NULL;
}

CASE(fault_inject, while_nth_counts_the_attributes_are_not_asked)
{
	unsigned int failed;

	test_fault_inject_begin(100, FAULT_TIMES_ALL);
	fail_nth_set(current_thread(), 3, false);
	failed = failures(GFP_ATOMIC, 1, 3);
	EXPECT_EQUAL(failed, 1);
	EXPECT_EQUAL(failures(GFP_ATOMIC, 1, 3), 3);
	return NULL;
}
