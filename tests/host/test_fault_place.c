/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_fault_place.c -- requests that fail because of where they come from.
 *
 * The calls are made up.  tests/kernel/test_code_place.c has real ones.
 */
#include "kernel/core/sched.h"
#include "mm/debug/fault_inject.h"
#include "mm/page_alloc.h"
#include "mm/slab/slab.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(fault_place);

/* Return addresses: each call is the last instruction of its function. */
#define OUTER 0x1000UL
#define INNER 0x2000UL

static const struct code_place outer = { .start = OUTER - 0x80, .end = OUTER };
static const struct code_place inner = { .start = INNER - 0x80, .end = INNER };
static const uintptr_t calls[] = { 0x500, INNER, 0x700, OUTER };

static struct node *fault_place_begin(void)
{
	struct node *node;

	machine_start(256);
	node = machine_one_zone(ZONE_NORMAL, 256);
	node->fail_page_alloc.probability = 100;
	node->fail_page_alloc.times = FAULT_TIMES_ALL;
	node->fail_page_alloc.verbose = 0;
	machine_set_backtrace(calls, ARRAY_SIZE(calls));
	return node;
}

static const char *fault_place_end(void)
{
	machine_set_backtrace(NULL, 0);
	return machine_finish();
}

CASE(fault_place, a_required_place_spares_who_does_not_come_from_there)
{
	struct node *node = fault_place_begin();

	node->fail_page_alloc.require = outer;
	EXPECT(should_fail_alloc_page(node, GFP_ATOMIC, 1));
	machine_set_backtrace(calls, 3);
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	node->fail_page_alloc.require = inner;
	EXPECT(should_fail_alloc_page(node, GFP_ATOMIC, 1));
	/* The call returns to the function behind. */
	node->fail_page_alloc.require =
		(struct code_place){ .start = INNER, .end = INNER + 0x80 };
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	return fault_place_end();
}

CASE(fault_place, a_rejected_place_spares_who_comes_from_there)
{
	struct node *node = fault_place_begin();

	node->fail_page_alloc.reject = outer;
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	node->fail_page_alloc.require = inner;
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	machine_set_backtrace(calls, 3);
	EXPECT(should_fail_alloc_page(node, GFP_ATOMIC, 1));
	return fault_place_end();
}

CASE(fault_place, calls_beyond_the_depth_are_not_looked_at)
{
	struct node *node = fault_place_begin();

	node->fail_page_alloc.require = outer;
	node->fail_page_alloc.stacktrace_depth = 3;
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	node->fail_page_alloc.stacktrace_depth = 4;
	EXPECT(should_fail_alloc_page(node, GFP_ATOMIC, 1));
	return fault_place_end();
}

/* A request that is spared for its place takes nothing from the space and the interval. */
CASE(fault_place, the_place_is_checked_before_space_and_interval)
{
	struct node *node = fault_place_begin();

	node->fail_page_alloc.require = outer;
	node->fail_page_alloc.space = 9;
	node->fail_page_alloc.interval = 2;
	machine_set_backtrace(calls, 3);
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	EXPECT_EQUAL(node->fail_page_alloc.space, 9);
	EXPECT_EQUAL(node->fail_page_alloc.count, 0);
	return fault_place_end();
}

CASE(fault_place, fail_nth_counts_requests_from_the_place_only)
{
	struct node *node = fault_place_begin();
	bool failed[4];

	node->fail_page_alloc.require = outer;
	fail_nth_set(current_thread(), 2, false);
	failed[0] = should_fail_alloc_page(node, GFP_KERNEL, 0);
	machine_set_backtrace(calls, 3);
	failed[1] = should_fail_alloc_page(node, GFP_KERNEL, 0);
	machine_set_backtrace(calls, 4);
	failed[2] = should_fail_alloc_page(node, GFP_KERNEL, 0);
	failed[3] = should_fail_alloc_page(node, GFP_KERNEL, 0);
	fail_nth_set(current_thread(), 0, false);
	EXPECT(!failed[0] && !failed[1] && failed[2] && !failed[3]);
	return fault_place_end();
}

/* ... with its own attributes. */
CASE(fault_place, objects_have_separate_places)
{
	struct node *node = fault_place_begin();

	failslab_attr_init(&node->failslab);
	node->failslab.probability = 100;
	node->failslab.times = FAULT_TIMES_ALL;
	node->failslab.verbose = 0;
	node->failslab.require = inner;
	node->fail_page_alloc.reject = inner;
	EXPECT(should_failslab(node, GFP_ATOMIC));
	EXPECT(!should_fail_alloc_page(node, GFP_ATOMIC, 1));
	machine_set_backtrace(calls, 1);
	EXPECT(!should_failslab(node, GFP_ATOMIC));
	EXPECT(should_fail_alloc_page(node, GFP_ATOMIC, 1));
	return fault_place_end();
}
