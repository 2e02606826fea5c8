/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slow_path_oom.c -- the OOM killer, its victims, and NOFAIL.
 */
#include "lib/string.h"
#include "mm/scope.h"
#include "tests/host/test_slow_path.h"
#include "tests/suite.h"

SUITE(slow_path);

/* ---- 11, 12: the OOM killer ---------------------------------------------- */

CASE(slow_path, nobody_is_killed_for_large_or_low_or_local_requests)
{
	static const struct {
		gfp_t mask;
		unsigned int order;
	} row[] = {
		{ GFP_KERNEL, 4 },
		{ GFP_KERNEL | __GFP_DMA, 0 },
		{ GFP_KERNEL | __GFP_DMA32, 0 },
		{ GFP_KERNEL | __GFP_THISNODE, 0 },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0 },
		{ GFP_KERNEL | __GFP_NORETRY, 0 },
		{ GFP_NOWAIT, 0 },
		{ GFP_ATOMIC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		test_slow_path_begin(0);
		script.kills = true;
		EXPECT(test_slow_path_ask(row[i].mask, row[i].order) == NULL);
		if (script.ooms != 0)
			return test_failure("row %d kills", (int)i);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, a_kill_begins_a_new_round_with_a_new_count)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.kills = true;
	script.kill_gives = 281;
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.reclaims, 17);
	EXPECT_EQUAL(script.ooms, 1);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_oom_retry), 1);
	test_slow_path_finish();
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.kills = true;
	script.gives_at = 40;
	script.gives = 281;
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.ooms, 2);
	return test_slow_path_finish();
}

CASE(slow_path, before_a_kill_it_looks_at_high_once_more)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.gives_at = 17;
	script.gives = 721 - 200;
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.ooms, 0);
	test_slow_path_finish();
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.gives_at = 17;
	script.gives = 720 - 200;
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.ooms, 1);
	return test_slow_path_finish();
}

CASE(slow_path, while_another_kills_it_sleeps_a_tick_and_tries_again)
{
	struct node *node = test_slow_path_begin(200);

	node->oom_busy = true;
	script.sleep_gives_at = 3;
	script.sleep_gives = 281;
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT(story_is("pwpwptrswptrswptrswp"));
	EXPECT_EQUAL(script.ooms, 0);
	EXPECT(node->oom_busy);
	return test_slow_path_finish();
}

CASE(slow_path, one_request_at_a_time_is_on_the_rung_of_the_killer)
{
	struct node *node = test_slow_path_begin(200);

	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT(!node->oom_busy);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.ooms, 2);
	return test_slow_path_finish();
}

CASE(slow_path, a_victim_may_take_half_of_min_and_then_gets_null)
{
	test_slow_path_begin(242);
	script.kills = true;
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL, PILE_PAGES), 2);
	EXPECT_EQUAL(node_free(slow_pile.node), 240);
	/* It does not wait for others, either. */
	EXPECT_EQUAL(script.ooms, 1);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

CASE(slow_path, a_victim_right_replaces_that_of_atomic_and_not_that_of_memalloc)
{
	test_slow_path_begin(242);
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	/* The pass before it is at 180. */
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_ATOMIC, PILE_PAGES), 62);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_NOWAIT, PILE_PAGES), 0);
	EXPECT_EQUAL(
		pile_drain(&slow_pile, GFP_NOWAIT | __GFP_MEMALLOC, PILE_PAGES),
		180);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

CASE(slow_path, a_victim_with_memalloc_has_not_used_its_right_and_goes_on)
{
	test_slow_path_begin(0);
	script.kills = true;
	script.sleep_gives_at = 3;
	script.sleep_gives = 1;
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_MEMALLOC, 1), 1);
	EXPECT_EQUAL(script.ooms, 3);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_MEMALLOC |
	                                  __GFP_NOMEMALLOC,
	                          0) == NULL);
	EXPECT_EQUAL(script.ooms, 4);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

CASE(slow_path, nomemalloc_keeps_a_victim_from_the_reserve)
{
	test_slow_path_begin(242);
	script.kills = true;
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NOMEMALLOC, 0) == NULL);
	EXPECT_EQUAL(script.ooms, 1);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

CASE(slow_path, an_interrupt_on_top_of_a_victim_is_none)
{
	test_slow_path_begin(242);
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_NOWAIT, PILE_PAGES), 0);
	machine_leave_irq();
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_NOWAIT, PILE_PAGES), 2);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

