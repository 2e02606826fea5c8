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
#include "kernel/selftest/selftest.h"
#include "kernel/selftest/users.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/suite.h"

SUITE(selftest);

static struct page *leaked;
static unsigned int test_selftest_ticks;

static const char *test_selftest_passes(void)
{
	return NULL;
}

static const char *test_selftest_fails(void)
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
	uint64_t end;

	refiller_pause(true);
	pit_set_listener(count_tick, &test_selftest_ticks);
	pit_set_hz(5000);
	if (labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL)
		return "no page";
	/* A tick waits when it faults, and comes as soon as interrupts are on. */
	arch_irq_disable();
	test_selftest_ticks = 0;
	end = clock_microseconds() + 1000;
	while (clock_microseconds() < end)
		arch_relax();
	__builtin_trap();
}

static const char *test_selftest_attempt(const char *(*run)(void))
{
	const struct test_case test = { "inner", "inner", run, true };

	return selftest_try(&test);
}

static bool test_selftest_says(const char *sentence, const char *part)
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
	EXPECT(test_selftest_attempt(test_selftest_passes) == NULL);
	EXPECT(test_selftest_says(test_selftest_attempt(test_selftest_fails),
	                          "because it wants to"));
	return NULL;
}

CASE(selftest, leak_is_a_failure)
{
	bool told = test_selftest_says(test_selftest_attempt(leaks), "leak");

	EXPECT(leaked != NULL);
	__free_page(leaked);
	EXPECT(told);
	return NULL;
}

static unsigned int users_lines, users_of_three;

static void look_at_user(const char *line)
{
	users_lines++;
	if (test_selftest_says(line, "    3 pages in use by take_three+") &&
	    test_selftest_says(line, owner_name(current_thread()->owner.id)))
		users_of_three++;
}

/* Not inlined: its name is looked for.  One place: the loop is not unrolled. */
static __noinline bool take_three(struct page **three)
{
	static unsigned int count = 3;

	for (unsigned int i = 0; i < READ_ONCE(count); i++)
		three[i] = alloc_page(GFP_KERNEL);
	return three[0] != NULL && three[1] != NULL && three[2] != NULL;
}

CASE(selftest, pages_in_use_are_counted_by_the_place_that_took_them)
{
	struct page *three[3];
	bool taken = take_three(three);

	users_lines = 0;
	users_of_three = 0;
	users_print(look_at_user);
	for (unsigned int i = 0; i < 3; i++)
		__free_page(three[i]);
	EXPECT(taken && users_lines > 3);
	EXPECT_EQUAL(users_of_three, 1);
	users_of_three = 0;
	users_print(look_at_user);
	EXPECT_EQUAL(users_of_three, 0);
	return NULL;
}

/* A page is in hand for some ticks longer than the case lasts. */
static struct {
	struct page *page;
	unsigned int ticks; /* until it is given back */
} isolated;

static void give_isolated_page(void *data __unused)
{
	if (isolated.page == NULL || --isolated.ticks > 0)
		return;
	__free_page(isolated.page);
	isolated.page = NULL;
	__atomic_fetch_sub(&main_node()->reclaim.in_hand, 1, __ATOMIC_RELAXED);
}

static const char *lets_a_page_be_isolated(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return "no page";
	__atomic_fetch_add(&main_node()->reclaim.in_hand, 1, __ATOMIC_RELAXED);
	isolated.ticks = 5;
	WRITE_ONCE(isolated.page, page);
	return NULL;
}

CASE(selftest, page_that_reclaim_has_in_hand_is_no_leak)
{
	const char *told;

	pit_set_listener(give_isolated_page, NULL);
	told = test_selftest_attempt(lets_a_page_be_isolated);
	while (READ_ONCE(isolated.page) != NULL)
		thread_yield();
	pit_set_listener(NULL, NULL);
	return told;
}

static struct page *block; /* of two pages, for cases that spoil the second */

/* Nothing that is counted changes. */
static const char *spoils_a_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return "no page";
	__free_page(page);
	WRITE_ONCE(block->refcount, 0);
	return NULL;
}

/* The count that only the checks read, and isolation, which nobody asks for now: threads
 * that look at free memory meanwhile see what is true. */
static unsigned long *isolated_count(void)
{
	return &main_node()
	                ->zone[ZONE_DMA]
	                .free_area[0]
	                .of_type[MIGRATE_ISOLATE];
}

