/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slow_path_failure.c -- failures and their dump, scopes, and exclusive
 * pages.
 */
#include "mm/scope.h"
#include "tests/host/test_slow_path.h"
#include "tests/suite.h"

SUITE(slow_path);

/* ---- Failure ------------------------------------------------------------- */

CASE(slow_path, where_nothing_can_be_reclaimed_a_request_fails_immediately)
{
	struct node *node = test_slow_path_begin(480);

	node->recovery = (struct recovery_ops){ 0 };
	EXPECT(test_slow_path_ask(GFP_KERNEL, 0) == NULL);
	EXPECT(test_slow_path_ask(GFP_NOFS, 0) == NULL);
	EXPECT_EQUAL(script.slept + script.yielded, 0);
	EXPECT_EQUAL(test_slow_path_stat(VMSTAT_alloc_would_wait), 2);
	return test_slow_path_finish();
}

CASE(slow_path, a_request_that_no_zone_can_serve_fails_immediately)
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
		"thread main: page allocation failure: order:2, "
		"mode:0x10d40(GFP_NOFS|__GFP_ZERO|__GFP_NORETRY), "
		"nodemask=(null)",
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
		 "high:2880kB reserved_highatomic:0KB free_highatomic:0KB "
		 "present:245760kB managed:245760kB"),
		" " NO_LISTS "writepending:0kB",
		"lowmem_reserve[]: 0 0 7 0",
		"Node 0 DMA32: 200*4kB (M) " ZEROES " = 800kB",
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

/* ---- WRITE, scopes ------------------------------------------------------- */

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
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_WRITE, 1), 1);
	EXPECT(story_is("wp"));
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(script.wakes, 1);
	dirty = false;
	EXPECT_EQUAL(pile_drain(&slow_pile, GFP_KERNEL | __GFP_WRITE, 1), 1);
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

/* ---- Exclusive pages ----------------------------------------------------- */

static struct node *begin_exclusive(unsigned long free, unsigned long tables)
{
	struct node *node = test_slow_path_begin(61440);

	machine_start_exclusive(node, tables);
	pile_leave(&slow_pile, free);
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
	slow_pile.node->pool.busy = false;
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
