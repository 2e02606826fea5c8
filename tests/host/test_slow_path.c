/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slow_path.c -- every rung of the slow path, on zone Z (61440
 * pages, marks 480/600/720), with reclaim, compaction and the OOM killer
 * scripted, and the order of all calls written down:
 *
 *	w  asked for kswapd		p  a pass over the zones
 *	t  throttled			r  reclaim
 *	a, l, f  compaction: async, sync-light, sync-full
 *	o  the OOM killer		s  slept	y  let others run
 */
#include "kernel/core/watchdog.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/scope.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(slow_path);

#define ZONE      ZONE_DMA32
#define STORY_MAX 800

static struct pile pile;

/* What the hooks answer, and what they saw. */
static struct {
	unsigned long reclaimed;   /* what reclaim says it found */
	unsigned long reclaimable; /* what it says it could find */
	unsigned long gives_at;    /* in this reclaim it frees ... */
	unsigned long gives;       /* ... so many pages */
	enum compact_result compacted;
	bool kills;
	unsigned long kill_gives; /* pages that a kill frees */
	unsigned long sleep_gives_at;
	unsigned long sleep_gives;

	unsigned long wakes, reclaims, compacts, ooms, rests;
	unsigned long passes; /* in the story so far */
	struct alloc_request asked;
	struct page *nested; /* what reclaim's own request got */
	bool nests;
	bool rested;
	unsigned long slept, yielded;
	bool waited; /* the watchdog knew during reclaim */
	char story[STORY_MAX];
	size_t length;
} script;

static unsigned long test_slow_path_stat(enum vmstat_event event)
{
	return vmstat_read(&pile.node->stat, event);
}

static void test_slow_path_write_down(char letter)
{
	for (; script.passes < test_slow_path_stat(VMSTAT_freelist_pass);
	     script.passes++) {
		if (script.length < STORY_MAX - 1)
			script.story[script.length++] = 'p';
	}
	if (letter != '\0' && script.length < STORY_MAX - 1)
		script.story[script.length++] = letter;
}

static bool story_is(const char *expected)
{
	test_slow_path_write_down('\0');
	return strcmp(script.story, expected) == 0;
}

static void test_slow_path_on_wake(struct node *node __unused,
                                   unsigned int order __unused,
                                   enum zone_type highest __unused)
{
	script.wakes++;
	test_slow_path_write_down('w');
}

static unsigned long
test_slow_path_on_reclaim(struct node *node,
                          const struct alloc_request *request)
{
	test_slow_path_write_down('r');
	script.asked = *request;
	script.waited = machine_main()->memory_wait != 0;
	if (script.nests) {
		script.nests = false;
		script.nested = alloc_pages_node(node, GFP_KERNEL, 0);
		script.passes = test_slow_path_stat(VMSTAT_freelist_pass);
	}
	if (++script.reclaims == script.gives_at)
		pile_give(&pile, script.gives);
	return script.reclaimed;
}

static unsigned long test_slow_path_on_reclaimable(struct node *node __unused,
                                                   struct zone *zone)
{
	return zone->type == ZONE ? script.reclaimable : 0;
}

static enum compact_result
test_slow_path_on_compact(struct node *node __unused,
                          const struct alloc_request *request,
                          enum compact_priority priority)
{
	static const char letter[] = {
		[COMPACT_SYNC_FULL] = 'f',
		[COMPACT_SYNC_LIGHT] = 'l',
		[COMPACT_ASYNC] = 'a',
	};

	test_slow_path_write_down(letter[priority]);
	script.asked = *request;
	script.compacts++;
	return script.compacted;
}

static bool test_slow_path_on_oom(struct node *node __unused,
                                  const struct alloc_request *request)
{
	test_slow_path_write_down('o');
	script.asked = *request;
	script.ooms++;
	pile_give(&pile, script.kill_gives);
	return script.kills;
}

static void
test_slow_path_on_throttle(struct node *node __unused,
                           const struct alloc_request *request __unused)
{
	test_slow_path_write_down('t');
}