static bool victim_of_its_own(struct node *node __unused,
                              const struct alloc_request *request __unused)
{
	script.ooms++;
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	return true;
}

CASE(slow_path, who_is_chosen_while_it_waits_has_one_round_as_a_victim)
{
	struct node *node = test_slow_path_begin(242);

	machine_set_oom_hook(node, victim_of_its_own);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(script.ooms, 1);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	test_slow_path_finish();
	node = test_slow_path_begin(240);
	machine_set_oom_hook(node, victim_of_its_own);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.ooms, 2);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return test_slow_path_finish();
}

/* ---- 13: NOFAIL ---------------------------------------------------------- */

CASE(slow_path, nofail_takes_half_of_min_and_then_waits)
{
	test_slow_path_begin(241);
	script.reclaimable = 1;
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpop"));
	test_slow_path_finish();
	test_slow_path_begin(240);
	script.reclaimable = 1;
	script.sleep_gives_at = 2;
	script.sleep_gives = 1;
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpopswptrpopswptrpop"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_nofail_retry), 2);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_takes_the_last_page_if_the_killer_says_yes)
{
	test_slow_path_begin(1);
	script.kills = true;
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpop"));
	EXPECT(slow_pile.page[slow_pile.count - 1]->flags & PAGE_PFMEMALLOC);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_beats_noretry_and_retry_mayfail)
{
	static const gfp_t more[] = { __GFP_NORETRY, __GFP_RETRY_MAYFAIL };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		test_slow_path_begin(100);
		script.sleep_gives_at = 5;
		script.sleep_gives = 400;
		EXPECT_EQUAL(pile_drain(&slow_pile,
		                        GFP_KERNEL | __GFP_NOFAIL | more[i], 1),
		             1);
		EXPECT_EQUAL(script.ooms, 0);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, nofail_inside_reclaim_only_waits)
{
	uint64_t mark;

	test_slow_path_begin(0);
	mark = log_mark();
	script.sleep_gives_at = 4;
	script.sleep_gives = 1;
	machine_set_memalloc(true);
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	machine_set_memalloc(false);
	EXPECT_EQUAL(script.reclaims, 0);
	EXPECT_EQUAL(script.slept, 4);
	EXPECT_EQUAL(log_count_since(mark, "inside reclaim"), 1);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_without_direct_reclaim_warns_once_and_may_get_null)
{
	uint64_t mark;

	test_slow_path_begin(180);
	mark = log_mark();
	EXPECT(test_slow_path_ask(GFP_ATOMIC | __GFP_NOFAIL, 0) == NULL);
	EXPECT(test_slow_path_ask(GFP_ATOMIC | __GFP_NOFAIL, 0) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "without __GFP_DIRECT_RECLAIM"), 1);
	EXPECT_EQUAL(script.slept + script.yielded, 0);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_of_order_2_warns_order_1_does_not)
{
	uint64_t mark;

	test_slow_path_begin(600);
	mark = log_mark();
	test_slow_path_give(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 1),
	                    1);
	EXPECT_EQUAL(log_count_since(mark, "__GFP_NOFAIL"), 0);
	test_slow_path_give(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 2),
	                    2);
	test_slow_path_give(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 2),
	                    2);
	EXPECT_EQUAL(log_count_since(mark, "large block"), 1);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_warns_of_nothing_while_there_is_plenty)
{
	uint64_t mark;

	test_slow_path_begin(61440);
	mark = log_mark();
	test_slow_path_give(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 2),
	                    2);
	test_slow_path_give(test_slow_path_ask(GFP_ATOMIC | __GFP_NOFAIL, 0),
	                    0);
	machine_set_memalloc(true);
	test_slow_path_give(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 0),
	                    0);
	machine_set_memalloc(false);
	EXPECT_EQUAL(log_count_since(mark, "__GFP_NOFAIL"), 0);
	EXPECT_EQUAL(script.wakes, 0);
	return test_slow_path_finish();
}

static void wait_for_nobody(void *unused __unused)
{
	struct page *page = test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 0);

	panic("page %p", (void *)page);
}

CASE(slow_path, nofail_with_nobody_left_to_free_waits_forever)
{
	char text[200];

	test_slow_path_begin(0);
	EXPECT_EQUAL(machine_try(wait_for_nobody, NULL, text, sizeof(text)),
	             MACHINE_PANICKED);
	EXPECT(strncmp(text, "everybody sleeps", 16) == 0);
	machine_start(16);
	return NULL;
}
