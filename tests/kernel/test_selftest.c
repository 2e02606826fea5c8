/* SPDX-License-Identifier: MIT */
/*
 * The self-test itself: a case that fails, faults or leaks is told from one that
 * passes, and the next one finds the machine as it should be.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/core/clock.h"
#include "kernel/core/sched.h"
#include "kernel/refiller.h"
#include "kernel/selftest.h"
#include "lib/string.h"
#include "mm/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/suite.h"

SUITE(selftest);

static struct page *leaked;

static const char *passes(void)
{
	return NULL;
}

static const char *fails(void)
{
	return "because it wants to";
}

static const char *leaks(void)
{
	leaked = alloc_page(GFP_KERNEL);
	return NULL;
}

static const char *leaves_interrupts_off(void)
{
	arch_irq_disable();
	return NULL;
}

static void count_tick(void *data)
{
	(*(volatile unsigned int *)data)++;
}

static const char *faults_with_much_undone(void)
{
	unsigned int local = 0;

	refiller_pause(true);
	pit_set_listener(count_tick, &local);
	pit_set_hz(5000);
	if (labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL)
		return "no page";
	__builtin_trap();
}

static const char *attempt(const char *(*run)(void))
{
	const struct test_case test = { "inner", "inner", run, true };

	return selftest_try(&test);
}

static bool says(const char *sentence, const char *part)
{
	size_t length = strlen(part);

	for (; sentence != NULL && *sentence != '\0'; sentence++) {
		if (strncmp(sentence, part, length) == 0)
			return true;
	}
	return false;
}

CASE(selftest, passing_case_passes_and_failing_case_fails)
{
	EXPECT(attempt(passes) == NULL);
	EXPECT(says(attempt(fails), "because it wants to"));
	return NULL;
}

CASE(selftest, leak_is_a_failure)
{
	bool told = says(attempt(leaks), "leak");

	EXPECT(leaked != NULL);
	__free_page(leaked);
	EXPECT(told);
	return NULL;
}

CASE(selftest, interrupts_left_off_are_a_failure_and_put_on)
{
	EXPECT(says(attempt(leaves_interrupts_off), "interrupts off"));
	EXPECT(arch_irq_enabled());
	return NULL;
}

CASE(selftest, each_case_can_be_asked_for_on_the_command_line)
{
	const struct test_case *end = (const struct test_case *)suites_end;

	for (const struct test_case *at =
	             (const struct test_case *)suites_begin;
	     at < end; at++) {
		size_t length = strlen(at->suite) + 1 + strlen(at->name);

		if (length >= SELFTEST_FILTER_SIZE)
			return test_failure("%s.%s is too long", at->suite,
			                    at->name);
	}
	return NULL;
}

CASE(selftest, faulting_case_is_recorded_and_cleared_away)
{
	unsigned int hz = clock_hz();
	struct node *node = page_alloc_node();
	const char *sentence = attempt(faults_with_much_undone);

	EXPECT(says(sentence, "faulted"));
	EXPECT(says(sentence, "invalid opcode"));
	EXPECT_EQUAL(clock_hz(), hz);
	EXPECT_EQUAL(current_owner()->owned, 0);
	/* The refiller works again. */
	exclusive_shrink(node, 0);
	EXPECT(labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL);
	refiller_settle();
	EXPECT_EQUAL(node->pool.count, node->pool.high);
	/* And so does the timer, without that listener on a dead stack. */
	thread_sleep(5000);
	return NULL;
}