/* Called once more in a sleep in which something was done. */
static bool test_slow_path_on_rest(struct wait_queue *queue)
{
	bool again = script.rested;

	script.rested = false;
	if (again)
		return false;
	script.slept += queue->name[0] == 's';
	script.yielded += queue->name[0] == 'y';
	test_slow_path_write_down(queue->name[0]);
	if (++script.rests != script.sleep_gives_at)
		return false;
	pile_give(&pile, script.sleep_gives);
	script.rested = queue->name[0] == 's';
	return true;
}

/* Zone Z with FREE pages free and all hooks but that of compaction. */
static struct node *test_slow_path_begin(unsigned long free)
{
	struct node *node;

	machine_start(61440);
	node = machine_one_zone(ZONE, 61440);
	machine_set_marks(&node->zone[ZONE], 480, 600, 720);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, free);
	memset(&script, 0, sizeof(script));
	machine_set_kswapd_hook(node, test_slow_path_on_wake);
	machine_set_reclaim_hook(node, test_slow_path_on_reclaim,
	                         test_slow_path_on_reclaimable);
	machine_set_oom_hook(node, test_slow_path_on_oom);
	machine_set_throttle_hook(node, test_slow_path_on_throttle);
	machine_set_wait_hook(test_slow_path_on_rest);
	return node;
}

/* The same without two free pages side by side. */
static struct node *begin_scattered(unsigned long free)
{
	struct node *node = test_slow_path_begin(0);

	for (unsigned long i = pile.count; i-- > 0 && node_free(node) < free;) {
		struct page *page = pile.page[i];

		if (node_pfn(node, page) % 2 != 0)
			continue;
		pile.page[i] = pile.page[--pile.count];
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
	script.passes = 0;
	node->stat = (struct vmstat){ 0 };
	return node;
}

static const char *test_slow_path_finish(void)
{
	pile_give(&pile, PILE_PAGES);
	return NULL;
}

static struct page *test_slow_path_ask(gfp_t mask, unsigned int order)
{
	return alloc_pages_node(pile.node, mask, order);
}

static void test_slow_path_give(struct page *page, unsigned int order)
{
	free_pages_node(pile.node, page, order, RETURN_ADDRESS());
}

/* ---- The order of the rungs --------------------------------------------------- */

CASE(slow_path, rungs_of_a_kernel_request_come_in_linuxs_order)
{
	test_slow_path_begin(200);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	/* 0, 1 2, 4, 6, 9 stops, 11: looks at HIGH, then kills; nobody. */
	EXPECT(story_is("pwpwptrpo"));
	return test_slow_path_finish();
}

CASE(slow_path, a_fruitless_round_sleeps_and_begins_again_at_rung_4)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.gives_at = 2;
	script.gives = 400;
	script.reclaimed = 0;
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
	EXPECT(story_is("pwpwptrswptrswp"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_reclaim_retry), 2);
	return test_slow_path_finish();
}

CASE(slow_path, a_round_that_reclaimed_passes_at_once_and_lets_others_run)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.reclaimed = 32;
	script.gives_at = 3;
	script.gives = 400;
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
	EXPECT(story_is("pwpwptrpywptrpywptrp"));
	EXPECT_EQUAL(script.slept, 0);
	return test_slow_path_finish();
}

CASE(slow_path, rungs_of_a_block_come_in_linuxs_order)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_FAILED;
	script.reclaimed = 32;
	/* 3: async; 7: light; 10: thorough; then nothing but a kill. */
	EXPECT(test_slow_path_ask(GFP_KERNEL, 2) == NULL);
	EXPECT(story_is("pwpapwptrplpywptrpfppo"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_retry), 1);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_stall), 3);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_compact_fail), 3);
	return test_slow_path_finish();
}

