/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slow_path_compact.c -- compaction, and how often it is retried.
 */
#include "mm/scope.h"
#include "tests/host/test_slow_path.h"
#include "tests/suite.h"

SUITE(slow_path);

/* ---- 7, 10: compaction --------------------------------------------------- */

CASE(slow_path, noio_order_2_never_compacts)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.reclaimed = 32;
	EXPECT(test_slow_path_ask(GFP_NOIO, 2) == NULL);
	EXPECT_EQUAL(script.compacts, 0);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_stall), 0);
	return test_slow_path_finish();
}

CASE(slow_path, order_0_never_compacts)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.compacts, 0);
	return test_slow_path_finish();
}

CASE(slow_path, movable_blocks_up_to_order_3_reclaim_first)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_FAILED;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_MOVABLE, 2) == NULL);
	EXPECT(story_is("pwpwptrlppo"));
	test_slow_path_finish();
	node = test_slow_path_begin(200);
	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_FAILED;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_MOVABLE, 4) == NULL);
	EXPECT(story_is("pwpapwptrlp"));
	return test_slow_path_finish();
}

CASE(slow_path, memalloc_does_not_compact_before_its_right_is_used)
{
	struct node *node = test_slow_path_begin(200);
	struct page *page;

	machine_set_compact_hook(node, test_slow_path_on_compact);
	page = test_slow_path_ask(GFP_KERNEL | __GFP_MEMALLOC, 2);
	EXPECT(page != NULL);
	EXPECT_EQUAL(script.compacts, 0);
	test_slow_path_give(page, 2);
	return test_slow_path_finish();
}

CASE(slow_path, costly_noretry_ends_where_compaction_is_not_tried)
{
	static const struct {
		enum compact_result compacted;
		gfp_t more;
		const char *story;
	} row[] = {
		{ COMPACT_SKIPPED, 0, "pwpa" },
		{ COMPACT_DEFERRED, 0, "pwpap" },
		{ COMPACT_FAILED, __GFP_THISNODE, "pwpap" },
		/* Else one round, and asynchronous again. */
		{ COMPACT_FAILED, 0, "pwpapwptrap" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct node *node = test_slow_path_begin(200);

		machine_set_compact_hook(node, test_slow_path_on_compact);
		script.compacted = row[i].compacted;
		EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY |
		                                  row[i].more,
		                          4) == NULL);
		if (!story_is(row[i].story))
			return test_failure("row %d: %s, expected %s", (int)i,
			                    script.story, row[i].story);
		test_slow_path_finish();
	}
	return NULL;
}

/* How often did compaction succeed, and another thread take the block? */
static unsigned long lost_races(gfp_t mask, unsigned int order)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_SUCCESS;
	script.reclaimed = 32;
	if (test_slow_path_ask(mask, order) != NULL)
		return 0;
	test_slow_path_finish();
	return test_slow_path_stat(VMSTAT_compact_retry);
}

CASE(slow_path, a_block_lost_to_another_is_tried_for_16_times_a_costly_one_4)
{
	/* 16, one step more thorough, 16 again. */
	EXPECT_EQUAL(lost_races(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 2),
	             16 + 1 + 16);
	EXPECT_EQUAL(lost_races(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4), 4);
	return NULL;
}

/* Linux: fatal_signal_pending() in should_compact_retry(). */
CASE(slow_path, compaction_is_not_retried_for_a_thread_that_was_killed)
{
	struct page *page;

	machine_set_compact_hook(test_slow_path_begin(200),
	                         test_slow_path_on_compact);
	script.compacted = COMPACT_SUCCESS;
	script.reclaimed = 32;
	thread_set_flags(machine_main(), THREAD_KILLED);
	page = test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 2);
	thread_clear_flags(machine_main(), THREAD_KILLED);
	EXPECT(page == NULL);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_retry), 0);
	return test_slow_path_finish();
}

CASE(slow_path, skipped_compaction_is_retried_while_reclaim_could_make_room)
{
	struct node *node = begin_scattered(200);

	/* Order 2 needs more than 480 + 8: 200 + 576 / 2 is not enough. */
	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.reclaimed = 32;
	script.reclaimable = 576;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 2) == NULL);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_retry), 0);
	test_slow_path_finish();
	node = begin_scattered(200);
	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.reclaimed = 32;
	script.reclaimable = 578;
	script.gives_at = 5;
	script.gives = 1000;
	test_slow_path_give(
		test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 2), 2);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_retry), 4);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_stall), 0);
	return test_slow_path_finish();
}

CASE(slow_path, skipped_compaction_of_a_costly_block_wants_room_above_low)
{
	struct node *node;
	struct page *page;

	for (unsigned long more = 0; more <= 4; more += 4) {
		/* More than 600 + 32: 200 + 1728 / 4 is not enough. */
		node = begin_scattered(200);
		machine_set_compact_hook(node, test_slow_path_on_compact);
		script.reclaimed = 32;
		script.reclaimable = 1728 + more;
		script.gives_at = 7;
		script.gives = 30000;
		page = test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4);
		EXPECT_EQUAL(page != NULL, more > 0);
		EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_retry),
		             more > 0 ? 6 : 0);
		EXPECT_EQUAL(script.reclaims, more > 0 ? 7 : 1);
		if (page != NULL)
			test_slow_path_give(page, 4);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, a_zone_without_a_block_is_not_retried_for_its_pages)
{
	begin_scattered(200);
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL, 1) == NULL);
	EXPECT_EQUAL(script.reclaims, 1);
	return test_slow_path_finish();
}