static const char *loses_a_free_block(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return "no page";
	__free_page(page);
	++*isolated_count();
	return NULL;
}

CASE(selftest, page_spoiled_behind_the_counters_is_found_after_the_suite)
{
	bool before = selftest_walk_every_case(false);
	const char *alone;
	const char *after;
	char said[200];

	block = alloc_pages(GFP_KERNEL, 1);
	EXPECT(block != NULL);
	alone = test_selftest_attempt(spoils_a_page);
	after = selftest_walk(said, sizeof(said), true);
	block->refcount = 1;
	__free_pages(block, 1);
	selftest_walk_every_case(before);
	EXPECT(alone == NULL);
	EXPECT(test_selftest_says(after, "is corrupt: used"));
	EXPECT(selftest_walk(said, sizeof(said), true) == NULL);
	return NULL;
}

CASE(selftest, page_spoiled_by_a_case_that_is_asked_for_by_name_is_its_failure)
{
	bool before = selftest_walk_every_case(true);
	bool each = selftest_walk_every_case(true);
	bool told;

	block = alloc_pages(GFP_KERNEL, 1);
	EXPECT(block != NULL);
	told = test_selftest_says(test_selftest_attempt(spoils_a_page),
	                          "is corrupt: used");
	block->refcount = 1;
	__free_pages(block, 1);
	selftest_walk_every_case(before);
	/* On a large machine it is the suite's, as above. */
	EXPECT(told == each);
	return NULL;
}

CASE(selftest, free_block_missing_on_its_list_is_the_failure_of_the_case)
{
	bool before = selftest_walk_every_case(false);
	bool told =
		test_selftest_says(test_selftest_attempt(loses_a_free_block),
	                           "invariant B5 broken");

	--*isolated_count();
	selftest_walk_every_case(before);
	EXPECT(told);
	return NULL;
}

CASE(selftest, filter_is_a_list_of_suites_and_cases_and_what_is_left_out)
{
	static const struct {
		const char *filter;
		bool buddy_split, buddy_join, zone;
	} list[] = {
		{ "", true, true, true },
		{ "buddy", true, true, false },
		{ "bud", false, false, false },
		{ "buddy.join", false, true, false },
		{ "buddy.joi", false, false, false },
		{ "buddy.joins", false, false, false },
		{ "zone,buddy.split", true, false, true },
		{ "buddy,-buddy.join", true, false, false },
		{ "-buddy", false, false, true },
		{ "-buddy.split,-zone", false, true, false },
		{ "-buddy,buddy.join", false, true, true },
		{ ",", false, false, false },
	};
	const struct test_case split = { "buddy", "split", test_selftest_passes,
		                         true };
	const struct test_case join = { "buddy", "join", test_selftest_passes,
		                        true };
	const struct test_case zone = { "zone", "split", test_selftest_passes,
		                        true };

	EXPECT(selftest_names(NULL, &split));
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const char *filter = list[i].filter;

		if (selftest_names(filter, &split) != list[i].buddy_split ||
		    selftest_names(filter, &join) != list[i].buddy_join ||
		    selftest_names(filter, &zone) != list[i].zone)
			return test_failure("'%s'", filter);
	}
	return NULL;
}

CASE(selftest, interrupts_left_off_are_a_failure_and_put_on)
{
	EXPECT(test_selftest_says(test_selftest_attempt(leaves_interrupts_off),
	                          "interrupts off"));
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
	struct node *node = main_node();
	const char *sentence = test_selftest_attempt(faults_with_much_undone);

	EXPECT(test_selftest_says(sentence, "faulted"));
	EXPECT(test_selftest_says(sentence, "invalid opcode"));
	EXPECT_EQUAL(clock_hz(), hz);
	/* No tick has come to a listener whose data can be on the stack of the case. */
	EXPECT_EQUAL(test_selftest_ticks, 0);
	EXPECT_EQUAL(owner_pages(current_owner()), 0);
	/* The refiller works again. */
	exclusive_shrink(node, 0);
	EXPECT(labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL);
	refiller_settle();
	EXPECT(exclusive_pool_parked(&node->pool) >= node->pool.high);
	thread_sleep(5000);
	EXPECT_EQUAL(test_selftest_ticks, 0);
	return NULL;
}