CASE(slow_path, who_cannot_wait_has_3_passes_2_wakes_and_no_other_rung)
{
	static const gfp_t masks[] = { GFP_NOWAIT, GFP_ATOMIC,
		                       GFP_ATOMIC | __GFP_RETRY_MAYFAIL,
		                       GFP_NOWAIT | __GFP_NORETRY };

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		test_slow_path_begin(180);
		EXPECT(test_slow_path_ask(masks[i], 0) == NULL);
		EXPECT(story_is("pwpwp"));
		EXPECT_EQUAL(script.slept + script.yielded, 0);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, order_11_moves_no_counter)
{
	struct node *node = test_slow_path_begin(200);
	struct vmstat before = node->stat;

	EXPECT(test_slow_path_ask(GFP_KERNEL, 11) == NULL);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 11) == NULL);
	EXPECT(memcmp(&before, &node->stat, sizeof(before)) == 0);
	EXPECT(story_is(""));
	return test_slow_path_finish();
}

/* ---- 1 to 5: wake-ups, rights, and who stops --------------------------------- */

CASE(slow_path, kswapd_is_asked_for_at_entry_and_in_each_round)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.wakes, 1 + 17);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_kswapd_wake_request), 1 + 17);
	test_slow_path_finish();
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL & ~__GFP_KSWAPD_RECLAIM, 0) ==
	       NULL);
	EXPECT_EQUAL(script.wakes, 0);
	EXPECT_EQUAL(script.reclaims, 17);
	return test_slow_path_finish();
}

CASE(slow_path, pf_memalloc_reclaims_nothing_and_marks_its_page)
{
	struct page *page;

	test_slow_path_begin(1);
	machine_set_memalloc(true);
	page = test_slow_path_ask(GFP_KERNEL, 0);
	EXPECT(page != NULL && (page->flags & PAGE_PFMEMALLOC));
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	machine_set_memalloc(false);
	EXPECT_EQUAL(script.reclaims, 0);
	EXPECT_EQUAL(script.ooms, 0);
	test_slow_path_give(page, 0);
	pile_give(&pile, 1000);
	page = test_slow_path_ask(GFP_KERNEL, 0);
	EXPECT(page != NULL && !(page->flags & PAGE_PFMEMALLOC));
	test_slow_path_give(page, 0);
	return test_slow_path_finish();
}

CASE(slow_path, memalloc_gets_the_last_page_and_then_reclaims)
{
	struct page *page;

	test_slow_path_begin(1);
	page = test_slow_path_ask(GFP_KERNEL | __GFP_MEMALLOC, 0);
	EXPECT(page != NULL && (page->flags & PAGE_PFMEMALLOC));
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_MEMALLOC, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 1);
	test_slow_path_give(page, 0);
	return test_slow_path_finish();
}

/* ---- 6: reclaim ----------------------------------------------------------------- */

CASE(slow_path, reclaim_is_told_what_the_mask_allows)
{
	static const struct {
		gfp_t mask;
		bool io, fs;
	} row[] = {
		{ GFP_KERNEL, true, true },
		{ GFP_NOFS, true, false },
		{ GFP_NOIO, false, false },
		{ GFP_NOIO | __GFP_FS, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		test_slow_path_begin(200);
		EXPECT(test_slow_path_ask(row[i].mask | __GFP_NORETRY, 0) ==
		       NULL);
		EXPECT_EQUAL(script.reclaims, 1);
		EXPECT_EQUAL(script.asked.may_io, row[i].io);
		EXPECT_EQUAL(script.asked.may_fs, row[i].fs);
		EXPECT_EQUAL(script.asked.gfp, row[i].mask | __GFP_NORETRY);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, what_reclaim_allocates_never_reclaims_and_has_no_mark)
{
	test_slow_path_begin(200);
	script.nests = true;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 1);
	EXPECT(script.nested != NULL);
	EXPECT(script.nested->flags & PAGE_PFMEMALLOC);
	EXPECT_EQUAL(machine_main()->flags, 0);
	test_slow_path_give(script.nested, 0);
	return test_slow_path_finish();
}

CASE(slow_path, the_watchdog_knows_who_waits_and_since_when)
{
	test_slow_path_begin(200);
	EXPECT(test_slow_path_ask(GFP_NOWAIT, 0) == NULL);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT(script.waited);
	EXPECT_EQUAL(machine_main()->memory_wait, 0);
	/* Who waits already goes on waiting. */
	memory_wait_begin();
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT(machine_main()->memory_wait != 0);
	memory_wait_end();
	return test_slow_path_finish();
}

/* ---- 7, 10: compaction ------------------------------------------------------------- */

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

/* ---- 8, 9: how often? ---------------------------------------------------------------- */

CASE(slow_path, noretry_reclaims_once_and_kills_nobody)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 1);
	EXPECT_EQUAL(script.ooms, 0);
	EXPECT_EQUAL(script.slept, 0);
	return test_slow_path_finish();
}

