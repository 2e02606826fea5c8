/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_stack.c -- the parked frames that each CPU has at hand:
 * mm/exclusive/exclusive_stack.c, with one CPU and with two.
 */
#include "kernel/arch/arch.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive_stack);

static unsigned int stacked(unsigned int cpu)
{
	return node->pool.stack[cpu].count;
}

/* PARKED frames on the lists, and none is too much. */
static void start_roomy(unsigned long parked)
{
	test_exclusive_start(parked);
	node->pool.top = 64;
}

static void start_with_two_cpus(unsigned long parked)
{
	start_roomy(parked);
	node->pool.cpus = 2;
}

CASE(exclusive_stack, a_take_fetches_4_frames_and_the_next_3_touch_no_list)
{
	start_roomy(16);
	EXPECT_EQUAL(stacked(0), 0);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT(test_exclusive_take() != NULL);
		EXPECT_EQUAL(stacked(0), 3 - i);
		EXPECT_EQUAL(node->pool.count, 12);
		EXPECT(test_exclusive_check() == NULL);
	}
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(node->pool.count, 8);
	return test_exclusive_check();
}

CASE(exclusive_stack, neither_a_take_nor_a_release_takes_the_pools_lock)
{
	void *page;

	start_roomy(16);
	page = test_exclusive_take();
	/* A call that takes it now panics: this CPU holds it already. */
	EXPECT(page != NULL && stacked(0) == 3);
	node->pool.lock.held = 1;
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	node->pool.lock.held = 0;
	return test_exclusive_check();
}

CASE(exclusive_stack, what_was_released_last_is_taken_first)
{
	unsigned long pfn[3];
	void *page[3];

	start_roomy(16);
	for (unsigned int i = 0; i < 3; i++) {
		page[i] = test_exclusive_take();
		pfn[i] = frame_of(page[i]);
	}
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	for (unsigned int i = 3; i > 0; i--)
		EXPECT_EQUAL(frame_of(test_exclusive_take()), pfn[i - 1]);
	return test_exclusive_check();
}

CASE(exclusive_stack, a_full_stack_keeps_the_4_youngest_and_the_released_one)
{
	unsigned long pfn[12];
	void *page[12];

	start_roomy(16);
	for (unsigned int i = 0; i < 12; i++) {
		page[i] = test_exclusive_take();
		pfn[i] = frame_of(page[i]);
	}
	EXPECT_EQUAL(stacked(0), 0);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	EXPECT_EQUAL(stacked(0), 8);
	EXPECT_EQUAL(node->pool.count, 4);
	EXPECT_EQUAL(exclusive_release(page[8]), 0);
	EXPECT_EQUAL(stacked(0), 5);
	EXPECT_EQUAL(node->pool.count, 8);
	for (unsigned int i = 8; i >= 4; i--)
		EXPECT_EQUAL(frame_of(test_exclusive_take()), pfn[i]);
	return test_exclusive_check();
}

CASE(exclusive_stack, the_columns_count_its_frames_as_parked)
{
	const struct zone *normal;
	struct exclusive_counts counts;

	test_exclusive_start(16);
	normal = &node->zone[ZONE_NORMAL];
	EXPECT(test_exclusive_take() != NULL);
	exclusive_counts(node, &counts);
	EXPECT_EQUAL(counts.parked, 15);
	EXPECT_EQUAL(counts.owned, 1);
	EXPECT_EQUAL(exclusive_zone_parked(normal), 15);
	EXPECT_EQUAL(exclusive_zone_owned(normal), 1);
	EXPECT_EQUAL(normal->parked_pages, 12);
	return test_exclusive_check();
}

CASE(exclusive_stack, a_shrink_gives_its_frames_to_the_buddy)
{
	test_exclusive_start(16);
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 15);
	EXPECT_EQUAL(stacked(0), 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 0);
	EXPECT_EQUAL(exclusive_refill(node, 3), 3);
	return test_exclusive_check();
}

CASE(exclusive_stack, with_one_cpu_every_parked_frame_is_given)
{
	for (unsigned long parked = 1; parked <= 20; parked++) {
		test_exclusive_start(parked);
		machine_enter_irq(&timer);
		EXPECT_EQUAL(test_exclusive_take_all(), parked);
		machine_leave_irq();
		EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_elsewhere),
		             0);
		EXPECT(test_exclusive_check() == NULL);
	}
	return NULL;
}

/* ---- Interrupts ---------------------------------------------------------- */

