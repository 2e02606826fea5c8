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
#include "tests/host/test_slow_path.h"

#include "kernel/core/watchdog.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(slow_path);

struct pile slow_pile;

struct test_script script;

unsigned long test_slow_path_stat(enum vmstat_event event)
{
	return vmstat_read(&slow_pile.node->stat, event);
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

bool story_is(const char *expected)
{
	test_slow_path_write_down('\0');
	return strcmp(script.story, expected) == 0;
}

static void test_slow_path_on_wake(struct node *node __unused,
                                   unsigned int order __unused,
                                   enum zone_type highest __unused,
                                   bool may_sleep __unused)
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
		pile_give(&slow_pile, script.gives);
	return script.reclaimed;
}

static unsigned long test_slow_path_on_reclaimable(struct node *node __unused,
                                                   struct zone *zone)
{
	unsigned long pages = zone->type == ZONE ? script.reclaimable : 0;

	/* As zone_reclaimable_pages(). */
	return pages > 0 ? pages : zone->free_pages;
}

enum compact_result test_slow_path_on_compact(
	struct node *node __unused, const struct alloc_request *request,
	enum compact_priority priority, struct page **page __unused)
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
	pile_give(&slow_pile, script.kill_gives);
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
	pile_give(&slow_pile, script.sleep_gives);
	script.rested = queue->name[0] == 's';
	return true;
}

struct node *test_slow_path_begin(unsigned long free)
{
	struct node *node;

	machine_start(61440);
	node = machine_one_zone(ZONE, 61440);
	machine_set_marks(&node->zone[ZONE], 480, 600, 720);
	slow_pile.node = node;
	slow_pile.count = 0;
	pile_leave(&slow_pile, free);
	memset(&script, 0, sizeof(script));
	machine_set_kswapd_hook(node, test_slow_path_on_wake);
	machine_set_reclaim_hook(node, test_slow_path_on_reclaim,
	                         test_slow_path_on_reclaimable);
	machine_set_oom_hook(node, test_slow_path_on_oom);
	machine_set_throttle_hook(node, test_slow_path_on_throttle);
	machine_set_wait_hook(test_slow_path_on_rest);
	return node;
}

struct node *begin_scattered(unsigned long free)
{
	struct node *node = test_slow_path_begin(0);

	for (unsigned long i = slow_pile.count;
	     i-- > 0 && node_free(node) < free;) {
		struct page *page = slow_pile.page[i];

		if (node_pfn(node, page) % 2 != 0)
			continue;
		slow_pile.page[i] = slow_pile.page[--slow_pile.count];
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
	script.passes = 0;
	vmstat_clear(&node->stat);
	return node;
}

const char *test_slow_path_finish(void)
{
	pile_give(&slow_pile, PILE_PAGES);
	return NULL;
}

struct page *test_slow_path_ask(gfp_t mask, unsigned int order)
{
	return alloc_pages_node(slow_pile.node, mask, order);
}

void test_slow_path_give(struct page *page, unsigned int order)
{
	free_pages_node(slow_pile.node, page, order, RETURN_ADDRESS());
}

/* ---- The order of the rungs ---------------------------------------------- */

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
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT(story_is("pwpwptrswptrswp"));
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_reclaim_retry), 2);
	return test_slow_path_finish();
}

CASE(slow_path, a_round_that_reclaimed_passes_immediately_and_lets_others_run)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.reclaimed = 32;
	script.gives_at = 3;
	script.gives = 400;
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
	EXPECT(story_is("pwpwptrppywptrppywptrp"));
	EXPECT_EQUAL(script.slept, 0);
	return test_slow_path_finish();
}

CASE(slow_path, rungs_of_a_block_come_in_linuxs_order)
{
	struct node *node = test_slow_path_begin(200);

	machine_set_compact_hook(node, test_slow_path_on_compact);
	script.compacted = COMPACT_FAILED;
	script.reclaimed = 32;
	/* 3: async; 6: two passes; 7: light; 10: thorough; then nothing but a kill. */
	EXPECT(test_slow_path_ask(GFP_KERNEL, 2) == NULL);
	EXPECT(story_is("pwpapwptrpplpywptrppfppo"));
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
	struct vmstat_row before = *node->stat.row;

	EXPECT(test_slow_path_ask(GFP_KERNEL, 11) == NULL);
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NOFAIL, 11) == NULL);
	EXPECT(memcmp(&before, node->stat.row, sizeof(before)) == 0);
	EXPECT(story_is(""));
	return test_slow_path_finish();
}

/* ---- 1 to 5: wake-ups, rights, and who stops ----------------------------- */

CASE(slow_path, kswapd_is_woken_at_entry_and_in_each_round)
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
	pile_give(&slow_pile, 1000);
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

/* ---- 6: reclaim ---------------------------------------------------------- */

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
	/* A thread that already waits continues to wait. */
	memory_wait_begin();
	EXPECT(test_slow_path_ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT(machine_main()->memory_wait != 0);
	memory_wait_end();
	return test_slow_path_finish();
}

/* ---- 8, 9: how often? ---------------------------------------------------- */

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

CASE(slow_path, progress_resets_the_count_of_fruitless_rounds)
{
	test_slow_path_begin(200);
	script.reclaimable = 1000;
	script.reclaimed = 1;
	script.gives_at = 90;
	script.gives = 400;
	/* Each page that is reclaimed is taken by somebody else. */
	EXPECT(pile_drain(&slow_pile, GFP_KERNEL, 1) == 1);
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