CASE(slow_path, costly_orders_fail_after_one_round)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.reclaimed = 32;
	EXPECT(test_slow_path_ask(GFP_KERNEL, 4) == NULL);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4) == NULL);
	EXPECT_EQUAL(script.reclaims, 2);
	EXPECT_EQUAL(script.ooms, 0);
	return test_slow_path_finish();
}

CASE(slow_path, costly_retry_mayfail_goes_on_where_there_is_compaction)
{
	struct node *node = test_slow_path_begin(200);

	/* A block of order 4 is there, and too few pages beside it. */
	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_FAILED;
	script.reclaimable = 1000;
	script.reclaimed = 32;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4) == NULL);
	/* Progress does not count for costly orders. */
	EXPECT_EQUAL(script.reclaims, 17);
	EXPECT_EQUAL(script.ooms, 0);
	return test_slow_path_finish();
}

CASE(slow_path, pages_that_look_reclaimable_and_never_come_17_reclaims_1_oom)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 17);
	EXPECT_EQUAL(script.ooms, 1);
	EXPECT_EQUAL(script.slept, 16);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_reclaim_retry), 16);
	return test_slow_path_finish();
}

CASE(slow_path, free_200_and_nothing_reclaimable_1_reclaim_1_oom)
{
	test_slow_path_begin(200);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 1);
	EXPECT_EQUAL(script.ooms, 1);
	return test_slow_path_finish();
}

CASE(slow_path, retry_wants_free_and_reclaimable_above_min_less_the_right)
{
	static const struct {
		gfp_t mask;
		unsigned long reclaimable, reclaims;
	} row[] = {
		{ GFP_KERNEL, 280, 1 },
		{ GFP_KERNEL, 281, 17 },
		{ GFP_KERNEL | __GFP_HIGH, 40, 1 },
		{ GFP_KERNEL | __GFP_HIGH, 41, 17 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		test_slow_path_begin(200);
		script.reclaimable = row[i].reclaimable;
		EXPECT(test_slow_path_ask(row[i].mask, 0) == NULL);
		if (script.reclaims != row[i].reclaims)
			return test_failure(
				"row %d: %lu reclaims, expected %lu", (int)i,
				script.reclaims, row[i].reclaims);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, a_zone_with_nothing_reclaimable_counts_its_free_pages_twice)
{
	static const struct {
		unsigned long free, reclaimable, reclaims;
	} row[] = {
		{ 240, 0, 1 },  { 241, 0, 17 }, { 241, 1, 1 },
		{ 480, 0, 17 }, { 479, 1, 1 },  { 479, 2, 17 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		test_slow_path_begin(row[i].free);
		script.reclaimable = row[i].reclaimable;
		EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
		if (script.reclaims != row[i].reclaims)
			return test_failure(
				"row %d: %lu reclaims, expected %lu", (int)i,
				script.reclaims, row[i].reclaims);
		EXPECT_EQUAL(script.ooms, 1);
		test_slow_path_finish();
	}
	return NULL;
}

CASE(slow_path, progress_starts_the_count_of_fruitless_rounds_anew)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.reclaimed = 1;
	script.gives_at = 90;
	script.gives = 400;
	/* Each page that is reclaimed is taken by somebody else. */
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.reclaims, 90);
	EXPECT_EQUAL(script.ooms, 0);
	return test_slow_path_finish();
}

CASE(slow_path, retry_mayfail_tries_17_times_and_kills_nobody)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.kills = true;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0) == NULL);
	EXPECT_EQUAL(script.reclaims, 17);
	EXPECT_EQUAL(script.ooms, 0);
	return test_slow_path_finish();
}