CASE(exclusive_stack, nested_interrupts_take_different_frames_of_one_stack)
{
	unsigned long pfn[4];

	test_exclusive_start(8);
	pfn[0] = frame_of(test_exclusive_take());
	machine_enter_irq(&timer);
	pfn[1] = frame_of(test_exclusive_take());
	arch_irq_enable();
	machine_enter_irq(&keyboard);
	pfn[2] = frame_of(test_exclusive_take());
	machine_leave_irq();
	arch_irq_disable();
	pfn[3] = frame_of(test_exclusive_take());
	machine_leave_irq();
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int j = 0; j < i; j++)
			EXPECT(pfn[i] != pfn[j]);
	}
	EXPECT_EQUAL(stacked(0), 0);
	return test_exclusive_check();
}

CASE(exclusive_stack, in_an_nmi_nothing_moves)
{
	void *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	machine_enter_nmi();
	EXPECT(test_exclusive_take() == NULL);
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	machine_leave_nmi();
	EXPECT_EQUAL(stacked(0), 3);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_in_nmi), 2);
	return test_exclusive_check();
}

/* ---- Two CPUs ------------------------------------------------------------ */

CASE(exclusive_stack,
     at_most_8_frames_are_out_of_another_cpus_reach_and_counted)
{
	void *page[12];

	start_with_two_cpus(12);
	for (unsigned int i = 0; i < 12; i++)
		page[i] = test_exclusive_take();
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	EXPECT_EQUAL(stacked(0), 8);
	machine_be_cpu(1);
	EXPECT(test_exclusive_take() == NULL);
	EXPECT(test_exclusive_stat(VMSTAT_exclusive_elsewhere) > 0);
	/* One more, and CPU 1 can reach some. */
	machine_be_cpu(0);
	EXPECT_EQUAL(exclusive_release(page[8]), 0);
	machine_be_cpu(1);
	EXPECT_EQUAL(test_exclusive_take_all(), 4);
	EXPECT_EQUAL(stacked(0), 5);
	machine_be_cpu(0);
	return test_exclusive_check();
}

CASE(exclusive_stack, a_refill_parks_what_each_cpu_can_reach)
{
	void *page[8];

	start_with_two_cpus(8);
	for (unsigned int i = 0; i < 8; i++)
		page[i] = test_exclusive_take();
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	EXPECT_EQUAL(stacked(0), 8);
	/* All are on the stack of CPU 0, and CPU 1 has 8 as well. */
	EXPECT_EQUAL(exclusive_refill(node, 8), 8);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 16);
	machine_be_cpu(1);
	machine_enter_irq(&timer);
	EXPECT_EQUAL(test_exclusive_take_all(), 8);
	machine_leave_irq();
	machine_be_cpu(0);
	EXPECT_EQUAL(stacked(0), 8);
	return test_exclusive_check();
}

CASE(exclusive_stack, a_page_is_released_where_its_owner_runs)
{
	uint8_t *page;

	start_with_two_cpus(8);
	page = test_exclusive_take();
	memset(page, 0x77, PAGE_SIZE);
	machine_be_cpu(1);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(stacked(0), 3);
	EXPECT_EQUAL(stacked(1), 1);
	page = test_exclusive_take();
	EXPECT(page != NULL && all_bytes_are(page, 0));
	machine_be_cpu(0);
	return test_exclusive_check();
}

/* Without a worker on the other CPU. */
CASE(exclusive_stack, a_shrink_leaves_the_frames_of_another_cpu)
{
	start_with_two_cpus(12);
	machine_be_cpu(1);
	EXPECT(test_exclusive_take() != NULL);
	machine_be_cpu(0);
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 7);
	EXPECT_EQUAL(stacked(1), 3);
	machine_be_cpu(1);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 3);
	machine_be_cpu(0);
	return test_exclusive_check();
}

static unsigned int runs_there;

/* The worker of CPU, which the caller waits for. */
static void stack_run_on(unsigned int cpu, void (*function)(void *), void *data)
{
	unsigned int before = arch_cpu_id();

	runs_there++;
	machine_be_cpu(cpu);
	function(data);
	machine_be_cpu(before);
}

CASE(exclusive_stack, a_shrink_has_the_stacks_of_other_cpus_emptied)
{
	start_with_two_cpus(12);
	node->run_on = stack_run_on;
	runs_there = 0;
	machine_be_cpu(1);
	EXPECT(test_exclusive_take() != NULL);
	machine_be_cpu(0);
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 10);
	EXPECT_EQUAL(stacked(0) + stacked(1), 0);
	EXPECT_EQUAL(runs_there, 1);
	/* Nothing is there any more: it is left alone. */
	EXPECT_EQUAL(exclusive_shrink(node, 0), 0);
	EXPECT_EQUAL(runs_there, 1);
	return test_exclusive_check();
}