/* ---- 11, 12: the OOM killer --------------------------------------------------------------- */

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
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.reclaims, 17);
	EXPECT_EQUAL(script.ooms, 1);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_oom_retry), 1);
	test_slow_path_finish();
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.kills = true;
	script.gives_at = 40;
	script.gives = 281;
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
	EXPECT_EQUAL(script.ooms, 2);
	return test_slow_path_finish();
}

CASE(slow_path, before_a_kill_it_looks_at_high_once_more)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.gives_at = 17;
	script.gives = 721 - 200;
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
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
	EXPECT(pile_drain(&pile, GFP_KERNEL, 1) == 1);
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, PILE_PAGES), 2);
	EXPECT_EQUAL(node_free(pile.node), 240);
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 62);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, PILE_PAGES), 0);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT | __GFP_MEMALLOC, PILE_PAGES),
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_MEMALLOC, 1), 1);
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, PILE_PAGES), 0);
	machine_leave_irq();
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, PILE_PAGES), 2);
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
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

/* ---- 13: NOFAIL ------------------------------------------------------------------------------ */

CASE(slow_path, nofail_takes_half_of_min_and_then_waits)
{
	test_slow_path_begin(241);
	script.reclaimable = 1;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpop"));
	test_slow_path_finish();
	test_slow_path_begin(240);
	script.reclaimable = 1;
	script.sleep_gives_at = 2;
	script.sleep_gives = 1;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpopswptrpopswptrpop"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_nofail_retry), 2);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_takes_the_last_page_if_the_killer_says_yes)
{
	test_slow_path_begin(1);
	script.kills = true;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
	EXPECT(story_is("pwpwptrpop"));
	EXPECT(pile.page[pile.count - 1]->flags & PAGE_PFMEMALLOC);
	return test_slow_path_finish();
}

CASE(slow_path, nofail_beats_noretry_and_retry_mayfail)
{
	static const gfp_t more[] = { __GFP_NORETRY, __GFP_RETRY_MAYFAIL };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		test_slow_path_begin(100);
		script.sleep_gives_at = 5;
		script.sleep_gives = 400;
		EXPECT_EQUAL(pile_drain(&pile,
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
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOFAIL, 1), 1);
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

CASE(slow_path, nofail_with_nobody_left_to_free_waits_for_ever)
{
	char text[200];

	test_slow_path_begin(0);
	EXPECT_EQUAL(machine_try(wait_for_nobody, NULL, text, sizeof(text)),
	             MACHINE_PANICKED);
	EXPECT(strncmp(text, "everybody sleeps", 16) == 0);
	machine_start(16);
	return NULL;
}

/* ---- Failure ---------------------------------------------------------------------------------------- */

CASE(slow_path, where_nothing_can_be_reclaimed_a_request_fails_at_once)
{
	struct node *node = test_slow_path_begin(480);

	node->recovery = (struct recovery_ops){ 0 };
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT(test_slow_path_ask(GFP_NOFS, 0) == NULL);
	EXPECT_EQUAL(script.slept + script.yielded, 0);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_alloc_would_wait), 2);
	return test_slow_path_finish();
}

CASE(slow_path, a_request_that_no_zone_can_serve_fails_at_once)
{
	static const gfp_t mask[] = { GFP_KERNEL, GFP_ATOMIC,
		                      GFP_NOFS | __GFP_RETRY_MAYFAIL,
		                      GFP_ATOMIC | __GFP_NOFAIL };
	uint64_t mark;

	test_slow_path_begin(61440);
	script.kills = true;
	script.reclaimed = 1;
	script.reclaimable = 100;
	mark = log_mark();
	for (size_t i = 0; i < ARRAY_SIZE(mask); i++)
		EXPECT(test_slow_path_ask(mask[i] | __GFP_DMA, i % 3) == NULL);
	EXPECT(story_is("pppp"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_kswapd_wake_request), 0);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_alloc_would_wait), 0);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_alloc_fail), ARRAY_SIZE(mask));
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 0);
	return test_slow_path_finish();
}

CASE(slow_path, a_zone_without_a_page_left_is_one_that_can_serve)
{
	test_slow_path_begin(600);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY | __GFP_DMA32,
	                          10) == NULL);
	EXPECT(script.wakes > 0);
	EXPECT(script.reclaims > 0);
	return test_slow_path_finish();
}

CASE(slow_path, nowarn_is_silent_and_others_dump_once_in_ten_seconds)
{
	uint64_t mark;

	test_slow_path_begin(200);
	mark = log_mark();
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NOWARN, 0) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 0);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	return test_slow_path_finish();
}

#define ZEROES                                                                 \
	"0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB "         \
	"0*2048kB 0*4096kB"
#define NO_LISTS                                                               \
	"active_anon:0kB inactive_anon:0kB active_file:0kB "                   \
	"inactive_file:0kB unevictable:0kB "

CASE(slow_path, the_dump_has_linuxs_lines_and_the_numbers_of_the_zone)
{
	static const char *const lines[] = {
		"thread main: page allocation failure: order:2,",
		" mode:0x10d40(GFP_NOFS|__GFP_ZERO|__GFP_NORETRY),",
		" nodemask=(null)",
		"pages      free     min    high  parked    anon    file "
		"managed",
		"DMA32       200     480     720       0       0       0   "
		"61440",
		"Mem-Info:",
		"active_anon:0 inactive_anon:0 isolated_anon:0",
		" active_file:0 inactive_file:0 isolated_file:0",
		" unevictable:0 dirty:0 writeback:0",
		" free:200 free_pcp:0 free_cma:0",
		("Node 0 " NO_LISTS
		 "dirty:0kB writeback:0kB all_unreclaimable? yes"),
		("Node 0 DMA32 free:800kB boost:0kB min:1920kB low:2400kB "
		 "high:2880kB reserved_highatomic:0KB present:245760kB "
		 "managed:245760kB"),
		" " NO_LISTS "writepending:0kB",
		"lowmem_reserve[]: 0 0 7 0",
		"Node 0 DMA32: 200*4kB " ZEROES " = 800kB",
		"61440 pages RAM",
		"0 pages reserved",
	};
	struct node *node = begin_scattered(200);
	uint64_t mark = log_mark();

	node->zone[ZONE].lowmem_reserve[ZONE_NORMAL] = 7;
	node->reclaim.kswapd_failures = MAX_RECLAIM_RETRIES;
	EXPECT(test_slow_path_ask(GFP_NOFS | __GFP_ZERO | __GFP_NORETRY, 2) ==
	       NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (log_count_since(mark, lines[i]) != 1)
			return test_failure("no line \"%s\"", lines[i]);
	}
	return test_slow_path_finish();
}

/* ---- WRITE, scopes ------------------------------------------------------------------------------------ */

static bool dirty;

static bool too_dirty(struct node *node __unused)
{
	return dirty;
}

CASE(slow_path, write_has_no_fast_pass_on_a_node_that_is_too_dirty)
{
	struct node *node = test_slow_path_begin(61440);

	node->recovery.too_dirty = too_dirty;
	dirty = true;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_WRITE, 1), 1);
	EXPECT(story_is("wp"));
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(script.wakes, 1);
	dirty = false;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_WRITE, 1), 1);
	EXPECT_EQUAL(script.wakes, 1);
	return test_slow_path_finish();
}

/* What mask does a GFP_KERNEL request have here? */
static gfp_t kernel_means(void)
{
	struct page *page = test_slow_path_ask(GFP_KERNEL, 0);
	gfp_t mask = page->gfp;

	test_slow_path_give(page, 0);
	return mask;
}

CASE(slow_path, scopes_nest_and_noio_is_the_stronger_one)
{
	unsigned int noio, nofs, inner, noreclaim;

	test_slow_path_begin(61440);
	nofs = memalloc_nofs_save();
	EXPECT_EQUAL(kernel_means(), 0xc40);
	noio = memalloc_noio_save();
	EXPECT_EQUAL(kernel_means(), 0xc00);
	inner = memalloc_nofs_save();
	EXPECT_EQUAL(inner, 0);
	memalloc_nofs_restore(inner);
	EXPECT_EQUAL(kernel_means(), 0xc00);
	memalloc_noio_restore(noio);
	EXPECT_EQUAL(kernel_means(), 0xc40);
	memalloc_nofs_restore(nofs);
	EXPECT_EQUAL(kernel_means(), 0xcc0);
	noio = memalloc_noio_save();
	nofs = memalloc_nofs_save();
	EXPECT_EQUAL(kernel_means(), 0xc00);
	memalloc_nofs_restore(nofs);
	EXPECT_EQUAL(kernel_means(), 0xc00);
	memalloc_noio_restore(noio);
	noreclaim = memalloc_noreclaim_save();
	EXPECT_EQUAL(noreclaim, THREAD_MEMALLOC);
	inner = memalloc_noreclaim_save();
	EXPECT_EQUAL(inner, 0);
	memalloc_noreclaim_restore(inner);
	memalloc_noreclaim_restore(noreclaim);
	EXPECT_EQUAL(machine_main()->flags, 0);
	return test_slow_path_finish();
}

CASE(slow_path, reclaim_sees_the_scope_and_an_interrupt_does_not)
{
	unsigned int scope;
	struct page *page;

	test_slow_path_begin(200);
	scope = memalloc_noio_save();
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT(!script.asked.may_io && !script.asked.may_fs);
	machine_enter_irq(NULL);
	page = test_slow_path_ask(GFP_ATOMIC | __GFP_IO, 0);
	EXPECT(page != NULL && page->gfp == (GFP_ATOMIC | __GFP_IO));
	machine_leave_irq();
	memalloc_noio_restore(scope);
	test_slow_path_give(page, 0);
	return test_slow_path_finish();
}

/* ---- Exclusive pages ------------------------------------------------------------------------------------- */

static struct node *begin_exclusive(unsigned long free, unsigned long tables)
{
	struct node *node = test_slow_path_begin(61440);

	machine_start_exclusive(node, tables);
	pile_leave(&pile, free);
	script.passes = 0;
	return node;
}

CASE(slow_path, exclusive_without_atomic_refills_the_pool_and_waits)
{
	struct page *page;

	begin_exclusive(200, 4);
	script.reclaimable = 1000;
	script.gives_at = 3;
	script.gives = 281;
	page = test_slow_path_ask(GFP_KERNEL | __GFP_EXCLUSIVE, 0);
	EXPECT(page != NULL && page->state == PAGE_OWNED);
	EXPECT(story_is("wpwptrswptrswptrswp"));
	EXPECT_EQUAL(exclusive_release(exclusive_address(page)), 0);
	return test_slow_path_finish();
}

CASE(slow_path, exclusive_kills_for_its_frame_like_others)
{
	struct page *page;

	begin_exclusive(200, 4);
	script.kills = true;
	script.kill_gives = 400;
	page = test_slow_path_ask(GFP_KERNEL | __GFP_EXCLUSIVE, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(script.ooms, 1);
	EXPECT_EQUAL(exclusive_release(exclusive_address(page)), 0);
	return test_slow_path_finish();
}

CASE(slow_path, exclusive_waits_for_no_memory_where_memory_is_not_missing)
{
	begin_exclusive(61000, 0);
	script.kills = true;
	script.reclaimable = 1000;
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_EXCLUSIVE, 0) == NULL);
	EXPECT_EQUAL(script.reclaims + script.ooms, 0);
	return test_slow_path_finish();
}

static bool refiller_is_done(struct wait_queue *queue __unused)
{
	script.rests++;
	pile.node->pool.busy = false;
	return false;
}

CASE(slow_path, exclusive_waits_for_another_that_refills)
{
	struct node *node = begin_exclusive(61000, 4);
	struct page *page;

	node->pool.busy = true;
	machine_set_wait_hook(refiller_is_done);
	page = test_slow_path_ask(GFP_KERNEL | __GFP_EXCLUSIVE, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(script.rests, 1);
	EXPECT_EQUAL(script.reclaims, 0);
	EXPECT_EQUAL(exclusive_release(exclusive_address(page)), 0);
	return test_slow_path_finish();
}
